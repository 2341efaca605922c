"""The screen promises a superset of the rules, quickly."""

import html
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.assessment import Segment
from models.procurement import Classification
from pipeline.flag.flagger import Flagger
from pipeline.rules import RuleSet, load_rules
from pipeline.rules.fold import fold, squash
from pipeline.rules.squash import Escapes, folded, squashed
from pipeline.screen import Screen, led_by_others

RULES = load_rules(Path(__file__).parent.parent / "data" / "rules")
SCREEN = Screen(RULES)
FLAGGER = Flagger(RULES)
NAMING = [rule for rule in RULES.rules if rule.names_technology and rule.id not in led_by_others(RULES)]
PHRASES = sorted({phrase for rule in NAMING for phrase in rule.phrases})
EVERY_PHRASE = sorted({phrase for rule in RULES.rules if rule.names_technology for phrase in rule.phrases})
SEPARATORS = [
    " ",
    "  ",
    "\u00a0",
    "\n",
    "-",
    "\u2011",
    "\u2013",
    " - ",
    "\u00ad",
    "\u200b",
    "-\n",
    "_",
    "",
    "'",
    "\t",
    " / ",
]
CASES = [str, str.upper, str.title, str.casefold, lambda text: text.translate(_FULL_WIDTH)]
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def matched(text: str) -> bool:
    """Whether a technology is named, be it cancelled, or weighed as nothing unless that is all it can be alone."""
    case = FLAGGER.case([Segment(where="description", text=text)])
    led = led_by_others(RULES)
    return bool(case.cancelled) or any(one.shown or one.term.rule.id not in led for one in case.weighed)


def test_a_name_that_counts_only_beside_a_technology_is_not_looked_for_alone() -> None:
    assert "product.conglomerate" in led_by_others(RULES)
    assert not SCREEN.may_match("Supply of Huawei laptops and Canon printers")
    assert SCREEN.may_match("Huawei facial recognition cameras")
    mentions = FLAGGER.mentions([Segment(where="title", text="Huawei facial recognition cameras")])
    assert "product.conglomerate" in {mention.rule_id for mention in mentions}


def test_every_phrase_as_written_passes() -> None:
    assert [phrase for phrase in PHRASES if not SCREEN.may_match(f"x {phrase}, y")] == []


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(EVERY_PHRASE),
    st.lists(st.sampled_from(SEPARATORS), min_size=12, max_size=12),
    st.sampled_from(CASES),
    st.sampled_from(
        ["", "x", "é", "使用", "เ", "(", "no-", "S.", "\u00ad", "9", "\\", "\\n", "C:\\\\net", "&", "€", "\ud83d"]
    ),
    st.sampled_from(["", "s", "系统", ".", "™", "-\nx", "ă", "0", "\\", '"', "&amp;", "<b>", "😀"]),
    st.sampled_from(["\u200b", "\u00ad", "\u202e", "\u2066", "\0", "-\n", "", "\ufeff", "\u0301"]),
    st.integers(1, 30),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
)
def test_screen_is_a_superset_of_the_matcher(phrase, separators, case, before, after, inside, at, form) -> None:
    words = [unicodedata.normalize(form, case(word)) for word in phrase.split(" ")]
    words[-1] = words[-1][:at] + inside + words[-1][at:]
    text = before + "".join(a + b for a, b in zip(words, [*separators[: len(words) - 1], ""], strict=False))
    text = f"Lot 1: {text}{after} etc."
    if matched(text):
        for way, may in WAYS.items():
            assert may(text), (way, text)


def _as_numbers(text: str) -> bytes:
    return "".join(f"&#{ord(c)};" if c.isalpha() else f"&#x{ord(c):X};" for c in text if c not in "\0\ud83d").encode()


# The ways a text comes: as it is, as UTF-8, in JSON with and without escapes, as XML text with few and many entities.
WAYS = {
    "text": SCREEN.may_match,
    "utf-8": lambda text: SCREEN.may_match_bytes(text.encode("utf-8", "surrogatepass")),
    "json": lambda text: SCREEN.may_match_bytes(json.dumps(text).encode("ascii"), Escapes.JSON),
    "json, upper case": lambda text: SCREEN.may_match_bytes(
        json.dumps(text.replace("\\", "")).upper().replace("\\U", "\\u").replace("\\N", "\\n").encode("ascii"),
        Escapes.JSON,
    ),
    "json in utf-8": lambda text: SCREEN.may_match_bytes(
        json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"), Escapes.JSON
    ),
    "xml": lambda text: SCREEN.may_match_bytes(html.escape(text).encode("utf-8", "surrogatepass"), Escapes.XML),
    "xml in ascii": lambda text: SCREEN.may_match_bytes(
        html.escape(text).replace("\ud83d", "").encode("ascii", "xmlcharrefreplace"), Escapes.XML
    ),
    "xml in numbers": lambda text: SCREEN.may_match_bytes(_as_numbers(text), Escapes.XML),
}


def test_clean_bytes_stay_out_however_they_are_written() -> None:
    assert [way for way, may in WAYS.items() if may("Lot 1: chairs & tables für Straße 5, 使用系统\n")] == []


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("abisfr -\n\u00adAÀ系.1Iİ")), max_size=24))
def test_screen_is_a_superset_for_acronyms(text: str) -> None:
    if matched(text):
        assert SCREEN.may_match(text), text


@pytest.mark.parametrize("text", ["", "   ", "Supply of a fiscal printer", "habisto AFRICAN", "chairs and tables"])
def test_clean_texts_stay_out(text: str) -> None:
    assert not SCREEN.may_match(text)


@pytest.mark.parametrize("text", ["使用ABIS系统", "the AFIS.", "LFR-based", "A-\nBIS"])
def test_acronyms_are_seen_at_word_boundaries(text: str) -> None:
    assert SCREEN.may_match(text)


def test_vendor_literals_count_at_word_boundaries_only() -> None:
    screen = Screen(RULES, ["Idemia", "Herta"])
    assert screen.may_match("awarded to IDEMIA, Courbevoie")
    assert not screen.may_match("Patients in the dyslipidemia group improved.")
    assert not screen.may_match("Hertaville supplies")
    assert not SCREEN.may_match("awarded to IDEMIA, Courbevoie")


def test_plus_signs_belong_to_a_name() -> None:
    screen = Screen(RULES, ["Face++"])
    assert screen.may_match("licences of Face++ for the gate")
    assert not screen.may_match("gas masks with face shields")


def test_a_rule_set_without_rules_matches_nothing() -> None:
    empty = Screen(RuleSet(rules=(), version="rules-0", by_id={}))
    assert not empty.may_match("facial recognition")
    assert empty.probe("CCTV") == ()


def test_probes_by_code_and_by_word() -> None:
    cctv = Classification(scheme="CPV", id="32323500-8", description="Video surveillance system")
    assert {"probe.cpv.video", "probe.words.video"} <= set(SCREEN.probe("Works", [cctv]))
    assert {"probe.words.video", "probe.words.access"} <= set(SCREEN.probe("Supply of CCTV and access control"))
    assert SCREEN.probe("School meals", [Classification(scheme="CPV", id="55523100")]) == ()
    assert SCREEN.probe("Chairs", [Classification(scheme="UNSPSC", id="32323500")]) == ()


@settings(max_examples=400, deadline=None)
@given(st.text(st.one_of(st.characters(), st.sampled_from("aBé -_.(“”ıłØÆßﬁ㎏Ｃ\u00ad\u200b\ud800人Яяําเ့𝐟"))))
def test_squashing_by_table_is_squashing_letter_by_letter(text: str) -> None:
    letters = squashed(text)
    inside_the_plane = "".join(c for c in squash(text) if ord(c) < 0xFFFF)
    assert letters.data.decode("utf-16-le" if letters.wide else "ascii") == inside_the_plane
    assert letters.wide == (not inside_the_plane.isascii())
    assert folded(text) == "".join(c for c in fold(text) if ord(c) < 0xFFFF and c != "\0")

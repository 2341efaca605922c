"""The screen promises a superset of the rules, quickly."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.assessment import Segment
from models.procurement import Classification
from pipeline.flag.context import terms
from pipeline.flag.spans import SpanFinder
from pipeline.rules import RuleSet, load_rules
from pipeline.rules.fold import squash, squash_bytes
from pipeline.screen import Screen

RULES = load_rules(Path(__file__).parent.parent / "data" / "rules")
SCREEN = Screen(RULES)
FINDER = SpanFinder(RULES)
PHRASES = sorted({phrase for rule in RULES.rules if rule.names_technology for phrase in rule.phrases})
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


def test_every_phrase_as_written_passes() -> None:
    assert [phrase for phrase in PHRASES if not SCREEN.may_match(f"x {phrase}, y")] == []


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(PHRASES),
    st.lists(st.sampled_from(SEPARATORS), min_size=12, max_size=12),
    st.sampled_from(CASES),
    st.sampled_from(["", "x", "é", "使用", "เ", "(", "no-", "S.", "\u00ad", "9"]),
    st.sampled_from(["", "s", "系统", ".", "™", "-\nx", "ă", "0"]),
)
def test_screen_is_a_superset_of_the_matcher(phrase, separators, case, before, after) -> None:
    words = phrase.split(" ")
    text = before + "".join(a + b for a, b in zip(map(case, words), [*separators[: len(words) - 1], ""], strict=False))
    text = f"Lot 1: {text}{after} etc."
    kept, cancelled = terms(FINDER.read(Segment(where="description", text=text), 0))
    if kept or cancelled:
        assert SCREEN.may_match(text), text


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("abisfr -\n\u00adAÀ系.1Iİ")), max_size=24))
def test_screen_is_a_superset_for_acronyms(text: str) -> None:
    kept, cancelled = terms(FINDER.read(Segment(where="description", text=text), 0))
    if kept or cancelled:
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
    assert SCREEN.probe("Works", [cctv]) == ("probe.cpv.video", "probe.words.video")
    assert SCREEN.probe("Supply of CCTV and access control") == ("probe.words.video", "probe.words.access")
    assert SCREEN.probe("School meals", [Classification(scheme="CPV", id="55523100")]) == ()
    assert SCREEN.probe("Chairs", [Classification(scheme="UNSPSC", id="32323500")]) == ()


def test_speed_on_ascii_text() -> None:
    text = "The contractor shall supply chairs, tables and printers to the county, as set out in annex 4. " * 20_000
    started = time.process_time()
    assert not SCREEN.may_match(text)
    rate = len(text) / (time.process_time() - started)
    assert rate > 10_000_000, f"{rate / 1e6:.1f} million characters a second"


@settings(max_examples=400, deadline=None)
@given(st.text(st.one_of(st.characters(), st.sampled_from("aBé -_.(“”ıłØÆßﬁ㎏Ｃ\u00ad\u200b\ud800人Яя"))))
def test_squashing_in_stretches_is_squashing_letter_by_letter(text: str) -> None:
    assert squash_bytes(text) == squash(text).encode("utf-8", "surrogatepass")
    assert squash_bytes(f"{'a plain text ' * 9}{text}") == (f"{'aplaintext' * 9}{squash(text)}").encode(
        "utf-8", "surrogatepass"
    )

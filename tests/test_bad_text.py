"""Texts that nobody would write: each gives one outcome, in bounded time and memory, and loses no plain hit."""

import resource

import pytest

from models.assessment import Segment
from pipeline.flag import Flagger
from pipeline.rules import load_rules
from pipeline.screen import Screen
from pipeline.store import DATA

RULES = load_rules(DATA / "rules")
FLAGGER = Flagger(RULES)
SCREEN = Screen(RULES)
BUYS = "Purchase of facial recognition cameras."
SEEN = {
    "UTF-16 read as Latin-1": f"x {BUYS}".encode("utf-16-le").decode("latin-1"),
    "NULs before it": "\0" * 1_000_000 + BUYS,
    "lone surrogates": "\ud800" * 100_000 + f"{BUYS}\udfff",
    "a million combining marks": f"e{chr(0x301) * 1_000_000} {BUYS}",
    "marks that stand on nothing": f"\u0e49\u0301\u05b0{BUYS}",
    "bidi marks around words": "\u202epurchase of \u2066facial\u2069 rec\u200bognition cameras\u202c זיהוי פנים",
    "HTML soup": "<div class='a'><p>" * 20_000 + f"{BUYS}</p>",
    "ten million characters without a space": "的" * 3_300_000 + "采购人脸识别摄像机" + "的" * 100,
    "the words on every line of ten megabytes": ("facial recognition " + "word " * 100 + "\n") * 20_000,
}
UNSEEN = {
    "ten million letters": "a" * 10_000_000,
    "commas": ",a" * 200_000,
    "quotation marks": "“" * 500_000,
    "line ends within a word": "a-\n" * 200_000,
    "open brackets behind characters": "识(" * 200_000,
    "every code point": "".join(map(chr, range(0x110000))),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_plain_hit_is_found_in_it(name: str) -> None:
    assert SCREEN.may_match(SEEN[name])
    assessment = FLAGGER.assess([Segment(where="description", text=SEEN[name])])
    assert assessment.scope.value == "in_scope"
    assert assessment.mentions
    assert len(assessment.mentions) <= 10_000


@pytest.mark.parametrize("name", UNSEEN)
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    assessment = FLAGGER.assess([Segment(where="description", text=UNSEEN[name])])
    assert (assessment.scope.value, assessment.mentions) == ("out_of_scope", ())


def test_what_was_left_unread_is_said() -> None:
    why = FLAGGER.assess([Segment(where="description", text=SEEN["the words on every line of ten megabytes"])]).why
    read = "10 of the 520 stretches out of 520 that may name a technology were read."
    assert why.endswith(f"description has 10,400,000 characters: {read}")
    assert "stretches" not in FLAGGER.assess([Segment(where="description", text=BUYS)]).why


def test_memory_does_not_follow_the_length_of_a_text() -> None:
    text = SEEN["the words on every line of ten megabytes"]
    FLAGGER.assess([Segment(where="description", text=text[:1_000_000])])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    FLAGGER.assess([Segment(where="description", text=text)])
    # Kilobytes; the letters of the text take 10 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000

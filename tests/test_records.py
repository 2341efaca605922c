"""Files of records screened as bytes: which lines are let through, whatever they are written in."""

import gzip
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.candidate import load_candidates
from pipeline.glance import records_of
from tests.command import unveil

CANDIDATES = load_candidates()
RECORDS = records_of(CANDIDATES.screen, CANDIDATES.registry)
LINES = [
    {"title": "Chairs and tables"},
    {"title": "Live facial\nrecognition vans"},
    {"title": "Café für Straße 5 – “Stühle”"},
    {"title": "Reconocimiento\u00a0facial en el metro"},
    {"title": "Support of a fr ee service, afresh"},
    {"title": "LFR vans"},
    {"title": "Распознавание лиц"},
    {"title": "C:\\\\network\\face\\recognition"},
]
KEPT = [1, 3, 5, 6, 7]


def test_lines_are_let_through_whether_escaped_or_not() -> None:
    for escaped in (True, False):
        lines = [json.dumps(line, ensure_ascii=escaped).encode() for line in LINES]
        assert RECORDS.of_lines(lines) == KEPT
        assert [RECORDS.may_hold(line) for line in lines] == [place in KEPT for place in range(len(LINES))]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LINES), st.booleans(), st.text(max_size=20)), max_size=12))
def test_a_block_of_lines_is_screened_as_its_lines_are(given_lines) -> None:
    lines = [json.dumps(line | {"note": note}, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
             for line, escaped, note in given_lines]  # fmt: skip
    assert RECORDS.of_lines(lines) == [place for place, line in enumerate(lines) if RECORDS.may_hold(line)]


def test_a_packed_file_is_screened_line_by_line(tmp_path: Path) -> None:
    # More than one block, with a line end of Windows and no end at the last line.
    filling = [json.dumps({"title": "Paper and ink " * 200}) for _ in range(800)]
    lines = [*filling, json.dumps(LINES[1]) + "\r", *filling, json.dumps(LINES[5])]
    (tmp_path / "releases.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    ran = unveil("screen", str(tmp_path / "releases.jsonl.gz"))
    assert (ran.code, ran.out.splitlines()) == (0, [json.dumps(LINES[1]), json.dumps(LINES[5])])


def test_a_broken_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"title": "Chairs"}\n' * 1000)
    (tmp_path / "broken.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    ran = unveil("screen", str(tmp_path / "broken.jsonl.gz"))
    assert ran.code == 3
    assert "is broken" in ran.err
    assert unveil("screen", str(tmp_path / "none.jsonl")).code == 2

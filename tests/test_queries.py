"""What a searched portal is asked: terms in its languages, each in a window of its own; new ones go back in time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.codes import Retrieval
from models.source import QueryPolicy, SourceCard
from pipeline.cards import load_source_card
from pipeline.errors import WrongUse
from pipeline.lake import write_partition
from pipeline.queries import load_terms, plan_queries, query_id, watermarks
from pipeline.store import DATA, Store

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
TERMS = {"en": ("facial recognition", "live facial"), "pt": ("reconhecimento facial",), "he": ("זיהוי פנים",)}


def card(**changes: Any) -> SourceCard:
    plain = load_source_card(DATA / "sources", "uk_contracts_finder")
    values = {
        "languages": ("pt", "en"),
        "retrieval": Retrieval.QUERY,
        "platform": "search",
        "overlap_days": 3,
        "query": QueryPolicy(backfill_days=365, supplier_names=True),
        **changes,
    }
    return plain.model_copy(update=values)


def test_a_new_term_goes_back_and_a_known_one_goes_on_from_its_watermark() -> None:
    known = {query_id("text", "facial recognition"): datetime(2026, 11, 20, tzinfo=UTC)}
    planned = plan_queries(card(), TERMS, ["Example Faces Inc"], known, since=None, until=NOW)
    assert [(q.kind, q.term, q.language, q.since) for q in planned] == [
        ("text", "reconhecimento facial", "pt", NOW - timedelta(days=365)),
        ("text", "facial recognition", "en", datetime(2026, 11, 17, tzinfo=UTC)),
        ("text", "live facial", "en", NOW - timedelta(days=365)),
        ("supplier", "Example Faces Inc", None, NOW - timedelta(days=365)),
    ]
    assert {q.until for q in planned} == {NOW}


def test_a_window_given_by_hand_counts_for_all() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    known = {query_id("text", "facial recognition"): datetime(2026, 11, 20, tzinfo=UTC)}
    assert {q.since for q in plan_queries(card(), TERMS, [], known, since=since, until=NOW)} == {since}


def test_spellings_that_fold_alike_are_one_query() -> None:
    planned = plan_queries(card(languages=("en",)), {"en": ("Facial  Recognition", "facial recognition")}, [], {},
                           since=None, until=NOW)  # fmt: skip
    assert len(planned) == 1


def test_a_source_that_is_not_searched_is_asked_nothing() -> None:
    assert plan_queries(card(query=None), TERMS, ["Example Faces Inc"], {}, since=None, until=NOW) == ()


def told(store: Store, run: str, *results: tuple[str, str, int, int]) -> None:
    write_partition(store, "query", "br", run, [
        {"source_id": "br", "run_id": run, "query_id": query, "term": query, "outcome": outcome,
         "since": day(since), "until": day(until), "expected": None, "received": 0, "detail": ""}
        for query, outcome, since, until in results
    ])  # fmt: skip


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


def test_a_watermark_moves_only_when_its_query_was_answered_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    told(store, "1", ("q-a", "complete", 1, 5), ("q-b", "complete", 1, 5))
    told(store, "2", ("q-a", "partial", 4, 9), ("q-b", "complete", 4, 9))
    # By hand, beyond a gap: what lies between was never asked.
    told(store, "3", ("q-a", "complete", 15, 18), ("q-c", "blocked", 15, 18))
    assert watermarks(store, "br", day(1)) == {"q-a": day(5), "q-b": day(9)}


def test_a_watermark_older_than_the_backfill_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    told(store, "1", ("q-a", "complete", 1, 5))
    assert watermarks(store, "br", day(10)) == {}


@pytest.mark.parametrize("text", ["- facial recognition\n", "en: facial recognition\n", "en: ['']\n", "en: [7]\n"])
def test_terms_of_another_shape_are_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "queries.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WrongUse, match=r"queries\.yml: search terms are lists of words by language"):
        load_terms(path)

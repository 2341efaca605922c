"""What a searched portal is asked: terms in its languages, each in a window of its own; new ones go back in time."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from flows.crawl import crawl
from flows.house import House
from flows.steps import build_database, derive_crawl
from models.codes import Retrieval
from models.source import QueryPolicy, SourceCard
from pipeline.cards import load_source_card
from pipeline.errors import WrongUse
from pipeline.lake import write_partition
from pipeline.queries import load_terms, plan_queries, query_id, watermarks
from pipeline.query import connect
from pipeline.store import DATA, Store
from tests.answers import il_budgetkey
from tests.driver import Reply, drive, ended, make_spider, query
from tests.rogue import Rogue, instead
from tests.rogue_dialects import BudgetKey, card_of

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


def windows(portal: Rogue) -> dict[str, str]:
    """From which day the portal was asked for each term since the log was last cleared."""
    asked = (unquote_plus(ask.path) for ask in portal.asked("index"))
    found = {re.findall(r"ILIKE '%(\w+)%'", sql)[0]: re.findall(r">= '([\d-]+)'", sql)[0] for sql in asked}
    portal.log.clear()
    return found


def test_three_nights_of_a_searched_portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNVEIL_CONTACT", "mailto:tests@example.org")
    house = House(Store(tmp_path / "store"))
    finds = {"face": ((1,),), "gait": ((2,),), "iris": ((3,),)}

    def night(portal: Rogue, at: datetime, *terms: str) -> str:
        one = card_of(portal, overlap_days=3, query=QueryPolicy(backfill_days=30))
        result = crawl(house.store, one, now=at, terms={"he": terms}, log=house.store.logs / "crawl.log", time_limit=40)
        derive_crawl(house, one, Path(result["folder"]), kind="crawl")
        return str(result["outcome"])

    with Rogue(BudgetKey(finds=finds)) as portal:
        assert night(portal, datetime(2026, 11, 20, 2, tzinfo=UTC), "face", "gait") == "complete"
        assert windows(portal) == {"face": "2026-10-21", "gait": "2026-10-21"}
        # One term is known and goes on three days before the last night; one breaks off; one is new and goes back.
        portal.bad_for_ever("index gait/1", instead(b'{"error": "statement timeout"}'))
        assert night(portal, datetime(2026, 11, 22, 2, tzinfo=UTC), "face", "gait", "iris") == "partial"
        assert windows(portal) == {"face": "2026-11-17", "gait": "2026-11-17", "iris": "2026-10-23"}
        # What broke off is asked for again from where it was last whole, the others from last night.
        assert night(portal, datetime(2026, 11, 23, 2, tzinfo=UTC), "face", "gait", "iris") == "partial"
        assert windows(portal) == {"face": "2026-11-19", "gait": "2026-11-17", "iris": "2026-11-19"}
    build_database(house)
    with connect(house.store) as database:
        told = database.execute("SELECT term, outcome, received FROM query ORDER BY until, term").fetchall()
    assert told == [
        ("face", "complete", 1), ("gait", "complete", 1),
        ("face", "complete", 1), ("gait", "failed", 0), ("iris", "complete", 1),
        ("face", "complete", 1), ("gait", "failed", 0), ("iris", "complete", 1),
    ]  # fmt: skip


def test_a_portal_that_is_down_is_not_asked_every_term(tmp_path: Path) -> None:
    il = load_source_card(DATA / "sources", "il_budgetkey")
    spider = make_spider(tmp_path, il, tuple(query(f"term{n}", "he") for n in range(6)))
    # The second term is answered; then nothing comes any more.
    asked = drive(spider, lambda request: Reply(il_budgetkey.body() if "term1" in request.url else None))
    assert len(asked) == 5
    assert ended(spider)[0] == "partial"
    assert [(r.term, r.outcome, r.detail) for r in spider.query_results()][1:2] == [("term1", "complete", "")]
    assert spider.query_results()[-1].detail == "not asked, since the portal did not answer"
    assert [r.outcome for r in spider.query_results()].count("complete") == 1

"""BudgetKey: a strict order instead of offsets, terms that stay words, and what a row says of supplier and status."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from scrapy import Request

from models.codes import Basis, Lifecycle, ValueKind
from models.procurement import Identifier, Parsed, Release
from models.run import Problem
from pipeline.cards import load_source_card
from pipeline.parse.budgetkey import parse_file, parse_page
from pipeline.store import DATA
from spiders.platforms.sql import containing
from tests.answers.il_budgetkey import TERM, body, row, sql_of, table
from tests.driver import Reply, drive, ended, make_spider, query

CARD = load_source_card(DATA / "sources", "il_budgetkey")


def read(**changes: Any) -> tuple[Release, list[Problem]]:
    first, *notes = parse_page(body(row(4001234, **changes)), CARD, "a" * 64, "https://next.obudget.org/api/query")
    assert isinstance(first, Parsed), first
    return first.release, [n for n in notes if isinstance(n, Problem)]


@pytest.mark.parametrize(
    ("term", "sql"),
    [
        ("facial recognition", "'%facial recognition%'"),
        ("o'reilly", "'%o''reilly%'"),
        ("100%_sure\\", "'%100\\%\\_sure\\\\%'"),
        ("'; DROP TABLE x; --", "'%''; DROP TABLE x; --%'"),
    ],
)
def test_a_term_is_a_word_and_never_sql(term: str, sql: str) -> None:
    assert containing(term) == sql


def test_the_query_asks_for_its_window_in_a_strict_order(tmp_path: Path) -> None:
    spider = make_spider(tmp_path, CARD, (query(TERM, "he"), query("Example Faces", kind="supplier")))
    first, second = (sql_of(request) for request in drive(spider, table()))
    assert f"(description ILIKE '%{TERM}%' OR subjects::text ILIKE '%{TERM}%')" in first
    assert "supplier ILIKE '%Example Faces%'" in second
    assert "last_update_date >= '2026-11-01' AND last_update_date <= '2026-11-23'" in first
    assert first.endswith(
        "ORDER BY last_update_date DESC, publication_id::text DESC, coalesce(tender_type, '') DESC, "
        "coalesce(tender_id::text, '') DESC LIMIT 1000"
    )


def test_rows_that_come_meanwhile_hide_none_of_those_before(tmp_path: Path) -> None:
    rows = [row(n, last_update_date="2026-11-05") for n in range(1500)]
    asked: list[str] = []

    def answer(request: Request) -> Reply:
        asked.append(sql_of(request))
        # Ten new rows appear at the head of the table between the two answers: an offset would now skip or repeat.
        new = [row(9000 + n, last_update_date="2026-11-06") for n in range(10)] if len(asked) > 1 else []
        return table(*rows, *new)(request)

    spider = make_spider(tmp_path, CARD, (query(TERM, "he"),))
    drive(spider, answer)
    assert len(asked) == 2
    # Numbers are ordered as text: the thousandth from 999 downwards is 1448.
    assert "< ('2026-11-05', '1448', 'exemptions', '')" in asked[1]
    assert spider.records == 1500
    (result,) = spider.query_results()
    assert (result.outcome, result.received) == ("complete", 1500)


def test_a_purchase_with_a_supplier_is_an_award() -> None:
    release, notes = read(
        supplier='דוגמה מערכות בע"מ', supplier_id="511111118", decision="אושר", start_date="2026-12-01",
        end_date="2028-11-30", documents=[
            {"link": "https://mr.gov.il/ilgstorefront/he/p/attachment/0123456789abcdef0123456789abcdef/a.pdf",
             "description": "מסמכי ההתקשרות", "update_time": "2026-11-05"}],
    )  # fmt: skip
    assert notes == []
    assert (release.native_id, release.title, release.language) == (
        "exemptions/4001234", "אספקת מערכת זיהוי פנים", "he",
    )  # fmt: skip
    assert (release.status.lifecycle, release.status.raw, release.value) == (Lifecycle.TENDER, "פורסם", None)
    (award,) = release.children
    assert (award.kind, award.status.lifecycle, award.status.basis, award.status.raw) == (
        "award", Lifecycle.ACTIVE, Basis.EVENT, "אושר",
    )  # fmt: skip
    assert award.value is not None
    assert (str(award.value.amount), award.value.currency, award.value.kind) == ("250000.5", "ILS", ValueKind.AWARD)
    assert (str(award.starts_on), str(award.ends_on)) == ("2026-12-01", "2028-11-30")
    buyer, supplier = release.parties
    assert (buyer.name, buyer.roles) == ("משרד לדוגמה, יחידת הרכש", ("buyer",))
    assert supplier.identifiers == (Identifier(scheme="IL-ROC", id="511111118"),)
    assert [(d.url[-6:], d.title) for d in release.documents] == [("/a.pdf", "מסמכי ההתקשרות")]
    assert [t.pointer for t in release.texts] == ["/description", "/subjects", "/decision"]


@pytest.mark.parametrize(
    ("name", "number", "person"),
    [
        ("דנה לוי", "012345674", True),
        ("דנה לוי כהן", "", True),
        ("דוגמה מערכות תוכנה", "", False),
        ('דוגמה בע"מ', "012345674", False),
        ("עמותת דוגמה", "580000001", False),
        ("Example Vision Ltd", "", False),
        ("Dr. Jane Exampleson", "", True),
    ],
)
def test_people_are_not_named(name: str, number: str, person: bool) -> None:
    release, _ = read(supplier=name, supplier_id=number)
    (supplier,) = [p for p in release.parties if "supplier" in p.roles]
    assert supplier.natural_person is person
    if person:
        assert supplier.name == ""
        assert supplier.identifiers == ()
        said = release.model_dump_json()
        assert name not in said
        assert not number or number not in said


def test_a_number_that_may_be_a_persons_is_not_kept_beside_a_firm() -> None:
    release, _ = read(supplier='דוגמה בע"מ', supplier_id="012345674")
    assert release.children[0].supplier_ids == ('דוגמה בע"מ',)
    assert "012345674" not in release.model_dump_json()


@pytest.mark.parametrize(
    ("ends", "lifecycle", "basis"),
    [("2026-11-04", Lifecycle.COMPLETE, Basis.DATES), ("2026-11-05", Lifecycle.ACTIVE, Basis.EVENT)],
)
def test_an_award_whose_period_was_over_when_the_row_changed_is_complete(
    ends: str, lifecycle: Lifecycle, basis: Basis
) -> None:
    release, _ = read(supplier='דוגמה בע"מ', supplier_id="511111118", end_date=ends)
    assert (release.children[0].status.lifecycle, release.children[0].status.basis) == (lifecycle, basis)


def test_points_and_direction_marks_stay_so_that_quotes_can_be_found_again() -> None:
    # Right-to-left marks around a Latin word, and a pointed word.
    written = "\u200fמערכת \u202aFace ID\u202c ל\u05b0זיהוי פ\u05b8\u05bcנ\u05b4ים\u200f"
    release, _ = read(description=written)
    (text,) = [t for t in release.texts if t.pointer == "/description"]
    assert text.text == written
    assert release.title == written


def test_a_request_for_information_buys_nothing_yet_and_a_cancelled_one_never() -> None:
    request = {"tender_type_he": "פניה לקבלת מידע"}
    assert read(**request)[0].status.lifecycle is Lifecycle.PLANNED
    assert read(**request, status="בוטל")[0].status.lifecycle is Lifecycle.CANCELLED


def test_a_frozen_purchase_freezes_its_award() -> None:
    release, _ = read(status="מוקפא", supplier='דוגמה בע"מ', supplier_id="511111118")
    assert release.status.lifecycle is Lifecycle.SUSPENDED
    assert release.children[0].status.lifecycle is Lifecycle.SUSPENDED


def test_what_is_new_is_told_and_what_is_missing_refused() -> None:
    release, notes = read(status="בבדיקה", source_currency="שקלים", claim_date="30/11", documents="[{]", color="blue")
    assert (release.status.lifecycle, release.status.raw) == (Lifecycle.UNKNOWN, "בבדיקה")
    assert sorted(n.kind for n in notes) == [
        "malformed_json", "unknown_code", "unknown_field", "unreadable_amount", "unreadable_date",
    ]  # fmt: skip
    (refused,) = parse_page(body(row(1, last_update_date="yesterday")), CARD, "a" * 64, "")
    assert isinstance(refused, Problem)
    assert (refused.kind, refused.severity, refused.pointer) == ("unreadable_date", "rejected", "/rows/0")


def test_documents_come_as_a_list_or_as_text() -> None:
    link = {"link": "https://mr.gov.il/a.pdf", "description": "נספח"}
    assert read(documents=[link])[0].documents == read(documents=json.dumps([link]))[0].documents


def test_documents_of_candidates_are_fetched(tmp_path: Path) -> None:
    wanted = row(1, description="facial recognition", documents=[{"link": "https://mr.gov.il/he/p/attachment/1/a.pdf"}])
    other = row(2, documents=[{"link": "https://mr.gov.il/he/p/attachment/2/b.pdf"}])
    spider = make_spider(tmp_path, CARD, (query(TERM, "he"),))

    def answer(request: Request) -> Reply:
        if "attachment" in request.url:
            return Reply(b"%PDF-1.4\n%%EOF\n", content_type="application/octet-stream")
        return table(wanted, other)(request)

    asked = drive(spider, answer)
    assert [request.url for request in asked[1:]] == ["https://mr.gov.il/he/p/attachment/1/a.pdf"]
    assert ended(spider)[0] == "complete"
    assert [d.outcome for d in spider.desk.rows()] == ["ok"]


@pytest.mark.parametrize(
    ("data", "pointers"),
    [
        (body(row(1), row(2)), ["/rows/0", "/rows/1"]),
        (orjson.dumps([row(1), row(2)]), ["/0", "/1"]),
        # A byte order mark, as spreadsheets and some servers put before JSON, is no part of it.
        (b"\xef\xbb\xbf" + body(row(1), row(2)), ["/rows/0", "/rows/1"]),
        (b"\xef\xbb\xbf" + orjson.dumps(row(1)) + b"\n" + orjson.dumps(row(2)), ["line=1", "line=2"]),
        (orjson.dumps(row(1)) + b"\n" + orjson.dumps(row(2)) + b"\n", ["line=1", "line=2"]),
    ],
)
def test_saved_answers_are_read_as_files(data: bytes, pointers: list[str]) -> None:
    import io

    items = list(parse_file(lambda: io.BytesIO(data), CARD, "a" * 64, "", None))
    assert [i.place.pointer for i in items if isinstance(i, Parsed)] == pointers

"""USAspending: what is asked, how far a walk goes, what an award says, and one contract out of two sources."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from scrapy import Request

from models.codes import Basis, Lifecycle, Outcome, Role, ValueKind
from models.ids import contract_id
from models.procurement import Classification, Identifier, Parsed, Party, Release, Status, Value
from models.run import Problem
from models.source import SourceCard
from pipeline.archive import RunInfo
from pipeline.archive_writer import RunWriter
from pipeline.cards import load_columns_card, load_source_card
from pipeline.errors import BadData
from pipeline.parse import usaspending
from pipeline.parse.columns import parse_rows
from pipeline.store import DATA, Store
from spiders.context import ROLE
from tests import driver
from tests.answers.us_usaspending import (
    AWARDS,
    SEARCH,
    TRANSACTIONS,
    asked,
    award,
    award_id,
    found,
    history,
    portal,
    record,
    transaction,
    vehicle,
)  # fmt: skip
from tests.command import unveil
from tests.driver import Reply, drive, ended, make_spider, query

CARD = load_source_card(DATA / "sources", "us_usaspending")
SHA = "0" * 64
HEADER = (
    "Agency,Award ID,Recipient Name,Federal Action Obligation,Action Date,Modification,Product/Service Description,"
    "NAICS Description,Transaction Description,Generated Award ID\n"
)


def read(value: Any, card: SourceCard = CARD) -> list[Parsed | Problem]:
    return list(usaspending.parse_page(json.dumps(value).encode(), card, SHA, "https://api.example/"))


def release(value: Any) -> Release:
    """The only release of a record, which nothing is odd about."""
    (item,) = read(value)
    assert isinstance(item, Parsed), item
    return item.release


def searches(requests: list[Request]) -> list[dict[str, Any]]:
    return [asked(request) for request in requests if request.url == SEARCH]


def test_a_term_is_asked_for_in_two_groups_of_award_types(tmp_path: Path) -> None:
    spider = make_spider(tmp_path, CARD, (query("facial recognition"),))
    requests = drive(spider, lambda request: Reply(found()))
    assert {request.method for request in requests} == {"POST"}
    contracts, vehicles = searches(requests)
    assert contracts == {
        "filters": {
            "keywords": ["facial recognition"],
            "award_type_codes": ["A", "B", "C", "D"],
            "time_period": [{"start_date": "2026-11-01", "end_date": "2026-11-23", "date_type": "last_modified_date"}],
        },
        "fields": ["Award ID", "Recipient Name", "Last Modified Date"],
        "limit": 100,
        "page": 1,
        "sort": "Last Modified Date",
        "order": "desc",
        "subawards": False,
    }
    others = ["IDV_A", "IDV_B", "IDV_B_A", "IDV_B_B", "IDV_B_C", "IDV_C", "IDV_D", "IDV_E"]
    assert vehicles == {**contracts, "filters": {**contracts["filters"], "award_type_codes": others}}


def test_a_supplier_is_looked_for_among_recipients_and_no_day_before_the_first(tmp_path: Path) -> None:
    asked_for = query("Example Vision", kind="supplier").model_copy(update={"since": datetime(2000, 1, 1, tzinfo=UTC)})
    spider = make_spider(tmp_path, CARD, (asked_for,))
    filters = searches(drive(spider, lambda request: Reply(found())))[0]["filters"]
    assert (filters["recipient_search_text"], "keywords" in filters) == (["Example Vision"], False)
    assert filters["time_period"][0]["start_date"] == "2007-10-01"


def test_beyond_fifty_thousand_finds_the_walk_goes_by_the_last_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_MOST", 2_000)

    def answer(request: Request) -> Reply:
        if request.url != SEARCH:
            return record(award(request.url.split("CONT_AWD_")[1].split("_")[0]))
        body = asked(request)
        if body["filters"]["award_type_codes"] != ["A", "B", "C", "D"]:
            return Reply(found())
        page = body["page"]
        # As the API: a page number beyond its window is refused, unless the last record is named.
        if page * body["limit"] > 50_000 and "last_record_unique_id" not in body:
            return Reply(b'{"detail": "Page #501 with limit 100 is over the maximum result limit 50000."}', 422)
        return Reply(found(award_id(f"P{page}"), more=page < 503, last=7_000 + page))

    spider = make_spider(tmp_path, CARD, (query(),))
    bodies = searches(drive(spider, answer))
    assert ended(spider)[0] is Outcome.COMPLETE, ended(spider)
    assert spider.query_results()[0].received == 503
    assert [body["page"] for body in bodies] == [*range(1, 504), 1]
    assert all("last_record_unique_id" not in body for body in (*bodies[:500], bodies[-1]))
    assert [(b["last_record_unique_id"], b["last_record_sort_value"]) for b in bodies[500:503]] == [
        (7_500, "1795132800000"),
        (7_501, "1795132800000"),
        (7_502, "1795132800000"),
    ]


def test_a_window_that_names_no_last_record_breaks_the_walk(tmp_path: Path) -> None:
    card = CARD.model_copy(update={"page_size": 30_000})
    spider = make_spider(tmp_path, card, (query(),))
    drive(
        spider,
        portal({(False, 1): Reply(found(award_id("P1"), more=True))}, {award_id("P1"): record(award("P1"))}),
    )
    assert [failure.kind for failure in spider.failures] == ["missing_field"]
    assert spider.query_results()[0].outcome is Outcome.FAILED


def test_what_two_terms_find_is_fetched_once_and_its_loss_holds_both_back(tmp_path: Path) -> None:
    one, other, third = query("face"), query("gait"), query("iris")
    finds = {"face": (award_id("P1"), award_id("P2")), "gait": (award_id("P2"), award_id("P3")), "iris": ()}

    def answer(request: Request) -> Reply:
        if request.url == SEARCH:
            body = asked(request)
            first = body["filters"]["award_type_codes"][0] == "A"
            return Reply(found(*finds[body["filters"]["keywords"][0]] if first else ()))
        if award_id("P2") in request.url:
            return Reply(b'{"detail": "No Award found with: \'x\'"}', 404)
        return record(award(request.url.split("CONT_AWD_")[1].split("_")[0]))

    spider = make_spider(tmp_path, CARD, (one, other, third))
    requests = drive(spider, answer)
    assert [r.url for r in requests if r.url != SEARCH] == [
        f"{AWARDS}{award_id('P1')}/",
        f"{AWARDS}{award_id('P2')}/",
        f"{AWARDS}{award_id('P3')}/",
    ]
    assert [(r.outcome, r.received) for r in spider.query_results()] == [
        (Outcome.PARTIAL, 2),
        (Outcome.PARTIAL, 2),
        (Outcome.COMPLETE, 0),
    ]
    assert [failure.kind for failure in spider.failures] == ["http_404"]


def test_a_refusal_is_told_in_the_apis_own_words(tmp_path: Path) -> None:
    spider = make_spider(tmp_path, CARD, (query(),))
    drive(spider, lambda request: Reply(b'{"detail": "Missing value: \'filters|award_type_codes\'"}', 400))
    (failure,) = spider.failures
    assert failure.kind == "http_400"
    assert "Missing value: 'filters|award_type_codes'" in failure.detail


def test_the_history_of_a_candidate_is_asked_for_and_must_be_its_own(tmp_path: Path) -> None:
    face = award("P1", description="FACIAL RECOGNITION LICENCES")
    pages = [
        history(transaction("P1", "0", None), more=True),
        history(transaction("P2", "P00001", "F")),
    ]

    def answer(request: Request) -> Reply:
        if request.url == TRANSACTIONS:
            return Reply(pages[asked(request)["page"] - 1])
        return portal({(False, 1): Reply(found(award_id("P1")))}, {award_id("P1"): record(face)})(request)

    spider = make_spider(tmp_path, CARD, (query(),))
    requests = drive(spider, answer)
    assert [asked(r) for r in requests if r.url == TRANSACTIONS] == [
        {"award_id": award_id("P1"), "page": page, "limit": 5_000, "sort": "action_date", "order": "asc"}
        for page in (1, 2)
    ]
    assert [(f.kind, award_id("P2") in f.detail) for f in spider.failures] == [("wrong_record", True)]
    assert spider.records == 2, "the award and the transaction of the first page"
    assert spider.query_results()[0].outcome is Outcome.PARTIAL


def test_an_award_is_mapped_field_by_field() -> None:
    made = award("97EXF00000001", description="FACE SEARCH, COR JANE.ROE@AGENCY.EXAMPLE 202-555-0143")
    got = release(made)
    assert got.contract_id == contract_id("us-usaspending", "CONT_AWD_97EXF00000001_9701_97EXD00000001_9701")
    assert got.native_id == "CONT_AWD_97EXF00000001_9701_97EXD00000001_9701"
    assert got.published_at == datetime(2026, 11, 20, 14, 6, 44, tzinfo=UTC)
    assert got.title == "FACE SEARCH, COR ███████████████████████ ████████████"
    assert (got.language, got.country, got.procurement_method) == ("en", "US", "NOT COMPETED")
    assert (got.starts_on, got.ends_on) == (date(2026, 9, 3), date(2027, 9, 2))
    assert got.value == Value(amount=Decimal("2500000.0"), currency="USD", kind=ValueKind.CONTRACT)
    assert got.classifications == (
        Classification(scheme="PSC", id="7A21", description="IT AND TELECOM - BUSINESS APPLICATION SOFTWARE"),
        Classification(scheme="NAICS", id="513210", description="SOFTWARE PUBLISHERS"),
    )
    assert got.identifiers == (
        Identifier(scheme="piid", id="97EXF00000001"),
        Identifier(scheme="piid", id="97EXD00000001"),
        Identifier(scheme="us_solicitation", id="97EXR26Q00000042"),
    )
    assert got.parties == (
        Party(local_id="agency:9701", name="Example Harbour Guard", roles=(Role.BUYER,), country="US"),
        Party(
            local_id="office:EXAMPLE CONTRACTING DIVISION 1",
            name="EXAMPLE CONTRACTING DIVISION 1, Example Harbour Guard, Example Department of Ports",
            roles=(Role.PROCURING_ENTITY,),
            country="US",
        ),
        Party(
            local_id="uei:EXAMPLE00001",
            name="EXAMPLE VISION, INC.",
            roles=(Role.SUPPLIER,),
            identifiers=(
                Identifier(scheme="US-UEI", id="EXAMPLE00001"),
                Identifier(scheme="US-UEI-PARENT", id="EXAMPLE00002"),
            ),
            country="US",
        ),
    )
    (child,) = got.children
    assert (child.kind, child.native_id, child.signed_on) == ("contract", "97EXF00000001", date(2026, 9, 3))
    assert (child.starts_on, child.ends_on) == (date(2026, 9, 3), date(2027, 9, 2))
    assert child.value == Value(amount=Decimal("750000.5"), currency="USD", kind=ValueKind.OBLIGATION, cumulative=True)
    assert child.supplier_ids == ("uei:EXAMPLE00001",)
    assert child.status == Status(lifecycle=Lifecycle.ACTIVE, basis=Basis.DATES)
    assert [text.pointer for text in got.texts] == [
        "/description",
        "/latest_transaction_contract_data/product_or_service_description",
        "/latest_transaction_contract_data/naics_description",
    ]
    kept = got.model_dump_json()
    for personal in ("Fictional", "EXAMPLE WAY", "JANE.ROE", "555-0143"):
        assert personal not in kept


def test_an_award_is_complete_once_its_period_had_ended_when_it_was_last_modified() -> None:
    last = "2026-11-20 14:06:44"
    for end, lifecycle in (("2026-11-20", Lifecycle.ACTIVE), ("2026-11-19", Lifecycle.COMPLETE)):
        got = release(award("P1", period_of_performance={"end_date": end, "last_modified_date": last}))
        assert got.children[0].status == Status(lifecycle=lifecycle, basis=Basis.DATES)
    unknown = release(award("P1", period_of_performance={"end_date": None}))
    assert unknown.children[0].status == Status()


def test_a_vehicle_has_a_ceiling_and_its_money_at_its_orders() -> None:
    got = release(vehicle("97EXD00000005"))
    assert got.native_id == "CONT_IDV_97EXD00000005_9701"
    assert got.value == Value(amount=Decimal("9000000.0"), currency="USD", kind=ValueKind.FRAMEWORK_CEILING)
    assert got.children[0].value is None
    (history_of,) = usaspending.parse_page(
        history(
            transaction(
                "97EXD00000005", "P00001", "K",
                id="CONT_TX_9701_-NONE-_97EXD00000005_P00001_-NONE-_0", type="IDV_B_B",
            )
        ),
        CARD, SHA, "",
    )  # fmt: skip
    assert isinstance(history_of, Parsed)
    assert history_of.release.contract_id == got.contract_id


def test_a_transaction_belongs_to_its_award_and_adds_to_its_money() -> None:
    made = transaction(
        "97EXF00000001", "P00003", "F", description="TERMINATION, POC: JANE ROE", federal_action_obligation=-500.25
    )
    (item,) = usaspending.parse_page(history(made), CARD, SHA, "")
    assert isinstance(item, Parsed)
    got = item.release
    assert item.place.pointer == "/results/0"
    assert got.contract_id == release(award("97EXF00000001")).contract_id
    assert (got.portal_release_id, got.published_on) == ("P00003", date(2026, 11, 1))
    assert got.title == "TERMINATION, POC: ████████"
    (child,) = got.children
    assert child.native_id == "97EXF00000001"
    assert child.value == Value(amount=Decimal("-500.25"), currency="USD", kind=ValueKind.OBLIGATION)
    assert child.status == Status(lifecycle=Lifecycle.TERMINATED, raw="EXAMPLE WORDS FOR F", basis=Basis.EVENT)


@pytest.mark.parametrize(
    ("name", "categories", "hidden"),
    [
        ("EXAMPLE TAILORING", ["Category Business", "Sole Proprietorship"], True),
        ("EXAMPLE TAILORING", ["category_business", "sole_proprietorship"], True),
        ("EXAMPLE TAILORING", ["Category Business"], False),
        # A legal form is a register's word, the category only the recipient's own.
        ("EXAMPLE TAILORING LLC", ["Sole Proprietorship"], False),
        ("ANYTHING", ["Individuals"], True),
        ("REDACTED DUE TO PII", [], True),
        ("SMITH, JOHN", ["Category Business"], True),
    ],
)
def test_persons_are_not_named(name: str, categories: list[str], hidden: bool) -> None:
    got = release(award("P1", recipient={"recipient_name": name, "business_categories": categories}))
    (supplier,) = got.with_role(Role.SUPPLIER)
    assert supplier.natural_person is hidden
    assert (name in got.model_dump_json()) is not hidden
    if hidden:
        assert supplier.identifiers == ()
        assert supplier.local_id.startswith("person-")
        assert got.children[0].supplier_ids == (supplier.local_id,)


def without(made: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in made.items() if k != key}


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (without(award("P1"), "generated_unique_award_id"), "missing_field"),
        ({**award("P1"), "piid": None}, "missing_field"),
        (without(award("P1"), "recipient"), "missing_field"),
        (without(award("P1"), "description"), "missing_field"),
        (without(award("P1"), "total_obligation"), "missing_field"),
        (without(award("P1"), "awarding_agency"), "missing_field"),
        (award("P1", period_of_performance="2026"), "wrong_type"),
        (award("P1", description=["A"]), "wrong_type"),
        (award("P1", total_obligation="much"), "unreadable_amount"),
        (award("P1", period_of_performance={"last_modified_date": "soon"}), "unreadable_date"),
        ({"detail": "No Award found with: 'x'"}, "error_in_200"),
        ([award("P1")], "wrong_type"),
        ({"results": [transaction("P1", "0", "F", id="ASST_TX_1_2_3_4_5_6")]}, "unreadable_id"),
        ({"results": [without(transaction("P1", "0", "F"), "action_type")]}, "missing_field"),
        ({"results": [transaction("P1", "0", "F", action_date=None)]}, "missing_field"),
    ],
)
def test_what_does_not_fit_is_rejected_by_name(made: Any, kind: str) -> None:
    (problem,) = read(made)
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.severity) == (kind, "rejected")


def test_what_is_new_is_kept_and_noted() -> None:
    made = award("P1", type="Z", category="gift", description=None, colour="blue") | {
        "recipient": award("P1")["recipient"] | {"location": {"location_country_code": "XQZ"}}
    }
    first, *notes = read(made)
    assert isinstance(first, Parsed)
    assert first.release.title == ""
    assert [(n.kind, n.severity, n.raw) for n in notes if isinstance(n, Problem)] == [
        ("unknown_field", "note", "colour"),
        ("unknown_code", "note", "gift"),
        ("unknown_code", "note", "Z"),
        ("unknown_code", "note", "XQZ"),
    ]
    _, note = read({"results": [transaction("P1", "P00009", "Q")]})
    assert isinstance(note, Problem)
    assert (note.kind, note.raw) == ("unknown_code", "Q")
    assert len(read({"results": [transaction("P1", "P00009", "M")]})) == 1, "a reason that ends nothing is no news"


@pytest.mark.parametrize(
    ("layout", "pointers"),
    [
        (lambda one, two: json.dumps(one, indent=1), [""]),
        (lambda one, two: json.dumps([one, two]), ["/0", "/1"]),
        (lambda one, two: f"{json.dumps(one)}\n{json.dumps(two)}\n", ["line=1", "line=2"]),
    ],
)
def test_a_file_is_one_award_a_list_or_lines(layout: Any, pointers: list[str]) -> None:
    one, two = award("P1"), award("P2")
    data = layout(one, two).encode()
    usaspending.check_head(data[:100], "given.json")
    items = list(usaspending.parse_file(lambda: io.BytesIO(data), CARD, SHA, "file:given.json", None))
    assert [(i.place.pointer, i.release) for i in items if isinstance(i, Parsed)] == [
        (pointer, release(made)) for pointer, made in zip(pointers, (one, two), strict=False)
    ]
    assert len(items) == len(pointers)


def test_transactions_are_read_from_files_too() -> None:
    answer = history(transaction("P1", "0", None), transaction("P1", "P00001", "K"))
    for data, pointers in (
        (answer, ["/results/0", "/results/1"]),
        (answer + b"\n" + json.dumps(award("P1")).encode(), ["line=1;at=/results/0", "line=1;at=/results/1", "line=2"]),
        (b"[" + answer + b"]", ["/0/results/0", "/0/results/1"]),
    ):
        items = list(usaspending.parse_file(lambda data=data: io.BytesIO(data), CARD, SHA, "", None))
        assert [i.place.pointer for i in items if isinstance(i, Parsed)] == pointers
        assert {i.release.native_id for i in items if isinstance(i, Parsed)} == {award_id("P1")}


def test_a_file_that_is_no_json_is_refused_and_one_cut_short_is_told() -> None:
    for head in (b"", b"<html>", b"Agency,Award ID\n"):
        with pytest.raises(BadData, match=r"given\.csv"):
            usaspending.check_head(head, "given.csv")
    cut = json.dumps([award("P1"), award("P2")]).encode()[:-40]
    items = list(usaspending.parse_file(lambda: io.BytesIO(cut), CARD, SHA, "", None))
    assert [i.kind if isinstance(i, Problem) else i.release.native_id for i in items] == [
        award_id("P1"),
        "malformed_json",
    ]


def test_the_spreadsheet_and_the_api_name_one_contract() -> None:
    card = load_columns_card(DATA / "columns", "us_cbp_ice")
    row = f"ICE,P1,EXAMPLE INC,1.0,2026-09-03,0,S,N,D,{award_id('P1')}\n"
    (item,) = parse_rows(io.BytesIO((HEADER + row).encode()), card, SHA)
    assert isinstance(item, Parsed)
    got = release(award("P1"))
    assert (item.release.contract_id, item.release.children[0].native_id) == (got.contract_id, "P1")


def rows_of(store: Path, statement: str) -> list[dict[str, Any]]:
    ran = unveil("sql", statement, "--format", "json", store=store)
    assert ran.code == 0, ran.err
    found_rows: list[dict[str, Any]] = ran.data
    return found_rows


def test_one_award_of_two_sources_is_one_contract_with_two_evidences(tmp_path: Path) -> None:
    store, sheet, detail = tmp_path / "store", tmp_path / "given.csv", tmp_path / "award.json"
    key = award_id("97EXF00000001")
    sheet.write_text(
        HEADER
        + f'CBP,97EXF00000001,EXAMPLE VISION INC,400000.0,2026-09-03,0,S,N,FACIAL RECOGNITION LICENSES,{key}\n'
        + f'CBP,97EXF00000001,EXAMPLE VISION INC,250000.5,2026-10-03,P00001,S,N,EXERCISE OPTION YEAR 1,{key}\n'
        + f'CBP,97EXF00000001,EXAMPLE VISION INC,-50000.0,2026-10-09,P00002,S,N,DEOBLIGATE,{key}\n',
        encoding="utf-8",
    )  # fmt: skip
    agency = award("x")["awarding_agency"]
    agency["subtier_agency"] = {"name": "U.S. Customs and Border Protection", "code": "7014", "abbreviation": "CBP"}
    made = award(
        "97EXF00000001", description="FACIAL RECOGNITION SOFTWARE", awarding_agency=agency, funding_agency=agency
    )
    answers = [made, json.loads(history(transaction("97EXF00000001", "P00003", "F")))]
    detail.write_text(json.dumps(answers), encoding="utf-8")

    assert unveil("ingest", sheet, "--columns", "us_cbp_ice", store=store).code == 0
    assert unveil("ingest", detail, "--source", "us_usaspending", store=store).code == 0
    built = unveil("build", store=store)
    assert built.code == 0, built.err

    assert rows_of(
        store,
        "SELECT native_id, title, buyer, value_amount::VARCHAR AS amount, value_kind, releases, lifecycle, "
        "lifecycle_basis FROM contract",
    ) == [
        {
            "native_id": key,
            "title": "FACIAL RECOGNITION SOFTWARE",
            "buyer": "U.S. Customs and Border Protection",
            "amount": "750000.5000",
            "value_kind": "obligation",
            "releases": 5,
            "lifecycle": "terminated",
            "lifecycle_basis": "event",
        }
    ]
    assert rows_of(
        store,
        "SELECT s.source_id, releases, pointer FROM contract_source s JOIN evidence USING (evidence_id) ORDER BY 1",
    ) == [
        {"source_id": "us_cbp_ice", "releases": 3, "pointer": "row=4"},
        {"source_id": "us_usaspending", "releases": 2, "pointer": "/0"},
    ]
    assert rows_of(store, "SELECT local_id, name, roles, identifiers FROM party ORDER BY 1") == [
        {
            "local_id": "agency:7014",
            "name": "U.S. Customs and Border Protection",
            "roles": ["buyer"],
            "identifiers": [],
        },
        {
            "local_id": "office:EXAMPLE CONTRACTING DIVISION 1",
            "name": ("EXAMPLE CONTRACTING DIVISION 1, U.S. Customs and Border Protection, Example Department of Ports"),
            "roles": ["procuringEntity"],
            "identifiers": [],
        },
        {
            "local_id": "uei:EXAMPLE00001",
            "name": "EXAMPLE VISION, INC.",
            "roles": ["supplier"],
            "identifiers": ["US-UEI:EXAMPLE00001", "US-UEI-PARENT:EXAMPLE00002"],
        },
    ]
    assert rows_of(
        store,
        "SELECT k.native_id, k.value_amount::VARCHAR AS amount, s.local_id, t.stage FROM child k "
        "JOIN child_supplier s USING (child_id) JOIN contract_stage t ON t.contract_id = k.contract_id",
    ) == [{"native_id": "97EXF00000001", "amount": "750000.5000", "local_id": "uei:EXAMPLE00001", "stage": "ended"}]
    assert "us_usaspending tells of obligations of 750,000.50 for 97EXF00000001, us_cbp_ice of 600,000.50" in built.err


def test_a_crawl_is_replayed_through_scrapy_into_the_database(tmp_path: Path) -> None:
    face = award("97EXF00000001", description="FACIAL RECOGNITION LICENSES")
    key = award_id("97EXF00000001")
    answer = portal(
        {(False, 1): Reply(found(key, award_id("97EXF00000002")))},
        {key: record(face), award_id("97EXF00000002"): record(award("97EXF00000002"))},
        {key: Reply(history(transaction("97EXF00000001", "0", None, federal_action_obligation=750000.5)))},
    )
    asked_for = (query("facial recognition"), query("Example Vision", kind="supplier"))
    arguments = {
        "since": driver.SINCE.isoformat(),
        "until": driver.NOW.isoformat(),
        "card": CARD.model_dump(mode="json"),
        "queries": [one.model_dump(mode="json") for one in asked_for],
    }
    writer = RunWriter(Store(tmp_path / "first"), RunInfo("20261123T020000Z", CARD.id, "crawl", driver.NOW, arguments))
    for request in drive(make_spider(tmp_path / "walk", CARD, asked_for), answer):
        writer.write_response(
            url=request.url, requested_url=request.url, role=request.meta[ROLE], method=request.method,
            request_headers=[], request_body=request.body, status=200, headers=[("Content-Type", "application/json")],
            body=answer(request).body or b"", fetched_at=driver.NOW,
        )  # fmt: skip
    store = tmp_path / "store"
    ran = unveil("crawl", "--replay", writer.seal(), "--json", store=store)
    assert (ran.code, ran.data["outcome"], ran.data["records"], ran.data["candidates"]) == (0, "complete", 3, 1), ran
    assert unveil("build", store=store).code == 0
    assert rows_of(store, "SELECT native_id, value_amount::VARCHAR AS amount, releases FROM contract") == [
        {"native_id": key, "amount": "750000.5000", "releases": 2}
    ]
    assert rows_of(store, "SELECT count(*)::INT AS n FROM problem") == [{"n": 0}]


def test_a_real_spreadsheet_and_an_award_of_it_are_counted_once(real: Path, tmp_path: Path) -> None:
    sheet = real / "us-cbp-ice-contracts" / "CBP_ICE_FY2022_Contract_Obligations.csv"
    key = "CONT_AWD_70CMSD21P00000127_7012_-NONE-_-NONE-"
    with sheet.open(encoding="utf-8", newline="") as stream:
        own = [row for row in csv.DictReader(stream) if row["Generated Award ID"] == key]
    assert sum(Decimal(row["Federal Action Obligation"]) for row in own) == Decimal("1000000.0")
    # Only what the file itself says of the award, in the API's shape.
    made = award(
        "70CMSD21P00000127",
        generated_unique_award_id=key,
        description=own[0]["Transaction Description"],
        total_obligation=1000000.0,
        recipient={"recipient_name": own[0]["Recipient Name"]},
    )
    detail = tmp_path / "award.json"
    detail.write_text(json.dumps(made), encoding="utf-8")
    store = tmp_path / "store"
    statement = "SELECT count(*)::INT AS contracts, sum(value_amount)::VARCHAR AS amount FROM contract"

    def totals() -> dict[str, Any]:
        assert unveil("build", store=store).code == 0
        (row,) = rows_of(store, statement)
        return row

    assert unveil("ingest", sheet, "--columns", "us_cbp_ice", store=store).code == 0
    before = totals()
    assert unveil("ingest", detail, "--source", "us_usaspending", store=store).code == 0
    assert totals() == before
    assert rows_of(
        store,
        "SELECT value_amount::VARCHAR AS amount, releases, (SELECT count(*)::INT FROM contract_source s WHERE "
        "s.contract_id = c.contract_id) AS sources, (SELECT count(*)::INT FROM party p WHERE "
        f"p.contract_id = c.contract_id AND list_contains(p.roles, 'supplier')) AS suppliers FROM contract c "
        f"WHERE native_id = '{key}'",
    ) == [{"amount": "1000000.0000", "releases": 4, "sources": 2, "suppliers": 1}]

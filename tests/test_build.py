"""From a hand-made lake to the published database: literal rows, checks, and the swap."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from models.assessment import Assessment, Mention
from models.codes import Basis, Lifecycle, Polarity, ReviewState, Role, Scope, Technology, ValueKind
from models.ids import evidence_id
from models.procurement import Child, Identifier, Party, Release, Status, Value
from models.review import Review
from models.source import ColumnsCard, SourceCard
from models.vendor import Alias, Fact, Listing, Match, Ownership, Product, SolePurpose, Vendor
from pipeline.build import build, database_fingerprint
from pipeline.build.rows import review_state
from pipeline.errors import BadData, UnveilError
from pipeline.lake import write_partition
from pipeline.query import connect
from pipeline.store import Store

NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
AS_OF = "2026-06-30"
RULES = "rules-7"

PORTAL = SourceCard(
    id="aa_portal", name="Fictional portal", publisher="Fictional ministry", namespace="aa", countries=("GB",),
    languages=("en",), rank="A", retrieval="full", platform="ocds_links", start_url="https://portal.example/",
    licence="open", documentation="https://portal.example/docs", lifecycle={},
)  # fmt: skip
FILE = ColumnsCard(
    id="bb_file", name="Fictional spreadsheet", publisher="Fictional office", namespace="aa", countries=("US",),
    languages=("en",), licence="public domain", obtained="by post", columns={"process_id": "ID"},
    value_kind="obligation",
)  # fmt: skip


@dataclass(frozen=True)
class FakeRegistry:
    vendors: dict[str, Vendor]
    version: str = "reg-1"


REGISTRY = FakeRegistry(
    {
        "fic-vision": Vendor(
            id="fic-vision", name="Fictional Vision Ltd", country=Fact(value="GB", source="https://r.example/1"),
            lei=Fact(value="FICTIONALLEI00000000", source="https://r.example/2"),
            aliases=(Alias(name="FicVis", source="https://r.example/3"),),
            listings=(Listing(ticker="FIC", mic="XLON", isin="GB00FICTION0", source="https://r.example/4"),),
            products=(Product(name="SeeAll", aliases=("SeeAll Pro",), technology=Technology.FACE_IDENTIFICATION,
                              source="https://r.example/5"),),
            parents=(Ownership(vendor_id="fic-group", since="2020-01-01", source="https://r.example/6"),),
            sole_purpose=SolePurpose(technology=Technology.FACE_IDENTIFICATION, source="https://r.example/7"),
            roles=("developer",), sources=("https://r.example/0",), fictional=True,
        ),
        "fic-group": Vendor(id="fic-group", name="Fictional Group plc", sources=("https://r.example/g",),
                            listings=(Listing(ticker="FGR", source="https://r.example/h"),), fictional=True),
    }
)  # fmt: skip

ACTIVE = Status(lifecycle=Lifecycle.ACTIVE, raw="active", basis=Basis.STATUS)
TENDER = Status(lifecycle=Lifecycle.TENDER, raw="active", basis=Basis.STATUS)
COMPLETE = Status(lifecycle=Lifecycle.COMPLETE, raw="complete", basis=Basis.STATUS)
BUYER = Party(local_id="buyer", name="Exampletown Council", roles=(Role.BUYER,), country="GB")
VISION = Party(
    local_id="s-vision", name="FICTIONAL VISION LTD", roles=(Role.SUPPLIER,),
    identifiers=(Identifier(scheme="GB-COH", id="00000001"),),
)  # fmt: skip
PERSON = Party(local_id="person-1", name="", roles=(Role.SUPPLIER,), natural_person=True)
NAMED = Match(name="FICTIONAL VISION LTD", vendor_id="fic-vision", score=1.0, method="identifier", why="GB-COH 1",
              named=True, named_why="an identifier")  # fmt: skip
NOT_NAMED = Match(name="Fic Vision", vendor_id="fic-vision", score=0.8, method="normalised_name", why="the same name",
                  named=False, named_why="not the full legal name")  # fmt: skip


def usd(amount: str) -> Value:
    return Value(amount=Decimal(amount), currency="USD", kind=ValueKind.OBLIGATION)


def gbp(amount: str, kind: ValueKind) -> Value:
    return Value(amount=Decimal(amount), currency="GBP", kind=kind)


def release(contract: str, name: str, published: date | None, *, source: str = "aa_portal", **fields: Any) -> Release:
    return Release(
        release_id=f"r-{name}",
        contract_id=f"c-{contract}",
        source_id=source,
        native_id=f"native-{contract}",
        published_at=datetime.combine(published, datetime.min.time(), UTC) if published else None,
        **{"title": f"Title of {contract}", **fields},
    )


def transactions() -> list[Release]:
    """Five transactions of one award, as a spreadsheet of obligations states them."""
    amounts = ["500000", "500000", "500000", "0", "787500"]
    return [
        release("sum", f"sum-{number}", date(2025, 1, number), source="bb_file", title="EXERCISE OPTION", country="US",
                parties=(BUYER, VISION),
                children=(Child(kind="contract", native_id="AWD1", value=usd(amount), supplier_ids=("s-vision",)),))
        for number, amount in enumerate(amounts, 1)
    ]  # fmt: skip


def portal_releases() -> list[tuple[Release, str | None]]:
    """What the portal says, with the candidacy of each release."""
    day = date(2026, 5, 4)
    return [
        (release("sum", "sum-portal", date(2024, 12, 1), status=TENDER, value=gbp("3000000", ValueKind.ESTIMATE)),
         None),
        (release("supersede", "sup-1", date(2026, 3, 1), status=TENDER, tender_ends_on=date(2026, 4, 1)), "text"),
        (release("supersede", "sup-2", day, status=COMPLETE, parties=(BUYER, VISION), children=(
            Child(kind="award", native_id="A1", status=ACTIVE, value=gbp("100", ValueKind.AWARD),
                  supplier_ids=("s-vision",)),
            Child(kind="contract", native_id="K1", award_id="A1", status=COMPLETE, signed_on=date(2026, 4, 20),
                  value=gbp("90.25", ValueKind.CONTRACT)))), "text"),
        (release("halted", "halted", day, status=COMPLETE, parties=(BUYER, PERSON), children=(
            Child(kind="award", native_id="A1", status=ACTIVE, supplier_ids=("person-1",)),)), "text"),
        (release("stale", "stale", date(2023, 12, 1), status=TENDER, tender_ends_on=date(2024, 1, 15)), "text"),
        (release("over", "over", day, parties=(BUYER, VISION.model_copy(update={"name": "Fic Vision"})), children=(
            Child(kind="contract", native_id="K1", status=ACTIVE, ends_on=date(2025, 12, 31),
                  supplier_ids=("s-vision",)),)), "vendor"),
        (release("probe", "probe", None, status=Status(lifecycle=Lifecycle.CANCELLED, raw="cancelled",
                                                       basis=Basis.EVENT)), "probe"),
        (release("withdrawn", "withdrawn", day), None),
    ]  # fmt: skip


def mention(pointer: str = "/releases/0/tender/title", payload: str = "sha-night1", **fields: Any) -> Mention:
    return Mention(
        **{
            "where": "/tender/title", "start": 5, "end": 23, "text": "facial recognition",
            "quote": "Live facial recognition.", "rule_id": "face.en", "concept": "face",
            "technology": Technology.FACE_IDENTIFICATION, "payload_sha256": payload, "pointer": pointer, **fields,
        }
    )  # fmt: skip


def flagged(scope: Scope = Scope.IN_SCOPE, **fields: Any) -> Assessment:
    return Assessment(
        **{
            "scope": scope, "technology": (Technology.FACE_IDENTIFICATION,), "clauses": ("1a",), "confidence": 0.9,
            "why": "the title says so", "rules_version": RULES, "registry_version": "reg-1", **fields,
        }
    )  # fmt: skip


ASSESSMENTS = {
    "sum": flagged(),
    "supersede": flagged(
        mentions=(
            mention(polarity=Polarity.OPTIONAL, cue="may"),
            mention("page=3", "sha-annex", where="page:3", start=10, end=28),
        )
    ),
    "halted": flagged(lifecycle=Lifecycle.SUSPENDED, lifecycle_basis=Basis.TEXT),
    "stale": flagged(Scope.EXCLUDED_BY_TEXT),
    "over": flagged(Scope.CONDITIONAL),
    "probe": flagged(Scope.OUT_OF_SCOPE, technology=()),
}


def write_lake(store: Store) -> None:
    """Two nights of the portal (the second repeats a page) and a spreadsheet with a repeated line."""
    payloads = {"sha-night1": ("aa_portal", "n1"), "sha-night2": ("aa_portal", "n2"), "sha-annex": ("aa_portal", "n1"),
                "sha-file": ("bb_file", "f1")}  # fmt: skip
    for number, (sha, (source, run)) in enumerate(payloads.items()):
        write_partition(store, "payload", source, f"{run}-{sha}", [{
            "sha256": sha, "size": 10, "url": f"https://portal.example/{sha}", "requested_url": "", "role": "page",
            "method": "GET", "request_sha256": "", "status": 200, "content_type": "", "source_id": source,
            "fetched_at": datetime(2026, 5, 5, number, tzinfo=UTC), "warc_file": f"archive/{source}/{run}/a.warc.gz",
            "warc_offset": 100 * number, "run_id": run,
        }])  # fmt: skip
    portal = portal_releases()
    ordinary = [release(f"road-{n}", f"road-{n}", date(2026, 5, 4)) for n in (1, 2)]
    for run, kept, seen in (("n1", portal, [r for r, _ in portal] + ordinary), ("n2", portal[:3], ordinary[:1])):
        write_partition(store, "release", "aa_portal", run, [_kept(r, c, f"sha-night{run[1]}", i)
                                                             for i, (r, c) in enumerate(kept)])  # fmt: skip
        write_partition(store, "seen", "aa_portal", run, [_seen(r, "full", run) for r in seen])
    lines = [*transactions(), transactions()[0]]
    write_partition(store, "release", "bb_file", "f1", [
        {**_kept(r, None if i else "vendor", "sha-file", i), "pointer": f"row={i + 2}"} for i, r in enumerate(lines)
    ])  # fmt: skip
    write_partition(store, "seen", "bb_file", "f1", [_seen(r, "full", "f1") for r in lines])
    write_partition(store, "assessment", "aa_portal", "current", [
        {"contract_id": f"c-{name}", "source_id": "aa_portal", "doc": a.model_dump_json()}
        for name, a in ASSESSMENTS.items()
    ])  # fmt: skip
    write_partition(store, "match", "aa_portal", "current", [
        {"contract_id": f"c-{name}", "source_id": "aa_portal", "local_id": local_id, "doc": match.model_dump_json()}
        for name, local_id, match in (("supersede", "s-vision", NAMED), ("over", "s-vision", NOT_NAMED),
                                      ("halted", "person-1", NAMED), ("sum", "s-vision", NAMED))
    ])  # fmt: skip
    write_partition(store, "document", "aa_portal", "n1", [
        {"contract_id": "c-supersede", "release_id": "r-sup-1", "source_id": "aa_portal", "url": f"https://d.example/{n}",
         "title": "Annex", "sha256": sha, "outcome": outcome, "detail": ""}
        for n, sha, outcome in ((1, "sha-annex", "received"), (2, None, "http_404"))
    ])  # fmt: skip
    write_partition(store, "reading", "aa_portal", "b1", [
        {"sha256": "sha-annex", "outcome": "ok", "detail": "", "pages": 1, "extractor": "x1"}])  # fmt: skip
    write_partition(store, "page", "aa_portal", "b1", [
        {"sha256": "sha-annex", "number": 3, "label": "iii", "width": 595.0, "height": 842.0, "rotation": 0,
         "page_class": "native", "outcome": "ok", "text_source": "pdf", "extractor": "x1", "text": "0123456789"}
    ])  # fmt: skip
    write_partition(store, "problem", "aa_portal", "n1", [_problem("n1", "rejected"), _problem("n1", "note")])
    write_partition(store, "problem", "aa_portal", "n2", [_problem("n2", "rejected")])
    for run, outcome in (("n1", "complete"), ("n2", "partial")):
        write_partition(store, "crawl", "aa_portal", run, [_crawl(run, outcome)])


def _kept(made: Release, candidacy: str | None, payload: str, index: int) -> dict[str, Any]:
    return {
        "release_id": made.release_id, "contract_id": made.contract_id, "source_id": made.source_id,
        "candidacy": candidacy, "reasons": [], "payload_sha256": payload, "pointer": f"/releases/{index}",
        "doc": made.model_dump_json(),
    }  # fmt: skip


def _seen(made: Release, retrieval: str, run: str) -> dict[str, Any]:
    return {
        "contract_id": made.contract_id, "release_id": made.release_id, "native_id": made.native_id,
        "published_on": made.published_on, "source_id": made.source_id, "retrieval": retrieval,
        "payload_sha256": "", "pointer": "", "run_id": run,
    }  # fmt: skip


def _problem(run: str, severity: str) -> dict[str, Any]:
    return {"source_id": "aa_portal", "run_id": run, "kind": "missing_field", "severity": severity,
            "detail": "`ocid` is missing", "payload_sha256": "x", "pointer": "/releases/9", "raw": ""}  # fmt: skip


def _crawl(run: str, outcome: str) -> dict[str, Any]:
    at = datetime(2026, 5, 5 + int(run[1]), 2, tzinfo=UTC)
    return {"run_id": run, "source_id": "aa_portal", "kind": "crawl", "retrieval": "full", "started_at": at,
            "ended_at": at + timedelta(minutes=5), "outcome": outcome, "reason": f"it was {outcome}", "requests": 3,
            "responses": 3, "records": 8, "parsed": 8, "rejected": 1, "repeated": 0, "documents_expected": 2,
            "documents_received": 1}  # fmt: skip


def made(store: Store, **changes: Any) -> Any:
    return build(
        store,
        **{"registry": REGISTRY, "rules_version": RULES, "cards": [PORTAL, FILE], "now": NOW, **changes},
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("built"))
    write_lake(store)
    result = made(store)
    assert result.warnings == ()
    assert result.path == store.database
    return store


@pytest.fixture(scope="module")
def db(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(store) as connection:
        yield connection


@pytest.fixture
def lake(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    write_lake(store)
    return store


@pytest.fixture
def built(store: Store, tmp_path: Path) -> Store:
    """A store of one's own with the lake and the database built from it."""
    shutil.copytree(store.root, tmp_path / store.root.name)
    return Store(tmp_path / store.root.name)


def ask(db: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return db.execute(sql).fetchall()


def test_one_process_through_two_sources_is_one_contract_with_two_evidences(db):
    assert ask(
        db, "SELECT source_id, releases, value_amount, value_kind FROM contract WHERE contract_id = 'c-sum'"
    ) == [("bb_file", 6, Decimal("2287500"), "obligation")]
    assert ask(db, """
        SELECT contract_source.source_id, releases, payload_sha256, pointer, warc_offset
        FROM contract_source JOIN evidence USING (evidence_id) WHERE contract_id = 'c-sum' ORDER BY ALL
    """) == [("aa_portal", 1, "sha-night1", "/releases/0", 0), ("bb_file", 5, "sha-file", "row=6", 300)]  # fmt: skip


def test_obligations_add_and_a_repeated_line_counts_once(db):
    assert ask(db, "SELECT value_amount, transactions, stage, stage_basis, vendor_id FROM supplier_contract "
                   "WHERE contract_id = 'c-sum'") == [
        (Decimal("2287500.0000"), 5, "unknown", "none", "fic-vision")
    ]  # fmt: skip
    assert ask(db, "SELECT list(value_amount ORDER BY published_at) FROM release WHERE source_id = 'bb_file'") == [
        ([Decimal(n) for n in ("500000", "500000", "500000", "0", "787500")],)
    ]


def test_a_contract_supersedes_the_award_it_names(db):
    assert ask(db, "SELECT kind, native_id, supplier, vendor_id, stage, stage_basis, value_amount, value_kind, "
                   "signed_on FROM supplier_contract WHERE contract_id = 'c-supersede'") == [
        ("contract", "K1", "FICTIONAL VISION LTD", "fic-vision", "ended", "status", Decimal("90.25"), "contract",
         date(2026, 4, 20))
    ]  # fmt: skip
    assert ask(db, "SELECT value_amount, value_kind, releases FROM contract WHERE contract_id = 'c-supersede'") == [
        (Decimal("90.25"), "contract", 2)
    ]


@pytest.mark.parametrize(
    ("contract", "as_of", "stage", "basis"),
    [
        ("sum", AS_OF, "unknown", "none"),
        ("supersede", AS_OF, "ended", "status"),
        ("halted", AS_OF, "suspended", "text"),
        ("stale", AS_OF, "unknown", "dates"),
        ("stale", "2025-01-14", "in_the_making", "status"),
        ("stale", "2025-01-15", "unknown", "dates"),
        ("over", AS_OF, "ended", "dates"),
        ("over", "2025-12-31", "ongoing", "status"),
        ("probe", AS_OF, "ended", "event"),
    ],
)
def test_the_stage_as_of_a_day(db, contract, as_of, stage, basis):
    found = ask(
        db, f"SELECT stage, stage_basis FROM contract_stage_at(DATE '{as_of}') WHERE contract_id = 'c-{contract}'"
    )
    assert found == [(stage, basis)]


@pytest.mark.parametrize(
    ("lifecycle", "ends_on", "seen_on", "by_dates", "expected"),
    [
        ("active", None, None, False, ("ongoing", "status")),
        ("active", "2026-06-30", None, False, ("ongoing", "status")),
        ("active", "2026-06-29", None, False, ("ended", "dates")),
        ("suspended", "2026-06-29", None, False, ("suspended", "status")),
        ("planned", None, "2024-06-30", False, ("in_the_making", "status")),
        ("planned", None, "2024-06-29", False, ("unknown", "dates")),
        ("tender", None, "2025-06-30", False, ("in_the_making", "status")),
        ("tender", None, "2025-06-29", False, ("unknown", "dates")),
        ("complete", None, None, False, ("ended", "status")),
        ("terminated", None, None, False, ("ended", "status")),
        ("unknown", "2026-06-29", None, False, ("unknown", "status")),
        ("unknown", "2026-06-29", None, True, ("ended", "dates")),
        ("unknown", "2026-06-30", None, True, ("ongoing", "dates")),
        ("unknown", None, None, True, ("unknown", "status")),
    ],
)
def test_the_stage_of_a_lifecycle(db, lifecycle, ends_on, seen_on, by_dates, expected):
    sql = (
        f"SELECT s.stage, s.basis FROM (SELECT stage_of($lifecycle, 'status', $ends_on::DATE, $seen_on::DATE, "
        f"$by_dates, DATE '{AS_OF}') AS s)"
    )
    given = {"lifecycle": lifecycle, "ends_on": ends_on, "seen_on": seen_on, "by_dates": by_dates}
    assert db.execute(sql, given).fetchall() == [expected]


def test_today_is_the_day_of_the_views(db):
    assert ask(db, "SELECT * FROM contract_stage ORDER BY ALL") == ask(
        db, "SELECT contract_id, stage, stage_basis FROM contract_stage_at(current_date) ORDER BY ALL"
    )


def test_biometric_contracts_one_row_a_process(db):
    assert ask(db, "SELECT contract_id, suppliers, vendor_ids, scope, lifecycle, confirmed FROM biometric_contract "
                   "ORDER BY contract_id") == [
        ("c-halted", ["[natural person]"], [], "in_scope", "suspended", False),
        ("c-over", ["Fic Vision"], [], "conditional", "active", False),
        ("c-sum", ["FICTIONAL VISION LTD"], ["fic-vision"], "in_scope", "unknown", False),
        ("c-supersede", ["FICTIONAL VISION LTD"], ["fic-vision"], "in_scope", "complete", False),
    ]  # fmt: skip


def test_natural_persons_are_neither_named_nor_matched(db):
    assert ask(db, "SELECT name, vendor_id, named, natural_person FROM party WHERE local_id = 'person-1'") == [
        (None, None, False, True)
    ]
    assert ask(db, "SELECT supplier, vendor_id FROM supplier_contract WHERE contract_id = 'c-halted'") == [
        ("[natural person]", None)
    ]


def test_a_match_below_the_gate_is_kept_and_not_shown(db):
    assert ask(db, "SELECT vendor_id, match_score, named, named_why FROM party WHERE contract_id = 'c-over' "
                   "AND local_id = 's-vision'") == [("fic-vision", 0.8, False, "not the full legal name")]  # fmt: skip
    assert ask(db, "SELECT vendor_id FROM supplier_contract WHERE contract_id = 'c-over'") == [(None,)]


def test_screened_counts_are_distinct_and_by_day(db):
    assert ask(db, "SELECT source, day, records, contracts, candidates, probes FROM screened ORDER BY ALL") == [
        ("aa_portal", date(2023, 12, 1), 1, 1, 1, 0),
        ("aa_portal", date(2024, 12, 1), 1, 1, 1, 0),
        ("aa_portal", date(2026, 3, 1), 1, 1, 1, 0),
        ("aa_portal", date(2026, 5, 4), 6, 6, 3, 0),
        ("aa_portal", None, 1, 1, 0, 1),
        *(("bb_file", date(2025, 1, n), 1, 1, 1, 0) for n in range(1, 6)),
    ]


def test_coverage_says_what_was_looked_at(db):
    columns = "source_id, retrieval, first_day, last_day, records, contracts, candidates, probes, last_outcome, "
    assert ask(db, f"SELECT {columns} last_reason, rejected, unread_documents FROM coverage ORDER BY source_id") == [
        ("aa_portal", "full", date(2023, 12, 1), date(2026, 5, 4), 10, 9, 5, 1, "partial", "it was partial", 1, 1),
        ("bb_file", "full", date(2025, 1, 1), date(2025, 1, 5), 5, 1, 1, 0, None, None, 0, 0),
    ]
    assert ask(db, "SELECT last_run_at = TIMESTAMPTZ '2026-05-07 02:05:00+00' FROM coverage ORDER BY source_id") == [
        (True,),
        (None,),
    ]


def test_the_same_problem_on_two_nights_is_one(db):
    assert ask(db, "SELECT severity, run_id FROM problem ORDER BY ALL") == [("note", "n1"), ("rejected", "n1")]


def test_mentions_lead_to_their_span_and_the_firmest_is_the_chief(db):
    annex = evidence_id("sha-annex", "page=3;chars=10-28")
    assert ask(
        db, 'SELECT "where", polarity, cue, page, char_start, char_end FROM mention ORDER BY page NULLS FIRST'
    ) == [
        ("/tender/title", "optional", "may", None, 5, 23),
        ("page:3", "asserted", "", 3, 10, 28),
    ]
    assert ask(db, "SELECT evidence_id FROM assessment WHERE contract_id = 'c-supersede'") == [(annex,)]
    assert ask(db, f"SELECT payload_sha256, pointer, quote, warc_file, warc_offset FROM evidence "
                   f"WHERE evidence_id = '{annex}'") == [
        ("sha-annex", "page=3;chars=10-28", "Live facial recognition.", "archive/aa_portal/n1/a.warc.gz", 200)
    ]  # fmt: skip


def test_addresses_in_names_and_links_are_blocked_out(built):
    buyer = BUYER.model_copy(update={"name": "Works, jane@example.org"})
    made_by = release("x", "x", date(2026, 5, 4), parties=(buyer,))
    write_partition(built, "release", "aa_portal", "n3", [_kept(made_by, "text", "sha-night1", 1)])
    write_partition(built, "document", "aa_portal", "n3", [
        {"contract_id": "c-x", "release_id": "r-x", "source_id": "aa_portal", "title": "Ask", "sha256": None,
         "url": "mailto:jane@example.org?subject=x", "outcome": "failed", "detail": ""}
    ])  # fmt: skip
    made(built)
    with connect(built) as db:
        assert ask(db, "SELECT buyer FROM contract WHERE contract_id = 'c-x'") == [("Works, " + "█" * 16,)]
        assert ask(db, "SELECT name FROM party WHERE contract_id = 'c-x'") == [("Works, " + "█" * 16,)]
        assert ask(db, "SELECT url FROM document WHERE contract_id = 'c-x'") == [("mailto:█?subject=x",)]


def test_documents_say_whether_they_were_read(db):
    assert ask(db, "SELECT url, sha256, outcome, read_outcome, pages FROM document ORDER BY url") == [
        ("https://d.example/1", "sha-annex", "received", "ok", 1),
        ("https://d.example/2", None, "http_404", None, None),
    ]
    assert ask(db, "SELECT number, label, chars FROM page") == [(3, "iii", 10)]


def test_the_registry_goes_along_with_its_sources(db):
    assert ask(db, "SELECT vendor_id, country, sole_purpose, fictional FROM vendor ORDER BY vendor_id") == [
        ("fic-group", None, None, True),
        ("fic-vision", "GB", "face_identification", True),
    ]
    assert ask(db, "SELECT name, kind, technology FROM vendor_name WHERE vendor_id = 'fic-vision'") == [
        ("Fictional Vision Ltd", "legal", None),
        ("FicVis", "alias", None),
        ("SeeAll", "product", "face_identification"),
        ("SeeAll Pro", "product", "face_identification"),
    ]
    assert ask(db, "SELECT scheme, id FROM vendor_identifier ORDER BY ALL") == [
        ("isin", "GB00FICTION0"),
        ("lei", "FICTIONALLEI00000000"),
        ("ticker", "FGR"),
        ("ticker", "XLON:FIC"),
    ]
    assert ask(db, "SELECT vendor_id, parent_id, since, until FROM ownership") == [
        ("fic-vision", "fic-group", "2020-01-01", None)
    ]


def test_a_process_withdrawn_from_the_candidates_is_not_published(db):
    assert ask(db, "SELECT count(*) FROM contract WHERE contract_id = 'c-withdrawn'") == [(0,)]


def test_meta_says_what_it_was_built_from(db):
    meta = dict(ask(db, "SELECT key, value FROM meta"))
    assert meta.pop("unveil_version")
    assert meta == {
        "schema_version": "3", "rules_version": RULES, "registry_version": "reg-1",
        "built_at": "2026-07-01T03:00:00+00:00",
    }  # fmt: skip


def test_every_table_view_column_and_macro_is_explained(db):
    assert ask(db, """
        SELECT table_name, column_name FROM duckdb_columns()
        WHERE database_name = 'unveil' AND coalesce(comment, '') = ''
        UNION ALL SELECT table_name, '' FROM duckdb_tables() WHERE database_name = 'unveil' AND comment IS NULL
        UNION ALL SELECT view_name, '' FROM duckdb_views() WHERE database_name = 'unveil' AND comment IS NULL
        UNION ALL SELECT function_name, '' FROM duckdb_functions()
        WHERE database_name = 'unveil' AND NOT internal AND comment IS NULL
    """) == []  # fmt: skip


def test_no_row_is_an_orphan(db):
    keys = ask(db, """
        SELECT table_name, constraint_column_names, referenced_table, referenced_column_names FROM duckdb_constraints()
        WHERE database_name = 'unveil' AND constraint_type = 'FOREIGN KEY'
    """)  # fmt: skip
    assert len(keys) == 29
    for table, columns, parent, parent_columns in keys:
        on = " AND ".join(f"c.{a} = p.{b}" for a, b in zip(columns, parent_columns, strict=True))
        orphans = f"SELECT count(*) FROM {table} c LEFT JOIN {parent} p ON {on} "
        assert ask(db, orphans + f"WHERE p.{parent_columns[0]} IS NULL AND c.{columns[0]} IS NOT NULL") == [(0,)], table


def test_the_same_lake_gives_the_same_rows_in_the_same_order(built):
    first = database_fingerprint(built.database)
    built.root.rename(built.root.with_name("elsewhere"))
    built = Store(built.root.with_name("elsewhere"))
    made(built, now=NOW + timedelta(days=1))
    assert database_fingerprint(built.database) == first
    assert "crawl" not in first
    assert set(first) >= {"contract", "evidence", "mention", "meta", "screened"}
    write_partition(built, "assessment", "aa_portal", "current", [])
    result = made(built)
    assert database_fingerprint(built.database)["assessment"] != first["assessment"]
    assert result.warnings == ("6 contracts have no assessment yet and are in no view of biometric contracts",)


def test_a_reader_keeps_its_rows_and_a_new_one_sees_the_new_file(built):
    with connect(built) as before:
        write_partition(built, "release", "bb_file", "f1", [])
        made(built)
        with connect(built) as after:
            assert ask(after, "SELECT count(*) FROM release WHERE source_id = 'bb_file'") == [(0,)]
        assert ask(before, "SELECT count(*) FROM release WHERE source_id = 'bb_file'") == [(5,)]


def test_what_a_killed_build_left_is_removed(lake):
    lake.root.mkdir(exist_ok=True)
    (lake.root / ".unveil-1.duckdb.tmp").write_bytes(b"garbage")
    (lake.root / ".unveil-1.duckdb.tmp.wal").write_bytes(b"garbage")
    (lake.root / ".unveil-1.parts").mkdir()
    (lake.root / ".unveil-1.parts" / "contract.parquet").write_bytes(b"garbage")
    (lake.root / "unveil.duckdb.wal").write_bytes(b"garbage")
    made(lake)
    assert sorted(p.name for p in lake.root.iterdir()) == [".build.lock", "lake", "unveil.duckdb"]


def test_two_builds_at_once_are_refused(lake):
    lake.root.mkdir(exist_ok=True)
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); "
         "sys.stdin.read()", str(lake.root / ".build.lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout and holder.stdin
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(UnveilError, match="Another build is writing"):
        made(lake)
    holder.communicate()
    made(lake)


@pytest.mark.parametrize("content", [b"", b"my thesis", None])
def test_a_file_that_is_not_ours_is_left_alone(lake, content):
    if content is None:
        with duckdb.connect(str(lake.database)) as theirs:
            theirs.execute("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
    else:
        lake.database.write_bytes(content)
    before = lake.database.read_bytes()
    with pytest.raises(BadData, match=r"left alone and nothing was built; move the file away"):
        made(lake)
    assert lake.database.read_bytes() == before
    assert not list(lake.root.glob(".unveil-*"))


@pytest.mark.parametrize(
    ("table", "source", "rows", "sentence"),
    [
        ("payload", "aa_portal", [], "point at bytes that the lake has no payload for"),
        ("release", "aa_portal", None, "The lake's release r-sup-1 does not fit"),
        ("contract", "aa_portal", "Call jane@example.org", "The column contract.title holds what looks like an e-mail"),
        ("contract", "aa_portal", "Ring 202-555-0100", "The column contract.title holds what looks like an e-mail"),
    ],
)
def test_a_failing_build_keeps_the_former_database(built, table, source, rows, sentence):
    before = database_fingerprint(built.database)
    if table == "payload":
        write_partition(built, table, source, "n1-sha-annex", [])
    elif rows is None:
        row = _kept(release("supersede", "sup-1", date(2026, 3, 1)), "text", "sha-night1", 1)
        write_partition(built, "release", source, "n1", [{**row, "doc": "{}"}])
        write_partition(built, "release", source, "n2", [])
    else:
        write_partition(built, "release", source, "n3",
                        [_kept(release("x", "x", date(2026, 5, 4), title=rows), "text", "sha-night1", 1)])  # fmt: skip
    with pytest.raises(BadData, match=re.escape(sentence)) as caught:
        made(built)
    assert "\n" not in str(caught.value)
    assert database_fingerprint(built.database) == before
    assert not list(built.root.glob(".unveil-*"))


def test_a_damaged_partition_is_one_sentence(lake):
    (lake.lake / "seen" / "source=aa_portal" / "run=n1.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(BadData, match=r"could not be loaded .*; the former database stays") as caught:
        made(lake)
    assert "\n" not in str(caught.value)


def test_what_no_longer_fits_the_kept_data_is_said(lake):
    registry = FakeRegistry({"fic-group": REGISTRY.vendors["fic-group"]}, version="reg-2")
    result = made(lake, registry=registry, rules_version="rules-8", cards=[PORTAL], reviews=[decision("c-gone")])
    assert result.warnings == (
        "the lake holds bb_file, which has no card; its row in `source` has only the id",
        "6 contracts were assessed with other rules than those of this build; run `unveil build` again",
        "6 contracts were assessed with another registry than that of this build",
        "4 suppliers were matched to vendors that the registry no longer has",
        "1 contracts are reviewed but not in the lake, c-gone among them",
    )
    with connect(lake) as db:
        assert ask(db, "SELECT count(*) FROM party WHERE vendor_id IS NOT NULL") == [(0,)]


def decision(subject: str, word: str = "accept", role: str = "analyst", day: int = 1) -> Review:
    return Review(
        subject="flag", subject_id=subject, decision=word, reason="read it", reviewer_role=role,
        decided_on=date(2026, 6, day),
    )  # fmt: skip


def test_people_confirm_and_retract(lake):
    made(lake, reviews=[decision("c-sum"), decision("c-over", "reject")])
    with connect(lake) as db:
        assert ask(db, "SELECT contract_id, confirmed FROM biometric_contract ORDER BY ALL") == [
            ("c-halted", False),
            ("c-sum", True),
            ("c-supersede", False),
        ]
        assert ask(db, "SELECT review FROM assessment WHERE contract_id = 'c-over'") == [("retracted",)]


@pytest.mark.parametrize(
    ("decisions", "state"),
    [
        ([], ReviewState.MACHINE),
        ([("unsure", "analyst", 1)], ReviewState.MACHINE),
        ([("accept", "analyst", 1)], ReviewState.ONE_REVIEWER),
        ([("accept", "analyst", 1), ("accept", "analyst", 2)], ReviewState.ONE_REVIEWER),
        ([("accept", "analyst", 1), ("accept", "lawyer", 2)], ReviewState.TWO_REVIEWERS),
        ([("reject", "analyst", 1), ("accept", "analyst", 2)], ReviewState.ONE_REVIEWER),
        ([("accept", "analyst", 1), ("reject", "lawyer", 2)], ReviewState.DISPUTED),
        ([("accept", "analyst", 1), ("dispute", "company", 2)], ReviewState.DISPUTED),
        ([("reject", "analyst", 1)], ReviewState.RETRACTED),
    ],
)
def test_what_decisions_come_to(decisions, state):
    assert review_state([decision("c-1", word, role, day) for word, role, day in decisions]) is state


def test_an_empty_lake_gives_an_empty_database(tmp_path):
    result = made(Store(tmp_path / "new"), cards=[PORTAL])
    assert (result.counts["contract"], result.counts["source"]) == (0, 1)
    with connect(Store(tmp_path / "new")) as db:
        assert ask(db, "SELECT source_id, records, last_run_at FROM coverage") == [("aa_portal", 0, None)]


def test_the_file_is_of_a_version_that_older_clients_read(store):
    with duckdb.connect() as db:
        db.execute(f"ATTACH '{store.database}' AS published (READ_ONLY)")
        ((tags,),) = ask(db, "SELECT tags FROM duckdb_databases() WHERE database_name = 'published'")
    assert "v1.4" in json.dumps(tags)

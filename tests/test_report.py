"""The investor's report, from a small database whose figures are worked out by hand."""

import re
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from models.codes import Scope, Stage
from pipeline.errors import BadData, WrongUse
from pipeline.portfolio import HoldingMatch, match_portfolio, read_portfolio
from pipeline.registry import Registry, load_registry
from pipeline.report import ReportSummary, load_letter, make_report
from pipeline.report.dossier import companies_of
from pipeline.report.facts import Company
from pipeline.report.sql import open_database
from pipeline.store import CHECKOUT, Store

AS_OF = date(2026, 11, 1)
HELD = [HoldingMatch(2, "matched", ("exemplar", "exemplar-sub"), ("exemplar-sub",), "ISIN")]
SQL = CHECKOUT / "pipeline" / "build"
SHA = "ab" * 32
HOLDINGS = """\
ISIN,Name,Weight
GB00B0000018,Exemplar Vision plc,40
,Quiet Works Ltd,20
,Sea,15
FR0000120271,Elsewhere SA,15
GB00B0000019,Broken plc,5
,,5
"""
META = {"built_at": "2026-11-01T04:00:00Z", "rules_version": "rules-7", "unveil_version": "0.1.0"}
# id, retrieval, how its last run ended and why; '' was never run
SOURCES = [
    ("good", "full", "complete", ""),
    ("asked", "query", "complete", ""),
    ("broken", "full", "failed", "the portal answered 503 <b>for an hour</b>"),
    ("never", "full", "", ""),
]
VENDORS = {
    "exemplar": """\
id: exemplar
name: Exemplar Vision plc
fictional: true
country: {value: GB, source: 'https://register.example/exemplar'}
listings: [{ticker: EXV, mic: XLON, isin: GB00B0000018, source: 'https://register.example/exemplar'}]
roles: [developer]
sources: ['https://register.example/exemplar']
""",
    "exemplar-sub": """\
id: exemplar-sub
name: Exemplar Subsidiary Ltd
fictional: true
parents: [{vendor_id: exemplar, since: '2019-05-01', source: 'javascript:alert(1)'}]
sources: ['a printed register']
""",
    "quiet": """\
id: quiet
name: Quiet Works Ltd
fictional: true
sources: ['https://register.example/quiet']
""",
    "sea": """\
id: sea
name: Sea
ambiguous: true
fictional: true
sources: ['https://register.example/sea']
""",
}
# id, title, scope, review, lifecycle, value; a process with children takes its stage from them
CONTRACTS = [
    ("c-1", "<script>alert('x')</script> face search", "in_scope", "machine", "tender", None),
    ("c-2", "Face matching, finished", "in_scope", "two_reviewers", "tender", None),
    ("c-3", "Cameras, perhaps with faces", "conditional", "machine", "tender", (900000, "EUR", "estimate")),
    ("c-4", "Framework, halted", "in_scope", "one_reviewer", "tender", None),
    ("c-5", "No faces please", "excluded_by_text", "machine", "active", (424242, "GBP", "award")),
    ("c-6", "Nobody knows", "in_scope", "disputed", "unknown", None),
    ("c-7", "Withdrawn flag", "in_scope", "retracted", "active", None),
    ("c-8", "Only a tenderer", "in_scope", "machine", "tender", (777777, "GBP", "estimate")),
    ("c-9", "A name alike", "in_scope", "machine", "active", None),
    ("c-10", "Award and contract", "in_scope", "machine", "tender", None),
    ("c-11", "Maybe central", "conditional", "machine", "tender", (5000, "GBP", "award")),
    ("c-12", "Lots of two firms", "in_scope", "machine", "tender", None),
]
# contract, local id, name, roles, vendor, named
PARTIES = [
    ("c-1", "e", "EXEMPLAR VISION PLC", ["supplier"], "exemplar", True),
    ("c-2", "s", "Exemplar Subsidiary Ltd", ["supplier"], "exemplar-sub", True),
    ("c-3", "e", "Exemplar Vision plc", ["manufacturer"], "exemplar", True),
    ("c-4", "e", "Exemplar Vision plc", ["supplier"], "exemplar", True),
    ("c-4", "o", "Other Ltd", ["supplier"], None, False),
    ("c-5", "e", "Exemplar Vision plc", ["supplier"], "exemplar", True),
    ("c-6", "e", "Exemplar Vision plc", ["supplier"], "exemplar", True),
    ("c-7", "e", "Exemplar Vision plc", ["supplier"], "exemplar", True),
    ("c-8", "e", "Exemplar Vision plc", ["tenderer"], "exemplar", True),
    ("c-9", "x", "Exemplar Visions", ["supplier"], "exemplar", False),
    ("c-10", "e", "Exemplar Vision plc", ["supplier"], "exemplar", True),
    ("c-11", "e", "Exemplar Vision plc", ["supplier"], "exemplar", True),
    ("c-12", "e", "Exemplar Vision plc", ["supplier"], "exemplar", True),
    ("c-12", "o", "Other Ltd", ["supplier"], None, False),
]
# id, contract, kind, native id, award id, lifecycle, ends_on, value, suppliers
CHILDREN = [
    ("k-1", "c-1", "award", "1", None, "active", None, (100000, "GBP", "award"), ["e"]),
    ("k-2", "c-2", "contract", "1", None, "complete", "2024-03-31", ("50000.5", "GBP", "contract"), ["s"]),
    ("k-4", "c-4", "award", "1", None, "active", None, (1000000, "GBP", "framework_ceiling"), ["e", "o"]),
    ("k-6", "c-6", "award", "1", None, "unknown", None, (30000, "GBP", "award"), ["e"]),
    ("k-10a", "c-10", "award", "1", None, "active", None, (200000, "GBP", "award"), ["e"]),
    ("k-10c", "c-10", "contract", "9", "1", "active", "2026-12-31", (210000, "GBP", "contract"), []),
    ("k-12e", "c-12", "award", "1", None, "active", "2026-10-31", (70, "USD", "award"), ["e"]),
    ("k-12o", "c-12", "award", "2", None, "active", "2028-10-31", (999999, "USD", "award"), ["o"]),
]


def insert(database: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    marks = ", ".join("?" * len(values))
    names = ", ".join(f'"{name}"' for name in values)
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))


def value_columns(value: tuple[object, str, str] | None) -> dict[str, object]:
    amount, currency, kind = value or (None, None, None)
    return {"value_amount": amount, "value_currency": currency, "value_kind": kind}


def fill(path: Path) -> None:
    with duckdb.connect(str(path)) as database:
        for name in ("schema.sql", "views.sql"):
            database.execute((SQL / name).read_text(encoding="utf-8"))
        fill_sources(database)
        for vendor_id in VENDORS:
            insert(database, "vendor", vendor_id=vendor_id, name=vendor_id, ambiguous=False, fictional=True)
        for contract_id, title, scope, review, lifecycle, value in CONTRACTS:
            fill_contract(database, contract_id, title, scope, review, lifecycle, value)
        for contract_id, local_id, name, roles, vendor_id, named in PARTIES:
            insert(
                database, "party", contract_id=contract_id, local_id=local_id, name=name, roles=roles,
                natural_person=False, vendor_id=vendor_id, match_method="exact_name", match_why="same name",
                named=named,
            )  # fmt: skip
        insert(database, "party", contract_id="c-1", local_id="p", roles=["supplier"], natural_person=True, named=False)
        for child_id, contract_id, kind, native_id, award_id, lifecycle, ends_on, value, suppliers in CHILDREN:
            insert(
                database, "child", child_id=child_id, contract_id=contract_id, kind=kind, native_id=native_id,
                award_id=award_id, lifecycle=lifecycle, lifecycle_raw=lifecycle, lifecycle_basis="status",
                signed_on="2023-01-01", ends_on=ends_on, releases=1, **value_columns(value),
            )  # fmt: skip
            for local_id in suppliers:
                insert(database, "child_supplier", child_id=child_id, contract_id=contract_id, local_id=local_id)


def fill_sources(database: duckdb.DuckDBPyConnection) -> None:
    for key, value in META.items():
        insert(database, "meta", key=key, value=value)
    for source_id, retrieval, outcome, reason in SOURCES:
        insert(
            database, "source", source_id=source_id, name=f"The {source_id} portal", countries=["GB"],
            retrieval=retrieval,
        )  # fmt: skip
        if outcome:
            insert(
                database, "crawl", run_id="r", source_id=source_id, retrieval=retrieval,
                ended_at="2026-10-31 02:00:00+00", outcome=outcome, reason=reason,
            )  # fmt: skip
    insert(
        database, "screened_total", source_id="good", retrieval="full", first_day="2026-10-01", last_day="2026-10-30",
        records=4321, contracts=4000,
    )  # fmt: skip


def fill_contract(
    database: duckdb.DuckDBPyConnection,
    contract_id: str,
    title: str,
    scope: str,
    review: str,
    lifecycle: str,
    value: tuple[object, str, str] | None,
) -> None:
    evidence_id = f"e-{contract_id}"
    excluded = scope == "excluded_by_text"
    halted = contract_id == "c-4"
    insert(
        database, "evidence", evidence_id=evidence_id, payload_sha256=SHA, pointer="page=7;chars=18-29",
        url=f"https://portal.example/{contract_id}?a=1&b=2", fetched_at="2026-10-31 01:02:03+00",
        warc_file="a.warc.gz", warc_offset=0, source_id="good", quote="face",
    )  # fmt: skip
    insert(
        database, "contract", contract_id=contract_id, source_id="good", native_id=f"ocds-{contract_id}", title=title,
        country="GB", buyer="City Police", lifecycle=lifecycle, lifecycle_basis="status", updated_on="2026-09-01",
        candidacy="text", releases=1, evidence_id=evidence_id, **value_columns(value),
    )  # fmt: skip
    insert(database, "contract_source", contract_id=contract_id, source_id="good", evidence_id=evidence_id, releases=1)
    insert(
        database, "assessment", contract_id=contract_id, scope=scope, technology=["face_identification"],
        function="identification_1_to_n", setting=["policing"], clauses=["call.2.c", "urge.1.c"],
        lifecycle="suspended" if halted else None, lifecycle_basis="document" if halted else None, confidence=0.9,
        why="the text names it", rules_version="rules-7", review=review, evidence_id=evidence_id,
    )  # fmt: skip
    insert(
        database, "mention", mention_id=f"m-{contract_id}", contract_id=contract_id, where="page:7",
        rule_id="face.search", polarity="excluded" if excluded else "asserted", cue="without" if excluded else "",
        technology="face_identification", text="face search", quote="The system offers face search of crowds.",
        char_start=18, char_end=29, page=7, evidence_id=evidence_id,
    )  # fmt: skip
    if contract_id == "c-2":
        insert(
            database, "mention", mention_id="m-0", contract_id=contract_id, where="page:7", rule_id="setting.crowd",
            polarity="asserted", cue="", text="system", quote="The system offers face search of crowds.",
            char_start=4, char_end=10, page=7, evidence_id=evidence_id,
        )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    fill(store.database)
    return store


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("vendors")
    for name, text in VENDORS.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return load_registry(folder)


@pytest.fixture(scope="module")
def company(store: Store, registry: Registry) -> Company:
    with open_database(store) as (connection, _):
        (found,) = companies_of(connection, HELD, registry, AS_OF)
    return found


def report(store: Store, registry: Registry, folder: Path, **more: str) -> tuple[ReportSummary, str]:
    holdings = folder / "holdings.csv"
    holdings.write_text(HOLDINGS, encoding="utf-8")
    portfolio = read_portfolio(holdings)
    out = folder / "report.html"
    summary = make_report(store, match_portfolio(portfolio, registry), registry, as_of=AS_OF,
                          portfolio_name="Pension <Fund>", portfolio=portfolio, out=out,
                          contact=more.get("contact", "corrections@publisher.example"))  # fmt: skip
    return summary, out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(store: Store, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportSummary, str]:
    return report(store, registry, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(made: tuple[ReportSummary, str]) -> str:
    return made[1]


def section(page: str, anchor: str) -> str:
    return page[page.index(f'aria-labelledby="{anchor}"') :].split("</section>", maxsplit=1)[0]


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_contracts_stand_at_their_stage_as_of_the_date(company: Company) -> None:
    assert {stage: {c.contract_id for c in company.at(stage)} for stage in Stage} == {
        Stage.IN_THE_MAKING: {"c-3", "c-11"},
        Stage.ONGOING: {"c-1", "c-10"},
        Stage.SUSPENDED: {"c-4"},
        # c-12 goes on, but with another supplier: this company's own lot ended the day before.
        Stage.ENDED: {"c-2", "c-12"},
        Stage.UNKNOWN: {"c-6"},
    }


def test_a_stage_says_what_it_rests_on(company: Company) -> None:
    basis = {c.contract_id: (c.stage_basis, c.process_stage) for c in company.contracts}
    assert basis["c-12"] == ("dates", Stage.ONGOING)
    assert basis["c-4"] == ("document", Stage.SUSPENDED)
    assert basis["c-1"] == ("status", Stage.ONGOING)


def test_totals_mix_neither_scope_nor_currency_nor_kind(company: Company) -> None:
    assert [(t.scope, t.currency, t.kind, t.joint, str(t.amount), t.count) for t in company.totals] == [
        (Scope.IN_SCOPE, "GBP", "award", False, "130000.0000", 2),
        (Scope.IN_SCOPE, "GBP", "contract", False, "260000.5000", 2),
        (Scope.IN_SCOPE, "GBP", "framework_ceiling", True, "1000000.0000", 1),
        (Scope.IN_SCOPE, "USD", "award", False, "70.0000", 1),
        (Scope.CONDITIONAL, "GBP", "award", False, "5000.0000", 1),
    ]
    assert company.without_value == 1


def test_what_is_not_supplied_or_not_certain_is_in_no_figure(company: Company) -> None:
    assert [c.contract_id for c in company.elsewhere] == ["c-8"]
    assert [c.contract_id for c in company.excluded] == ["c-5"]
    assert (company.below_naming, company.retracted) == (1, 1)


def test_a_contract_of_two_publishers_is_counted_once_and_both_are_shown(
    store: Store, registry: Registry, tmp_path: Path
) -> None:
    copy = Store(tmp_path / "twice")
    copy.root.mkdir()
    shutil.copy(store.database, copy.database)
    with duckdb.connect(str(copy.database)) as database:
        for contract_id in ("c-1", "c-2"):
            insert(
                database, "same_contract", contract_id=contract_id, cluster_id="c-1", contracts=2,
                shared=["ted_notice:45678-2024"],
            )  # fmt: skip
    with open_database(store) as (database, _):
        (before,) = companies_of(database, HELD, registry, AS_OF)
    with open_database(copy) as (database, _):
        (after,) = companies_of(database, HELD, registry, AS_OF)
    assert {"c-1", "c-2"} <= {c.contract_id for c in before.contracts}
    assert len(after.contracts) == len(before.contracts) - 1
    assert sum(t.count for t in after.totals) < sum(t.count for t in before.totals)
    (both,) = [c for c in after.contracts if c.same]
    assert [(s.native_id, s.shared) for s in both.same] in (
        [("ocds-c-1", ("ted_notice:45678-2024",))],
        [("ocds-c-2", ("ted_notice:45678-2024",))],
    )
    text = words(report(copy, registry, tmp_path)[1])
    assert "both records name ted_notice:45678-2024 . Counted once." in text


def test_a_subsidiary_is_followed_and_named_as_such(page: str) -> None:
    assert "a subsidiary of Exemplar Vision plc" in words(page)


def test_every_row_of_the_file_is_in_the_intake_table(made: tuple[ReportSummary, str]) -> None:
    summary, page = made
    intake = section(page, "intake")
    assert re.findall(r'data-label="Line">(\d+)<', intake) == ["2", "3", "4", "5", "6", "7"]
    assert dict(summary.rows) == {"matched": 2, "ambiguous": 1, "unmatched": 1, "not_in_registry": 1, "rejected": 1}
    assert "GB00B0000019 has a wrong check digit" in intake


def test_a_company_outside_the_registry_never_reads_clean(page: str) -> None:
    text = words(page)
    assert "Not in the registry does not mean clean" in text
    for match in re.finditer(r"\bclean\b", text):
        assert text[: match.start()].rstrip().endswith("does not mean")


def test_a_company_without_a_contract_is_not_cleared(page: str) -> None:
    quiet = page[page.index('id="company-quiet"') :].split("</article>", maxsplit=1)[0]
    assert "No contract found in what was searched." in words(quiet)
    assert "This does not mean that there is none" in words(quiet)


def test_portal_text_is_escaped(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page
    assert "Pension &lt;Fund&gt;" in page
    assert "<b>for an hour</b>" not in page


def test_only_http_links_become_links_and_nothing_is_loaded(page: str) -> None:
    assert "javascript:alert(1)" in page
    links = re.findall(r'href="([^"]*)"', page)
    assert links
    assert all(link.startswith(("#", "https://")) for link in links)
    assert not re.search(r"\bsrc=|<link|<img|<iframe|@import|url\(", page)
    assert "default-src 'none'" in page


def test_unreviewed_flags_say_so(made: tuple[ReportSummary, str]) -> None:
    summary, page = made
    # c-1, c-3, c-10, c-11, c-12; c-2 and c-4 are confirmed, c-6 is disputed.
    assert (summary.in_scope, summary.conditional, summary.unreviewed, summary.excluded) == (6, 2, 5, 1)
    assert "5 of the 8 flagged contracts shown have not yet been reviewed by a person, and 1 is disputed" in words(page)
    row = page[page.index('id="exemplar-c-1"') :].split("</tbody>")[0]
    assert "not yet reviewed by a person" in row
    assert "confirmed by two reviewers" in page[page.index('id="exemplar-c-2"') :].split("</tbody>")[0]


def test_a_line_carries_its_evidence_and_clauses(page: str) -> None:
    row = words(page[page.index('id="exemplar-c-1"') :].split("</tbody>", maxsplit=1)[0])
    for said in (
        "page 7",
        "face.search",
        "e-c-1",
        SHA,
        "2026-10-31 01:02 UTC",
        "urge.1.c",
        "City Police",
        "100,000 GBP",
    ):
        assert said in row
    assert 'href="https://portal.example/c-1?a=1&amp;b=2"' in page
    assert "<mark>face search</mark> of crowds." in page


def test_the_words_that_name_the_technology_are_marked(page: str) -> None:
    # The sentence of c-2 names a place before the technology; both rules are given, one quote stands.
    row = page[page.index('id="exemplar-c-2"') :].split("</tbody>", maxsplit=1)[0]
    assert row.count("<blockquote") == 1
    assert "<mark>face search</mark>" in row
    assert "setting.crowd" in row


def test_coverage_shows_what_failed_and_what_was_only_asked(made: tuple[ReportSummary, str]) -> None:
    summary, page = made
    assert summary.failing_sources == ("broken", "never")
    coverage = section(page, "coverage")
    rows = {re.search(r'class="id">(\w+)', row)[1]: words(row) for row in coverage.split("<tr")[2:]}  # type: ignore[index]
    assert "failed" in rows["broken"]
    assert "503" in rows["broken"]
    assert "never run" in rows["never"]
    assert "screened in full" in rows["good"]
    assert "4,321" in rows["good"]
    assert "queried with our terms" in rows["asked"]
    assert "screened" not in rows["asked"]


def test_natural_persons_and_other_suppliers_get_no_section(page: str) -> None:
    assert "company-other" not in page
    assert words(page).count("Other Ltd") == 0


def test_no_verdict_is_passed(page: str) -> None:
    text = words(page)
    assert "caused" not in text
    assert "complicit" not in text
    assert "directly linked" in text
    assert "No company named here has been heard." in text


def test_corrections_need_a_contact(
    store: Store, registry: Registry, tmp_path: Path, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "corrections@publisher.example" in page
    _, without = report(store, registry, tmp_path, contact="")
    assert "has not yet stated where to ask for a correction" in without


def test_the_same_inputs_give_the_same_bytes(
    store: Store, registry: Registry, tmp_path: Path, made: tuple[ReportSummary, str]
) -> None:
    again, page = report(store, registry, tmp_path)
    assert page == made[1]
    assert again.sha256 == made[0].sha256


def test_every_id_is_used_once_and_every_anchor_exists(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in re.findall(r'href="(#[^"]+)"', page)} <= set(ids)


def test_tables_can_be_read_aloud(page: str) -> None:
    assert page.count("<table") == page.count("<caption>")
    assert not re.search(r"<th(?![^>]*\bscope=)[ >]", page)
    assert '<html lang="en">' in page


def test_the_report_has_no_database_to_rest_on(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="unveil build"):
        make_report(Store(tmp_path), [], registry, as_of=AS_OF, portfolio_name="x", out=tmp_path / "r.html")


def test_a_foreign_database_is_one_sentence(registry: Registry, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with duckdb.connect(str(store.database)) as database:
        database.execute("CREATE TABLE something (x INTEGER)")
    with pytest.raises(BadData, match="unveil build"):
        make_report(store, [], registry, as_of=AS_OF, portfolio_name="x", out=tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_an_empty_holdings_file_still_says_what_was_searched(store: Store, registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    summary = make_report(store, [], registry, as_of=AS_OF, portfolio_name="Nothing", out=out)
    assert summary.companies == 0
    assert "The file holds no row." in out.read_text(encoding="utf-8")


def test_the_letter_has_every_clause_once() -> None:
    ids = [clause.id for clause in load_letter().clauses]
    assert len(ids) == len(set(ids)) == 23
    assert {"urge.1.b.vi", "call.2.a", "call.2.b", "call.2.c", "call.2.d", "call.4.b"} <= set(ids)

"""The whole way on the bundled sample: replay two nights into an empty store, and find what was written into them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.house import House
from flows.rescreen import rescreen
from pipeline.archive import read_run, run_info
from pipeline.archive_writer import RunWriter
from pipeline.build.checks import database_fingerprint
from pipeline.query import connect
from pipeline.store import DATA, Store
from tests import sample_expected as expected
from tests.command import CHECKOUT, Ran, unveil

ARCHIVES = sorted((DATA / "sample" / "archives").glob("*.warc.gz"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store in which `unveil run --sample` ran once; `ran.json` in it holds what it said."""
    folder = tmp_path_factory.mktemp("sample") / "store"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("UNVEIL_", "PREFECT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "run", "--sample", "--json"],
        env={**environment, "UNVEIL_SAMPLE_STORE": str(folder)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (folder / "ran.json").write_text(json.dumps({"code": done.returncode, "out": done.stdout, "err": done.stderr}))
    yield folder


def asked(store: Path, statement: str) -> list[dict[str, Any]]:
    with connect(Store(store)) as connection:
        rows = connection.execute(statement)
        names = [column[0] for column in rows.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def test_the_night_ends_well_and_says_where_everything_lies(store: Path) -> None:
    ran = json.loads((store / "ran.json").read_text())
    assert ran["code"] == 0, ran["err"]
    night = json.loads(ran["out"])
    said = ("outcome", "records", "documents_expected", "documents_received")
    assert [tuple(source[key] for key in said) for source in night["sources"]] == [
        ("complete", expected.LISTED_BY_NIGHT[name], *expected.DOCUMENTS_BY_NIGHT[name])
        for name in (expected.NIGHT_1, expected.NIGHT_2)
    ]
    for words in ("Flagged contracts: 13 in scope, 1 conditional", "Database: ", "Report:   ", "UNVEIL_CONTACT"):
        assert words in ran["err"]


def test_every_finding_is_found_and_nothing_else(store: Path) -> None:
    rows = asked(
        store,
        "SELECT b.*, c.candidacy, s.stage AS stage_then FROM biometric_contract b JOIN contract c USING (contract_id) "
        f"JOIN contract_stage_at('{expected.AS_OF}') s USING (contract_id)",
    )
    found = {
        str(row["native_id"]): expected.Finding(
            title=str(row["title"]),
            buyer=str(row["buyer"]),
            candidacy=str(row["candidacy"]),
            scope=str(row["scope"]),
            technology=tuple(sorted(row["technology"])),
            lifecycle="",
            stage=str(row["stage_then"]),
            supplier=(row["suppliers"] or [None])[0],
            vendor_id=(row["vendor_ids"] or [None])[0],
        )
        for row in rows
    }
    wanted = {
        key: expected.Finding(
            finding.title,
            finding.buyer,
            finding.candidacy,
            finding.scope,
            tuple(sorted(finding.technology)),
            "",
            finding.stage,
            finding.supplier,
            finding.vendor_id,
        )
        for key, finding in expected.FLAGGED.items()
    }
    assert found == wanted
    assert not any(row["confirmed"] for row in rows)


def test_what_tempts_is_kept_read_and_not_flagged(store: Path) -> None:
    rows = asked(
        store,
        "SELECT native_id, candidacy, scope FROM contract JOIN assessment USING (contract_id) "
        "WHERE scope NOT IN ('in_scope', 'conditional')",
    )
    assert {r["native_id"]: (r["candidacy"], r["scope"]) for r in rows} == {
        key: (finding.candidacy, finding.scope) for key, finding in expected.NOT_FLAGGED.items()
    }


def test_the_denominator_counts_every_release_once(store: Path) -> None:
    (row,) = asked(store, "SELECT sum(records)::INT AS records, sum(contracts)::INT AS contracts FROM screened")
    assert row["records"] == expected.RELEASES
    (seen,) = asked(store, "SELECT count(*) AS n FROM contract")
    assert seen["n"] == len(expected.FLAGGED) + len(expected.NOT_FLAGGED)


def test_the_notice_says_cctv_and_the_page_says_facial_recognition(store: Path) -> None:
    (row,) = asked(store, "SELECT evidence_id FROM biometric_contract WHERE title = 'CCTV upgrade at bus stations'")
    ran = unveil("evidence", str(row["evidence_id"]), "--json", store=store)
    assert ran.code == 0, ran.err
    assert ran.data["verified"] is True
    assert re.match(r"page=\d+;chars=\d+-\d+$", ran.data["pointer"])
    assert "fac" in ran.data["quote"].lower()


def test_every_mention_points_at_its_own_words(store: Path) -> None:
    rows = asked(
        store,
        "SELECT m.evidence_id, m.text FROM mention m JOIN evidence e USING (evidence_id) "
        "WHERE e.pointer LIKE '%chars=%' AND e.pointer NOT LIKE 'page=%' ORDER BY m.evidence_id LIMIT 5",
    )
    assert len(rows) == 5
    for row in rows:
        said = unveil("evidence", str(row["evidence_id"]), "--json", store=store).data
        assert (said["verified"], said["quote"]) == (True, row["text"])


def test_no_person_is_in_the_database_or_the_report(store: Path) -> None:
    report = (store / "reports" / "portfolio.html").read_text(encoding="utf-8")
    tables = asked(store, "SELECT table_name FROM duckdb_tables() WHERE NOT internal")
    dump = report + "".join(str(asked(store, f"FROM {row['table_name']}")) for row in tables)
    for personal in expected.PRIVATE:
        assert personal not in dump
    assert not re.search(r"\w@\w+\.\w", dump)


def test_the_report_has_the_companies_their_stages_and_the_coverage(store: Path) -> None:
    report = (store / "reports" / "portfolio.html").read_text(encoding="utf-8")
    for words in (
        "Fictional Exemplar Holdings plc",
        "Face recognition at the civic square",
        "does not mean clean",
        "Contracts Finder",
        "call.2.c",
        "unveil evidence",
    ):
        assert words in report
    assert "<script" not in report
    assert not re.search(r'(?:src|href)="(?!#|https?://|data:)', report)


def test_a_replay_of_the_replay_gives_the_same_requests_and_rows(store: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    (again / "store.json").write_text('{"sample": true}')
    for folder in Store(store).runs("uk_contracts_finder"):
        ran = unveil("crawl", "--replay", folder, "--json", store=again)
        assert (ran.code, ran.data["outcome"]) == (0, "complete"), ran.err
    assert unveil("build", store=again).code == 0
    assert database_fingerprint(again / "unveil.duckdb") == database_fingerprint(store / "unveil.duckdb")


def test_replaying_into_the_same_store_changes_nothing_but_the_crawl_log(store: Path) -> None:
    before = database_fingerprint(store / "unveil.duckdb", exclude_columns=("built_at",))
    for path in ARCHIVES:
        assert unveil("crawl", "--replay", path, store=store).code == 0
    assert unveil("build", store=store).code == 0
    assert database_fingerprint(store / "unveil.duckdb", exclude_columns=("built_at",)) == before


def test_a_request_that_the_archive_lacks_is_a_named_failure(tmp_path: Path) -> None:
    first = ARCHIVES[0]
    writer = RunWriter(Store(tmp_path / "poor"), run_info(first))
    pages = 0
    for archived in read_run(first):
        payload = archived.payload
        pages += payload.role == "page"
        if payload.role == "page" and pages == 2:
            continue
        writer.write_response(
            url=payload.url,
            requested_url=payload.requested_url,
            role=payload.role,
            method=payload.method,
            request_headers=[],
            request_body=b"",
            status=payload.status,
            headers=list(archived.headers),
            body=archived.body(),
            fetched_at=payload.fetched_at,
        )
    ran = unveil("crawl", "--replay", writer.seal(), "--json", store=tmp_path / "store")
    assert ran.code == 1
    assert ran.data["outcome"] in ("partial", "failed")
    assert ran.data["notes"].get("not_in_archive") == 1


def test_a_night_whose_source_fails_still_builds_and_shows_it(tmp_path: Path) -> None:
    # Without a contact the crawl refuses; the store does not exist yet.
    ran = unveil("run", "--source", "uk_contracts_finder", "--json", store=tmp_path / "new" / "store", timeout=300)
    assert ran.code == 1, ran.err
    (source,) = ran.data["sources"]
    assert (source["source"], source["outcome"]) == ("uk_contracts_finder", "failed")
    assert "set UNVEIL_CONTACT" in source["reason"]
    assert asked(tmp_path / "new" / "store", "SELECT count(*) AS n FROM contract") == [{"n": 0}]


def test_rescreening_says_what_changed_and_asks_no_portal(store: Path) -> None:
    ran: Ran = unveil("rescreen", "--json", store=store)
    assert ran.code == 0, ran.err
    assert ran.data["changes"] == []


def test_rescreening_after_a_change_of_rules_names_the_rules(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "store")
    title = "Visitor experience analytics for the market hall"
    flagged = "SELECT contract_id, rests_on, technology FROM contract JOIN assessment USING (contract_id)"
    (flag,) = asked(store, f"{flagged} WHERE title = '{title}'")
    rules = tmp_path / "rules"
    shutil.copytree(DATA / "rules", rules)
    for file in rules.rglob("*.yml"):
        kept = yaml.load(file.read_text(), Loader=yaml.BaseLoader)
        # All rules of its technologies: where one is gone, another may see the same words.
        kept["rules"] = [rule for rule in kept["rules"] if rule.get("technology") not in flag["technology"]]
        file.write_text(yaml.safe_dump(kept, allow_unicode=True))
    house = House(Store(tmp_path / "store"), sample=True, rules_folder=rules)
    (lost,) = [change for change in rescreen(house).changes if change.title == title]
    assert (lost.kind, lost.contract_id) == ("no_longer_flagged", flag["contract_id"])
    assert set(lost.rules) >= set(flag["rests_on"])
    house = House(Store(tmp_path / "store"), sample=True)
    (found,) = [change for change in rescreen(house).changes if change.title == title]
    assert found.kind == "newly_flagged"
    assert set(found.rules) == set(flag["rests_on"])
    with connect(house.store) as connection:
        assert connection.execute("SELECT DISTINCT rules_version FROM assessment").fetchall() == [
            (house.rules.version,)
        ]

"""Files a person has: archived before they are parsed, never taken twice, and safe to kill at any moment."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.archive import read_run
from pipeline.build.checks import database_fingerprint
from pipeline.store import Store
from tests.command import CHECKOUT, unveil
from tests.portal import release

HEADER = (
    "Agency,Award ID,Recipient Name,Federal Action Obligation,Action Date,Modification,Product/Service Description,"
    "NAICS Description,Transaction Description,Generated Award ID\n"
)
ROWS = [
    'ICE,A1,"CLEARVIEW AI, INC.",500000.0,2026-09-03,0,SOFTWARE,PUBLISHERS,FACIAL RECOGNITION LICENSES,P1',
    'ICE,A1,"CLEARVIEW AI, INC.",250000.5,2026-10-03,P00001,SOFTWARE,PUBLISHERS,EXERCISE OPTION YEAR 1,P1',
    'ICE,A1,"CLEARVIEW AI, INC.",250000.5,2026-10-03,P00001,SOFTWARE,PUBLISHERS,EXERCISE OPTION YEAR 1,P1',
    'ICE,A2,"CLEARVIEW AI, INC.",1000.0,2026-10-04,0,SOFTWARE,PUBLISHERS,FORENSIC SOFTWARE,P2',
    "CBP,A3,FICTIONAL TRADE LLC,10.0,2026-10-05,0,DATA,DATA,ACCESS KHARONS CLEARVIEW TOOL,P3",
    "CBP,A4,FICTIONAL SEATING LLC,99.0,2026-10-06,0,FURNITURE,FURNITURE,OFFICE CHAIRS,P4",
    "CBP,A4,FICTIONAL SEATING LLC,many,2026-10-06,1,FURNITURE,FURNITURE,OFFICE CHAIRS,P4",
]


@pytest.fixture
def spreadsheet(tmp_path: Path) -> Path:
    path = tmp_path / "given.csv"
    path.write_text(HEADER + "\n".join(ROWS) + "\n", encoding="utf-8")
    return path


def test_a_spreadsheet_is_counted_archived_and_flagged(spreadsheet: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    ran = unveil("ingest", spreadsheet, "--columns", "us_cbp_ice", "--json", store=store)
    assert ran.code == 1, ran.err
    said = {k: ran.data[k] for k in ("records", "parsed", "rejected", "repeated", "contracts", "candidates", "outcome")}
    assert said == {
        "records": 7,
        "parsed": 6,
        "rejected": {"unreadable_amount": 1},
        "repeated": 1,
        "contracts": 4,
        "candidates": 2,
        "outcome": "partial",
    }
    (folder,) = Store(store).runs("us_cbp_ice")
    (archived,) = read_run(folder, Store(store))
    assert archived.body() == spreadsheet.read_bytes()

    assert unveil("build", store=store).code == 0
    rows = unveil(
        "sql",
        "SELECT title, suppliers, vendor_ids, stage, value_amount::VARCHAR AS amount, value_kind "
        "FROM biometric_contract ORDER BY title",
        "--format",
        "json",
        store=store,
    ).data
    assert rows == [
        {
            "title": "FACIAL RECOGNITION LICENSES",
            "suppliers": ["CLEARVIEW AI, INC."],
            "vendor_ids": ["clearview"],
            "stage": "unknown",
            "amount": "750000.5000",
            "value_kind": "obligation",
        },
        {
            "title": "FORENSIC SOFTWARE",
            "suppliers": ["CLEARVIEW AI, INC."],
            "vendor_ids": ["clearview"],
            "stage": "unknown",
            "amount": "1000.0000",
            "value_kind": "obligation",
        },
    ]


def test_the_same_file_twice_changes_nothing_but_the_crawl_log(spreadsheet: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = unveil("ingest", spreadsheet, "--columns", "us_cbp_ice", "--json", store=store)
    unveil("build", store=store)
    before = database_fingerprint(store / "unveil.duckdb", exclude_columns=("built_at",))
    second = unveil("ingest", spreadsheet, "--columns", "us_cbp_ice", "--json", store=store)
    unveil("build", store=store)
    assert second.data["unchanged"] == 1
    assert {**second.data, "unchanged": 0} == first.data
    assert database_fingerprint(store / "unveil.duckdb", exclude_columns=("built_at",)) == before
    log = unveil("sql", "SELECT count(*) AS runs FROM crawl", "--format", "json", store=store)
    assert log.data == [{"runs": 2}]


def test_killed_anywhere_and_run_again_the_database_is_the_same(spreadsheet: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    night = f"ingest {spreadsheet} --columns us_cbp_ice ; build"
    started = time.monotonic()
    _night(night, whole)
    lasted = time.monotonic() - started
    chance = random.Random(7)
    for _ in range(3):
        _night(night, broken, kill_after=chance.uniform(0.3, lasted))
    _night(night, broken)
    assert database_fingerprint(broken / "unveil.duckdb") == database_fingerprint(whole / "unveil.duckdb")


def _night(commands: str, store: Path, kill_after: float | None = None) -> None:
    script = " ; ".join(f'"{sys.executable}" -m flows.cli {c.strip()}' for c in commands.split(";"))
    process = subprocess.Popen(
        ["bash", "-c", script],
        env={"UNVEIL_STORE": str(store), "PATH": "/usr/bin:/bin"},
        cwd=CHECKOUT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(timeout=kill_after or 120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_packages_lists_and_lines_give_the_same_releases(tmp_path: Path) -> None:
    releases = [
        {
            "ocid": f"ocds-b5fd17-{n}",
            "id": f"{n}-1",
            "date": "2026-11-20T00:00:00Z",
            "tag": ["tender"],
            "buyer": {"id": "GB-1", "name": "Fictional Council"},
            "tender": {"id": "1", "title": f"Fictional works {n}", "status": "active"},
        }
        for n in range(3)
    ]
    shapes = {
        "package.json": json.dumps({"uri": "x", "releases": releases}),
        "list.json": json.dumps(releases),
        "lines.jsonl": "\n".join(json.dumps(r) for r in releases),
        "record.json": json.dumps({"records": [{"ocid": r["ocid"], "releases": [r]} for r in releases]}),
    }
    for name, text in shapes.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        ran = unveil(
            "ingest", tmp_path / name, "--source", "uk_contracts_finder", "--json", store=tmp_path / f"store-{name}"
        )
        assert (ran.code, ran.data["records"], ran.data["contracts"]) == (0, 3, 3), (name, ran.err)
    together = unveil(
        "ingest", *(tmp_path / n for n in shapes), "--source", "uk_contracts_finder", "--json", store=tmp_path / "store"
    )
    assert (together.data["parsed"], together.data["repeated"], together.data["contracts"]) == (12, 9, 3)


def test_a_file_cut_in_the_middle_keeps_what_was_whole_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    release = {
        "ocid": "ocds-b5fd17-1",
        "id": "1",
        "date": "2026-11-20T00:00:00Z",
        "tag": ["tender"],
        "buyer": {"id": "GB-1", "name": "Fictional Council"},
        "tender": {"id": "1", "title": "Fictional works", "status": "active"},
    }
    path.write_text(json.dumps({"releases": [release, release]})[:-40], encoding="utf-8")
    ran = unveil("ingest", path, "--source", "uk_contracts_finder", "--json", store=tmp_path / "store")
    assert (ran.code, ran.data["parsed"], ran.data["rejected"]) == (1, 1, {"malformed_json": 1})


def test_every_real_contracts_finder_file_is_parsed(real: Path, tmp_path: Path) -> None:
    ran = unveil(
        "ingest",
        real / "uk-contracts-finder-pcs-sell2wales",
        "--source",
        "uk_contracts_finder",
        "--json",
        store=tmp_path / "store",
    )
    assert (ran.code, ran.data["records"], ran.data["parsed"], ran.data["rejected"]) == (0, 202, 202, {})
    assert (ran.data["contracts"], ran.data["repeated"]) == (190, 0)


def test_a_bad_file_in_a_folder_is_a_problem_and_a_named_one_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    folder = tmp_path / "notices"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps({"releases": [release(1)]}), encoding="utf-8")
    (folder / "b.json").write_bytes(b"")
    (folder / "c.json").write_text("<html>Sign in</html>", encoding="utf-8")
    ran = unveil("ingest", folder, "--source", "uk_contracts_finder", "--json", store=store)
    assert (ran.code, ran.data["parsed"], ran.data["rejected"]) == (1, 1, {"empty_file": 1, "malformed_json": 1})
    ran = unveil("ingest", folder / "b.json", "--source", "uk_contracts_finder", store=tmp_path / "other")
    assert (ran.code, ran.out) == (3, "")
    assert "b.json is empty; there is nothing to ingest." in ran.err

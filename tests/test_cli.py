"""Bad input gets one clear sentence on stderr and its exit code; what is stored stays as it was."""

import errno
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import UnveilError
from pipeline.store import disk_guard
from tests.command import CHECKOUT, Ran, unveil

RELEASE = (
    '{"ocid": "ocds-b5fd17-1", "id": "1", "date": "2026-11-20T00:00:00Z", "tag": ["tender"], '
    '"buyer": {"id": "GB-1", "name": "Fictional Council"}, '
    '"tender": {"id": "1", "title": "Live facial recognition", "status": "active"}}'
)


def one_sentence(ran: Ran) -> str:
    """The only line of stderr, without the command's name; a traceback or a second line fails."""
    lines = [line for line in ran.err.splitlines() if line.strip()]
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("unveil: ")
    assert ran.out == ""
    return lines[0].removeprefix("unveil: ")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one ingested file and a built database."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "given.json").write_text(f'{{"releases": [{RELEASE}]}}')
    assert unveil("ingest", folder / "given.json", "--source", "uk_contracts_finder", store=folder / "s").code == 0
    assert unveil("build", store=folder / "s").code == 0
    return folder / "s"


def test_help_answers_at_once_and_lists_every_command() -> None:
    unveil("--help")
    started = time.perf_counter()
    ran = unveil("--help")
    assert ran.code == 0
    # Half a second is the promise on a quiet machine; three times that still tells a heavy import.
    assert time.perf_counter() - started < 1.5
    for command in [
        "run",
        "crawl",
        "ingest",
        "read",
        "rescreen",
        "build",
        "assess",
        "report",
        "evidence",
        "sql",
        "sources",
        "vendors",
        "doctor",
    ]:
        assert f"\n  {command} " in ran.out


def test_help_sql_and_report_load_neither_prefect_nor_scrapy_nor_spacy() -> None:
    code = (
        "import sys, click.testing, flows.cli;"
        "click.testing.CliRunner().invoke(flows.cli.main, ['--help']);"
        "import flows.reporting, pipeline.query;"
        "print([m for m in ('prefect', 'scrapy', 'spacy', 'twisted') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout.strip() == "[]"


def test_a_missing_file(stored: Path) -> None:
    before = snapshot(stored)
    ran = unveil("ingest", "nowhere.json", "--source", "uk_contracts_finder", store=stored)
    assert (ran.code, one_sentence(ran)) == (2, "There is no file nowhere.json; check the path.")
    assert snapshot(stored) == before


def test_an_unknown_source(stored: Path) -> None:
    ran = unveil("crawl", "uk_contract_finder", store=stored)
    assert ran.code == 2
    sentence = one_sentence(ran)
    assert sentence.startswith("There is no source `uk_contract_finder`; known are ")
    assert "uk_contracts_finder" in sentence


def test_a_malformed_card(tmp_path: Path) -> None:
    card = tmp_path / "card.yml"
    card.write_text("id: mine\nname: Mine\npublisher: P\nnamespace: n\ncountries: [GB]\nvalue_kind: cash\n")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    ran = unveil("ingest", tmp_path / "x.csv", "--columns", card, store=tmp_path / "s")
    assert ran.code == 2
    sentence = one_sentence(ran)
    assert str(card) in sentence
    assert not (tmp_path / "s").exists()


def test_a_card_that_does_not_fit_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("Agency,Supplier\nICE,X\n")
    ran = unveil("ingest", tmp_path / "x.csv", "--columns", "us_cbp_ice", store=tmp_path / "s")
    assert ran.code == 2
    sentence = one_sentence(ran)
    assert "lacks the columns `Generated Award ID`" in sentence
    assert "the file has `Agency`, `Supplier`" in sentence
    assert not (tmp_path / "s").exists()


def test_html_where_json_was_due(stored: Path, tmp_path: Path) -> None:
    before = snapshot(stored)
    (tmp_path / "page.json").write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
    ran = unveil("ingest", tmp_path / "page.json", "--source", "uk_contracts_finder", store=stored)
    assert ran.code == 3
    assert "is a page of markup where OCDS JSON was due" in one_sentence(ran)
    assert snapshot(stored) == before


def test_a_portfolio_without_a_known_column(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("colour,size\nred,2\n")
    ran = unveil("report", tmp_path / "p.csv", store=stored)
    assert ran.code == 2
    assert one_sentence(ran).startswith("No column of p.csv identifies a holding: seen 'colour', 'size'; known")


def test_an_isin_with_a_wrong_check_digit_is_rejected_by_line_and_the_rest_is_reported(
    stored: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text("isin,name\nUS0378331006,Wrong\nUS0378331005,Right\n")
    ran = unveil("report", tmp_path / "p.csv", "--out", tmp_path / "p.html", store=stored)
    assert ran.code == 1
    assert "p.csv, line 2: the ISIN US0378331006 has a wrong check digit or form; mend the row." in ran.err
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "US0378331006" in page
    assert "US0378331005" in page


@pytest.mark.parametrize("content", [b"not a database at all", b""])
def test_a_database_that_is_not_ours_is_neither_read_nor_overwritten(tmp_path: Path, content: bytes) -> None:
    store = tmp_path / "s"
    store.mkdir()
    (store / "unveil.duckdb").write_bytes(content)
    for arguments in (("build",), ("sql", "SELECT 1")):
        ran = unveil(*arguments, store=store)
        assert ran.code == 3
        assert str(store / "unveil.duckdb") in one_sentence(ran)
    assert (store / "unveil.duckdb").read_bytes() == content


def test_sql_cannot_write_nor_leave_the_database(stored: Path) -> None:
    for statement in (
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY contract TO '/tmp/x.csv'",
        "DROP TABLE contract",
        "SELECT 1; SELECT 2",
        "SELEC 1",
    ):
        ran = unveil("sql", statement, store=stored)
        assert ran.code == 2, statement
        one_sentence(ran)
    ran = unveil("sql", "SELECT title FROM biometric_contract", "--format", "csv", store=stored)
    assert ran.out == "title\nLive facial recognition\n"


def test_a_live_crawl_without_a_contact_is_refused(tmp_path: Path) -> None:
    ran = unveil("crawl", "uk_contracts_finder", store=tmp_path / "s")
    assert ran.code == 2
    assert "UNVEIL_CONTACT" in one_sentence(ran)


def test_an_unknown_rule() -> None:
    ran = unveil("rules", "explain", "nope")
    assert (ran.code, one_sentence(ran).startswith("There is no rule `nope`")) == (2, True)
    assert "en.face.verification" in unveil("rules", "explain", "en.face.verification").out


def test_an_unknown_piece_of_evidence(stored: Path) -> None:
    ran = unveil("evidence", "e-00000000000000000000", store=stored)
    assert ran.code == 2
    assert "has the id e-00000000000000000000" in one_sentence(ran)


def test_assess_names_the_line_that_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "1", "title": null, "text": "Live facial recognition for police"}\n{"id": "2"}\n')
    ran = unveil("assess", path)
    assert ran.code == 3
    assert "rows.jsonl, line 2" in ran.err
    path.write_text(path.read_text().splitlines()[0] + "\n")
    ran = unveil("assess", path)
    assert ran.code == 0
    assert set(ran.data) >= {"id", "scope", "technology", "setting", "lifecycle", "vendors", "mentions"}
    assert (ran.data["scope"], ran.data["technology"]) == ("in_scope", ["face_identification"])
    assert ran.data["mentions"][0]["rule_id"]


def test_vendors_match_says_who_how_surely_and_why() -> None:
    found = unveil("vendors", "match", "CLEARVIEW AI, INC.", "--buyer-country", "US", "--json").data
    assert (found["vendor_id"], found["named"]) == ("clearview", True)
    assert unveil("vendors", "match", "KHARONS CLEARVIEW TOOL", "--json").data["vendor_id"] is None
    assert unveil("vendors", "match", "T STAMP INC.", "--json").data["vendor_id"] is None


def test_read_prints_a_line_a_page_and_names_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Face search\n")
    (tmp_path / "b.pdf").write_bytes(b"<html>")
    ran = unveil("read", tmp_path, "--format", "jsonl")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [(Path(r["path"]).name, r["outcome"], r["page"], r["text"].strip()) for r in rows] == [
        ("a.txt", "ok", 1, "Face search"),
        ("b.pdf", "unsupported", None, ""),
    ]
    missing = unveil("read", tmp_path / "nowhere.pdf")
    assert missing.code == 2
    one_sentence(missing)


def test_a_full_disk_becomes_one_sentence() -> None:
    with pytest.raises(UnveilError, match="The disk is full"), disk_guard(Path("store")):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 KiB; only a privileged user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_on_a_disk_that_is_really_full_nothing_stored_is_harmed(small_disk: Path, tmp_path: Path) -> None:
    store = small_disk / "s"
    (tmp_path / "small.json").write_text(f'{{"releases": [{RELEASE}]}}')
    assert unveil("ingest", tmp_path / "small.json", "--source", "uk_contracts_finder", store=store).code == 0
    before = snapshot(store)
    noise = random.Random(1)
    long = ", ".join(RELEASE.replace('"1"', f'"{noise.getrandbits(6000)}"') for _ in range(300))
    (tmp_path / "big.json").write_text(f'{{"releases": [{long}]}}')
    ran = unveil("ingest", tmp_path / "big.json", "--source", "uk_contracts_finder", store=store)
    assert ran.code == 1
    assert "The disk is full" in one_sentence(ran)
    after = snapshot(store)
    assert {name: after[name] for name in before} == before

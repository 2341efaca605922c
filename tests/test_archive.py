"""What is archived comes back byte for byte; a cut tail is noticed; a sealed run does not change."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from warcio.cli import main as warcio

from pipeline.archive import RunInfo, open_payload_at, read_run, run_info, verify_manifest
from pipeline.archive_writer import RunWriter, open_run
from pipeline.errors import BadData
from pipeline.store import Store

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
INFO = RunInfo("20261120T120000Z", "uk_contracts_finder", "crawl", NOON, {"since": "2026-11-17"})


def respond(writer: RunWriter, url: str, body: bytes, status: int = 200) -> str:
    payload = writer.write_response(
        url=url,
        requested_url=url,
        role="page",
        method="GET",
        request_headers=[("User-Agent", "Unveil"), ("Cookie", "secret=1")],
        request_body=b"",
        status=status,
        headers=[("Content-Type", "application/json"), ("Set-Cookie", "secret=1"), ("Content-Encoding", "gzip")],
        body=body,
        fetched_at=NOON,
    )
    return payload.sha256


def test_bodies_come_back_with_their_hash_and_request(tmp_path: Path) -> None:
    store = Store(tmp_path)
    writer = RunWriter(store, INFO)
    first = respond(writer, "https://portal.example/1", b'{"releases": []}')
    respond(writer, "https://portal.example/2", b"\x00\xff" * 70_000, status=404)
    writer.write_error(url="https://portal.example/3", method="GET", request_body=b"", error="timeout", fetched_at=NOON)
    folder = writer.seal()

    assert folder == tmp_path / "archive/uk_contracts_finder/20261120T120000Z"
    archived = list(read_run(folder, store))
    assert [(a.payload.role, a.payload.status, a.payload.size) for a in archived] == [
        ("page", 200, 16),
        ("page", 404, 140_000),
        ("error", 200, 7),
    ]
    assert first == "bbbea12b796d1db82cf1defa061dfd0b8edb0905f253d678e3b73be30fedc7e0"
    assert archived[1].body() == b"\x00\xff" * 70_000
    payload = archived[0].payload
    with open_payload_at(tmp_path / payload.warc_file, payload.warc_offset) as stream:
        assert stream.read() == b'{"releases": []}'
    assert run_info(folder) == INFO
    assert verify_manifest(folder) == []
    text = gzip.decompress((folder / "part-0001.warc.gz").read_bytes())
    assert b"secret" not in text
    with pytest.raises(SystemExit) as ended:
        warcio(["check", str(folder / "part-0001.warc.gz")])
    assert ended.value.code == 0


def test_a_run_written_twice_has_the_same_bytes(tmp_path: Path) -> None:
    copies = []
    for name in ("one", "two"):
        writer = RunWriter(Store(tmp_path / name), INFO)
        respond(writer, "https://portal.example/1", b"{}")
        copies.append((writer.seal() / "part-0001.warc.gz").read_bytes())
    assert copies[0] == copies[1]


def test_a_killed_run_keeps_whole_records_and_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    writer = RunWriter(store, INFO)
    respond(writer, "https://portal.example/1", b'{"page": 1}')
    whole = writer.path.stat().st_size
    respond(writer, "https://portal.example/2", b'{"page": 2}' * 1000)
    writer.close()
    with writer.path.open("r+b") as handle:
        handle.truncate(whole + 40)

    again = open_run(store, INFO)
    respond(again, "https://portal.example/2", b'{"page": 2}')
    folder = again.seal()

    assert [a.body() for a in read_run(folder, store)] == [b'{"page": 1}', b'{"page": 2}']
    assert sorted(p.name for p in folder.glob("*.gz")) == ["part-0001.warc.gz", "part-0002.warc.gz"]


def test_a_cut_tail_is_cut_off_and_said_at_sealing(tmp_path: Path) -> None:
    writer = RunWriter(Store(tmp_path), INFO)
    respond(writer, "https://portal.example/1", b"{}")
    writer.close()
    with writer.path.open("ab") as handle:
        handle.write(b"\x1f\x8b\x08\x00cut")
    manifest = json.loads((writer.seal() / "manifest.json").read_text())
    assert manifest["files"]["part-0001.warc.gz"]["cut_tail"] == 7


def test_a_changed_file_no_longer_fits_its_manifest(tmp_path: Path) -> None:
    writer = RunWriter(Store(tmp_path), INFO)
    respond(writer, "https://portal.example/1", b"{}")
    folder = writer.seal()
    path = folder / "part-0001.warc.gz"
    path.write_bytes(path.read_bytes() + b"x")
    assert verify_manifest(folder) == [f"{path} differs from its manifest: it was changed or cut after sealing."]


def test_what_is_no_warc_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.warc.gz").write_bytes(b"<html>")
    with pytest.raises(BadData, match="is not a readable WARC file"):
        list(read_run(tmp_path / "x.warc.gz"))
    with pytest.raises(BadData, match="There is no WARC file at"):
        run_info(tmp_path / "nowhere")

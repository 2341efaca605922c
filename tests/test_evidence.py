"""From an evidence id to the archived bytes and the exact words in them."""

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from pipeline.archive import RunInfo
from pipeline.archive_writer import open_run
from pipeline.errors import BAD_DATA, BadData, WrongUse
from pipeline.evidence import EvidenceRecord, Verified, find_evidence, print_evidence, show, verify
from pipeline.store import CHECKOUT, Store

NOW = datetime(2026, 11, 1, 4, 5, 6, tzinfo=UTC)
TITLE = "Supply of live facial recognition, write to bid@city.example"
RELEASE = {
    "ocid": "ocds-1",
    "tender": {"title": TITLE, "description": "Größe: 1"},
    "parties": [{"name": "Jane Doe", "contactPoint": {"name": "Jane Doe"}}],
}
PACKAGE = json.dumps({"releases": [{"ocid": "ocds-0"}, RELEASE]}, ensure_ascii=False)
ROWS = 'Process;Title\n1;"first\nline"\n2;Cámaras con reconocimiento facial\n'
PAGES = "First page.\fSecond page: facial recognition is not permitted.\n"


def pdf(*pages: str) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    for page in pages:
        canvas.drawString(72, 700, page)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


BODIES = {
    "json": PACKAGE.encode(),
    "latin": PACKAGE.encode("iso-8859-1"),
    "lines": f"{json.dumps({'ocid': 'x'})}\n{PACKAGE}\n".encode(),
    "zipped": gzip.compress(f"{json.dumps({'ocid': 'x'})}\n{json.dumps(RELEASE)}\n".encode(), mtime=0),
    "csv": ROWS.encode("utf-8-sig"),
    "pdf": pdf("First page.", "Facial recognition is not permitted."),
}
SPAN = ";chars=10-33"
PLACES = {
    "e-json0": ("json", f"/releases/1/tender/title{SPAN}", "live facial recognition"),
    "e-json1": ("json", "/releases/1", "/tender/title"),
    "e-latin": ("latin", "/releases/1/tender/description;chars=0-5", "Größe"),
    "e-lines": ("lines", f"line=2;at=/releases/1/tender/title{SPAN}", "live facial recognition"),
    "e-zipped": ("zipped", f"line=2;at=/tender/title{SPAN}", "live facial recognition"),
    "e-csv0": ("csv", "row=3;column=Title;chars=12-33", "reconocimiento facial"),
    "e-csv1": ("csv", "row=2;column=Title", "first\nline"),
    "e-pdf": ("pdf", "page=2;chars=0-18", "Facial recognition"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    run = open_run(store, RunInfo("run-1", "portal", "crawl", NOW, {}))
    payloads = {
        name: run.write_response(
            url=f"https://portal.example/{name}", requested_url=f"https://portal.example/{name}", role="page",
            method="GET", request_headers=[], request_body=b"", status=200, headers=[], body=body, fetched_at=NOW,
        )
        for name, body in BODIES.items()
    }  # fmt: skip
    run.seal()
    with duckdb.connect(str(store.database)) as database:
        database.execute((CHECKOUT / "pipeline" / "build" / "schema.sql").read_text(encoding="utf-8"))
        for evidence_id, (name, pointer, _) in PLACES.items():
            payload = payloads[name]
            database.execute(
                "INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, 'portal', ?)",
                [evidence_id, payload.sha256, pointer, payload.url, payload.fetched_at, payload.warc_file,
                 payload.warc_offset, "first\nline" if evidence_id == "e-csv1" else ""],
            )  # fmt: skip
    return store


@pytest.fixture
def damaged(store: Store) -> Iterator[Store]:
    """The same store with one byte of the archive flipped, in the body of the first payload."""
    record = find_evidence(store, "e-json0")
    path = store.root / record.warc_file
    whole = path.read_bytes()
    spoilt = bytearray(whole)
    spoilt[record.warc_offset + 420] ^= 0x10
    path.write_bytes(spoilt)
    yield store
    path.write_bytes(whole)


def printed(store: Store, evidence_id: str, **options: bool) -> tuple[int, str]:
    out = io.StringIO()
    console = Console(file=out, width=80, **options)  # type: ignore[arg-type]
    return print_evidence(store, evidence_id, console=console), out.getvalue()


@pytest.mark.parametrize("evidence_id", list(PLACES))
def test_unchanged_bytes_are_verified(store: Store, evidence_id: str) -> None:
    body = BODIES[PLACES[evidence_id][0]]
    expected = Verified(True, sha256(body).hexdigest(), len(body))
    assert verify(store, find_evidence(store, evidence_id)) == expected


@pytest.mark.parametrize("evidence_id", [e for e in PLACES if e != "e-json1"])
def test_every_kind_of_pointer_leads_to_the_exact_quote(store: Store, evidence_id: str) -> None:
    shown = show(store, find_evidence(store, evidence_id), delimiter=";")
    assert shown.exact == PLACES[evidence_id][2]


def test_a_byte_order_mark_is_no_part_of_the_first_column(store: Store) -> None:
    record = replace(find_evidence(store, "e-csv0"), pointer="row=3;column=Process")
    assert show(store, record, delimiter=";", encoding="UTF-8").exact == "2"


def test_a_whole_record_shows_what_it_says_of_the_purchase_and_no_person(store: Store) -> None:
    text = show(store, find_evidence(store, "e-json1")).text
    assert "/tender/title: Supply of live facial recognition" in text
    assert "Jane" not in text


def test_a_record_of_a_large_file_is_found_without_parsing_it_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.evidence._PARSE_WHOLE", 10)
    record = find_evidence(store, "e-json0")
    assert show(store, record).exact == "live facial recognition"
    with pytest.raises(BadData, match="nothing at"):
        show(store, replace(record, pointer="/releases/7/tender"))


def test_addresses_are_blocked_out_and_offsets_stay(store: Store) -> None:
    shown = show(store, find_evidence(store, "e-json0"))
    assert "bid@city.example" not in shown.text
    assert len(shown.text) == len(TITLE)


def test_a_person_alone_in_a_cell_is_not_named(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path)
    run = open_run(other, RunInfo("r", "portal", "ingest", NOW, {}))
    file = tmp_path / "rows.csv"
    file.write_text("Supplier,Title\nMr John Smith,Cameras\n", encoding="utf-8")
    payload = run.write_file(file, url="file:///rows.csv", content_type="text/csv", fetched_at=NOW)
    run.seal()
    record = EvidenceRecord(
        "e-row", payload.sha256, "row=2", "", NOW, payload.warc_file, payload.warc_offset, "portal", ""
    )
    assert show(other, record).text == "Supplier: [natural person]\nTitle: Cameras"


def test_a_flipped_byte_is_not_verified(damaged: Store) -> None:
    checked = verify(damaged, find_evidence(damaged, "e-json0"))
    assert not checked.ok
    assert checked.why


def test_a_flipped_byte_ends_with_exit_code_3(damaged: Store) -> None:
    code, text = printed(damaged, "e-json0")
    assert code == BAD_DATA
    assert "NOT VERIFIED" in text


def test_another_hash_on_record_is_not_verified(store: Store) -> None:
    record = replace(find_evidence(store, "e-json0"), payload_sha256="0" * 64)
    checked = verify(store, record)
    assert (checked.ok, checked.sha256_found) == (False, sha256(BODIES["json"]).hexdigest())


def test_a_missing_archive_file_is_not_verified(store: Store) -> None:
    record = replace(find_evidence(store, "e-json0"), warc_file="archive/portal/gone/part-0001.warc.gz")
    assert "missing" in verify(store, record).why


def test_an_archive_path_outside_the_store_is_refused(store: Store) -> None:
    record = replace(find_evidence(store, "e-json0"), warc_file="../../etc/passwd")
    assert "outside the store" in verify(store, record).why


@pytest.mark.parametrize(
    "pointer",
    ["/releases/7", "line=9", "row=99;column=Title", "row=2;column=No", "xpath=//a", "line=x", ";chars=0-9999"],
)
def test_a_pointer_that_leads_nowhere_is_one_sentence(store: Store, pointer: str) -> None:
    record = find_evidence(store, "e-csv0" if pointer.startswith("row") else "e-json0")
    with pytest.raises(BadData):
        show(store, replace(record, pointer=pointer), delimiter=";")


def test_an_unknown_id_is_wrong_use(store: Store) -> None:
    with pytest.raises(WrongUse, match="No evidence"):
        find_evidence(store, "e-0000")


def test_a_prefix_finds_one_and_only_one(store: Store) -> None:
    assert find_evidence(store, "e-pd").evidence_id == "e-pdf"
    with pytest.raises(WrongUse, match="More than one"):
        find_evidence(store, "e-json")


@pytest.mark.parametrize("evidence_id", ["", "e-", "' OR 1=1 --", "e_%%"])
def test_what_is_no_id_is_said_so(store: Store, evidence_id: str) -> None:
    with pytest.raises(WrongUse, match="not an evidence id"):
        find_evidence(store, evidence_id)


def test_a_strangers_text_does_not_steer_the_terminal(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path)
    run = open_run(other, RunInfo("r", "portal", "ingest", NOW, {}))
    file = tmp_path / "odd.json"
    file.write_text(json.dumps({"title": "face \x1b[31mred\u202e"}), encoding="utf-8")
    payload = run.write_file(file, url="https://portal.example/\x1b]0;x", content_type="", fetched_at=NOW)
    run.seal()
    with duckdb.connect(str(other.database)) as database:
        database.execute((CHECKOUT / "pipeline" / "build" / "schema.sql").read_text(encoding="utf-8"))
        database.execute(
            "INSERT INTO evidence VALUES ('e-odd', ?, '/title', ?, ?, ?, ?, 'portal', '')",
            [payload.sha256, payload.url, NOW, payload.warc_file, payload.warc_offset],
        )
    code, text = printed(other, "e-odd")
    assert code == 0
    assert "»face ·[31mred·«" in text
    assert "\x1b" not in text


def test_a_foreign_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "unveil.duckdb").write_bytes(b"not a database" * 100)
    with pytest.raises(BadData, match="cannot be read as a database"):
        find_evidence(Store(tmp_path), "e-json0")


def test_no_database_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="unveil build"):
        find_evidence(Store(tmp_path), "e-json0")


def test_the_print_marks_the_quote_without_colours(store: Store) -> None:
    code, text = printed(store, "e-json0")
    assert code == 0
    assert "Supply of »live facial recognition«, write" in text
    assert "VERIFIED" in text
    assert "archive/portal/run-1/part-0001.warc.gz at byte" in text
    assert sha256(BODIES["json"]).hexdigest() in text
    assert "2026-11-01 04:05:06 UTC" in text
    assert "\x1b" not in text


def test_the_print_on_a_terminal_uses_colour(store: Store) -> None:
    _, text = printed(store, "e-json0", force_terminal=True)
    assert "\x1b[" in text
    assert "»" not in text


def test_no_color_is_kept_on_a_terminal(store: Store) -> None:
    _, text = printed(store, "e-json0", force_terminal=True, no_color=True)
    assert "»live facial recognition«" in text

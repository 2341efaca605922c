"""From an evidence id back to the archived bytes: are they unchanged, and what stands at the place pointed at."""

import csv
import gzip
import io
import itertools
import json
import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import duckdb
import ijson
from jsonpointer import JsonPointer, JsonPointerException
from rich.console import Console
from rich.text import Text
from warcio.exceptions import ArchiveLoadFailed

from pipeline.archive import open_payload_at
from pipeline.errors import BAD_DATA, BadData, WrongUse
from pipeline.parse.ted_file import member_at
from pipeline.persons import is_natural_person
from pipeline.redact import redact
from pipeline.store import Store
from pipeline.xml_evidence import is_xml, xml_at
from pipeline.xml_places import MAX_BYTES

CONTEXT: Final = 300
_Stream = io.BufferedReader | gzip.GzipFile
_CHUNK: Final = 1 << 20
_MAX_LINE: Final = 64 << 20
# Above this a JSON file is walked as a stream up to the record; below it is parsed whole.
_PARSE_WHOLE: Final = 32 << 20
_CELL_LIMIT: Final = 10_000_000
_SHORTEST_ID: Final = 4
_ID: Final = re.compile(r"^[a-z0-9-]+$")
_SPAN: Final = re.compile(r"^(?P<place>.*?)(?:;chars=(?P<start>\d+)-(?P<end>\d+))?$", re.DOTALL)
_ITEM: Final = re.compile(r"^(?:/(?P<list>releases|records))?/(?P<index>\d+)(?P<rest>/.*)?$", re.DOTALL)
# A stranger's text must not steer the reader's terminal: control codes and codes that reorder what is read.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# What warcio, gzip and the file system raise when an archive was cut or altered.
_DAMAGE: Final = (ArchiveLoadFailed, zlib.error, EOFError, gzip.BadGzipFile, ValueError, OSError, BadData)
# Of a whole record only these are shown: they speak of the purchase, while the rest may name officials.
_RECORD_KEYS: Final = ("ocid", "id", "date", "tag", "title", "description", "rationale", "status", "statusDetails")
_NOT_PURCHASE: Final = frozenset(["parties", "buyer", "suppliers", "tenderers", "procuringEntity", "contactPoint"])


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """One row of the table `evidence`: which bytes, where in them, and where they lie in the archive."""

    evidence_id: str
    payload_sha256: str
    pointer: str
    url: str
    fetched_at: datetime | None
    warc_file: str
    warc_offset: int
    source_id: str
    quote: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether the archived bytes still have the hash on record; `why` says in a sentence what is wrong."""

    ok: bool
    sha256_found: str
    size: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class ShownEvidence:
    """What stands at the pointer. `text` is the redacted field or page; `start` and `end` bound the span in it.

    `exact` is the span itself, `before` and `after` up to 300 characters around it.
    """

    place: str
    text: str
    start: int
    end: int

    @property
    def exact(self) -> str:
        return self.text[self.start : self.end]

    @property
    def before(self) -> str:
        return self.text[max(0, self.start - CONTEXT) : self.start]

    @property
    def after(self) -> str:
        return self.text[self.end : self.end + CONTEXT]


def find_evidence(store: Store, evidence_id: str) -> EvidenceRecord:
    """The evidence of an id, or of a prefix that only one id begins with. Raises WrongUse otherwise."""
    wanted = evidence_id.strip().lower()
    if not _ID.match(wanted) or len(wanted) < _SHORTEST_ID:
        raise WrongUse(
            f"{evidence_id!r} is not an evidence id; it looks like e-0123456789abcdef0123, or its beginning."
        )
    if not store.database.is_file():
        raise WrongUse(f"There is no database at {store.database}; make it with `unveil build`.")
    try:
        rows = _rows(store, wanted)
    except duckdb.Error as error:
        raise BadData(f"{store.database} cannot be read as a database of ours: {error}.") from error
    if not rows:
        raise WrongUse(f"No evidence in {store.database} has the id {wanted}, nor one that begins so.")
    if len(rows) > 1 and rows[0][0] != wanted:
        raise WrongUse(f"More than one evidence id begins with {wanted}; give more of its characters.")
    row = rows[0]
    return EvidenceRecord(
        evidence_id=row[0],
        payload_sha256=row[1],
        pointer=row[2] or "",
        url=row[3] or "",
        fetched_at=row[4].replace(tzinfo=UTC) if row[4] else None,
        warc_file=row[5] or "",
        warc_offset=row[6] or 0,
        source_id=row[7] or "",
        quote=row[8] or "",
    )


def _rows(store: Store, wanted: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(store.database), read_only=True) as database:
        return database.execute(
            "SELECT evidence_id, payload_sha256, pointer, url, fetched_at AT TIME ZONE 'UTC', warc_file, warc_offset,"
            " source_id, quote FROM evidence WHERE evidence_id = $id OR starts_with(evidence_id, $id)"
            " ORDER BY evidence_id = $id DESC, evidence_id LIMIT 2",
            {"id": wanted},
        ).fetchall()


def verify(store: Store, record: EvidenceRecord) -> Verified:
    """Reads the payload out of its WARC in pieces and compares SHA-256; damage is an answer, never an exception."""
    digest = sha256()
    size = 0
    try:
        with _payload(store, record) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except _DAMAGE as error:
        why = str(error) if isinstance(error, BadData) else f"The archive cannot be read there: {error}."
        return Verified(ok=False, sha256_found="", size=size, why=why)
    found = digest.hexdigest()
    if found != record.payload_sha256:
        return Verified(False, found, size, "The archived bytes have another SHA-256 than the one on record.")
    return Verified(True, found, size)


def show(
    store: Store,
    record: EvidenceRecord,
    *,
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
    country: str | None = None,
) -> ShownEvidence:
    """What stands at the record's pointer, redacted, with its span.

    `delimiter` and `encoding` are those of the source's columns card and matter for rows only; `country` says how
    national telephone numbers are written. Raises BadData when the pointer leads nowhere.
    """
    match = _SPAN.match(record.pointer)
    place = match["place"] if match else record.pointer
    try:
        if place.startswith("member="):
            raw = _of_member(store, record, place)
        else:
            with _payload(store, record) as stream:
                raw = _field(stream, place, delimiter, encoding, country)
    except BadData:
        raise
    except _DAMAGE as error:
        raise BadData(f"Evidence {record.evidence_id} cannot be read at {place or 'its record'}: {error}.") from error
    text = redact(raw, country)
    if match and match["start"] is not None:
        start, end = int(match["start"]), int(match["end"])
        if not start <= end <= len(text):
            raise BadData(
                f"Evidence {record.evidence_id} points at characters {start}-{end} of {place}, "
                f"which has {len(text)}; the text was read another way when it was flagged."
            )
        return ShownEvidence(place, text, start, end)
    start = text.find(record.quote) if record.quote else -1
    return ShownEvidence(place, text, start, start + len(record.quote)) if start >= 0 else _whole(place, text)


def print_evidence(
    store: Store,
    evidence_id: str,
    *,
    console: Console | None = None,
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
    country: str | None = None,
) -> int:
    """Prints where the bytes lie, whether they are unchanged, and the quote in its place. Returns the exit code.

    0 when the hash fits, 3 when it does not; a quote out of altered bytes is shown as such where it can be read.
    """
    out = console or Console(highlight=False, soft_wrap=True)
    record = find_evidence(store, evidence_id)
    checked = verify(store, record)
    for label, value in _where(record):
        out.print(Text.assemble((f"{label:<12}", "bold"), _CONTROL.sub("·", value)), soft_wrap=True)
    if checked.ok:
        out.print(Text(f"VERIFIED     the {checked.size:,} archived bytes have this SHA-256", "green"), soft_wrap=True)
    else:
        out.print(Text(f"NOT VERIFIED {checked.why}", "bold red"), soft_wrap=True)
        if checked.sha256_found:
            out.print(Text(f"{'found':<12}{checked.sha256_found}"), soft_wrap=True)
    try:
        shown = show(store, record, delimiter=delimiter, encoding=encoding, country=country)
    except BadData as error:
        if checked.ok:
            raise
        out.print(Text(str(error)), soft_wrap=True)
        return BAD_DATA
    out.print()
    out.print(_marked(shown, plain=out.no_color or not out.is_terminal), soft_wrap=True)
    return 0 if checked.ok else BAD_DATA


def _where(record: EvidenceRecord) -> Iterator[tuple[str, str]]:
    yield "evidence", record.evidence_id
    yield "source", record.source_id
    yield "url", record.url
    yield "fetched", f"{record.fetched_at:%Y-%m-%d %H:%M:%S} UTC" if record.fetched_at else "time not on record"
    yield "warc", f"{record.warc_file} at byte {record.warc_offset}"
    yield "sha256", record.payload_sha256
    yield "pointer", record.pointer or "(the whole record)"


def _marked(shown: ShownEvidence, *, plain: bool) -> Text:
    """The span in its context. Without colours guillemets mark it, so that a pipe or a page of paper shows it too."""
    before, exact, after = (_CONTROL.sub("·", text) for text in (shown.before, shown.exact, shown.after))
    lead = "…" if shown.start > CONTEXT else ""
    tail = "…" if shown.end + CONTEXT < len(shown.text) else ""
    quote = f"»{exact}«" if plain else exact
    return Text.assemble(lead, before, (quote, "" if plain else "bold reverse"), after, tail)


def _whole(place: str, text: str) -> ShownEvidence:
    return ShownEvidence(place, text, 0, len(text))


def _archive_file(store: Store, record: EvidenceRecord) -> Path:
    if not record.warc_file:
        raise BadData(f"Where the bytes of evidence {record.evidence_id} lie is not on record.")
    root = store.root.resolve()
    path = (root / record.warc_file).resolve()
    if not path.is_relative_to(root):
        raise BadData(f"Evidence {record.evidence_id} names an archive file outside the store: {record.warc_file}.")
    return path


@contextmanager
def _payload(store: Store, record: EvidenceRecord) -> Iterator[io.BufferedReader]:
    with open_payload_at(_archive_file(store, record), record.warc_offset) as stream:
        yield stream


def _field(stream: io.BufferedReader, place: str, delimiter: str, encoding: str, country: str | None) -> str:
    kind, _, rest = place.partition("=")
    if kind == "page":
        return _page(stream.read(), int(rest))
    opened = _unzipped(stream)
    if kind == "row":
        number, _, column = rest.partition(";column=")
        return _row(opened, int(number), column, delimiter, encoding, country)
    if kind == "line":
        number, _, pointer = rest.partition(";at=")
        line = next(itertools.islice(_lines(opened), int(number) - 1, None), None)
        if line is None:
            raise BadData(f"The archived file has no line {number}.")
        return _said(_resolve(_json(line), pointer))
    if kind == "xpath":
        return xml_at(opened.read(MAX_BYTES + 1), rest)
    if not place and isinstance(opened, io.BufferedReader) and is_xml(opened.peek(64)):
        return xml_at(opened.read(MAX_BYTES + 1), "")
    if place and not place.startswith("/"):
        raise BadData(f"The pointer {place!r} is of no kind we know.")
    return _said(_json_at(opened, place))


def _of_member(store: Store, record: EvidenceRecord, place: str) -> str:
    """A text of a package's member, `member=NAME;xpath=…`, or all that the member says of the purchase."""
    member, _, rest = place.partition(";")
    path = _archive_file(store, record)
    data = member_at(lambda: open_payload_at(path, record.warc_offset), member)
    if rest and not rest.startswith("xpath="):
        raise BadData(f"The pointer {place!r} is of no kind we know.")
    return xml_at(data, rest.removeprefix("xpath="))


def _unzipped(stream: io.BufferedReader) -> _Stream:
    return gzip.GzipFile(fileobj=stream) if stream.peek(2)[:2] == b"\x1f\x8b" else stream


def _lines(stream: _Stream) -> Iterator[bytes]:
    while line := stream.readline(_MAX_LINE):
        yield line


def _json_at(stream: _Stream, pointer: str) -> Any:
    head = stream.read(_PARSE_WHOLE).removeprefix(BOM_UTF8)
    rest = stream.read(1)
    item = _ITEM.match(pointer)
    if rest and item:
        prefix = f"{item['list']}.item" if item["list"] else "item"
        joined = _Joined(head + rest, stream)
        value = next(itertools.islice(ijson.items(joined, prefix, use_float=True), int(item["index"]), None), None)
        if value is None:
            raise BadData(f"The archived file has nothing at {pointer}.")
        return _resolve(value, item["rest"] or "")
    return _resolve(_json(head + rest + stream.read()), pointer)


class _Joined:
    """Bytes already read and the stream they came from, read as one."""

    def __init__(self, head: bytes, stream: _Stream) -> None:
        self._head = io.BytesIO(head)
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._head.read(size) or self._stream.read(size)


def _json(data: bytes) -> Any:
    # Some portals send JSON in ISO-8859-1 without saying so.
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("iso-8859-1")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadData(f"The archived bytes are not JSON: {error}.") from error


def _resolve(value: Any, pointer: str) -> Any:
    try:
        return JsonPointer(pointer).resolve(value)
    except JsonPointerException as error:
        raise BadData(f"The archived JSON has nothing at {pointer}.") from error


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return "\n".join(f"{key}: {said}" for key, said in _statements(value, ""))
    return json.dumps(value, ensure_ascii=False)


def _statements(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """What a record says of the purchase: its titles, descriptions, dates and statuses, each with its path."""
    if isinstance(value, list):
        for index, below in enumerate(value):
            yield from _statements(below, f"{path}/{index}")
        return
    if not isinstance(value, dict):
        return
    for key, below in value.items():
        if key in _NOT_PURCHASE:
            continue
        if isinstance(below, dict) or (isinstance(below, list) and any(isinstance(b, dict) for b in below)):
            yield from _statements(below, f"{path}/{key}")
        elif key in _RECORD_KEYS and below not in (None, "", []):
            yield f"{path}/{key}", below if isinstance(below, str) else json.dumps(below, ensure_ascii=False)


def _row(stream: _Stream, number: int, column: str, delimiter: str, encoding: str, country: str | None) -> str:
    csv.field_size_limit(_CELL_LIMIT)
    # A byte-order mark is no part of the first header.
    python_encoding = "utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding
    reader = csv.reader(io.TextIOWrapper(stream, encoding=python_encoding, newline=""), delimiter=delimiter)
    header = [name.strip() for name in next(reader, [])]
    row = next(itertools.islice(reader, number - 2, None), None) if number > 1 else header
    if row is None:
        raise BadData(f"The archived file has no row {number}.")
    if not column:
        # A cell with nothing but a person's name stays hidden, as everywhere else.
        cells = ("[natural person]" if is_natural_person(cell, country=country) else cell for cell in row)
        return "\n".join(f"{name}: {cell}" for name, cell in zip(header, cells, strict=False) if cell.strip())
    if column not in header or header.index(column) >= len(row):
        raise BadData(f"Row {number} of the archived file has no column {column!r}; is {delimiter!r} its delimiter?")
    return row[header.index(column)]


def _page(data: bytes, number: int) -> str:
    # Imported here: most evidence needs no document reader.
    from pipeline.read import Reader

    with Reader() as reader:
        result = reader.read(data)
    for page in result.pages:
        if page.number == number:
            return page.text
    raise BadData(f"Page {number} of the archived document could not be read again: {result.outcome} {result.detail}")

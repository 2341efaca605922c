"""Parses files a person was given: OCDS packages, lists and lines of any size, plain or gzipped, as streams."""

import gzip
import itertools
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

import ijson
import orjson

from models.procurement import Parsed, Place, Seen
from models.run import Problem
from models.source import SourceCard
from pipeline.errors import BadData
from pipeline.parse.common import Misfit, rejected
from pipeline.parse.ocds_release import glimpse_release, parse_release

_HEAD = 4096
# Some thousand times an ordinary line; it bounds what is held of a file that unpacks to anything.
MAX_LINE = 64 << 20
# Of lines that cannot matter, so many are passed over for one that is read all the same.
_STRICT_EVERY = 1000


def check_file_head(head: bytes, name: str) -> None:
    """Raises BadData, with how to mend it, for a file that cannot be OCDS JSON."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if not start:
        raise BadData(f"{name} is empty; there is nothing to ingest.")
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        raise BadData(
            f"{name} is a page of markup where OCDS JSON was due; fetch the data file itself and ingest that."
        )
    if start.startswith(b"\x1f\x8b"):
        return
    if not start.startswith((b"{", b"[")):
        raise BadData(
            f"{name} is not OCDS JSON (it starts with {start[:20]!r}); "
            "for a spreadsheet name its columns card with --columns."
        )


def parse_ocds_file(
    open_stream: Callable[[], IO[bytes]],
    card: SourceCard,
    payload_sha256: str,
    glance: Callable[[bytes], bool] | None = None,
) -> Iterator[Parsed | Seen | Problem]:
    """Releases of a release package, record package, list or JSON lines; memory does not grow with the file.

    Of lines, those for which `glance` says no become `Seen` unread, but for one in a thousand, to notice what changes.
    Pointers are JSON pointers, or `line=N` (from 1), with a JSON pointer after `;at=` where a line is a package.
    """

    opened = unpacked(open_stream)
    try:
        if is_lines(opened):
            yield from _lines(opened, card, payload_sha256, glance)
        elif not _is_empty(opened):
            yield from _document(opened, card, payload_sha256)
    except (ijson.JSONError, UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield Problem(
            kind="malformed_json",
            detail=f"{error}; what follows was not read",
            payload_sha256=payload_sha256,
        )


def unpacked(open_stream: Callable[[], IO[bytes]]) -> Callable[[], IO[bytes]]:
    """An opener that unpacks a gzipped file as it reads, and passes over a byte order mark."""
    with open_stream() as stream:
        packed = stream.read(2) == b"\x1f\x8b"

    def opened() -> IO[bytes]:
        return cast(IO[bytes], gzip.GzipFile(fileobj=open_stream())) if packed else open_stream()

    def behind_the_mark() -> IO[bytes]:
        stream = opened()
        stream.read(len(BOM_UTF8))
        return stream

    try:
        with opened() as stream:
            return behind_the_mark if stream.read(len(BOM_UTF8)) == BOM_UTF8 else opened
    except (EOFError, gzip.BadGzipFile, zlib.error):
        # Damaged from its first bytes: whoever reads it says so.
        return opened


def _is_empty(opened: Callable[[], IO[bytes]]) -> bool:
    """Whether nothing but white space is there; a file packed by a portal may hold no lines."""
    with opened() as stream:
        return not stream.read(_HEAD).strip()


def is_lines(opened: Callable[[], IO[bytes]]) -> bool:
    """True when another line follows the first and the first or, should that one be damaged, the second is an object.

    In a document the first line is no object of its own: it ends where the file ends, or it only opens a bracket.
    """
    with opened() as stream:
        first = _read_line(stream)
        second = _read_line(stream)
    if not first.strip() or not second.strip():
        return False
    return _is_object(first) or (first.lstrip().startswith(b"{") and len(first) > 2 and _is_object(second))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _lines(
    opened: Callable[[], IO[bytes]], card: SourceCard, sha256: str, glance: Callable[[bytes], bool] | None
) -> Iterator[Parsed | Seen | Problem]:
    with opened() as stream:
        for number in itertools.count(1):
            line = _read_line(stream)
            if not line:
                return
            place = Place(payload_sha256=sha256, pointer=f"line={number}")
            if len(line) > MAX_LINE:
                yield rejected(Misfit("line_too_long", f"the line has more than {MAX_LINE} bytes"), place)
                continue
            line = line.strip()
            if line:
                yield from _line(line, number, card, place, glance)


def _read_line(stream: IO[bytes]) -> bytes:
    """The next line. Of one beyond the limit what is over it is passed by: it comes one byte longer than allowed."""
    line = stream.readline(MAX_LINE + 1)
    if len(line) > MAX_LINE and not line.endswith(b"\n"):
        while (more := stream.readline(MAX_LINE)) and not more.endswith(b"\n"):
            continue
    return line


def _line(
    line: bytes, number: int, card: SourceCard, place: Place, glance: Callable[[bytes], bool] | None
) -> Iterator[Parsed | Seen | Problem]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        yield rejected(Misfit("malformed_json", str(error)), place)
        return
    if isinstance(value, dict) and isinstance(value.get("releases"), list):
        for index, release in enumerate(value["releases"]):
            within = f"/releases/{index}"
            below = Place(payload_sha256=place.payload_sha256, pointer=f"{place.pointer};at={within}")
            yield from _cut(parse_release(release, card, below), line, within)
        return
    if glance is not None and number % _STRICT_EVERY and not glance(line):
        seen = glimpse_release(value, card, place)
        if seen is not None:
            yield seen
            return
    yield from _cut(parse_release(value, card, place), line, "")


def _cut(items: Iterator[Parsed | Problem], line: bytes, within: str) -> Iterator[Parsed | Problem]:
    for item in items:
        yield item.model_copy(update={"line": line, "within": within}) if isinstance(item, Parsed) else item


def _document(opened: Callable[[], IO[bytes]], card: SourceCard, sha256: str) -> Iterator[Parsed | Problem]:
    shape = _shape(opened)
    if shape is None:
        yield Problem(
            kind="missing_field",
            detail="the file has neither `releases` nor `records` and is no release and no list of releases",
            payload_sha256=sha256,
        )
        return
    prefix, pointer = shape
    with opened() as stream:
        for index, value in enumerate(ijson.items(stream, prefix, use_float=True)):
            here = pointer.format(index=index)
            if prefix == "records.item":
                yield from _record(value, card, sha256, here)
            else:
                yield from parse_release(value, card, Place(payload_sha256=sha256, pointer=here))


def _record(value: Any, card: SourceCard, sha256: str, pointer: str) -> Iterator[Parsed | Problem]:
    """A record's releases where it embeds them, else its compiled release."""
    if not isinstance(value, dict):
        yield Problem(kind="wrong_type", detail="a record is an object", payload_sha256=sha256, pointer=pointer)
        return
    releases = [r for r in value.get("releases") or [] if isinstance(r, dict) and "ocid" in r]
    if releases:
        for index, release in enumerate(releases):
            yield from parse_release(release, card, Place(payload_sha256=sha256, pointer=f"{pointer}/releases/{index}"))
    elif isinstance(value.get("compiledRelease"), dict):
        place = Place(payload_sha256=sha256, pointer=f"{pointer}/compiledRelease")
        yield from parse_release(value["compiledRelease"], card, place)
    else:
        yield Problem(
            kind="missing_field",
            detail="the record embeds neither releases nor a compiled release",
            payload_sha256=sha256,
            pointer=pointer,
        )


def _shape(opened: Callable[[], IO[bytes]]) -> tuple[str, str] | None:
    """ijson prefix of the releases and the pattern of their JSON pointers."""
    with opened() as stream:
        for prefix, event, value in ijson.parse(stream, use_float=True):
            if prefix == "" and event == "start_array":
                return "item", "/{index}"
            if prefix == "" and event == "map_key":
                if value == "releases":
                    return "releases.item", "/releases/{index}"
                if value == "records":
                    return "records.item", "/records/{index}"
                if value == "ocid":
                    return "", ""
    return None

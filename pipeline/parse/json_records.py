"""JSON files of records as streams: lists, envelopes, single records and lines; plain or gzipped."""

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

import ijson
import orjson

from models.run import Problem
from pipeline.errors import BadData
from pipeline.parse.ocds_file import is_lines, unpacked

_MAX_LINE: Final = 64 << 20
Opened = Callable[[], IO[bytes]]


def check_json_head(head: bytes, name: str, what: str) -> None:
    """Raises BadData, with how to mend it, for a file that cannot hold JSON. `what` names the records that were due."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if not start:
        raise BadData(f"{name} is empty; there is nothing to ingest.")
    if start.startswith(b"\x1f\x8b"):
        return
    if start.startswith(b"<"):
        raise BadData(f"{name} is a page of markup where {what} were due; fetch the data itself and ingest that.")
    if not start.startswith((b"{", b"[")):
        raise BadData(
            f"{name} does not hold {what} as JSON (it starts with {start[:20]!r}); "
            "for a spreadsheet name its columns card with --columns."
        )


def stream_records(open_stream: Opened, payload_sha256: str, envelope: str) -> Iterator[tuple[str, Any]]:
    """Each record with its pointer, or the Problem that ends the reading; memory does not grow with the file.

    `envelope` is the key under which the portal's own answers hold their list. Pointers are JSON pointers, or `line=N`
    (from 1), with a JSON pointer after `;at=` where a line is such an answer.
    """
    opened = unpacked(open_stream)
    try:
        if is_lines(opened):
            yield from _lines(opened, payload_sha256, envelope)
        else:
            yield from _document(opened, envelope)
    except (ijson.JSONError, UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        detail = f"{error}; what follows was not read"
        yield "", Problem(kind="malformed_json", detail=detail, payload_sha256=payload_sha256)


def _lines(opened: Opened, sha256: str, envelope: str) -> Iterator[tuple[str, Any]]:
    with opened() as stream:
        for number in itertools.count(1):
            line = stream.readline(_MAX_LINE)
            if not line:
                return
            if not line.strip():
                continue
            pointer = f"line={number}"
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield "", Problem(kind="malformed_json", detail=str(error), payload_sha256=sha256, pointer=pointer)
                continue
            if isinstance(value, dict) and isinstance(value.get(envelope), list):
                for index, record in enumerate(value[envelope]):
                    yield f"{pointer};at=/{envelope}/{index}", record
            else:
                yield pointer, value


def _document(opened: Opened, envelope: str) -> Iterator[tuple[str, Any]]:
    prefix, pointer = _shape(opened, envelope)
    with opened() as stream:
        for index, value in enumerate(ijson.items(stream, prefix, use_float=True)):
            yield pointer.format(index=index), value


def _shape(opened: Opened, envelope: str) -> tuple[str, str]:
    """ijson prefix of the records and the pattern of their JSON pointers."""
    with opened() as stream:
        for prefix, event, _ in ijson.parse(stream, use_float=True):
            if prefix == "" and event == "start_array":
                return "item", "/{index}"
            if prefix == envelope and event == "start_array":
                return f"{envelope}.item", f"/{envelope}/{{index}}"
    return "", ""

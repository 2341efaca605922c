"""Files of notices a person was given: one notice, or TED's daily and monthly packages of them."""

import gzip
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final, cast
from urllib.parse import quote

from models.run import Problem
from pipeline.errors import BadData
from pipeline.xml_places import MAX_BYTES

# A month of TED is some 60,000 notices and 3 GB of XML.
MAX_MEMBERS: Final = 200_000
MAX_EXPANDED: Final = 16 << 30
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_XML_STARTS: Final = (b"<", b"\xff\xfe", b"\xfe\xff")
_TAR_MARK: Final = slice(257, 262)
_UNREADABLE: Final = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError, NotImplementedError,
)  # fmt: skip


def check_head(head: bytes, name: str) -> None:
    """Raises BadData, with how to mend it, for a file that can be neither a notice nor a package of notices."""
    if not head.strip():
        raise BadData(f"{name} is empty; there is nothing to ingest.")
    if head.startswith((_GZIP, _ZIP, _EMPTY_ZIP)) or head[_TAR_MARK] == b"ustar":
        return
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:64].lower().startswith((b"<!doctype html", b"<html")):
        raise BadData(f"{name} is a web page; fetch the notice's XML itself and ingest that.")
    if not start.startswith(_XML_STARTS):
        raise BadData(
            f"{name} is neither a notice in XML nor a zip or tar.gz package of notices (it starts with {start[:20]!r})."
        )


def members(open_stream: Callable[[], IO[bytes]], sha256: str) -> Iterator[tuple[str, bytes | Problem]]:
    """Each notice's bytes with its pointer, '' for a file that is one; or the problem instead.

    A member's name is text only: nothing is ever written to, or read from, a path of that name. A member beyond
    64 MiB, and all that comes after too many members or bytes, is a problem `too_large`.
    """
    try:
        yield from _opened(open_stream, sha256)
    except _UNREADABLE as error:
        detail = f"{error or type(error).__name__}; what follows was not read"
        yield "", Problem(kind="malformed_package", detail=detail, payload_sha256=sha256)


def member_at(open_stream: Callable[[], IO[bytes]], pointer: str) -> bytes:
    """The bytes of a package's member by its pointer `member=NAME`. Raises BadData when there is none."""
    for found, data in members(open_stream, ""):
        if found == pointer and isinstance(data, bytes):
            return data
    raise BadData(f"The archived package has no readable {pointer}.")


def _opened(open_stream: Callable[[], IO[bytes]], sha256: str) -> Iterator[tuple[str, bytes | Problem]]:
    with open_stream() as stream:
        head = stream.read(512)
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        yield from _bounded(_zip_members(open_stream), sha256)
        return
    unpacked = _ungzipped(open_stream) if head.startswith(_GZIP) else open_stream
    with unpacked() as stream:
        head = stream.read(512)
    if head[_TAR_MARK] == b"ustar":
        yield from _bounded(_tar_members(unpacked), sha256)
        return
    with unpacked() as stream:
        data = stream.read(MAX_BYTES + 1)
    yield "", _large("", sha256, "the notice") if len(data) > MAX_BYTES else data


def _ungzipped(open_stream: Callable[[], IO[bytes]]) -> Callable[[], IO[bytes]]:
    return lambda: cast(IO[bytes], gzip.GzipFile(fileobj=open_stream()))


def _zip_members(open_stream: Callable[[], IO[bytes]]) -> Iterator[tuple[str, IO[bytes]]]:
    # The directory of a zip stands at its end, and an archived file cannot be wound back.
    with tempfile.SpooledTemporaryFile(MAX_BYTES) as held:
        with open_stream() as stream:
            shutil.copyfileobj(stream, held)
        with zipfile.ZipFile(held) as package:
            for member in package.infolist():
                if not member.is_dir():
                    with package.open(member) as content:
                        yield member.filename, content


def _tar_members(open_stream: Callable[[], IO[bytes]]) -> Iterator[tuple[str, IO[bytes]]]:
    with open_stream() as stream, tarfile.open(fileobj=stream, mode="r|") as package:
        for member in package:
            content = package.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, content


def _bounded(contents: Iterator[tuple[str, IO[bytes]]], sha256: str) -> Iterator[tuple[str, bytes | Problem]]:
    expanded = 0
    seen: set[str] = set()
    for number, (name, content) in enumerate(contents):
        pointer = f"member={quote(name, safe='/._-')}"
        if number >= MAX_MEMBERS or expanded > MAX_EXPANDED:
            yield pointer, _large(pointer, sha256, "the package", "; what follows was not read")
            return
        if pointer in seen:
            detail = "a second member of the package has this name"
            yield pointer, Problem(kind="repeated_member", detail=detail, payload_sha256=sha256, pointer=pointer)
            continue
        seen.add(pointer)
        if not name.lower().endswith(".xml"):
            detail = "a member of the package is no XML file by its name"
            yield (
                pointer,
                Problem(kind="unknown_member", detail=detail, severity="note", payload_sha256=sha256, pointer=pointer),
            )
            continue
        # Bounded as it comes out: a header may lie about the size.
        data = content.read(MAX_BYTES + 1)
        expanded += len(data)
        yield pointer, _large(pointer, sha256, "a notice") if len(data) > MAX_BYTES else data


def _large(pointer: str, sha256: str, what: str, more: str = "") -> Problem:
    return Problem(
        kind="too_large", detail=f"{what} is larger than we read{more}", payload_sha256=sha256, pointer=pointer
    )

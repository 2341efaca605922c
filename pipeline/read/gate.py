"""What a file is, by its bytes, before any parser sees it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.codes import ReadOutcome
from pipeline.read.result import ReadLimits

_HEAD: Final = 1024
_HTML: Final = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|meta|title)\b", re.IGNORECASE)
_KNOWN: Final = (
    (b"PK\x03\x04", "a zip archive or an Office file"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (OLE)"),
    (b"{\\rtf", "an RTF file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b", "a gzip file"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"<?xml", "an XML file"),
)


class Kind(StrEnum):
    """How a file that passed the gate is to be read."""

    PDF = "pdf"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Passed:
    """A file worth reading, and how."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Refused:
    """A file no parser is shown, and why."""

    outcome: ReadOutcome
    detail: str


def too_large(size: int, limits: ReadLimits) -> Refused | None:
    """Refuse a file of `size` bytes over the limit."""
    if size <= limits.max_bytes:
        return None
    return Refused(ReadOutcome.TOO_LARGE, f"The file has {size} bytes; the limit is {limits.max_bytes}.")


def gate(data: bytes, limits: ReadLimits) -> Passed | Refused:
    """Tell what `data` is. Never raises: whatever cannot be read is a typed refusal."""
    refused = too_large(len(data), limits)
    if refused is not None:
        return refused
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not data.strip(b"\x00\t\n\x0b\x0c\r "):
        return Refused(ReadOutcome.EMPTY, f"The file has {len(data)} bytes and no content.")
    # Archives and web pages first: their first bytes may hold "%PDF-" as content.
    for magic, name in _KNOWN:
        if head.startswith(magic):
            return Refused(ReadOutcome.UNSUPPORTED, f"The file is {name}.")
    if head.startswith(b"<") and _HTML.search(head):
        return Refused(ReadOutcome.UNSUPPORTED, "The file is a web page (HTML).")
    if b"%PDF-" in data[:_HEAD]:
        return Passed(Kind.PDF)
    if _is_text(data):
        return Passed(Kind.TEXT)
    return Refused(ReadOutcome.NOT_A_PDF, "The file has no PDF header in its first 1024 bytes and is not text.")


def _is_text(data: bytes) -> bool:
    """Whether `data` is UTF-8 without control characters other than white space."""
    if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", data):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

"""What reading takes and gives: limits, results, errors and the extractor's version."""

import errno
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pydantic import Field

from models.base import Record
from models.codes import ReadOutcome
from models.evidence import Page

# Raise when the same bytes would give another text, class or table: caches are keyed by it.
SETTINGS_VERSION: Final = 1
EXTRACTOR_VERSION: Final = f"pypdfium2-{version('pypdfium2')}+{SETTINGS_VERSION}"


class ReadLimits(Record):
    """What one document may cost. Sizes in bytes, times in seconds.

    `page_seconds` bounds the wait for one step (opening, one page, one page's tables), as wall clock in the parent
    and as CPU time in the worker; `document_seconds` is wall clock for the whole document.
    """

    max_bytes: int = Field(default=100_000_000, gt=0)
    max_pages: int = Field(default=3_000, gt=0)
    max_chars: int = Field(default=1_000_000, gt=0)
    memory_bytes: int = Field(default=2_500_000_000, gt=0)
    page_seconds: float = Field(default=20.0, gt=0)
    document_seconds: float = Field(default=300.0, gt=0)
    max_restarts: int = Field(default=5, ge=0)


class ReadResult(Record):
    """One document as read. Whatever the outcome, `pages` holds every page that could be read.

    `outcome` is `ok` only when no page is wanting; else it is the gravest thing that befell the file or a page, and
    `detail` says it in a sentence. `extractor` is the version a cache may key on.
    """

    sha256: str
    outcome: ReadOutcome
    detail: str = ""
    pages: tuple[Page, ...] = ()
    extractor: str = EXTRACTOR_VERSION


class ReadPathError(FileNotFoundError):
    """A path that is no readable file. Its message is one sentence for a person."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(errno.ENOENT, f"Cannot read {path}: {why}.", str(path))

    def __str__(self) -> str:
        return str(self.strerror)


class PlaceError(ValueError):
    """A span of text that cannot be found on a page, or a page that cannot be drawn."""

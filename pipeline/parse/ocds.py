"""The format `ocds`: release packages as pages, and packages, lists and lines of any size as files."""

from collections.abc import Callable, Iterator
from typing import IO

from models.procurement import Parsed, Seen
from models.run import Problem
from models.source import SourceCard
from pipeline.parse.ocds_file import check_file_head, parse_ocds_file
from pipeline.parse.ocds_release import parse_package

check_head = check_file_head


def parse_page(data: bytes, card: SourceCard, sha256: str, url: str) -> Iterator[Parsed | Problem]:
    """Releases of one page of an OCDS API."""
    yield from parse_package(data, card, sha256)


def parse_file(
    open_stream: Callable[[], IO[bytes]],
    card: SourceCard,
    sha256: str,
    url: str,
    glance: Callable[[bytes], bool] | None,
) -> Iterator[Parsed | Seen | Problem]:
    """Releases of a package, a list or lines of OCDS JSON; plain or gzipped."""
    yield from parse_ocds_file(open_stream, card, sha256, glance)

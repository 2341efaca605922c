"""Archived answers to releases: the card's `format` names the module of this package that reads them.

A format module holds `parse_page(data, card, sha256, url)` for the answers of a crawl and
`parse_file(open_stream, card, sha256, url, glance)` for files of any size, and `check_head(head, name)` that raises
BadData for a file it cannot read. `glance` is None, or says of a record's raw bytes whether they must be read whole.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import IO, Protocol, cast

from models.procurement import Parsed, Place, Seen
from models.run import Problem
from models.source import ColumnsCard, SourceCard
from pipeline.archive import Archived, open_payload_at
from pipeline.errors import BadData
from pipeline.parse.columns import parse_rows
from pipeline.parse.common import Misfit, rejected

Card = SourceCard | ColumnsCard
Glance = Callable[[bytes], bool]
Item = Parsed | Seen | Problem


class Format(Protocol):
    """What a format module offers."""

    def check_head(self, head: bytes, name: str) -> None: ...

    def parse_page(self, data: bytes, card: SourceCard, sha256: str, url: str) -> Iterator[Parsed | Problem]: ...

    def parse_file(
        self, open_stream: Callable[[], IO[bytes]], card: SourceCard, sha256: str, url: str, glance: Glance | None
    ) -> Iterator[Item]: ...


def format_of(card: SourceCard) -> Format:
    """The module that reads a source's answers. Raises BadData when the card names none of this package."""
    name = f"{__name__}.{card.format}"
    if importlib.util.find_spec(name) is None:
        raise BadData(f"The card {card.id} names the format `{card.format}`, which has no module in pipeline/parse.")
    return cast(Format, importlib.import_module(name))


def parse_payload(archived: Archived, card: Card, glance: Glance | None = None) -> Iterator[Item]:
    """Releases and problems of one archived answer; answers that carry no releases give nothing."""
    payload = archived.payload

    def opened() -> IO[bytes]:
        return open_payload_at(archived.path, payload.warc_offset)

    if isinstance(card, ColumnsCard):
        if payload.role == "file":
            with opened() as stream:
                yield from parse_rows(stream, card, payload.sha256, payload.url)
    elif payload.role == "page" and payload.status == 200:
        yield from format_of(card).parse_page(archived.body(), card, payload.sha256, payload.url)
    elif payload.role in ("file", "record") and not payload.size:
        yield rejected(Misfit("empty_file", "the file holds nothing"), Place(payload_sha256=payload.sha256, pointer=""))
    elif payload.role in ("file", "record"):
        yield from format_of(card).parse_file(opened, card, payload.sha256, payload.url, glance)

"""A quote's place on its page, for a person to check: boxes, and a picture. Each call starts a worker of its own.

To place many quotes use `Reader.locate` and `Reader.render_quote`, which keep the worker and the open document.
"""

from pathlib import Path

from models.evidence import Word
from pipeline.read.reader import Reader
from pipeline.read.result import ReadLimits


def locate(
    data: bytes | Path, page_number: int, start: int, end: int, *, limits: ReadLimits | None = None
) -> tuple[Word, ...]:
    """Word boxes of characters `start` to `end` of the page's `text`.

    Boxes are in points from the top left of the page as shown; a word broken over two lines gives two. Raises
    PlaceError when the page or the span is not there, or the document cannot be opened.
    """
    with Reader(limits or ReadLimits()) as reader:
        return reader.locate(data, page_number, start, end)


def render_quote(
    data: bytes | Path,
    page_number: int,
    start: int,
    end: int,
    out: Path,
    scale: float = 2.0,
    *,
    limits: ReadLimits | None = None,
) -> None:
    """Write a PNG of the quote's lines to `out`, the quote boxed, e-mail addresses and telephone numbers blacked out.

    `scale` is pixels a point. Raises PlaceError as `locate` does.
    """
    with Reader(limits or ReadLimits()) as reader:
        reader.render_quote(data, page_number, start, end, out, scale)

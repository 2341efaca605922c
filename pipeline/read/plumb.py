"""Pages that matter, through pdfplumber: a second reading to compare with, and tables. Runs in the worker only."""

import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pdfplumber

# Glyphs drawn twice for boldness show as doubled characters; removing them costs twice the page, so only then.
_DOUBLED: Final = 1.3
_MOST_TABLES: Final = 50
_MOST_CELLS: Final = 20_000
_LONGEST_CELL: Final = 5_000


def read_again(data: bytes, pages: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """For each of `pages` (`number`, `chars` PDFium found, `tables` wanted): `number`, `text` and `tables`.

    Bytes before the PDF header are cut off, which pdfminer does not forgive. Raises what pdfplumber raises.
    """
    start = data.find(b"%PDF-")
    stream = io.BytesIO(data[start:] if start > 0 else data)
    with pdfplumber.open(stream, pages=[int(page["number"]) for page in pages], unicode_norm=None) as document:
        wanted = {int(page["number"]): page for page in pages}
        for page in document.pages:
            asked = wanted[page.page_number]
            try:
                used = page
                if len(page.chars) > _DOUBLED * max(1, int(asked["chars"])):
                    used = page.dedupe_chars(tolerance=1)
                text = used.extract_text(x_tolerance_ratio=0.15) or ""
                tables = _tables(used) if asked["tables"] else []
                yield {"number": page.page_number, "text": text, "tables": tables}
            finally:
                # Closing the document does not free what a page parsed; closing the page does.
                page.close()


def _tables(page: Any) -> list[list[list[str]]]:
    """The page's ruled tables, as rows of cells; an absent cell is an empty string."""
    tables: list[list[list[str]]] = []
    cells = 0
    for table in page.extract_tables({"text_x_tolerance_ratio": 0.15})[:_MOST_TABLES]:
        cells += sum(len(row) for row in table)
        if cells > _MOST_CELLS:
            break
        tables.append([[(cell or "")[:_LONGEST_CELL] for cell in row] for row in table])
    return tables

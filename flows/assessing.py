"""Flags passages from a file of JSON lines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.house import House
from pipeline.errors import BadData, WrongUse
from pipeline.flag import assess_rows
from pipeline.store import default_store


def assess_file(path: Path) -> Iterator[dict[str, Any]]:
    """One assessment a row, in order. Raises WrongUse for a missing file, BadData for a line that is no row."""
    if not path.is_file():
        raise WrongUse(f"There is no file {path}; check the path.")
    house = House(default_store())

    def names(text: str) -> list[str]:
        return list(dict.fromkeys(hit.vendor_id for hit in house.resolver.vendors_in_text(text)))

    yield from assess_rows(_rows(path), house.flagger, names)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise BadData(f"{path}, line {number}: this is not JSON ({error.msg}); mend the line.") from error
            if not isinstance(row, dict) or not isinstance(row.get("text"), str) or "id" not in row:
                raise BadData(f"{path}, line {number}: a row needs at least `id` and `text`.")
            yield row

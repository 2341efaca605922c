"""Reading files and directories: what `unveil read` prints."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.read.reader import Reader, check_file
from pipeline.read.result import ReadLimits


def read_paths(paths: Iterable[Path], limits: ReadLimits | None = None) -> Iterator[dict[str, Any]]:
    """Read files, and directories' files in sorted order: one dict a page, in the order of `paths`.

    Keys: path, outcome, page (from 1), text, page_class, label, detail. A file without any page gives one dict with
    page null and text "". Raises ReadPathError at once for a path that is not there.
    """
    files = [file for path in paths for file in _files(path)]
    return _read_files(files, limits)


def _read_files(files: Sequence[Path], limits: ReadLimits | None) -> Iterator[dict[str, Any]]:
    with Reader(limits) as reader:
        for file in files:
            result = reader.read(file)
            for page in result.pages:
                yield {
                    "path": str(file),
                    "outcome": page.outcome.value,
                    "page": page.number,
                    "text": page.text,
                    "page_class": page.page_class.value,
                    "label": page.label,
                    "detail": page.note,
                }
            if not result.pages:
                yield {
                    "path": str(file),
                    "outcome": result.outcome.value,
                    "page": None,
                    "text": "",
                    "page_class": None,
                    "label": "",
                    "detail": result.detail,
                }


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    check_file(path)
    return [path]

"""The one place everything is written to: archive, lake, published database."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UnveilError

CHECKOUT = Path(__file__).resolve().parent.parent
DATA = CHECKOUT / "data"


@dataclass(frozen=True)
class Store:
    """Paths of one store. Nothing is created until something is written."""

    root: Path

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def database(self) -> Path:
        return self.root / "unveil.duckdb"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def runs(self, source_id: str) -> list[Path]:
        """Sealed runs of a source, oldest name first."""
        folder = self.archive / source_id
        if not folder.is_dir():
            return []
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.endswith(".open"))

    def source_ids(self) -> list[str]:
        """Sources the archive holds sealed runs of."""
        if not self.archive.is_dir():
            return []
        return sorted(p.name for p in self.archive.iterdir() if p.is_dir() and self.runs(p.name))


def default_store() -> Store:
    """The store named by `UNVEIL_STORE`, else `data/store` of the checkout."""
    return Store(Path(os.environ.get("UNVEIL_STORE") or DATA / "store").expanduser().resolve())


def utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def is_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_guard(where: Path) -> Iterator[None]:
    """Turns a full disk into one sentence. What was written before stays as it was: writers rename at the end."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise UnveilError(
                f"The disk is full while writing to {where}; nothing stored was changed. "
                "Free some space and run the same command again: it goes on where it stopped."
            ) from error
        raise


def write_json_atomic(path: Path, value: Any) -> None:
    """Writes JSON under a temporary name, syncs it and renames it over `path`."""
    write_text_atomic(path, json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def write_text_atomic(path: Path, text: str) -> None:
    """Writes UTF-8 under a temporary name, syncs it and renames it over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_guard(path.parent):
        try:
            with temporary.open("w", encoding="utf-8") as handle:
                handle.write(text)
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

"""The files of a build: one builder at a time, a new database beside the old one, then renamed over it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.build.load import quoted
from pipeline.errors import BadData, Busy
from pipeline.store import Store, disk_guard

_LEFTOVERS = (".unveil-*.duckdb.tmp", ".unveil-*.duckdb.tmp.wal", ".unveil-*.parts", ".unveil-*.spill")


@dataclass(frozen=True)
class Workplace:
    """Where a build writes before anybody can see it: the new file, rows in Parquet, and what DuckDB spills."""

    database: Path
    parts: Path
    spill: Path


@contextmanager
def workplace(store: Store) -> Iterator[Workplace]:
    """Paths for one build, emptied of what killed builds left; nothing of them is left afterwards.

    Raises Busy when another build of this store is under way.
    """
    with disk_guard(store.root):
        store.root.mkdir(parents=True, exist_ok=True)
        lock = (store.root / ".build.lock").open("a")
    with lock:
        try:
            # The lock goes with the process, so a killed build never blocks the next one.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"Another build is writing the database of {store.root}; wait for it to end, then run this again."
            ) from None
        _sweep(store.root)
        name = f".unveil-{os.getpid()}"
        try:
            yield Workplace(
                store.root / f"{name}.duckdb.tmp", store.root / f"{name}.parts", store.root / f"{name}.spill"
            )
        finally:
            _sweep(store.root)


def _sweep(root: Path) -> None:
    for pattern in _LEFTOVERS:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def refuse_foreign(path: Path) -> None:
    """Raises BadData unless `path` is free or holds a database that a build of ours wrote."""
    if not path.exists() and not path.is_symlink():
        return
    reason = _foreign(path)
    if reason:
        raise BadData(
            f"{path} {reason}, so it was left alone and nothing was built; move the file away or set UNVEIL_STORE "
            "to another folder, then run `unveil build` again."
        )


def _foreign(path: Path) -> str:
    if not path.is_file():
        return "is not a file"
    with duckdb.connect(config={"threads": 1}) as connection:
        try:
            connection.execute(f"ATTACH {quoted(str(path))} AS former (READ_ONLY)")
        except duckdb.Error as error:
            if "lock" in str(error).casefold():
                return "is open for writing in another program"
            return "is not a database that DuckDB can open"
        try:
            found = connection.execute("SELECT count(*) FROM former.meta WHERE key = 'unveil_version'").fetchone()
        except duckdb.Error:
            return "is a DuckDB database, but not one of Unveil's (it has no table meta of ours)"
    return "" if found and found[0] else "is a DuckDB database, but not one of Unveil's (its table meta is not ours)"


def publish(new: Path, path: Path) -> None:
    """Syncs the closed database `new` and renames it over `path`; readers of the old one keep it."""
    with disk_guard(path.parent):
        with new.open("rb") as handle:
            os.fsync(handle.fileno())
        # A log that a writer of the old file left would be replayed into the new one.
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

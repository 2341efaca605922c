"""Builds unveil.duckdb from the lake and the kept data: beside the old one, checked, then renamed over it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import duckdb

from models.review import Review
from models.source import ColumnsCard, SourceCard
from pipeline.build.checks import check, database_fingerprint, table_counts
from pipeline.build.load import (
    Parts,
    Vendors,
    load_cards,
    load_lake_tables,
    load_parts,
    load_registry,
    open_lake,
    quoted,
    write_contracts,
)
from pipeline.build.same import load_same_contracts
from pipeline.build.swap import Workplace, publish, refuse_foreign, workplace
from pipeline.errors import BadData, UnveilError
from pipeline.store import Store, disk_guard

__all__ = ["SCHEMA_VERSION", "BuildResult", "Vendors", "build", "create_schema", "database_fingerprint"]

SCHEMA_VERSION: Final = "3"
# Today's R, DBeaver, shell and browser builds of DuckDB read this format; they refuse that of 2.0.
_STORAGE: Final = "v1.4.0"
_SQL: Final = Path(__file__).parent


@dataclass(frozen=True)
class BuildResult:
    """The published file, the rows of each table, and sentences on what a reader of the log should know."""

    path: Path
    counts: dict[str, int]
    warnings: tuple[str, ...]


def build(
    store: Store,
    *,
    registry: Vendors,
    rules_version: str,
    cards: Sequence[SourceCard | ColumnsCard],
    reviews: Sequence[Review] = (),
    now: datetime,
) -> BuildResult:
    """Builds the store's database anew and swaps it in whole; the same lake and data give the same rows in order.

    `now` goes into `meta` only. Raises BadData when the lake is damaged, a check fails or the file there is not
    ours, UnveilError when another build is under way or the disk is full; the former database then stays.
    """
    warnings: list[str] = []
    with workplace(store) as place:
        refuse_foreign(store.database)
        try:
            with disk_guard(store.root):
                place.spill.mkdir()
                counts = _fill(store, place, registry, rules_version, cards, reviews, now, warnings)
        except duckdb.Error as error:
            raise _sentence(store, error) from error
        publish(place.database, store.database)
    return BuildResult(store.database, counts, tuple(warnings))


def _fill(
    store: Store,
    place: Workplace,
    registry: Vendors,
    rules_version: str,
    cards: Sequence[SourceCard | ColumnsCard],
    reviews: Sequence[Review],
    now: datetime,
    warnings: list[str],
) -> dict[str, int]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2, "memory_limit": "1GB", "temp_directory": str(place.spill)
    }  # fmt: skip
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        open_lake(connection, store)
        connection.execute(f"ATTACH {quoted(str(place.database))} AS unveil (STORAGE_VERSION '{_STORAGE}')")
        connection.execute("USE unveil")
        _run(connection, "schema.sql")
        load_cards(connection, cards, warnings)
        load_registry(connection, registry)
        with Parts(place.parts) as parts:
            write_contracts(
                connection, parts, registry=registry, rules_version=rules_version, reviews=reviews, warnings=warnings
            )
        load_parts(connection, parts)
        load_same_contracts(connection, warnings)
        load_lake_tables(connection)
        _load_meta(connection, registry.version, rules_version, now)
        _run(connection, "views.sql")
        _run(connection, "comments.sql")
        check(connection)
        counts = table_counts(connection)
        connection.execute("USE memory")
        connection.execute("CHECKPOINT unveil")
        connection.execute("DETACH unveil")
    return counts


def create_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates every table, view and macro with its comment, and no rows, where the connection stands."""
    for name in ("schema.sql", "views.sql", "comments.sql"):
        _run(connection, name)


def _run(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    # In one transaction: hundreds of small statements would otherwise each wait for the disk.
    connection.execute("BEGIN")
    for statement in duckdb.extract_statements((_SQL / name).read_text(encoding="utf-8")):
        connection.execute(statement)
    connection.execute("COMMIT")


def _load_meta(connection: duckdb.DuckDBPyConnection, registry_version: str, rules_version: str, now: datetime) -> None:
    values = {
        "unveil_version": _version(),
        "schema_version": SCHEMA_VERSION,
        "rules_version": rules_version,
        "registry_version": registry_version,
        "built_at": now.astimezone(UTC).isoformat(),
    }
    connection.executemany("INSERT INTO meta VALUES ($1, $2)", [list(pair) for pair in values.items()])


def _version() -> str:
    try:
        return version("unveil")
    except PackageNotFoundError:
        # Run from a checkout that was never installed.
        return "unreleased"


def _sentence(store: Store, error: duckdb.Error) -> UnveilError:
    first = str(error).splitlines()[0]
    if "No space left" in str(error) or "Disk quota exceeded" in str(error):
        return UnveilError(
            f"The disk is full while building in {store.root}; the former database stays. "
            "Free some space and run `unveil build` again."
        )
    return BadData(
        f"The lake of {store.root} could not be loaded ({first}); the former database stays; run `unveil rescreen` "
        "to derive the lake from the archive again."
    )

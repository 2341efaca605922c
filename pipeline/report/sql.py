"""The database as the report reads it: opened read-only, rows by column name, and what it says of itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import duckdb

from pipeline.archive import hash_file
from pipeline.errors import BadData, WrongUse
from pipeline.report.facts import Database, Money, SourceCoverage
from pipeline.store import Store

Row = Mapping[str, Any]
_ATTEMPTS: Final = 5


@contextmanager
def open_database(store: Store) -> Iterator[tuple[duckdb.DuckDBPyConnection, Database]]:
    """The published database, read-only and shut off from the outside, with its hash.

    A build renames a new database over the old one. The hash must be of the very file that is queried, so both are
    taken again when the file was replaced between them. Raises WrongUse without a database, BadData with a foreign one.
    """
    path = store.database
    for _ in range(_ATTEMPTS):
        if not path.is_file():
            raise WrongUse(f"There is no database at {path}; make it with `unveil build`.")
        before = _identity(path)
        try:
            connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"})
        except duckdb.Error as error:
            raise BadData(f"{path} cannot be opened as a database of ours: {error}.") from error
        try:
            digest, _ = hash_file(path)
            if _identity(path) != before:
                continue
            try:
                # Days are printed, so the machine's own time zone must not move them.
                connection.execute("SET TimeZone = 'UTC'")
                meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
                yield connection, Database(digest, MappingProxyType(meta))
            except (duckdb.CatalogException, duckdb.BinderException) as error:
                first = str(error).splitlines()[0]
                raise BadData(
                    f"{path} is not built as the report needs it ({first}); run `unveil build` again."
                ) from error
            return
        finally:
            connection.close()
    raise BadData(f"{path} was replaced again and again while it was being read; try again when the build is done.")


def _identity(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def rows(database: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> list[Row]:
    """The rows of a query by column name."""
    # A connection keeps its last result: a cursor of its own lets callers nest queries.
    cursor = database.cursor()
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.execute(query, parameters or None)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def money(row: Row, *, joint: bool = False) -> Money | None:
    """The row's `value_*` columns as one amount, or None where it states none."""
    amount = row["value_amount"]
    if amount is None or not row["value_kind"]:
        return None
    return Money(Decimal(amount), row["value_currency"], row["value_kind"], joint)


def coverage_of(database: duckdb.DuckDBPyConnection) -> tuple[SourceCoverage, ...]:
    """Every source, with what was asked of it and what came of it; those that went wrong first."""
    found = rows(
        database,
        "SELECT source_id, name, countries, retrieval, first_day, last_day, records, contracts, candidates, probes,"
        " last_run_at AT TIME ZONE 'UTC' AS last_run_at, last_outcome, last_reason, rejected, unread_documents"
        " FROM coverage ORDER BY source_id, retrieval",
    )
    sources = (
        SourceCoverage(
            source_id=row["source_id"],
            name=row["name"] or row["source_id"],
            countries=tuple(row["countries"] or ()),
            retrieval=row["retrieval"] or "",
            first_day=row["first_day"],
            last_day=row["last_day"],
            records=row["records"] or 0,
            contracts=row["contracts"] or 0,
            candidates=row["candidates"] or 0,
            probes=row["probes"] or 0,
            last_run_at=row["last_run_at"],
            last_outcome=row["last_outcome"] or "",
            last_reason=row["last_reason"] or "",
            rejected=row["rejected"] or 0,
            unread_documents=row["unread_documents"] or 0,
        )
        for row in found
    )
    return tuple(sorted(sources, key=lambda source: source.good))

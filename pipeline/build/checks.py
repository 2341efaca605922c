"""What a new database must pass before it replaces the old one, and a fingerprint to compare two of them."""

import hashlib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

import duckdb

from pipeline.build.load import quoted
from pipeline.errors import BadData
from pipeline.redact import redact

# Tables whose words come from portals and that everyone may read.
_PUBLIC: Final = ("contract", "release", "child", "party", "document", "mention", "evidence", "assessment")
# Columns of running text. Numbers and ids elsewhere look like telephone numbers and are none.
_RUNNING_TEXT: Final = frozenset({"title", "quote", "text", "buyer", "name", "cue", "why"})
_EMAIL: Final = r"[\w.+-]+@[\w-]+\.[\w-]+"
_MANY_DIGITS: Final = r"\d(?:[^\w\n]{0,3}\d){6}"


def check(connection: duckdb.DuckDBPyConnection) -> None:
    """Raises BadData, naming table and column, when the loaded database breaks a promise. Changes nothing.

    Primary and foreign keys are the database's own constraints and held while loading.
    """
    _check_evidence(connection)
    _check_counts(connection)
    for table in _PUBLIC:
        _check_private(connection, table)


def _check_evidence(connection: duckdb.DuckDBPyConnection) -> None:
    number, example = _one(
        connection, "SELECT count(*), min(evidence_id) FROM evidence WHERE warc_file IS NULL OR warc_offset IS NULL"
    )
    if number:
        raise BadData(
            f"{number:,} rows of evidence ({example} first) point at bytes that the lake has no payload for; the "
            "former database stays; run `unveil rescreen` to derive the lake from the archive again."
        )


def _check_counts(connection: duckdb.DuckDBPyConnection) -> None:
    for what, query in _COUNTS.items():
        number, example = _one(connection, query)
        if number:
            raise BadData(f"{number:,} {what} ({example} first): the build is at fault and the former database stays.")


_COUNTS: Final = {
    "contracts do not have as many releases as they say": """
        SELECT count(*), min(contract_id) FROM contract AS c
        WHERE releases <> (SELECT count(*) FROM release AS r WHERE r.contract_id = c.contract_id)
           OR releases <> (SELECT sum(s.releases) FROM contract_source AS s WHERE s.contract_id = c.contract_id)""",
    "natural persons are named or matched": """
        SELECT count(*), min(contract_id) FROM party
        WHERE natural_person AND (name IS NOT NULL OR vendor_id IS NOT NULL OR named)""",
    "parties pass the naming gate without a vendor": """
        SELECT count(*), min(contract_id) FROM party WHERE named AND vendor_id IS NULL""",
    "sources have more candidates than contracts screened": """
        SELECT count(*), min(source_id) FROM (
            SELECT source_id, sum(contracts) AS screened, any_value(candidates + probes) AS kept
            FROM coverage GROUP BY source_id) WHERE kept > screened""",
}


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, str]:
    row = connection.execute(query).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def _text_columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND table_name = $1 "
        "AND data_type = 'VARCHAR' ORDER BY column_index",
        [table],
    )
    return [row[0] for row in rows.fetchall()]


def _check_private(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    for column in _text_columns(connection, table):
        running = column in _RUNNING_TEXT
        suspect = f"{_EMAIL}|{_MANY_DIGITS}" if running else _EMAIL
        name = quoted_name(column)
        rows = connection.execute(f"SELECT DISTINCT {name} FROM {table} WHERE regexp_matches({name}, $1)", [suspect])
        while batch := rows.fetchmany(1_000):
            for (text,) in batch:
                # Only what the redactor itself takes out is held against the text: it should have been blocked.
                if redact(text) != text if running else re.search(_EMAIL, text):
                    raise BadData(
                        f"The column {table}.{column} holds what looks like an e-mail address or a telephone number; "
                        "nothing was published and the former database stays; run `unveil rescreen` to derive the "
                        "lake again, and report it if that does not help."
                    )


def quoted_name(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def table_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of every table of the current database, by table name."""
    names = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY table_name"
    ).fetchall()
    return {name: _one(connection, f"SELECT count(*), '' FROM {quoted_name(name)}")[0] for (name,) in names}


def database_fingerprint(
    path: Path,
    exclude_tables: Collection[str] = ("crawl",),
    exclude_columns: Collection[str] = ("fetched_at", "warc_file", "warc_offset", "built_at", "run_id"),
) -> dict[str, str]:
    """SHA-256 (hex) of each table's rows in their order, by table name: equal for equal databases.

    `exclude_columns` are left out wherever they stand, and the rows of `meta` with such a key.
    """
    prints = {}
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {quoted(str(path))} AS unveil (READ_ONLY)")
        connection.execute("USE unveil")
        connection.execute("SET TimeZone = 'UTC'")
        for table in table_counts(connection):
            if table not in exclude_tables:
                prints[table] = _fingerprint(connection, table, exclude_columns)
    return prints


def _fingerprint(connection: duckdb.DuckDBPyConnection, table: str, exclude: Collection[str]) -> str:
    columns = [row[0] for row in connection.execute(f"DESCRIBE {quoted_name(table)}").fetchall()]
    kept = ", ".join(f"CAST({quoted_name(column)} AS VARCHAR)" for column in columns if column not in exclude)
    digest = hashlib.sha256()
    rows = connection.execute(f"SELECT {kept} FROM {quoted_name(table)}")
    while batch := rows.fetchmany(1_000):
        for row in batch:
            if table != "meta" or row[0] not in exclude:
                digest.update(repr(row).encode() + b"\n")
    return digest.hexdigest()

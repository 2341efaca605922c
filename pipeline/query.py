"""Asks the published database: read-only, locked in, and written out so that no cell runs as a formula."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, BinaryIO, Final, Literal, TextIO, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.errors import BadData, WrongUse
from pipeline.store import Store

Format = Literal["table", "csv", "json", "parquet"]
_BATCH: Final = 2_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
# Portals write what they like; a terminal must not obey it.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_WIDE: Final = 100_000


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """A connection that can read the store's database and nothing else: no other file, no network, no setting.

    It sees the file as it is now, also when this process holds an older one open. Raises BadData when there is no
    database or the file is not ours. The caller closes it.
    """
    path = store.database
    if not path.is_file():
        raise BadData(f"There is no database at {path}; run `unveil build` to make it.")
    # DuckDB keeps one instance a path in a process and would hand out the file it opened first, swapped out or not.
    # An instance in memory is always new, and a file attached to it is opened anew.
    connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "1GB", "temp_directory": ""})
    try:
        _attach(connection, store)
    except BaseException:
        connection.close()
        raise
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    path = store.database
    try:
        connection.execute("ATTACH '" + str(path).replace("'", "''") + "' AS unveil (READ_ONLY)")
    except duckdb.Error as error:
        if "lock" in str(error).casefold():
            raise BadData(f"{path} is open for writing in another program; close it there and ask again.") from error
        raise BadData(
            f"{path} is not a database that DuckDB can open ({_line(error)}); move it away and run `unveil build`."
        ) from error
    try:
        known = connection.execute("SELECT count(*) FROM unveil.meta WHERE key = 'unveil_version'").fetchone()
    except duckdb.Error:
        known = None
    if not known or not known[0]:
        raise BadData(f"{path} is not one of Unveil's databases; move it away and run `unveil build`.")
    connection.execute("USE unveil")
    connection.execute("SET TimeZone = 'UTC'")
    # Where DuckDB takes the program for an interactive one, it draws a bar into the output of a long query.
    connection.execute("SET enable_progress_bar = false")
    # A name in a query is a table, never a variable of the program around it.
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def run_sql(store: Store, sql: str, fmt: Format | str, out: BinaryIO | TextIO) -> None:
    """Writes the answer to one SELECT to `out` as a table for people, CSV, a JSON array of objects, or Parquet.

    CSV and JSON are streamed. Money keeps every digit in CSV and JSON. Raises WrongUse for anything but one SELECT,
    for SQL that does not run (with DuckDB's first line) and for Parquet to a terminal, BadData as `connect` does.
    """
    if fmt not in ("table", "csv", "json", "parquet"):
        raise WrongUse(f"{fmt!r} is not a format; use table, csv, json or parquet.")
    query = _only_select(sql)
    if fmt == "parquet" and (isinstance(out, io.StringIO) or out.isatty()):
        raise WrongUse("Parquet is not text for a terminal; redirect the output to a file.")
    connection = connect(store)
    try:
        with _sql_errors():
            reader = connection.sql(query).to_arrow_reader(_BATCH)
            if fmt == "parquet":
                _write_parquet(reader, out)
                return
            with _text(out) as text:
                if fmt == "csv":
                    _write_csv(reader, text)
                elif fmt == "json":
                    _write_json(reader, text)
                else:
                    _write_table(reader, text)
    finally:
        connection.close()


def _only_select(sql: str) -> str:
    with _sql_errors():
        statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise WrongUse(
            "Ask with exactly one SELECT (also FROM, WITH, VALUES, DESCRIBE, SHOW or SUMMARIZE); "
            "the database is only ever changed by `unveil build`."
        )
    return statements[0].query


@contextmanager
def _sql_errors() -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        raise WrongUse(f"The query does not run: {_line(error)}") from error


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def _text(out: BinaryIO | TextIO) -> Iterator[TextIO]:
    """`out` as a stream of text in UTF-8; a stream of bytes is left open."""
    if isinstance(out, io.TextIOBase) or not isinstance(out, io.RawIOBase | io.BufferedIOBase):
        yield cast(TextIO, out)
        return
    wrapper = io.TextIOWrapper(cast(BinaryIO, out), encoding="utf-8", newline="")
    try:
        yield wrapper
        wrapper.flush()
    finally:
        wrapper.detach()


def _write_parquet(reader: pa.RecordBatchReader, out: BinaryIO | TextIO) -> None:
    binary = getattr(out, "buffer", out)
    with pq.ParquetWriter(binary, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


def _rows(reader: pa.RecordBatchReader) -> Iterator[list[Any]]:
    # By position: two columns of one query may share a name.
    for batch in reader:
        yield from (list(row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _write_csv(reader: pa.RecordBatchReader, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in reader.schema.names])
    for row in _rows(reader):
        writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> str:
    """A cell that a spreadsheet takes for text or a number, never for a formula."""
    text = _plain(value)
    if not isinstance(value, bool | int | float | Decimal) and text.startswith(_FORMULA):
        text = "'" + text
    # A lone carriage return is not quoted by the csv module, and would begin a new row, perhaps with a formula.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple | dict):
        return _json(value)
    return _words(value)


def _words(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _write_json(reader: pa.RecordBatchReader, out: TextIO) -> None:
    names = [json.dumps(name, ensure_ascii=False) for name in reader.schema.names]
    before = "[\n"
    for row in _rows(reader):
        fields = ", ".join(f"{name}: {_json(value)}" for name, value in zip(names, row, strict=True))
        out.write(f"{before}{{{fields}}}")
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")


def _json(value: Any) -> str:
    """JSON with decimals as numbers of all their digits, which the standard encoder cannot write."""
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else "null"
    if isinstance(value, float):
        return repr(value) if value - value == 0 else "null"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_json(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {_json(v)}" for k, v in value.items()) + "}"
    if value is None or isinstance(value, bool | int | str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(_words(value), ensure_ascii=False)


def _write_table(reader: pa.RecordBatchReader, out: TextIO) -> None:
    terminal = out.isatty()
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for field in reader.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_decimal(field.type) or pa.types.is_floating(field.type)
        table.add_column(
            Text(_shown(field.name)),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=not terminal,
        )
    for row in _rows(reader):
        table.add_row(*(Text(_shown(_plain(value))) for value in row))
    # In a file or a pipe nothing is cut to the width of a window that is not there.
    console = Console(file=out, width=None if terminal else _WIDE, force_terminal=terminal, highlight=False)
    if table.columns:
        console.print(table, soft_wrap=False)
    console.print(f"{table.row_count:,} row{'' if table.row_count == 1 else 's'}", markup=False)


def _shown(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\n", " ").replace("\r", " ").replace("\t", " "))

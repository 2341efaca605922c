"""Asking the published database: read-only, locked in, and safe to open in a spreadsheet or a terminal."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow.parquet as pq
import pytest

from pipeline.build import build
from pipeline.errors import BadData, WrongUse
from pipeline.query import connect, run_sql
from pipeline.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    registry = SimpleNamespace(vendors={}, version="reg-1")
    build(store, registry=registry, rules_version="r-1", cards=[], now=datetime(2026, 7, 1, tzinfo=UTC))
    return store


def asked(store: Store, sql: str, fmt: str) -> str:
    out = io.BytesIO()
    run_sql(store, sql, fmt, out)
    assert not out.closed
    return out.getvalue().decode()


def test_csv_cannot_run_as_a_formula(store):
    sql = """
        SELECT * FROM (VALUES ('=1+1', -5, -1.50::DECIMAL(38, 4), '-x', DATE '2026-01-02'),
                              ('@SUM(A1)', NULL, 0.1, '+49', NULL),
                              (chr(9) || 'x', 7, 2, chr(13) || 'y', NULL),
                              ('x' || chr(13) || '=2', 0, 0, chr(13) || chr(10), NULL)) AS t(a, n, money, "=b", day)
    """
    assert list(csv.reader(io.StringIO(asked(store, sql, "csv"), newline=""))) == [
        ["a", "n", "money", "'=b", "day"],
        ["'=1+1", "-5", "-1.5000", "'-x", "2026-01-02"],
        ["'@SUM(A1)", "", "0.1000", "'+49", ""],
        ["'\tx", "7", "2.0000", "'\ny", ""],
        ["x\n=2", "0", "0.0000", "'\n", ""],
    ]


def test_json_keeps_every_digit_and_type(store):
    sql = """
        SELECT 12345678901234567890.1234::DECIMAL(38, 4) AS money, true AS yes, NULL AS nothing, ['é', '"'] AS words,
               TIMESTAMPTZ '2026-01-02 03:04:05+00' AS at, {'n': 1.5::DOUBLE} AS inner, 'nan'::DOUBLE AS odd
    """
    text = asked(store, sql, "json")
    assert '"money": 12345678901234567890.1234' in text
    assert json.loads(text) == [
        {
            "money": 12345678901234567890.1234, "yes": True, "nothing": None, "words": ["é", '"'],
            "at": "2026-01-02T03:04:05+00:00", "inner": {"n": 1.5}, "odd": None,
        }
    ]  # fmt: skip
    assert json.loads(asked(store, "SELECT 1 AS a WHERE false", "json")) == []
    assert json.loads(asked(store, "FROM range(5000)", "json"))[4999] == {"range": 4999}


def test_parquet_goes_out_as_bytes(store):
    out = io.BytesIO()
    run_sql(store, "SELECT key, 1.5::DECIMAL(38, 4) AS d FROM meta ORDER BY key", "parquet", out)
    table = pq.read_table(io.BytesIO(out.getvalue()))
    assert table.column_names == ["key", "d"]
    assert table.num_rows == 5
    with pytest.raises(WrongUse, match="redirect the output to a file"):
        run_sql(store, "SELECT 1", "parquet", io.StringIO())


def test_a_table_is_whole_where_there_is_no_window(store):
    long = "x" * 500
    text = asked(store, f"SELECT '{long}' AS a, '[bold]' || chr(27) || '[31m' AS b, 1.50::DECIMAL(38, 4) AS c", "table")
    assert long in text
    assert "[bold]\N{REPLACEMENT CHARACTER}[31m" in text
    assert "1.5000" in text
    assert text.rstrip().endswith("1 row")


def test_text_goes_to_a_stream_of_text_too(store):
    out = io.StringIO()
    run_sql(store, "SELECT 'ž' AS a", "csv", out)
    assert out.getvalue() == "a\nž\n"


@pytest.mark.parametrize("sql", ["DESCRIBE contract", "SHOW TABLES", "FROM coverage", "WITH a AS (SELECT 1) FROM a"])
def test_what_only_reads_is_answered(store, sql):
    assert asked(store, sql, "csv")


@pytest.mark.parametrize(
    "sql",
    [
        "", "-- nothing", "SELECT 1; SELECT 2", "CREATE TABLE x (a INTEGER)", "DELETE FROM meta", "SET threads = 1",
        "COPY meta TO 'x.csv'", "ATTACH 'x.duckdb'", "INSTALL httpfs", "EXPORT DATABASE 'x'", "DROP VIEW coverage",
    ],
)  # fmt: skip
def test_anything_but_one_select_is_refused(store, sql):
    with pytest.raises(WrongUse, match="exactly one SELECT"):
        asked(store, sql, "csv")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nope FROM meta", 'column "nope"'),
        ("SELECT error('late')", "late"),
        ("SELECT * FROM read_csv('/etc/passwd')", "file system operations are disabled"),
        ("SELECT * FROM read_text('/etc/passwd')", "file system operations are disabled"),
        ("SELECT * FROM glob('/etc/*')", "file system operations are disabled"),
        ("FROM '/etc/passwd'", ""),
        ("FROM store", "store does not exist"),
        ("WITH gone AS (DELETE FROM meta RETURNING key) FROM gone", "read-only"),
    ],
)
def test_sql_that_does_not_run_is_one_line(store, sql, said):
    with pytest.raises(WrongUse, match="The query does not run: ") as caught:
        asked(store, sql, "json")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x (a INTEGER)", "INSERT INTO meta VALUES ('a', 'b')", "DROP TABLE meta", "SET threads = 1",
        "SET enable_external_access = true", "COPY meta TO '{here}/x.csv'", "ATTACH '{here}/x.duckdb'",
        "COPY (SELECT 1) TO '{database}'", "SELECT * FROM read_parquet('{here}/x.parquet')", "LOAD httpfs",
    ],
)  # fmt: skip
def test_a_connection_can_neither_write_nor_look_elsewhere(store, tmp_path, sql):
    before = store.database.read_bytes()
    with connect(store) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql.format(here=tmp_path, database=store.database)).fetchall()
    assert list(tmp_path.iterdir()) == []
    assert store.database.read_bytes() == before


def test_an_unknown_format_is_refused(store):
    with pytest.raises(WrongUse, match="use table, csv, json or parquet"):
        asked(store, "SELECT 1", "xml")


def test_without_a_database_it_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(BadData, match="run `unveil build` to make it"):
        connect(Store(tmp_path))


def test_a_file_that_is_not_ours_is_named(tmp_path: Path):
    (tmp_path / "unveil.duckdb").write_bytes(b"something else entirely")
    with pytest.raises(BadData, match="is not a database that DuckDB can open"):
        connect(Store(tmp_path))
    (tmp_path / "unveil.duckdb").unlink()
    with duckdb.connect(str(tmp_path / "unveil.duckdb")) as theirs:
        theirs.execute("CREATE TABLE meta (key VARCHAR)")
    with pytest.raises(BadData, match="is not one of Unveil's databases"):
        connect(Store(tmp_path))


def test_times_are_in_utc_no_bar_is_drawn_and_no_variable_is_a_table(store):
    meta_like = [1, 2, 3]
    with connect(store) as connection:
        settings = "SELECT current_setting('TimeZone'), current_setting('enable_progress_bar')"
        assert connection.execute(settings).fetchall() == [("UTC", False)]
        with pytest.raises(duckdb.CatalogException):
            connection.execute("FROM meta_like")
    assert meta_like

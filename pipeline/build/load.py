"""Loads the lake and the kept data into the tables of a new database.

Whatever may be long is loaded by SQL over Parquet; only candidates pass through Python, one process at a time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from models.assessment import Assessment
from models.base import Record
from models.codes import Candidacy
from models.procurement import Place, Release
from models.review import Review
from models.source import ColumnsCard, SourceCard
from models.vendor import Match, Vendor
from pipeline.build.merge import ReleaseRow, merge
from pipeline.build.rows import SCHEMAS, Row, contract_rows
from pipeline.errors import BadData
from pipeline.lake import SCHEMAS as LAKE
from pipeline.lake import partitions
from pipeline.store import Store

_R = TypeVar("_R", bound=Record)
_BATCH: Final = 1_000
_SQL: Final = Path(__file__).with_name("lake.sql")


class Vendors(Protocol):
    """What a build needs of the registry: the companies by id, and a name for their state."""

    @property
    def vendors(self) -> Mapping[str, Vendor]: ...

    @property
    def version(self) -> str: ...


def open_lake(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    """Makes the lake's tables visible as views `lake.<table>` of the connection's memory, empty ones too.

    Each has the columns `run_name` and `lake_source`, from the partition's path.
    """
    connection.execute("CREATE SCHEMA memory.lake")
    for table, schema in LAKE.items():
        paths = [quoted(str(path)) for path in partitions(store, table)]
        if paths:
            connection.execute(
                f"""
                CREATE VIEW memory.lake."{table}" AS
                SELECT * EXCLUDE (filename), parse_filename(filename, true)[5:] AS run_name,
                       parse_filename(parse_path(filename)[-2])[8:] AS lake_source
                FROM read_parquet([{", ".join(paths)}], filename = true, hive_partitioning = false,
                                  union_by_name = true)
                """
            )
        else:
            empty = schema.append(pa.field("run_name", pa.string())).append(pa.field("lake_source", pa.string()))
            connection.register("nothing", empty.empty_table())
            connection.execute(f'CREATE TABLE memory.lake."{table}" AS SELECT * FROM nothing')
            connection.unregister("nothing")


def quoted(text: str) -> str:
    """The text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def load_cards(
    connection: duckdb.DuckDBPyConnection, cards: Sequence[SourceCard | ColumnsCard], warnings: list[str]
) -> None:
    """Fills `source`: one row a card, and one for a source of the lake that has no card any more."""
    rows: dict[str, list[Any]] = {}
    for card in cards:
        rank = card.rank if isinstance(card, SourceCard) else None
        papers = card.documentation if isinstance(card, SourceCard) else card.obtained
        rows[card.id] = [
            card.id, card.name, card.publisher, list(card.countries), list(card.languages), rank,
            card.retrieval.value, card.licence, papers,
        ]  # fmt: skip
    for source_id in _lake_sources(connection):
        if source_id not in rows:
            warnings.append(f"the lake holds {source_id}, which has no card; its row in `source` has only the id")
            rows[source_id] = [source_id, source_id, None, [], [], None, None, None, None]
    _insert(connection, "source", [rows[key] for key in sorted(rows)])


def _lake_sources(connection: duckdb.DuckDBPyConnection) -> list[str]:
    tables = ("seen", "release", "crawl", "problem")
    query = " UNION ".join(f'SELECT source_id FROM memory.lake."{table}"' for table in tables)
    return [row[0] for row in connection.execute(f"{query} ORDER BY source_id").fetchall()]


def load_registry(connection: duckdb.DuckDBPyConnection, registry: Vendors) -> None:
    """Fills `vendor`, `vendor_name`, `vendor_identifier` and `ownership`, by vendor id."""
    vendors = [registry.vendors[key] for key in sorted(registry.vendors)]
    _insert(
        connection,
        "vendor",
        [
            [
                v.id, v.name, v.country.value if v.country else None, v.country.source if v.country else None,
                v.ambiguous, list(v.roles), v.sole_purpose.technology.value if v.sole_purpose else None,
                v.sole_purpose.source if v.sole_purpose else None, v.fictional,
            ]
            for v in vendors
        ],
    )  # fmt: skip
    _insert(connection, "vendor_name", [row for v in vendors for row in _names(v)])
    _insert(connection, "vendor_identifier", [row for v in vendors for row in _identifiers(v)])
    parents = [[v.id, p.vendor_id, p.since, p.until, p.source] for v in vendors for p in v.parents]
    _insert(connection, "ownership", parents)


def _names(vendor: Vendor) -> Iterator[list[Any]]:
    yield [vendor.id, vendor.name, "legal", None, vendor.ambiguous, vendor.sources[0] if vendor.sources else None]
    for alias in vendor.aliases:
        yield [vendor.id, alias.name, "alias", None, alias.ambiguous, alias.source]
    for product in vendor.products:
        technology = str(product.technology) if product.technology else None
        for name in (product.name, *product.aliases):
            yield [vendor.id, name, "product", technology, product.ambiguous, product.source]


def _identifiers(vendor: Vendor) -> Iterator[list[Any]]:
    if vendor.lei:
        yield [vendor.id, "lei", vendor.lei.value, vendor.lei.source]
    for listing in vendor.listings:
        if listing.isin:
            yield [vendor.id, "isin", listing.isin, listing.source]
        ticker = f"{listing.mic}:{listing.ticker}" if listing.mic else listing.ticker
        yield [vendor.id, "ticker", ticker, listing.source]
    for number in vendor.registers:
        yield [vendor.id, number.scheme, number.id, number.source]
    if vendor.wikidata:
        yield [vendor.id, "wikidata", vendor.wikidata.value, vendor.wikidata.source]


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Inserts a few hundred rows in the order of the table's columns, through Arrow."""
    if not rows:
        return
    columns = connection.sql(f"SELECT * FROM {table} LIMIT 0").to_arrow_table().schema
    data = pa.table(
        [pa.array([row[i] for row in rows], type=field.type) for i, field in enumerate(columns)], schema=columns
    )
    connection.register("given", data)
    connection.execute(f"INSERT INTO {table} SELECT * FROM given")
    connection.unregister("given")


def load_lake_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Runs lake.sql: what goes from the lake into tables without passing through Python."""
    for statement in duckdb.extract_statements(_SQL.read_text(encoding="utf-8")):
        connection.execute(statement)


class Parts:
    """Writes rows made in Python as one Parquet file a table into a folder. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[str, list[Row]] = {table: [] for table in SCHEMAS}
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        for table, schema in SCHEMAS.items():
            self._writers[table] = pq.ParquetWriter(self.path(table), schema, compression="zstd")
        return self

    def path(self, table: str) -> Path:
        return self._folder / f"{table}.parquet"

    def write(self, table: str, row: Row) -> None:
        rows = self._rows[table]
        rows.append(row)
        if len(rows) >= _BATCH:
            self._flush(table)

    def _flush(self, table: str) -> None:
        if rows := self._rows[table]:
            self._writers[table].write_table(pa.Table.from_pylist(rows, schema=SCHEMAS[table]))
            rows.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table, writer in self._writers.items():
            if kind is None:
                self._flush(table)
            writer.close()


def load_parts(connection: duckdb.DuckDBPyConnection, parts: Parts) -> None:
    """Fills evidence, contract and what hangs on them from `parts`, in the order the rows were written."""
    connection.execute(
        f"""
        INSERT INTO evidence BY NAME
        WITH place AS (
            SELECT evidence_id, payload_sha256, pointer, min(source_id) AS source_id, max(quote) AS quote
            FROM read_parquet({quoted(str(parts.path("place")))}) GROUP BY ALL
        ),
        bytes AS (
            SELECT sha256, url, fetched_at, warc_file, warc_offset FROM memory.lake.payload
            WHERE sha256 IN (SELECT payload_sha256 FROM place)
            QUALIFY row_number() OVER (
                PARTITION BY sha256 ORDER BY fetched_at NULLS LAST, source_id, run_id, warc_file, warc_offset) = 1
        )
        SELECT place.*, bytes.* EXCLUDE (sha256)
        FROM place LEFT JOIN bytes ON bytes.sha256 = place.payload_sha256 ORDER BY evidence_id
        """
    )
    for table in SCHEMAS:
        if table != "place":
            path = quoted(str(parts.path(table)))
            connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet({path})")


def write_contracts(
    connection: duckdb.DuckDBPyConnection,
    parts: Parts,
    *,
    registry: Vendors,
    rules_version: str,
    reviews: Sequence[Review],
    warnings: list[str],
) -> None:
    """Merges the lake's candidates process by process and writes their rows into `parts`.

    Adds to `warnings` what could not be merged, matched or is of other rules. Raises BadData for a damaged record.
    """
    flags: dict[str, list[Review]] = {}
    for review in reviews:
        if review.subject == "flag":
            flags.setdefault(review.subject_id, []).append(review)
    old_rules = old_registry = without_vendor = unassessed = 0
    known: set[str] = set()
    assessments = _Aligned(_assessments(connection))
    matches = _Aligned(_matches(connection))
    for contract_id, rows in groupby(_releases(connection), key=lambda row: row.release.contract_id):
        merged = merge(list(rows))
        if contract_id in flags:
            known.add(contract_id)
        assessed = [record for _, record in assessments.of(contract_id)]
        matched: dict[str, Match] = dict(matches.of(contract_id))
        lost = [key for key, match in matched.items() if match.vendor_id and match.vendor_id not in registry.vendors]
        without_vendor += len(lost)
        old_rules += any(a.rules_version != rules_version for a in assessed)
        old_registry += any(a.registry_version not in ("", registry.version) for a in assessed)
        unassessed += not assessed
        warnings.extend(f"{contract_id}: {note}" for note in merged.notes)
        kept = {key: match for key, match in matched.items() if key not in lost}
        for table, row in contract_rows(merged, assessed, kept, flags.get(contract_id, ())):
            parts.write(table, row)
    _say(warnings, old_rules, "were assessed with other rules than those of this build; run `unveil build` again")
    _say(warnings, old_registry, "were assessed with another registry than that of this build")
    _say(warnings, without_vendor, "suppliers were matched to vendors that the registry no longer has", what="")
    _say(warnings, unassessed, "have no assessment yet and are in no view of biometric contracts")
    missing = sorted(set(flags) - known)
    _say(warnings, len(missing), f"are reviewed but not in the lake, {', '.join(missing[:3])} among them")


def _say(warnings: list[str], number: int, sentence: str, *, what: str = "contracts ") -> None:
    if number:
        warnings.append(f"{number:,} {what}{sentence}")


class _Aligned:
    """Reads (contract id, item) pairs ordered by contract id along with another stream in the same order."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        self._groups = groupby(pairs, key=lambda pair: pair[0])
        self._held: tuple[str, list[Any]] | None = None

    def of(self, contract_id: str) -> list[Any]:
        """The items of one contract; ids must be asked for in rising order, those between are passed over."""
        while self._held is None or self._held[0] < contract_id:
            group = next(self._groups, None)
            if group is None:
                return []
            self._held = group[0], [item for _, item in group[1]]
        return self._held[1] if self._held[0] == contract_id else []


def _releases(connection: duckdb.DuckDBPyConnection) -> Iterator[ReleaseRow]:
    # A process whose candidate was withdrawn by newer rules may still have its history in the lake.
    query = """
        WITH fetched AS (SELECT sha256, min(fetched_at) AS fetched_at FROM memory.lake.payload GROUP BY sha256),
        copies AS (
            SELECT r.release_id, r.payload_sha256, r.pointer, r.run_name, r.lake_source, f.fetched_at
            FROM memory.lake.release AS r LEFT JOIN fetched AS f ON f.sha256 = r.payload_sha256
            QUALIFY row_number() OVER (
                PARTITION BY r.release_id
                ORDER BY f.fetched_at NULLS LAST, r.payload_sha256, r.pointer, r.run_name, r.lake_source
            ) = 1
        ),
        why AS (
            SELECT release_id, min(contract_id) AS contract_id,
                   min(array_position(['text', 'vendor', 'probe'], candidacy)) AS rank
            FROM memory.lake.release GROUP BY release_id
        )
        SELECT r.doc, r.payload_sha256, r.pointer, epoch_us(c.fetched_at),
               ['text', 'vendor', 'probe'][w.rank], r.release_id
        FROM memory.lake.release AS r
        JOIN copies AS c USING (release_id, payload_sha256, pointer, run_name, lake_source)
        JOIN why AS w USING (release_id)
        WHERE r.contract_id IN (SELECT contract_id FROM why WHERE rank IS NOT NULL)
        ORDER BY r.contract_id, r.release_id
    """
    for doc, payload_sha256, pointer, fetched, candidacy, release_id in _stream(connection, query):
        yield ReleaseRow(
            release=_read(Release, doc, f"release {release_id}"),
            place=Place(payload_sha256=payload_sha256, pointer=pointer),
            fetched_at=_moment(fetched),
            candidacy=Candidacy(candidacy) if candidacy else None,
        )


def _assessments(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, tuple[str, Assessment]]]:
    query = """
        SELECT contract_id, source_id, doc FROM memory.lake.assessment
        QUALIFY row_number() OVER (PARTITION BY contract_id, source_id ORDER BY run_name DESC, doc) = 1
        ORDER BY contract_id, source_id
    """
    for contract_id, source_id, doc in _stream(connection, query):
        yield contract_id, (source_id, _read(Assessment, doc, f"assessment of {contract_id}"))


def _matches(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, tuple[str, Match]]]:
    query = """
        SELECT contract_id, local_id, doc FROM memory.lake.match
        QUALIFY row_number() OVER (
            PARTITION BY contract_id, local_id
            ORDER BY CAST(json_extract(doc, '$.score') AS DOUBLE) DESC, run_name DESC, source_id, doc
        ) = 1
        ORDER BY contract_id, local_id
    """
    for contract_id, local_id, doc in _stream(connection, query):
        yield contract_id, (local_id, _read(Match, doc, f"match of {contract_id}"))


def _stream(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    cursor = connection.cursor()
    try:
        cursor.execute(query)
        while batch := cursor.fetchmany(_BATCH):
            yield from batch
    finally:
        cursor.close()


def _moment(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _read(kind: type[_R], doc: str, what: str) -> _R:
    try:
        return kind.model_validate_json(doc)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadData(
            f"The lake's {what} does not fit ({place}: {first['msg']}); run `unveil rescreen` to derive it again."
        ) from error

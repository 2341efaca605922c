"""Immutable partitions between the steps: `lake/<table>/source=…/run=….parquet`, written once, then renamed."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import Store, disk_guard

_TEXT = pa.string()
_TEXTS = pa.list_(pa.string())
_TIME = pa.timestamp("us", tz="UTC")

SCHEMAS: Mapping[str, pa.Schema] = {
    "seen": pa.schema(
        {
            "contract_id": _TEXT,
            "release_id": _TEXT,
            "native_id": _TEXT,
            "published_on": pa.date32(),
            "source_id": _TEXT,
            "retrieval": _TEXT,
            "payload_sha256": _TEXT,
            "pointer": _TEXT,
            "run_id": _TEXT,
        }
    ),
    "release": pa.schema(
        {
            "release_id": _TEXT,
            "contract_id": _TEXT,
            "source_id": _TEXT,
            "candidacy": _TEXT,
            "reasons": _TEXTS,
            "payload_sha256": _TEXT,
            "pointer": _TEXT,
            "doc": _TEXT,
        }
    ),
    "payload": pa.schema(
        {
            "sha256": _TEXT,
            "size": pa.int64(),
            "url": _TEXT,
            "requested_url": _TEXT,
            "role": _TEXT,
            "method": _TEXT,
            "request_sha256": _TEXT,
            "status": pa.int32(),
            "content_type": _TEXT,
            "fetched_at": _TIME,
            "warc_file": _TEXT,
            "warc_offset": pa.int64(),
            "source_id": _TEXT,
            "run_id": _TEXT,
        }
    ),
    "document": pa.schema(
        {
            "contract_id": _TEXT,
            "release_id": _TEXT,
            "source_id": _TEXT,
            "url": _TEXT,
            "title": _TEXT,
            "sha256": _TEXT,
            "outcome": _TEXT,
            "detail": _TEXT,
        }
    ),
    "page": pa.schema(
        {
            "sha256": _TEXT,
            "number": pa.int32(),
            "label": _TEXT,
            "width": pa.float64(),
            "height": pa.float64(),
            "rotation": pa.int32(),
            "page_class": _TEXT,
            "outcome": _TEXT,
            "text_source": _TEXT,
            "extractor": _TEXT,
            "text": _TEXT,
        }
    ),
    "reading": pa.schema({"sha256": _TEXT, "outcome": _TEXT, "detail": _TEXT, "pages": pa.int32(), "extractor": _TEXT}),
    "problem": pa.schema(
        {
            "source_id": _TEXT,
            "run_id": _TEXT,
            "kind": _TEXT,
            "severity": _TEXT,
            "detail": _TEXT,
            "payload_sha256": _TEXT,
            "pointer": _TEXT,
            "raw": _TEXT,
        }
    ),
    "crawl": pa.schema(
        {
            "run_id": _TEXT,
            "source_id": _TEXT,
            "kind": _TEXT,
            "retrieval": _TEXT,
            "started_at": _TIME,
            "ended_at": _TIME,
            "since": _TIME,
            "until": _TIME,
            "outcome": _TEXT,
            "reason": _TEXT,
            "requests": pa.int64(),
            "responses": pa.int64(),
            "expected": pa.int64(),
            "records": pa.int64(),
            "parsed": pa.int64(),
            "rejected": pa.int64(),
            "repeated": pa.int64(),
            "documents_expected": pa.int64(),
            "documents_received": pa.int64(),
        }
    ),
    "query": pa.schema(
        {
            "source_id": _TEXT,
            "run_id": _TEXT,
            "query_id": _TEXT,
            "term": _TEXT,
            "since": _TIME,
            "until": _TIME,
            "outcome": _TEXT,
            "expected": pa.int64(),
            "received": pa.int64(),
            "detail": _TEXT,
        }
    ),
    "assessment": pa.schema({"contract_id": _TEXT, "source_id": _TEXT, "doc": _TEXT}),
    "match": pa.schema(
        {
            "contract_id": _TEXT,
            "source_id": _TEXT,
            "local_id": _TEXT,
            "doc": _TEXT,
        }
    ),
}

_BATCH = 5_000
_COUNTING = "100MB"


@contextmanager
def counting() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for questions over whole tables: beyond 100 MB of memory it goes on on disk."""
    with (
        tempfile.TemporaryDirectory(prefix="unveil-count-") as room,
        duckdb.connect(config={"threads": 2, "memory_limit": _COUNTING, "temp_directory": room}) as connection,
    ):
        yield connection


class PartitionWriter:
    """Writes one partition in batches of 5,000 rows; it exists for readers only after a clean exit.

    Use as a context manager. An exception inside leaves the former partition, if any, untouched.
    """

    def __init__(self, store: Store, table: str, source_id: str, run_id: str) -> None:
        self._schema = SCHEMAS[table]
        self._path = partition_path(store, table, source_id, run_id)
        self._temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        self._rows: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        with disk_guard(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._temporary, self._schema, compression="zstd")
        return self

    def write(self, row: dict[str, Any]) -> None:
        """Adds one row; keys must be columns of the table."""
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._rows and self._writer is not None:
            with disk_guard(self._path.parent):
                self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
            with disk_guard(self._path.parent):
                if self._writer is not None:
                    self._writer.close()
                if kind is None:
                    with self._temporary.open("rb") as handle:
                        os.fsync(handle.fileno())
                    self._temporary.replace(self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def partition_path(store: Store, table: str, source_id: str, run_id: str) -> Path:
    return store.lake / table / f"source={source_id}" / f"run={run_id}.parquet"


def write_partition(store: Store, table: str, source_id: str, run_id: str, rows: Iterable[dict[str, Any]]) -> None:
    """Writes all rows as one partition, replacing a former one of that name in one step."""
    with PartitionWriter(store, table, source_id, run_id) as writer:
        for row in rows:
            writer.write(row)


def partitions(store: Store, table: str, source_id: str | None = None) -> list[Path]:
    """Complete partitions of a table, in name order."""
    folder = store.lake / table
    pattern = f"source={source_id}/run=*.parquet" if source_id else "source=*/run=*.parquet"
    return sorted(folder.glob(pattern)) if folder.is_dir() else []


def read_rows(store: Store, table: str, source_id: str | None = None) -> Iterable[dict[str, Any]]:
    """Rows of a table, streamed batch by batch in partition order."""
    for path in partitions(store, table, source_id):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from batch.to_pylist()

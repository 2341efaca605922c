"""Reads candidates' documents that were not read yet; a document is read once per content and extractor."""

from collections.abc import Callable, Iterator
from itertools import islice

import duckdb

from models.ids import sha256_hex
from pipeline.archive import open_payload_at
from pipeline.lake import partitions, write_partition
from pipeline.read import EXTRACTOR_VERSION, Reader, ReadLimits, ReadResult
from pipeline.redact import redact
from pipeline.store import Store

# Small, so that a killed night loses little; a partition a batch.
_BATCH = 20


def read_documents(
    store: Store,
    source_id: str,
    *,
    matters: Callable[[str], bool] | None = None,
    limits: ReadLimits | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Reads what the source's documents hold and the lake does not; returns the number of documents read."""
    done = 0
    pending = list(_unread(store, source_id))
    if not pending:
        return 0
    with Reader(limits) if limits else Reader() as reader:
        rest = iter(pending)
        while batch := list(islice(rest, _BATCH)):
            results = []
            for sha256, warc_file, offset in batch:
                on_progress(f"read {sha256[:12]}")
                with open_payload_at(store.root / warc_file, offset) as stream:
                    results.append(reader.read(stream.read(), matters=matters))
                done += 1
            name = sha256_hex("".join(sorted(sha for sha, _, _ in batch)).encode() + EXTRACTOR_VERSION.encode())[:16]
            write_partition(store, "page", source_id, name, _page_rows(results))
            # Written last: a document counts as read only when its pages are in the lake.
            write_partition(store, "reading", source_id, name, _reading_rows(results))
    return done


def _unread(store: Store, source_id: str) -> Iterator[tuple[str, str, int]]:
    documents = [str(p) for p in partitions(store, "document", source_id)]
    payloads = [str(p) for p in partitions(store, "payload", source_id)]
    readings = [str(p) for p in partitions(store, "reading")]
    if not documents or not payloads:
        return
    with duckdb.connect() as connection:
        read = "SELECT sha256 FROM read_parquet($readings) WHERE extractor = $version" if readings else "SELECT ''"
        parameters: dict[str, object] = {"documents": documents, "payloads": payloads}
        if readings:
            parameters |= {"readings": readings, "version": EXTRACTOR_VERSION}
        yield from connection.execute(
            f"""
            SELECT sha256, first(warc_file ORDER BY fetched_at, warc_offset),
                   first(warc_offset ORDER BY fetched_at, warc_offset)
            FROM read_parquet($payloads)
            WHERE sha256 IN (SELECT sha256 FROM read_parquet($documents) WHERE sha256 IS NOT NULL)
              AND sha256 NOT IN ({read})
            GROUP BY sha256 ORDER BY sha256
            """,
            parameters,
        ).fetchall()


def _page_rows(results: list[ReadResult]) -> Iterator[dict[str, object]]:
    for result in results:
        for page in result.pages:
            row = page.model_dump(
                mode="json",
                include={
                    "sha256", "number", "label", "width", "height", "rotation", "page_class", "outcome",
                    "text_source", "extractor",
                },
            )  # fmt: skip
            yield {**row, "text": redact(page.text)}


def _reading_rows(results: list[ReadResult]) -> Iterator[dict[str, object]]:
    for result in results:
        yield {
            "sha256": result.sha256,
            "outcome": result.outcome.value,
            "detail": result.detail,
            "pages": len(result.pages),
            "extractor": EXTRACTOR_VERSION,
        }

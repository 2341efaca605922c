"""Resolves the parties and flags the texts of every candidate process of a source; rests on rules and registry."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import orjson

from models.assessment import Assessment, Segment
from models.codes import Role, Technology
from models.procurement import Release
from models.vendor import Match
from pipeline.archive import hash_file
from pipeline.candidate import buyer_segments
from pipeline.lake import PartitionWriter, partition_path, partitions
from pipeline.registry import Registry
from pipeline.resolve import Resolver
from pipeline.store import Store, write_json_atomic

_NAME = "current"
_MATCHED = (Role.SUPPLIER, Role.TENDERER, Role.SUBCONTRACTOR, Role.MANUFACTURER, Role.PAYEE)
Assess = Callable[[Sequence[Segment], Technology | None], Assessment]


@dataclass
class Process:
    """A candidate's contracting process: its releases with their places, oldest first, and its documents' pages."""

    contract_id: str
    source_id: str
    releases: list[tuple[Release, str, str]] = field(default_factory=list)
    pages: list[tuple[str, int, str]] = field(default_factory=list)


def flag_source(
    store: Store,
    source_id: str,
    *,
    registry: Registry,
    resolver: Resolver,
    assess: Assess,
    versions: str,
    on_progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Writes the source's match and assessment partitions; returns the number of processes assessed.

    Nothing is done (and -1 returned) when inputs, rules, registry and decisions, named in `versions`, are those of
    the partitions that stand.
    """
    key = _key(store, source_id, versions)
    note = partition_path(store, "assessment", source_id, _NAME).with_suffix(".json")
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")).get("key") == key:
        return -1
    number = 0
    with (
        PartitionWriter(store, "match", source_id, _NAME) as matches,
        PartitionWriter(store, "assessment", source_id, _NAME) as assessments,
    ):
        for process in _processes(store, source_id):
            number += 1
            on_progress(f"flag {process.contract_id}")
            found = match_parties(process, resolver)
            for local_id, match in found.items():
                matches.write(_row(process, match) | {"local_id": local_id})
            sole = _sole_purpose(found, registry)
            assessments.write(_row(process, assess(segments(process), sole)))
    write_json_atomic(note, {"key": key, "processes": number})
    return number


def _row(process: Process, record: Match | Assessment) -> dict[str, Any]:
    return {
        "contract_id": process.contract_id,
        "source_id": process.source_id,
        "doc": orjson.dumps(record.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode(),
    }


def _key(store: Store, source_id: str, versions: str) -> str:
    inputs = [
        (path.name, hash_file(path)[0])
        for table in ("release", "document", "page", "reading")
        for path in partitions(store, table, source_id)
    ]
    return json.dumps([versions, inputs])


def match_parties(process: Process, resolver: Resolver) -> dict[str, Match]:
    """The match of every supplier, tenderer or subcontractor that is no natural person, by the party's local id."""
    found: dict[str, Match] = {}
    for release, _, _ in process.releases:
        for party in release.with_role(*_MATCHED):
            if not party.natural_person and party.local_id not in found:
                found[party.local_id] = resolver.match(
                    party.name, party.identifiers, party.country, release.country, explain=True
                )
    return found


def _sole_purpose(found: dict[str, Match], registry: Registry) -> Technology | None:
    for match in found.values():
        if match.vendor_id and match.named:
            purpose = registry.vendors[match.vendor_id].sole_purpose
            if purpose:
                return purpose.technology
    return None


def segments(process: Process) -> list[Segment]:
    """Every distinct text of the process, with its place: the releases' fields, then the pages of its documents.

    The names of the buyers come first.
    """
    buyers = {segment.text: segment for release, _, _ in process.releases for segment in buyer_segments(release)}
    made = list(buyers.values())
    seen = set()
    for release, payload_sha256, pointer in process.releases:
        for text in release.texts:
            if text.text not in seen:
                seen.add(text.text)
                made.append(
                    Segment(
                        where=text.pointer,
                        text=text.text,
                        payload_sha256=payload_sha256,
                        pointer=field_pointer(pointer, text.pointer),
                        language=text.language or release.language,
                    )
                )
    for sha256, number, page in process.pages:
        made.append(Segment(where=f"page:{number}", text=page, payload_sha256=sha256, pointer=f"page={number}"))
    return made


def field_pointer(record: str, below: str) -> str:
    """Pointer of a field of a record: `/releases/3/tender/title`, `line=7;at=/tender/title`, `row=5;column=Title`."""
    if not below.startswith("/"):
        return f"{record};{below}" if record else below
    if record.startswith("/") or ";at=" in record or not record:
        return record + below
    return f"{record};at={below}"


def _processes(store: Store, source_id: str) -> Iterator[Process]:
    releases = [str(p) for p in partitions(store, "release", source_id)]
    payloads = [str(p) for p in partitions(store, "payload", source_id)]
    if not releases or not payloads:
        return
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as connection:
        pages = _pages(store, source_id, connection)
        # The same release may have come on two nights: the first copy archived is the evidence.
        rows = connection.execute(
            """
            SELECT contract_id, doc, payload_sha256, pointer FROM (
                SELECT r.*, row_number() OVER (
                    PARTITION BY release_id ORDER BY fetched_at, payload_sha256, pointer) AS copy
                FROM read_parquet($releases) AS r
                JOIN (SELECT sha256, min(fetched_at) AS fetched_at FROM read_parquet($payloads) GROUP BY sha256) AS p
                  ON p.sha256 = r.payload_sha256)
            WHERE copy = 1
            ORDER BY contract_id, json_extract_string(doc, '$.published_at'), release_id
            """,
            {"releases": releases, "payloads": payloads},
        )
        process: Process | None = None
        while batch := rows.fetchmany(1_000):
            for contract_id, doc, payload_sha256, pointer in batch:
                if process is None or process.contract_id != contract_id:
                    if process is not None:
                        yield process
                    process = Process(contract_id, source_id, pages=pages(contract_id))
                process.releases.append((Release.model_validate_json(doc), payload_sha256, pointer))
        if process is not None:
            yield process


def _pages(
    store: Store, source_id: str, connection: duckdb.DuckDBPyConnection
) -> Callable[[str], list[tuple[str, int, str]]]:
    documents = [str(p) for p in partitions(store, "document", source_id)]
    pages = [str(p) for p in partitions(store, "page")]
    if not documents or not pages:
        return lambda _: []
    cursor = connection.cursor()
    cursor.execute(
        """
        CREATE TEMP TABLE linked AS
        SELECT DISTINCT contract_id, sha256 FROM read_parquet($1) WHERE sha256 IS NOT NULL ORDER BY contract_id
        """,
        [documents],
    )
    linked = {row[0] for row in cursor.execute("SELECT DISTINCT contract_id FROM linked").fetchall()}

    def of(contract_id: str) -> list[tuple[str, int, str]]:
        if contract_id not in linked:
            return []
        return cursor.execute(
            """
            SELECT DISTINCT sha256, number, text FROM read_parquet($1)
            WHERE sha256 IN (SELECT sha256 FROM linked WHERE contract_id = $2) AND text <> ''
            ORDER BY sha256, number
            """,
            [pages, contract_id],
        ).fetchall()

    return of

"""Derives a run's rows from its archived bytes: the one way for a crawl, an ingest, a replay and a re-screening."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
from ahocorasick_rs import BytesAhoCorasick

from models.codes import Candidacy, Retrieval
from models.ids import sha256_hex
from models.procurement import Parsed, Place, Release, Seen
from models.run import Problem, QueryResult
from pipeline.archive import Archived, read_run, run_info
from pipeline.cuts import CutWriter
from pipeline.lake import PartitionWriter, counting, partitions, write_partition
from pipeline.parse import Card, Glance, parse_payload
from pipeline.store import Store

CRAWL_FILE = "crawl.json"


class Decides(Protocol):
    """What derive needs of the candidates: a reason to keep a release whole, or none.

    `glance` may look at a record's raw JSON before: where it says no, `decide` would give no reason.
    """

    def decide(self, release: Release) -> tuple[Candidacy | None, tuple[str, ...]]: ...

    def glance(self, record: bytes) -> bool: ...


@dataclass
class Counts:
    """What a run's payloads held. `rejected` counts problems by kind; notes are counted apart."""

    records: int = 0
    parsed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


def derive_run(store: Store, folder: Path, card: Card, candidates: Decides) -> Counts:
    """Writes the run's partitions of seen, release, payload, problem and document from its sealed folder.

    The partitions replace former ones of the same run, so that deriving twice changes nothing.
    """
    info = run_info(folder)
    counts = Counts()
    source_id = info.source_id
    with (
        PartitionWriter(store, "seen", source_id, info.run_id) as seen,
        PartitionWriter(store, "release", source_id, info.run_id) as kept,
        PartitionWriter(store, "payload", source_id, info.run_id) as payloads,
        PartitionWriter(store, "problem", source_id, info.run_id) as problems,
    ):
        last = {} if info.kind == "ingest" else _last_copies(folder)
        with CutWriter(store, folder) as cuts:
            for archived in read_run(folder, store):
                if archived.payload.role == "error":
                    continue
                payloads.write(archived.payload.model_dump(mode="python"))
                # A page that came broken and was asked for again is judged by the copy that came last.
                if last.get(_asked(archived), _place(archived)) != _place(archived):
                    continue
                for item in parse_payload(archived, card, candidates.glance):
                    if isinstance(item, Problem):
                        _count_problem(counts, item)
                        problems.write(_problem_row(item, source_id, info.run_id))
                        continue
                    counts.records += 1
                    counts.parsed += 1
                    if isinstance(item, Seen):
                        seen.write(_seen_row(item, item.place, card, info.run_id))
                        continue
                    seen.write(_seen_row(item.release, item.place, card, info.run_id))
                    candidacy, reasons = candidates.decide(item.release)
                    if candidacy:
                        kept.write(release_row(_cut(item, archived, cuts), candidacy, reasons))
        for payload in cuts.payloads():
            payloads.write(payload.model_dump(mode="python"))
        for problem in _crawl_problems(folder):
            counts.notes[problem.kind] += 1
            problems.write(_problem_row(problem, source_id, info.run_id))
    write_partition(store, "document", source_id, info.run_id, _documents(folder, source_id))
    if queries := list(_queries(folder, source_id, info.run_id)):
        write_partition(store, "query", source_id, info.run_id, queries)
    return counts


def _cut(item: Parsed, archived: Archived, cuts: CutWriter) -> Parsed:
    """A candidate of a file of lines, with its line archived apart: its evidence then lies there."""
    if item.line is None:
        return item
    payload = cuts.cut(item.line, archived, item.place.pointer.partition(";")[0])
    return Parsed(release=item.release, place=Place(payload_sha256=payload.sha256, pointer=item.within))


def _asked(archived: Archived) -> tuple[str, str, str, str]:
    payload = archived.payload
    return payload.role, payload.method, payload.requested_url, payload.request_sha256


def _place(archived: Archived) -> tuple[str, int]:
    return archived.path.name, archived.payload.warc_offset


def _last_copies(folder: Path) -> dict[tuple[str, str, str, str], tuple[str, int]]:
    """Part and offset of the last answer with status 200 to each request for a page."""
    last: dict[tuple[str, str, str, str], tuple[str, int]] = {}
    for archived in read_run(folder):
        if archived.payload.role == "page" and archived.payload.status == 200:
            last[_asked(archived)] = _place(archived)
    return last


def _count_problem(counts: Counts, problem: Problem) -> None:
    if problem.severity == "rejected":
        counts.records += 1
        counts.rejected[problem.kind] += 1
    else:
        counts.notes[problem.kind] += 1


def _seen_row(release: Release | Seen, place: Place, card: Card, run_id: str) -> dict[str, Any]:
    return {
        "contract_id": release.contract_id,
        "release_id": release.release_id,
        "native_id": release.native_id,
        "published_on": release.published_on,
        "source_id": release.source_id,
        "retrieval": Retrieval(card.retrieval).value,
        "payload_sha256": place.payload_sha256,
        "pointer": place.pointer,
        "run_id": run_id,
    }


def release_row(item: Parsed, candidacy: Candidacy | None, reasons: tuple[str, ...]) -> dict[str, Any]:
    """A release kept whole; `candidacy` is None for the other releases of a candidate's process."""
    release = item.release
    return {
        "release_id": release.release_id,
        "contract_id": release.contract_id,
        "source_id": release.source_id,
        "candidacy": candidacy.value if candidacy else None,
        "reasons": list(reasons),
        "payload_sha256": item.place.payload_sha256,
        "pointer": item.place.pointer,
        "doc": orjson.dumps(release.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode(),
    }


def _problem_row(problem: Problem, source_id: str, run_id: str) -> dict[str, Any]:
    return {"source_id": source_id, "run_id": run_id, **problem.model_dump()}


def crawl_file(folder: Path) -> dict[str, Any]:
    """What the crawl said of itself when it ended; empty for an ingest."""
    path = folder / CRAWL_FILE
    if not path.is_file():
        return {}
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def _crawl_problems(folder: Path) -> Iterator[Problem]:
    for problem in crawl_file(folder).get("problems", ()):
        yield Problem.model_validate({**problem, "severity": "note"})


def _documents(folder: Path, source_id: str) -> Iterator[dict[str, Any]]:
    for document in crawl_file(folder).get("documents", ()):
        yield {**document, "source_id": source_id}


def _queries(folder: Path, source_id: str, run_id: str) -> Iterator[dict[str, Any]]:
    for query in crawl_file(folder).get("queries", ()):
        result = QueryResult.model_validate(query)
        yield {"source_id": source_id, "run_id": run_id, **result.model_dump(mode="python")}


def complete_contracts(store: Store, source_id: str, cards: Mapping[str, Card]) -> int:
    """Keeps the releases of candidates' processes that were not candidates themselves; returns how many were added.

    A process is shown with its whole history: a modification that says only EXERCISE OPTION belongs to its sum.
    """
    missing = _missing_releases(store, source_id)
    if not missing:
        return 0
    card = cards[source_id]
    added = 0
    releases = sorted(release for one in missing.values() for release, _ in one.places)
    name = f"completion-{sha256_hex(orjson.dumps(releases))[:16]}"
    with (
        PartitionWriter(store, "release", source_id, name) as kept,
        PartitionWriter(store, "payload", source_id, name) as payloads,
    ):
        for archived in _payloads(store, source_id, set(missing)):
            # A payload archived on two nights is read once.
            wanted = missing.pop(archived.payload.sha256, None)
            if wanted is None:
                continue
            with CutWriter(store, archived.path.parent) as cuts:
                for item in parse_payload(archived, card, _naming(wanted.native_ids)):
                    if not isinstance(item, Parsed):
                        continue
                    if (item.release.release_id, item.place.pointer) in wanted.places:
                        kept.write(release_row(_cut(item, archived, cuts), None, ()))
                        added += 1
            for payload in cuts.payloads():
                payloads.write(payload.model_dump(mode="python"))
    return added


@dataclass
class _Wanted:
    """Releases of one payload that are to be kept: their ids with their pointers, and the processes they belong to."""

    places: set[tuple[str, str]] = field(default_factory=set)
    native_ids: set[str] = field(default_factory=set)


def _naming(native_ids: set[str]) -> Glance:
    """Whether a record's bytes name one of the processes; where there are escapes, its bytes as we would write them."""
    automaton = BytesAhoCorasick([orjson.dumps(native_id)[1:-1] for native_id in sorted(native_ids)])

    def named(line: bytes) -> bool:
        if b"\\" in line:
            try:
                line = orjson.dumps(orjson.loads(line))
            except (ValueError, TypeError):
                return True
        return bool(automaton.find_matches_as_indexes(line))

    return named


def _missing_releases(store: Store, source_id: str) -> dict[str, _Wanted]:
    seen = [str(p) for p in partitions(store, "seen", source_id)]
    kept = [str(p) for p in partitions(store, "release", source_id)]
    if not seen or not kept:
        return {}
    missing: dict[str, _Wanted] = {}
    with counting() as connection:
        rows = connection.execute(
            """
            SELECT payload_sha256, release_id, pointer, native_id FROM read_parquet($seen) AS seen
            WHERE contract_id IN (SELECT contract_id FROM read_parquet($kept))
              AND release_id NOT IN (SELECT release_id FROM read_parquet($kept))
            """,
            {"seen": seen, "kept": kept},
        )
        while batch := rows.fetchmany(10_000):
            for payload_sha256, release, pointer, native_id in batch:
                wanted = missing.setdefault(payload_sha256, _Wanted())
                wanted.places.add((release, pointer))
                wanted.native_ids.add(native_id)
    return missing


def _payloads(store: Store, source_id: str, wanted: set[str]) -> Iterator[Archived]:
    for folder in store.runs(source_id):
        for archived in read_run(folder, store):
            if archived.payload.sha256 in wanted:
                yield archived

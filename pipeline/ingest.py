"""Takes files a person has into the archive, then through the same parse as a crawl."""

import csv
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from models.codes import Outcome
from models.run import Crawl
from models.source import ColumnsCard, SourceCard
from pipeline.archive import RunInfo, hash_file
from pipeline.archive_writer import RunWriter
from pipeline.derive import Counts, Decides, complete_contracts, derive_run
from pipeline.errors import BadData, WrongUse
from pipeline.lake import counting, partition_path, write_partition
from pipeline.parse import Card, format_of
from pipeline.parse.columns import check_header, python_encoding
from pipeline.store import Store, utc_now

_HEAD = 4096


@dataclass(frozen=True)
class Summary:
    """What a crawl or an ingest ended with. `records` = `parsed` + all of `rejected`.

    `repeated` counts verbatim repeats among the parsed; `contracts`, `candidates` and `probes` are distinct.
    """

    source_id: str
    runs: tuple[str, ...]
    records: int
    parsed: int
    rejected: Mapping[str, int]
    notes: Mapping[str, int]
    repeated: int
    contracts: int
    candidates: int
    probes: int
    outcome: Outcome
    reason: str
    unchanged: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source_id,
            "runs": list(self.runs),
            "records": self.records,
            "parsed": self.parsed,
            "rejected": dict(sorted(self.rejected.items())),
            "notes": dict(sorted(self.notes.items())),
            "repeated": self.repeated,
            "contracts": self.contracts,
            "candidates": self.candidates,
            "probes": self.probes,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "unchanged": self.unchanged,
            **self.extra,
        }


def ingest(
    store: Store,
    paths: Sequence[Path],
    card: Card,
    candidates: Decides,
    *,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Archives and parses each file once; a file whose bytes are in the archive already is not taken again.

    Raises WrongUse for a missing path or a card that does not fit, BadData for a named file that is no data; all files
    are looked at before the first one is taken, so that a wrong call stores nothing. A file that only lies in a named
    folder is taken as it is, and what cannot be read of it becomes a problem: one bad notice does not hold up the rest.
    """
    files = list(_files(paths))
    for path in files:
        if path in paths or isinstance(card, ColumnsCard):
            _check(path, card)
    sweep(store)
    runs: list[str] = []
    total = Counts()
    unchanged = 0
    for path in files:
        on_progress(f"ingest {path.name}")
        digest, _ = hash_file(path)
        run_id = f"file-{digest[:16]}"
        runs.append(run_id)
        before = crawl_row(store, card.id, run_id)
        counts = Counts() if before else _take(store, path, card, candidates, run_id)
        if before:
            unchanged += 1
            counts = Counts(before["records"], before["parsed"], *_problem_counts(store, card.id, run_id))
            write_crawl(store, _repeat_row(before, run_id))
        total.records += counts.records
        total.parsed += counts.parsed
        total.rejected.update(counts.rejected)
        total.notes.update(counts.notes)
    complete_contracts(store, card.id, {card.id: card})
    outcome, reason = _outcome(total)
    return summarise(store, card.id, tuple(dict.fromkeys(runs)), total, outcome, reason, unchanged=unchanged)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            if not inside:
                raise WrongUse(f"The folder {path} holds no files to ingest.")
            yield from inside
        elif path.is_file():
            yield path
        else:
            raise WrongUse(f"There is no file {path}; check the path.")


def _check(path: Path, card: Card) -> None:
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if isinstance(card, SourceCard):
        format_of(card).check_head(head, str(path))
        return
    if not head.strip():
        raise BadData(f"{path} is empty; there is nothing to ingest.")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise BadData(f"{path} is an HTML page where a spreadsheet was due; fetch the file itself and ingest that.")
    with path.open(encoding=python_encoding(card.encoding), errors="replace", newline="") as text:
        header = next(csv.reader(text, delimiter=card.delimiter), [])
    check_header([name.strip() for name in header], card, str(path))


def _take(store: Store, path: Path, card: Card, candidates: Decides, run_id: str) -> Counts:
    started = utc_now()
    final = store.archive / card.id / run_id
    if not final.is_dir():
        # What a killed ingest left half written is written anew: the file itself is still at hand.
        shutil.rmtree(final.with_name(f"{run_id}.open"), ignore_errors=True)
        arguments: dict[str, Any] = {"file": path.name}
        if isinstance(card, ColumnsCard):
            arguments["columns_card"] = card.model_dump(mode="json")
        writer = RunWriter(store, RunInfo(run_id, card.id, "ingest", started, arguments))
        content_type = "text/csv" if isinstance(card, ColumnsCard) else "application/json"
        writer.write_file(path, url=f"file:{path.name}", content_type=content_type, fetched_at=started)
        writer.seal()
    counts = derive_run(store, final, card, candidates)
    outcome, reason = _outcome(counts)
    repeated = _distinct(store, card.id, (run_id,))[2]
    write_crawl(
        store,
        Crawl(
            run_id=run_id,
            source_id=card.id,
            kind="ingest",
            retrieval=card.retrieval,
            started_at=started,
            ended_at=utc_now(),
            outcome=outcome,
            reason=reason,
            records=counts.records,
            parsed=counts.parsed,
            rejected=sum(counts.rejected.values()),
            repeated=repeated,
        ),
    )
    return counts


def _outcome(counts: Counts) -> tuple[Outcome, str]:
    if counts.records == 0:
        return Outcome.EMPTY, "the files hold no records"
    rejected = sum(counts.rejected.values())
    if not rejected:
        return Outcome.COMPLETE, "every record was parsed"
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(counts.rejected.items()))
    if counts.parsed == 0:
        return Outcome.FAILED, f"no record could be parsed ({kinds})"
    return Outcome.PARTIAL, f"{rejected} of {counts.records} records were rejected ({kinds})"


def summarise(
    store: Store,
    source_id: str,
    runs: tuple[str, ...],
    counts: Counts,
    outcome: Outcome,
    reason: str,
    *,
    unchanged: int = 0,
    extra: Mapping[str, Any] | None = None,
) -> Summary:
    """The summary of some runs of a source, with distinct counts taken from the lake."""
    contracts, _, repeated = _distinct(store, source_id, runs)
    candidates, probes = _candidates(store, source_id, runs)
    return Summary(
        source_id=source_id,
        runs=runs,
        records=counts.records,
        parsed=counts.parsed,
        rejected=counts.rejected,
        notes=counts.notes,
        repeated=repeated,
        contracts=contracts,
        candidates=candidates,
        probes=probes,
        outcome=outcome,
        reason=reason,
        unchanged=unchanged,
        extra=extra or {},
    )


def _distinct(store: Store, source_id: str, runs: tuple[str, ...]) -> tuple[int, int, int]:
    """Distinct contracts and releases of the runs, and how many releases were verbatim repeats."""
    paths = [str(p) for run in runs if (p := partition_path(store, "seen", source_id, run)).is_file()]
    if not paths:
        return 0, 0, 0
    with counting() as connection:
        row = connection.execute(
            # Grouping goes on on disk where counting distinct values must stay in memory.
            """
            SELECT (SELECT count(*) FROM (SELECT contract_id FROM read_parquet($1) GROUP BY contract_id)),
                   (SELECT count(*) FROM (SELECT release_id FROM read_parquet($1) GROUP BY release_id)),
                   (SELECT count(*) FROM read_parquet($1))
            """,
            [paths],
        ).fetchone()
    contracts, releases, rows = row or (0, 0, 0)
    return contracts, releases, rows - releases


def _candidates(store: Store, source_id: str, runs: tuple[str, ...]) -> tuple[int, int]:
    paths = [str(p) for run in runs if (p := partition_path(store, "release", source_id, run)).is_file()]
    if not paths:
        return 0, 0
    with duckdb.connect() as connection:
        row = connection.execute(
            """
            SELECT count(*) FILTER (kept), count(*) FILTER (NOT kept)
            FROM (SELECT contract_id, bool_or(candidacy <> 'probe') AS kept
                  FROM read_parquet($1) WHERE candidacy IS NOT NULL GROUP BY contract_id)
            """,
            [paths],
        ).fetchone()
    return row or (0, 0)


def crawl_row(store: Store, source_id: str, run_id: str) -> dict[str, Any] | None:
    """The crawl log's row of a run, or None when the run was never finished."""
    path = partition_path(store, "crawl", source_id, run_id)
    if not path.is_file():
        return None
    rows: list[dict[str, Any]] = pq.read_table(path, partitioning=None).to_pylist()
    return rows[0] if rows else None


def write_crawl(store: Store, crawl: Crawl) -> None:
    """Writes one line of the crawl log. It is the last thing written for a run: a run without it is not finished."""
    write_partition(store, "crawl", crawl.source_id, crawl.run_id, [crawl.model_dump(mode="python")])


def _repeat_row(before: dict[str, Any], run_id: str) -> Crawl:
    now: datetime = utc_now()
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    changes = {
        "run_id": f"{run_id}-again-{stamp}",
        "started_at": now,
        "ended_at": now,
        "reason": "unchanged: these bytes were ingested before",
        "records": 0,
        "parsed": 0,
        "rejected": 0,
        "repeated": 0,
    }
    return Crawl.model_validate({**before, **changes})


def _problem_counts(store: Store, source_id: str, run_id: str) -> tuple[Counter[str], Counter[str]]:
    path = partition_path(store, "problem", source_id, run_id)
    rejected: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    if path.is_file():
        with duckdb.connect() as connection:
            rows = connection.execute(
                "SELECT kind, severity, count(*) FROM read_parquet($1) GROUP BY ALL", [str(path)]
            ).fetchall()
        for kind, severity, number in rows:
            (rejected if severity == "rejected" else notes)[kind] += number
    return rejected, notes


def sweep(store: Store) -> None:
    """Removes temporary files of writers that are no longer alive, from the lake and from runs."""
    for folder in (store.lake, store.archive):
        for path in folder.rglob(".*.tmp"):
            pid = path.name.rsplit(".", 2)[-2]
            if pid.isdigit() and not _alive(int(pid)):
                path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

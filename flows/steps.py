"""The steps of a night as plain functions: the command line calls them alone, the flow in order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.crawl import crawl
from flows.house import House
from flows.scaffold import refuse_unfinished
from models.codes import Outcome
from models.run import Crawl
from models.source import SourceCard
from pipeline.archive import run_info
from pipeline.build import BuildResult, build
from pipeline.derive import Counts, complete_contracts, crawl_file, derive_run
from pipeline.flagging import flag_source
from pipeline.ingest import Summary, crawl_row, summarise, sweep, write_crawl
from pipeline.lake import partitions
from pipeline.reading import read_documents
from pipeline.store import Store, utc_now

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Progress for those who want none."""


@dataclass(frozen=True)
class Processed:
    """What the steps after the crawl did: documents read, processes flagged, and the database built."""

    documents_read: int
    processes_flagged: int
    database: BuildResult


def crawl_source(
    house: House,
    card: SourceCard,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    replay: Path | None = None,
    on_progress: Progress = silent,
) -> Summary:
    """Crawls one source in its own process and derives its rows from what was archived.

    Raises WrongUse for a source that is not finished, unless it is replayed.
    """
    if replay is None:
        refuse_unfinished(card.id)
    sweep(house.store)
    derive_pending(house, card, on_progress)
    result = crawl(
        house.store,
        card,
        since=since,
        until=until,
        replay=replay,
        vendor_folders=house.vendor_folders,
        terms=house.terms,
        suppliers=house.sole_purpose_names,
        log=house.store.logs / f"{card.id}.log",
        on_progress=on_progress,
    )
    folder = Path(result["folder"])
    if not folder.is_dir() or folder.name.endswith(".open"):
        return _unsealed(house.store, card, result)
    return derive_crawl(house, card, folder, kind="replay" if replay else "crawl", on_progress=on_progress)


def derive_pending(house: House, card: SourceCard, on_progress: Progress = silent) -> None:
    """Derives sealed runs that a kill kept from being derived."""
    for folder in house.store.runs(card.id):
        if crawl_row(house.store, card.id, folder.name) is None and crawl_file(folder):
            derive_crawl(house, card, folder, kind="crawl", on_progress=on_progress)


def derive_crawl(house: House, card: SourceCard, folder: Path, *, kind: str, on_progress: Progress = silent) -> Summary:
    """Rows and the crawl log's line of one sealed crawl."""
    on_progress(f"parse {card.id} {folder.name}")
    counts = derive_run(house.store, folder, card, house.candidates)
    complete_contracts(house.store, card.id, {card.id: card})
    said = crawl_file(folder)
    outcome, reason = Outcome(said["outcome"]), said["reason"]
    if counts.rejected and outcome is Outcome.COMPLETE:
        outcome = Outcome.PARTIAL
        reason = f"{sum(counts.rejected.values())} of {counts.records} records were rejected"
    summary = summarise(house.store, card.id, (folder.name,), counts, outcome, reason, extra=_documents_of(said))
    before = crawl_row(house.store, card.id, folder.name)
    info = run_info(folder)
    write_crawl(
        house.store,
        Crawl(
            run_id=folder.name if before is None else f"{folder.name}-again-{utc_now():%Y%m%dT%H%M%SZ}",
            source_id=card.id,
            kind="replay" if kind == "replay" else "crawl",
            retrieval=card.retrieval,
            started_at=info.started_at,
            ended_at=_moment(said.get("ended_at")) or info.started_at,
            since=_moment(said.get("since")),
            until=_moment(said.get("until")),
            outcome=outcome,
            reason=reason,
            requests=said.get("counts", {}).get("requests", 0),
            responses=said.get("counts", {}).get("responses", 0),
            expected=said.get("expected"),
            records=counts.records,
            parsed=counts.parsed,
            rejected=sum(counts.rejected.values()),
            repeated=summary.repeated,
            documents_expected=said.get("documents_expected", 0),
            documents_received=said.get("documents_received", 0),
        ),
    )
    return summary


def _documents_of(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "documents_expected": said.get("documents_expected", 0),
        "documents_received": said.get("documents_received", 0),
        "since": said.get("since"),
        "until": said.get("until"),
    }


def _unsealed(store: Store, card: SourceCard, result: Mapping[str, Any]) -> Summary:
    """A crawl whose process died: nothing of it is in the lake yet; the next crawl goes on with it."""
    now = utc_now()
    outcome, reason = Outcome(result["outcome"]), result["reason"]
    write_crawl(
        store,
        Crawl(
            run_id=f"unfinished-{now:%Y%m%dT%H%M%S}Z",
            source_id=card.id,
            kind="crawl",
            retrieval=card.retrieval,
            started_at=now,
            ended_at=now,
            outcome=outcome,
            reason=reason,
        ),
    )
    return summarise(store, card.id, (), Counts(), outcome, reason)


def _moment(raw: Any) -> datetime | None:
    return datetime.fromisoformat(raw) if isinstance(raw, str) and raw else None


def process(house: House, *, on_progress: Progress = silent) -> Processed:
    """Reads unread documents, resolves and flags every source of the lake, and builds the database.

    All of it is derived: run again it does nothing but build.
    """
    read = flagged = 0
    for source_id in lake_sources(house.store):
        read += read_source(house, source_id, on_progress)
        flagged += max(0, flag(house, source_id, on_progress))
    return Processed(read, flagged, build_database(house, on_progress))


def lake_sources(store: Store) -> list[str]:
    """Sources with anything in the lake."""
    return sorted({p.parent.name.removeprefix("source=") for p in partitions(store, "seen")})


def read_source(house: House, source_id: str, on_progress: Progress = silent) -> int:
    complete_contracts(house.store, source_id, {source_id: house.card_of(source_id)})
    return read_documents(house.store, source_id, matters=house.candidates.screen.may_match, on_progress=on_progress)


def flag(house: House, source_id: str, on_progress: Progress = silent) -> int:
    return flag_source(
        house.store,
        source_id,
        registry=house.registry,
        resolver=house.resolver,
        assess=house.assess,
        versions=house.versions,
        on_progress=on_progress,
    )


def build_database(house: House, on_progress: Progress = silent) -> BuildResult:
    on_progress("build the database")
    sources = lake_sources(house.store)
    known = dict(house.cards) | {source_id: house.card_of(source_id) for source_id in sources}
    return build(
        house.store,
        registry=house.registry,
        rules_version=house.rules.version,
        cards=[known[source_id] for source_id in sorted(known)],
        reviews=house.reviews,
        now=utc_now(),
    )

"""The nightly flow: crawl each source in its own process, then read, resolve, flag, build and report.

The only module that imports Prefect. Each task calls a plain function of `flows.steps`.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from flows import steps
from flows.house import House, open_house
from models.codes import Outcome
from pipeline.errors import Busy, UnveilError, WrongUse
from pipeline.ingest import Summary
from pipeline.lake import read_rows
from pipeline.store import Store, default_store

_LOG = logging.getLogger("unveil")
_DONE = (Outcome.COMPLETE, Outcome.EMPTY)
# A blocked portal is left alone until the next night; asking again would only block us longer.
_WORTH_A_RETRY = (Outcome.FAILED, Outcome.PARTIAL)


class CrawlUnfinished(Exception):
    """A crawl that ended failed or partial; carries its summary so that the night can show it."""

    def __init__(self, summary: dict[str, Any]) -> None:
        super().__init__(f"{summary['source']}: {summary['outcome']}, {summary['reason']}")
        self.summary = summary


@dataclass(frozen=True)
class Night:
    """What a night came to. `sources` holds one summary a source, in the order of the call."""

    night: str
    sources: list[dict[str, Any]]
    documents_read: int
    processes_flagged: int
    database: str
    report: str | None

    @property
    def needs_a_person(self) -> bool:
        return any(s["outcome"] not in _DONE for s in self.sources)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def done_tonight(house: House, source_id: str, night: date) -> bool:
    """True when a crawl of the source that began on that UTC day ended complete or empty."""
    return any(
        row["kind"] == "crawl" and row["started_at"].date() == night and row["outcome"] in _DONE
        for row in read_rows(house.store, "crawl", source_id)
    )


@task(
    name="crawl",
    task_run_name="crawl {source_id}",
    retries=2,
    retry_delay_seconds=exponential_backoff(backoff_factor=60),
    retry_jitter_factor=0.5,
    retry_condition_fn=lambda _task, _run, state: _retry(state),
    persist_result=False,
)
def crawl_task(store_root: str, source_id: str, replay: str | None) -> dict[str, Any]:
    """One source's crawl; raises CrawlUnfinished so that Prefect retries and shows it as failed."""
    house = open_house(Store(Path(store_root)))
    summary: Summary = steps.crawl_source(
        house,
        house.source_card(source_id),
        replay=Path(replay) if replay else None,
        on_progress=_LOG.info,
    )
    said = {**summary.to_json(), "replayed": replay is not None}
    if summary.outcome in _WORTH_A_RETRY:
        raise CrawlUnfinished(said)
    return said


def _retry(state: Any) -> bool:
    error = state.result(raise_on_failure=False)
    # A replay asks nobody; it would end the same way again.
    return isinstance(error, CrawlUnfinished) and not error.summary["replayed"]


@task(name="read", task_run_name="read {source_id}", persist_result=False)
def read_task(store_root: str, source_id: str) -> int:
    return steps.read_source(open_house(Store(Path(store_root))), source_id, _LOG.info)


@task(name="flag", task_run_name="flag {source_id}", persist_result=False)
def flag_task(store_root: str, source_id: str) -> int:
    return steps.flag(open_house(Store(Path(store_root))), source_id, _LOG.info)


@task(
    name="build",
    # Groups of sources run at hours of their own; two that end together build one after the other.
    retries=20,
    retry_delay_seconds=60,
    retry_condition_fn=lambda _task, _run, state: isinstance(state.result(raise_on_failure=False), Busy),
    persist_result=False,
)
def build_task(store_root: str) -> str:
    return str(steps.build_database(open_house(Store(Path(store_root))), _LOG.info).path)


@task(name="report", persist_result=False)
def report_task(store_root: str, portfolio: str) -> str:
    from flows.reporting import report

    return str(report(open_house(Store(Path(store_root))), Path(portfolio)).path)


@flow(
    name="nightly",
    task_runner=ThreadPoolTaskRunner(max_workers=4),  # type: ignore[arg-type]
    validate_parameters=False,
    persist_result=False,
)
def nightly(
    store_root: str | None = None,
    sources: list[str] | None = None,
    replays: list[list[str]] | None = None,
    portfolio: str | None = None,
    night: str | None = None,
    group: str | None = None,
) -> Night:
    """Runs one night and returns what it came to; a failing source does not stop the others.

    `sources`: ids to crawl, all cards by default. `replays`: pairs of source id and archive to replay instead, in
    order. `night`: the UTC day; a source that ended complete on it is not asked again. `group`: only the sources whose
    card names that group are crawled, read and flagged; the database is built of all.
    """
    store = Store(Path(store_root)) if store_root else default_store()
    house = open_house(store)
    day = date.fromisoformat(night) if night else datetime.now(UTC).date()
    chosen = chosen_sources(house, sources, group)
    results = _replayed(store, replays) if replays else _crawled(house, chosen, day)
    read = flagged = 0
    for source_id in steps.lake_sources(store):
        if group and source_id not in chosen:
            continue
        read += read_task(str(store.root), source_id)
        flagged += max(0, flag_task(str(store.root), source_id))
    database = build_task(str(store.root))
    report = report_task(str(store.root), portfolio) if portfolio else None
    return Night(day.isoformat(), results, read, flagged, database, report)


def _replayed(store: Store, replays: list[list[str]]) -> list[dict[str, Any]]:
    results = []
    for source_id, archive in replays:
        # One after the other: the second night of a source stands on the first.
        state = crawl_task(str(store.root), source_id, archive, return_state=True)
        results.append(_said(source_id, state.result(raise_on_failure=False)))
    return results


def chosen_sources(house: House, sources: list[str] | None, group: str | None) -> list[str]:
    """Ids of the sources of a night. Raises WrongUse for an unknown source or a group that no card names."""
    chosen = [house.source_card(source_id).id for source_id in sources or sorted(house.cards)]
    if group is None:
        return chosen
    groups = sorted({card.group for card in house.cards.values()})
    if group not in groups:
        raise WrongUse(f"There is no group of sources `{group}`; the cards name {', '.join(groups)}.")
    return [source_id for source_id in chosen if house.cards[source_id].group == group]


def _crawled(house: House, chosen: list[str], day: date) -> list[dict[str, Any]]:
    running: dict[str, PrefectFuture[dict[str, Any]]] = {}
    results: dict[str, dict[str, Any]] = {}
    for source_id in chosen:
        if done_tonight(house, source_id, day):
            results[source_id] = {
                "source": source_id,
                "outcome": Outcome.COMPLETE.value,
                "reason": "already complete tonight; not asked again",
            }
        else:
            running[source_id] = crawl_task.submit(str(house.store.root), source_id, None)
    for source_id, future in running.items():
        future.wait()
        results[source_id] = _said(source_id, future.state.result(raise_on_failure=False))
    return [results[source_id] for source_id in chosen]


def _said(source_id: str, result: Any) -> dict[str, Any]:
    if isinstance(result, dict):
        return result
    if isinstance(result, CrawlUnfinished):
        return result.summary
    reason = str(result) if isinstance(result, UnveilError) else f"{type(result).__name__}: {result}"
    return {"source": source_id, "outcome": Outcome.FAILED.value, "reason": reason}

"""Re-derives everything from the archive after a change in rules or registry; says what changed, and by which rules."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from flows.house import House
from flows.steps import Progress, build_database, flag, lake_sources, read_source, silent
from models.codes import Retrieval
from pipeline.derive import complete_contracts, derive_run
from pipeline.ingest import sweep
from pipeline.lake import partitions
from pipeline.store import Store

_T = TypeVar("_T")
Bar = Callable[[Iterable[_T], int, str], Iterator[_T]]
# What a flag says. Rules that say the same under another name change nothing.
_SAID = ("scope", "technology", "function", "vendor_ids")


@dataclass(frozen=True)
class Change:
    """One process whose flag differs; `before` and `after` are None where it was or is not flagged."""

    contract_id: str
    title: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def kind(self) -> str:
        """`newly_flagged`, `no_longer_flagged`, `changed_label` (another scope) or `changed_detail`."""
        if self.before is None:
            return "newly_flagged"
        if self.after is None:
            return "no_longer_flagged"
        return "changed_label" if self.before["scope"] != self.after["scope"] else "changed_detail"

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules responsible: those that the flag rests on now and did not before, or no longer does."""
        before, after = (set(flag["rests_on"] or ()) if flag else set() for flag in (self.before, self.after))
        return tuple(sorted(before ^ after or after))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "rules": list(self.rules)} | vars(self)


@dataclass(frozen=True)
class Rescreened:
    """What changed, and what only a portal could tell: sources to ask again and documents still to fetch."""

    changes: tuple[Change, ...]
    queried_sources: tuple[str, ...]
    documents_to_fetch: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "changes": [change.to_json() for change in self.changes],
            "queried_sources": list(self.queried_sources),
            "documents_to_fetch": [{"contract_id": c, "url": u} for c, u in self.documents_to_fetch],
        }


def summary(result: Rescreened) -> str:
    """The changes counted, in a sentence."""
    count = Counter(change.kind for change in result.changes)
    return (
        f"{len(result.changes)} flags changed: {count['newly_flagged']} newly flagged, {count['no_longer_flagged']} no "
        f"longer flagged, {count['changed_label']} with another label, {count['changed_detail']} in detail only."
    )


def plainly(items: Iterable[_T], length: int, label: str) -> Iterator[_T]:
    """The items as they come, for those who want no bar."""
    del length, label
    yield from items


def rescreen(house: House, on_progress: Progress = silent, bar: Bar[Any] = plainly) -> Rescreened:
    """Parses and screens every archived run again, then reads, flags and builds; asks no portal.

    Runs are derived and sources flagged in one process a core. `bar` shows how far they are.
    """
    before = flagged(house.store)
    sweep(house.store)
    # Rules and registry with a mistake are told here, before a process is started.
    address = _Address(house.store.root, house.sample, house.rules_folder, house.versions)
    runs = [(source_id, folder) for source_id in house.store.source_ids() for folder in house.store.runs(source_id)]
    with _workers(max(len(runs), len(house.store.source_ids()))) as pool:
        jobs = [pool.submit(_derive, address, source_id, folder) for source_id, folder in runs]
        for job in bar(as_completed(jobs), len(jobs), "screen"):
            job.result()
        for source_id in house.store.source_ids():
            _complete(house, source_id)
        sources = lake_sources(house.store)
        for source_id in sources:
            read_source(house, source_id, on_progress)
        jobs = [pool.submit(_flag, address, source_id) for source_id in sources]
        for job in bar(as_completed(jobs), len(jobs), "flag"):
            job.result()
    build_database(house, on_progress)
    after = flagged(house.store)
    queried = [s for s in house.store.source_ids() if house.card_of(s).retrieval is Retrieval.QUERY]
    return Rescreened(
        changes=tuple(
            Change(key, (after.get(key) or before[key])["title"], before.get(key), after.get(key))
            for key in sorted(before.keys() | after.keys())
            if _said(before.get(key)) != _said(after.get(key))
        ),
        queried_sources=tuple(queried),
        documents_to_fetch=tuple(_unfetched(house.store)),
    )


def _workers(jobs: int) -> ProcessPoolExecutor:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Not forked: the parent may hold threads of DuckDB and of a progress bar.
    return ProcessPoolExecutor(max_workers=max(1, min(cores, jobs)), mp_context=get_context("spawn"))


@dataclass(frozen=True)
class _Address:
    """What a worker process needs to know to put the same house together."""

    store: Path
    sample: bool
    rules_folder: Path
    versions: str


@lru_cache(maxsize=1)
def _house(address: _Address) -> House:
    """The house of a worker process, loaded once. Raises RuntimeError if rules or registry changed meanwhile."""
    house = House(Store(address.store), sample=address.sample, rules_folder=address.rules_folder)
    if house.versions != address.versions:
        raise RuntimeError("rules or registry changed while they were used; run it again")
    return house


def _derive(address: _Address, source_id: str, folder: Path) -> None:
    house = _house(address)
    derive_run(house.store, folder, house.card_of(source_id), house.candidates)


def _flag(address: _Address, source_id: str) -> None:
    flag(_house(address), source_id)


def _complete(house: House, source_id: str) -> None:
    """Completions belong to the former candidates; they are made anew for the present ones."""
    for path in partitions(house.store, "release", source_id):
        if path.name.startswith("run=completion-"):
            path.unlink()
    complete_contracts(house.store, source_id, {source_id: house.card_of(source_id)})


def _said(flag: dict[str, Any] | None) -> dict[str, Any] | None:
    return {name: flag[name] for name in _SAID} if flag else None


def flagged(store: Store) -> dict[str, dict[str, Any]]:
    """Scope, technology, deciding rules and named vendors of every process assessed other than out of scope."""
    if not store.database.is_file():
        return {}
    with duckdb.connect(str(store.database), read_only=True) as connection:
        columns = {row[0] for row in connection.execute("DESCRIBE assessment").fetchall()}
        # A database of before these were kept says nothing of them.
        rests_on = "a.rests_on" if "rests_on" in columns else "CAST(NULL AS VARCHAR[]) AS rests_on"
        rows = connection.execute(
            f"""
            SELECT contract_id, title, a.scope, a.technology, a.function, {rests_on},
                   list_sort(list_distinct(list(p.vendor_id) FILTER (p.named))) AS vendor_ids
            FROM contract JOIN assessment AS a USING (contract_id) LEFT JOIN party AS p USING (contract_id)
            WHERE a.scope <> 'out_of_scope'
            GROUP BY ALL
            """
        )
        names = [column[0] for column in rows.description or ()]
        return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in rows.fetchall()}


def _unfetched(store: Store) -> list[tuple[str, str]]:
    """Document links of candidates, of crawled sources, that no crawl has yet decided about."""
    found: list[tuple[str, str]] = []
    for source_id in lake_sources(store):
        releases = [str(p) for p in partitions(store, "release", source_id)]
        documents = [str(p) for p in partitions(store, "document", source_id)]
        if not releases or not documents:
            continue
        with duckdb.connect() as connection:
            found += connection.execute(
                """
                SELECT DISTINCT contract_id, link.url FROM (
                    SELECT contract_id,
                           unnest(from_json(json_extract(doc, '$.documents'), '[{"url": "VARCHAR"}]')) AS link
                    FROM read_parquet($1) WHERE candidacy IS NOT NULL)
                WHERE link.url NOT IN (SELECT url FROM read_parquet($2)) ORDER BY ALL
                """,
                [releases, documents],
            ).fetchall()
    return found

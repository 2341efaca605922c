"""Re-derives everything from the archive after a change in rules or registry, and says what changed."""

from dataclasses import dataclass
from typing import Any

import duckdb

from flows.house import House
from flows.steps import Progress, lake_sources, process, silent
from models.codes import Retrieval
from pipeline.derive import complete_contracts, derive_run
from pipeline.ingest import sweep
from pipeline.lake import partitions
from pipeline.store import Store


@dataclass(frozen=True)
class Change:
    """One process whose flag differs; `before` and `after` are None where it was or is not flagged."""

    contract_id: str
    title: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True)
class Rescreened:
    """What changed, and what only a portal could tell: sources to ask again and documents still to fetch."""

    changes: tuple[Change, ...]
    queried_sources: tuple[str, ...]
    documents_to_fetch: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "changes": [vars(change) for change in self.changes],
            "queried_sources": list(self.queried_sources),
            "documents_to_fetch": [{"contract_id": c, "url": u} for c, u in self.documents_to_fetch],
        }


def rescreen(house: House, on_progress: Progress = silent) -> Rescreened:
    """Parses and screens every archived run again, then reads, flags and builds; asks no portal."""
    before = flagged(house.store)
    sweep(house.store)
    queried = []
    for source_id in house.store.source_ids():
        card = house.card_of(source_id)
        if card.retrieval is Retrieval.QUERY:
            queried.append(source_id)
        for folder in house.store.runs(source_id):
            on_progress(f"screen {source_id} {folder.name}")
            derive_run(house.store, folder, card, house.candidates)
        for path in partitions(house.store, "release", source_id):
            # Completions belong to the former candidates; they are made anew for the present ones.
            if path.name.startswith("run=completion-"):
                path.unlink()
        complete_contracts(house.store, source_id, {source_id: card})
    process(house, on_progress=on_progress)
    after = flagged(house.store)
    return Rescreened(
        changes=tuple(
            Change(key, (after.get(key) or before[key])["title"], before.get(key), after.get(key))
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ),
        queried_sources=tuple(queried),
        documents_to_fetch=tuple(_unfetched(house.store)),
    )


def flagged(store: Store) -> dict[str, dict[str, Any]]:
    """Scope, technology and named vendors of every process assessed other than out of scope."""
    if not store.database.is_file():
        return {}
    with duckdb.connect(str(store.database), read_only=True) as connection:
        rows = connection.execute(
            """
            SELECT contract_id, title, a.scope, a.technology, a.function,
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

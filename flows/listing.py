"""Lists the sources with how they are asked and how they last ended."""

from typing import Any

from rich.console import Console
from rich.table import Table

from flows.house import House
from pipeline.lake import read_rows


def source_rows(house: House) -> list[dict[str, Any]]:
    """One row a card: id, name, countries, rank, retrieval, and the last crawl's outcome, reason and end."""
    last: dict[str, dict[str, Any]] = {}
    for row in read_rows(house.store, "crawl"):
        if row["source_id"] not in last or row["ended_at"] >= last[row["source_id"]]["ended_at"]:
            last[row["source_id"]] = row
    rows = []
    for source_id, card in sorted(house.cards.items()):
        crawl = last.get(source_id, {})
        rows.append(
            {
                "id": source_id,
                "name": card.name,
                "countries": list(card.countries),
                "rank": card.rank,
                "retrieval": card.retrieval.value,
                "last_outcome": crawl.get("outcome"),
                "last_reason": crawl.get("reason"),
                "last_ended_at": crawl["ended_at"].isoformat() if crawl else None,
            }
        )
    return rows


def print_sources(rows: list[dict[str, Any]]) -> None:
    table = Table("source", "countries", "name", "rank", "retrieval", "last outcome", "ended")
    for row in rows:
        table.add_row(
            row["id"],
            ", ".join(row["countries"]),
            row["name"],
            row["rank"],
            row["retrieval"],
            row["last_outcome"] or "never asked",
            row["last_ended_at"] or "",
        )
    Console().print(table)

"""Lists the sources with how they are asked and how they last ended."""

import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flows.house import House
from pipeline.lake import read_rows

_FEW_COUNTRIES = 3
_PIPED = 120


def source_rows(house: House) -> list[dict[str, Any]]:
    """One row a card: id, name, countries, rank, how it is asked, the day somebody looked at a live crawl of it, and
    the last crawl's outcome, reason and end."""
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
                "platform": card.platform,
                "group": card.group,
                "retrieval": card.retrieval.value,
                "verified_on": card.verified_on.isoformat() if card.verified_on else None,
                "last_outcome": crawl.get("outcome"),
                "last_reason": crawl.get("reason"),
                "last_ended_at": crawl["ended_at"].isoformat() if crawl else None,
            }
        )
    return rows


def print_sources(rows: list[dict[str, Any]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0), pad_edge=False)
    for name in ("source", "countries", "rank", "platform", "group", "verified", "last outcome", "ended"):
        # In a narrow terminal a cell goes on below; nothing is cut off, since ids are typed into the next command.
        table.add_column(name, overflow="fold")
    for row in rows:
        countries = row["countries"]
        table.add_row(
            row["id"],
            ", ".join(countries) if len(countries) <= _FEW_COUNTRIES else str(len(countries)),
            row["rank"],
            row["platform"],
            row["group"],
            row["verified_on"] or "no",
            row["last_outcome"] or "never",
            (row["last_ended_at"] or "")[:10],
        )
    # A pipe or a file has no width of its own.
    Console(width=None if sys.stdout.isatty() else _PIPED).print(table)

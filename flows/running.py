"""Runs one night from the command line: settings first, then Prefect, then what was found."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flows.house import SAMPLE, sample_house
from flows.prefect_settings import prepare
from pipeline.archive import run_info
from pipeline.query import connect
from pipeline.store import Store

if TYPE_CHECKING:
    from flows.nightly import Night

Say = Callable[[str], None]


class _Terminal(logging.Handler):
    """Shows steps as they come: lines on a terminal; a log hears only how each source ended."""

    def __init__(self, say: Say) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(f"  {record.getMessage()}")


def run_night(
    store: Store, *, sample: bool, portfolio: Path | None, sources: tuple[str, ...], group: str | None = None, say: Say
) -> "Night":
    """Runs the flow `nightly` and prints what it found; with `sample`, on the bundled archives."""
    replays = None
    if sample:
        house = sample_house()
        store = house.store
        portfolio = portfolio or SAMPLE / "portfolio.csv"
        archives = sorted((SAMPLE / "archives").glob("*.warc.gz"))
        replays = [[run_info(path).source_id, str(path)] for path in archives]
        say(f"Replaying {len(archives)} recorded nights with fictional notices; no network is used.")
    prepare(store.root)
    log = logging.getLogger("unveil")
    # Prefect's root handler would print every step into a log as well.
    log.propagate = False
    log.setLevel(logging.INFO if sys.stderr.isatty() else logging.WARNING)
    log.addHandler(_Terminal(say))
    from flows.nightly import nightly

    night: Night = nightly(
        store_root=str(store.root),
        sources=list(sources) or None,
        group=group,
        replays=replays,
        portfolio=str(portfolio) if portfolio else None,
    )
    for result in night.sources:
        say(f"{result['source']}: {result['outcome']} ({result['reason']})")
    _print_findings(store, say)
    say(f"Database: {night.database}")
    if night.report:
        say(f"Report:   {night.report}")
    if sample:
        _say_live(store, say)
    return night


def _print_findings(store: Store, say: Say) -> None:
    with connect(store) as connection:
        rows = connection.execute(
            """
            SELECT scope, stage, title, buyer, array_to_string(technology, ', '), confirmed, evidence_id
            FROM biometric_contract ORDER BY scope DESC, stage, title, contract_id LIMIT 40
            """
        ).fetchall()
        total = connection.execute(
            "SELECT scope, count(*) FROM biometric_contract GROUP BY 1 ORDER BY 1 DESC"
        ).fetchall()
    said = ", ".join(f"{number} {scope.replace('_', ' ')}" for scope, number in total) or "none"
    say(f"\nFlagged contracts: {said} (a machine's opinion until a person confirms it)")
    for scope, stage, title, buyer, technology, confirmed, evidence_id in rows:
        mark = "confirmed" if confirmed else "unreviewed"
        say(f"  {scope:<12} {stage:<14} {title}")
        say(f"      {buyer} · {technology or 'technology not named'} · {mark} · {evidence_id}")
    say("")


def _say_live(store: Store, say: Say) -> None:
    where = f"UNVEIL_STORE={store.root}"
    say(
        "\nLook further:\n"
        f'  {where} unveil sql "FROM biometric_contract"\n'
        f"  {where} unveil evidence EVIDENCE_ID\n"
        "Go live (your own contact stands in the user agent):\n"
        "  export UNVEIL_CONTACT=you@your-organisation.example\n"
        "  unveil run --portfolio PORTFOLIO.csv"
    )

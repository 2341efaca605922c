"""Reads a portfolio, matches it to the registry and writes the report; holdings go nowhere else."""

from datetime import date
from pathlib import Path

from pipeline.report import ReportSummary, make_report

from flows.house import House
from pipeline.portfolio import match_portfolio, read_portfolio
from pipeline.store import utc_now


def report(house: House, portfolio: Path, *, out: Path | None = None, as_of: date | None = None) -> ReportSummary:
    """One self-contained HTML page for the portfolio, in the store's `reports` folder unless `out` says otherwise.

    Raises WrongUse for a file that is no portfolio and BadData when there is no database.
    """
    holdings = match_portfolio(read_portfolio(portfolio), house.registry)
    return make_report(
        house.store,
        holdings,
        house.registry,
        as_of=as_of or utc_now().date(),
        portfolio_name=portfolio.name,
        out=out or house.store.reports / f"{portfolio.stem}.html",
    )

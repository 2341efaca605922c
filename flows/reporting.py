"""Reads a portfolio, matches it to the registry and writes the report; holdings go nowhere else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from flows.house import House
from pipeline.errors import WrongUse
from pipeline.portfolio import match_portfolio, read_portfolio
from pipeline.report import ReportSummary, make_report
from pipeline.store import utc_now


@dataclass(frozen=True)
class Reported:
    """The page and what to tell the person who asked for it; `rejected` rows need a look at the file."""

    path: Path
    summary: ReportSummary
    rejected: tuple[str, ...]

    @property
    def sentences(self) -> Iterator[str]:
        rows = self.summary.rows
        said = ", ".join(f"{rows[kind]} {kind.replace('_', ' ')}" for kind in sorted(rows))
        yield f"Holdings: {said}. Not in the registry does not mean clean."
        yield (
            f"Contracts: {self.summary.in_scope} in scope, {self.summary.conditional} conditional, "
            f"{self.summary.excluded} excluded by their text; {self.summary.unreviewed} not yet reviewed by a person."
        )
        if self.summary.failing_sources:
            yield f"Sources whose last run was not complete: {', '.join(self.summary.failing_sources)}."
        yield from self.rejected


def report(house: House, portfolio: Path, *, out: Path | None = None, as_of: date | None = None) -> Reported:
    """One self-contained HTML page for the portfolio, in the store's `reports` folder unless `out` says otherwise.

    Raises WrongUse for a file that is no portfolio and when there is no database.
    """
    if not portfolio.is_file():
        raise WrongUse(f"There is no portfolio file {portfolio}; check the path.")
    holdings = read_portfolio(portfolio)
    summary = make_report(
        house.store,
        match_portfolio(holdings, house.registry),
        house.registry,
        as_of=as_of or utc_now().date(),
        portfolio_name=portfolio.name,
        portfolio=holdings,
        out=out or house.store.reports / f"{portfolio.stem}.html",
    )
    rejected = tuple(f"{portfolio}, line {row.line}: {row.reason}; mend the row." for row in holdings.rejected)
    return Reported(summary.path, summary, rejected)

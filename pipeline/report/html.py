"""Writes the report: one HTML page that loads nothing from anywhere, the same bytes for the same inputs."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.codes import Retrieval, ReviewState, Scope
from models.ids import sha256_hex
from pipeline.portfolio import Holding, HoldingMatch, Portfolio
from pipeline.registry import Registry
from pipeline.report.dossier import companies_of
from pipeline.report.facts import COUNTED, STAGES, Company, Contract, Database, IntakeRow, ReportSummary, SourceCoverage
from pipeline.report.letter import COMPANY_ASKS, INVESTOR_ASKS, Clause, Letter, load_letter
from pipeline.report.sql import coverage_of, open_database
from pipeline.report.words import WORDS
from pipeline.store import Store, disk_guard

CONTACT_VARIABLE: Final = "UNVEIL_CONTACT"
_TEMPLATES: Final = Path(__file__).parent / "templates"
_LANGUAGE: Final = re.compile(r"^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*$")
_STATUSES: Final = ("matched", "ambiguous", "unmatched", "not_in_registry", "rejected")


@dataclass(frozen=True, slots=True)
class _Counts:
    """Figures of the cover. A contract that two held companies share is one contract."""

    rows: Mapping[str, int]
    in_scope: int
    conditional: int
    excluded: int
    unreviewed: int
    disputed: int
    flags: int
    without_contract: int
    failing: tuple[str, ...]
    queried: int
    unread: int


def make_report(
    store: Store,
    holdings: Sequence[HoldingMatch],
    registry: Registry,
    *,
    as_of: date,
    portfolio_name: str,
    out: Path,
    portfolio: Portfolio | None = None,
    contact: str | None = None,
    letter: Letter | None = None,
) -> ReportSummary:
    """Writes the report of `holdings` to `out` and returns what it holds.

    `holdings` is what `match_portfolio` returned, rejected rows included; `portfolio` adds the rows' own names,
    identifiers and weights to the intake table, and the rows that were skipped. `contact` is where a correction is
    asked for (default: the environment variable UNVEIL_CONTACT). Raises WrongUse without a database.
    """
    clauses = letter or load_letter()
    with open_database(store) as (connection, database):
        companies = companies_of(connection, holdings, registry, as_of)
        coverage = coverage_of(connection)
    counts = _count(holdings, companies, coverage)
    page = _render(
        portfolio_name=portfolio_name,
        as_of=as_of,
        database=database,
        registry_version=registry.version,
        intake=_intake(holdings, portfolio, registry),
        skipped=portfolio.skipped if portfolio else (),
        companies=companies,
        coverage=coverage,
        counts=counts,
        letter=clauses,
        contact=(os.environ.get(CONTACT_VARIABLE, "") if contact is None else contact).strip(),
    )
    data = page.encode("utf-8")
    _write(out, data)
    return ReportSummary(
        path=out,
        sha256=sha256_hex(data),
        rows=counts.rows,
        companies=len(companies),
        without_contract=counts.without_contract,
        in_scope=counts.in_scope,
        conditional=counts.conditional,
        excluded=counts.excluded,
        unreviewed=counts.unreviewed,
        failing_sources=counts.failing,
    )


def _count(
    holdings: Sequence[HoldingMatch], companies: Sequence[Company], coverage: Sequence[SourceCoverage]
) -> _Counts:
    flags: dict[str, Contract] = {c.contract_id: c for company in companies for c in company.contracts}
    excluded = {c.contract_id for company in companies for c in company.excluded}
    statuses = Counter(match.status for match in holdings)
    return _Counts(
        rows=MappingProxyType({status: statuses.get(status, 0) for status in _STATUSES}),
        in_scope=sum(c.scope is Scope.IN_SCOPE for c in flags.values()),
        conditional=sum(c.scope is Scope.CONDITIONAL for c in flags.values()),
        excluded=len(excluded),
        unreviewed=sum(c.review == ReviewState.MACHINE for c in flags.values()),
        disputed=sum(c.review == ReviewState.DISPUTED for c in flags.values()),
        flags=len(flags),
        without_contract=sum(not company.contracts for company in companies),
        failing=tuple(dict.fromkeys(source.source_id for source in coverage if not source.good)),
        queried=sum(source.retrieval != Retrieval.FULL for source in coverage),
        unread=sum(source.unread_documents for source in coverage),
    )


def _intake(holdings: Sequence[HoldingMatch], portfolio: Portfolio | None, registry: Registry) -> tuple[IntakeRow, ...]:
    by_line: dict[int, Holding] = {h.line: h for h in portfolio.holdings} if portfolio else {}
    return tuple(_intake_row(match, by_line.get(match.line), portfolio, registry) for match in holdings)


def _intake_row(match: HoldingMatch, row: Holding | None, portfolio: Portfolio | None, registry: Registry) -> IntakeRow:
    named = match.vendor_ids[:1] if match.status == "matched" else match.vendor_ids
    stated = (("ISIN", row.isin), ("LEI", row.lei), ("ticker", row.ticker)) if row else ()
    share = portfolio.fraction(row) if portfolio and row else None
    return IntakeRow(
        line=match.line,
        status=match.status,
        name=row.name if row else "",
        identifiers=", ".join(f"{label} {value}" for label, value in stated if value),
        weight=f"{share:.2%}" if share is not None else "",
        how=match.how,
        reason=match.reason,
        companies=tuple((v, registry.vendors[v].name) for v in named if v in registry.vendors),
    )


def _render(*, companies: Sequence[Company], letter: Letter, **facts: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        amount=_amount, day=_day, moment=_moment, link=_link, lang=_lang, word=_word, plural=_plural
    )
    known = letter.by_id()
    return environment.get_template("report.html.j2").render(
        companies=companies,
        letter=letter,
        clauses=known,
        cited=_cited(companies, letter),
        company_asks=letter.asks(COMPANY_ASKS),
        investor_asks=letter.asks(INVESTOR_ASKS),
        stages=STAGES,
        scopes=COUNTED,
        contact_variable=CONTACT_VARIABLE,
        **facts,
    )


def _cited(companies: Iterable[Company], letter: Letter) -> tuple[Clause, ...]:
    used = {clause for company in companies for c in (*company.contracts, *company.excluded) for clause in c.clauses}
    used |= {*COMPANY_ASKS, *INVESTOR_ASKS, "call.4.a"}
    return tuple(clause for clause in letter.clauses if clause.id in used)


def _write(out: Path, data: bytes) -> None:
    # Under another name first: a full disk or a killed command must not leave half a report.
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with disk_guard(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)


def _amount(value: Decimal) -> str:
    whole = value == value.to_integral_value()
    return f"{value:,.0f}" if whole else f"{value:,.4f}".rstrip("0") if _fine(value) else f"{value:,.2f}"


def _fine(value: Decimal) -> bool:
    """Whether the amount has more than two decimals, which must not be rounded away."""
    return value != value.quantize(Decimal("0.01"))


def _day(value: date | datetime | None) -> str:
    return f"{value:%Y-%m-%d}" if value else "not stated"


def _moment(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else "not on record"


def _link(url: str) -> str:
    """The URL where it may become a link: only http and https do, everything else stays text."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def _lang(code: str) -> str:
    return code if _LANGUAGE.match(code) else ""


def _word(code: str) -> str:
    """How the report says a codelist's value."""
    return WORDS.get(code) or code.replace("_", " ")


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


__all__ = ["CONTACT_VARIABLE", "Database", "make_report"]

"""An investor's holdings file, and which companies of the registry it holds.

Holdings stay in the caller's memory: nothing here writes, logs or caches them.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from stdnum import isin as stdnum_isin
from stdnum import lei as stdnum_lei

from models.vendor import Listing
from pipeline.errors import WrongUse
from pipeline.names import normalise, squash
from pipeline.registry import Registry

HoldingStatus = Literal["matched", "ambiguous", "unmatched", "not_in_registry", "rejected"]
Unit = Literal["percent", "fraction", "unknown"]

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "isin": ("isin", "isin code", "isin number", "security isin", "isin-code", "code isin"),
        "lei": ("lei", "lei code", "issuer lei", "legal entity identifier"),
        "ticker": ("ticker", "symbol", "ticker symbol", "bloomberg ticker", "bloomberg", "ric", "ticker code"),
        "mic": ("mic", "exchange", "exchange mic", "market", "mic code"),
        "name": (
            "name", "security name", "issuer", "issuer name", "company", "company name", "security", "holding",
            "holding name", "instrument", "instrument name", "description", "security description",
        ),
        "weight": (
            "weight", "weight %", "weight (%)", "% weight", "weighting", "portfolio weight", "% of portfolio",
            "% of fund", "% of net assets", "pct", "percentage", "allocation", "gewicht", "poids", "peso",
        ),
        "value": (
            "value", "market value", "amount", "position value", "holding value", "marketvalue", "mv", "valuation",
            "market value (eur)", "market value (usd)", "market value (gbp)",
        ),
    }
)  # fmt: skip
_FIELD_OF: Final = MappingProxyType({squash(alias): field for field, many in COLUMNS.items() for alias in many})
_STARTS_OF: Final = MappingProxyType({"marketvalue": "value", "weight": "weight"})  # 'Market value in EUR'
_IDENTIFYING: Final = frozenset(["isin", "lei", "ticker", "name"])
# 'Total SE' is a company: only the word alone, or with what is totalled, is a total row.
_TOTAL: Final = re.compile(
    r"(?:(?:grand |sub-?)?totals?(?: (?:portfolio|fund|holdings|assets|net assets|value))?|summe|gesamt|somme)\s*:?",
    re.IGNORECASE,
)
_MIC: Final = re.compile(r"^[A-Z0-9]{4}$")
# The exchange behind a Bloomberg composite code ('AAPL US Equity') or a Reuters/Yahoo suffix ('6701.T').
_EXCHANGE_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "JP": "XTKS", "HK": "XHKG", "KS": "XKRX", "KQ": "XKOS", "TT": "XTAI", "LN": "XLON", "FP": "XPAR", "GY": "XETR",
        "GR": "XETR", "SM": "XMAD", "IM": "XMIL", "SS": "XSTO", "C1": "XSHG", "C2": "XSHE", "AU": "XASX", "TI": "XIST",
        "NA": "XAMS", "BZ": "BVMF", "RM": "MISX", "TB": "XBKK",
    }
)  # fmt: skip
_SUFFIX_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "T": "XTKS", "HK": "XHKG", "KS": "XKRX", "KQ": "XKOS", "TW": "XTAI", "TWO": "ROCO", "L": "XLON", "PA": "XPAR",
        "DE": "XETR", "MC": "XMAD", "MI": "XMIL", "ST": "XSTO", "SS": "XSHG", "SZ": "XSHE", "AX": "XASX", "IS": "XIST",
        "AS": "XAMS", "SA": "BVMF", "ME": "MISX", "BK": "XBKK", "NS": "XNSE",
    }
)  # fmt: skip


class PortfolioError(WrongUse):
    """The file as a whole cannot be read as holdings: why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One row. `line` counts from 1 and is the row's first line in the file; '' and None are what it does not state."""

    line: int
    isin: str = ""
    lei: str = ""
    ticker: str = ""
    mic: str = ""
    name: str = ""
    weight: Decimal | None = None
    value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that is not used, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The rows of a holdings file. `weight_unit` is judged from the sum of the weights as given, `weight_sum`."""

    holdings: tuple[Holding, ...]
    rejected: tuple[RejectedRow, ...]
    skipped: tuple[RejectedRow, ...]
    columns: Mapping[str, str]
    weight_unit: Unit
    weight_sum: Decimal | None

    def fraction(self, holding: Holding) -> Decimal | None:
        """The holding's share of the portfolio between 0 and 1, or None where the unit is not known."""
        if holding.weight is None or self.weight_unit == "unknown":
            return None
        return holding.weight / 100 if self.weight_unit == "percent" else holding.weight


@dataclass(frozen=True, slots=True)
class HoldingMatch:
    """What one row was matched to. Only `matched` says that the registry's company is held.

    `vendor_ids` starts with the company itself, followed by its subsidiaries in the registry, which are in
    `subsidiary_ids` too; for `ambiguous` it lists the possible companies. `not_in_registry` is not a clean record.
    """

    line: int
    status: HoldingStatus
    vendor_ids: tuple[str, ...] = ()
    subsidiary_ids: tuple[str, ...] = ()
    how: str = ""
    reason: str = ""


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif data[1:2] == b"\0":
        encoding = "utf-16-le"
    elif data[:1] == b"\0":
        encoding = "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        # Byte values that cp1252 leaves undefined become U+FFFD: a spoilt letter must not lose the whole file.
        text = data.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _delimiter(header: str) -> str:
    counts = {mark: header.count(mark) for mark in "\t;,"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else ","


def _cells(row: Sequence[str]) -> list[str]:
    return [cell.strip().strip("\ufeff") for cell in row]


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) from the header on; lines above a known header, such as a fund's title, are passed over."""
    lines = text.split("\n")
    header_at = 0
    start = 1
    try:
        for number, line in enumerate(lines):
            if _known(_cells(next(csv.reader([line], delimiter=_delimiter(line)), []))):
                header_at = number
                break
        reader = csv.reader(io.StringIO("\n".join(lines[header_at:])), delimiter=_delimiter(lines[header_at]))
        start = header_at + 1
        for row in reader:
            yield start, _cells(row)
            start = header_at + reader.line_num + 1
    except csv.Error as error:
        raise PortfolioError(f"The file cannot be read as a table at line {start}: {error}.") from error


def _known(header: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, cell in enumerate(header):
        folded = squash(cell)
        field = _FIELD_OF.get(folded) or next((f for start, f in _STARTS_OF.items() if folded.startswith(start)), None)
        if field:
            found.setdefault(field, index)
    return found if _IDENTIFYING & found.keys() else {}


def _bare_number(text: str) -> str:
    body = re.sub(r"[\s%'’\u00a0\u202f€$£]", "", text)
    if body in {"-", "–", "--"} or body.casefold() in {"n/a", "na"}:
        return ""
    return f"-{body[1:-1]}" if re.fullmatch(r"\(.+\)", body) else body


def _decimal_mark(cells: Sequence[str], thousands_likely: bool) -> str:
    """The decimal mark of a column of numbers, told by the cells that leave no doubt.

    '1.234,5' and '12,5' speak for the comma, '1,234.5' and '12.5' for the point, '1,234,567' for the point too;
    '1,234' alone says nothing: then a share has decimals, an amount of money has thousands.
    """
    doubtful = ""
    for cell in cells:
        marks = [char for char in _bare_number(cell) if char in ",."]
        if not marks:
            continue
        last = marks[-1]
        other = "." if last == "," else ","
        if other in marks:
            return last
        if len(marks) > 1:
            return other
        if len(_bare_number(cell).rsplit(last, 1)[1]) != 3:
            return last
        doubtful = last
    if not doubtful:
        return "."
    return ("." if doubtful == "," else ",") if thousands_likely else doubtful


def _number(text: str, decimal_mark: str) -> Decimal | None:
    body = _bare_number(text)
    if not body:
        return None
    body = body.replace("," if decimal_mark == "." else ".", "").replace(decimal_mark, ".")
    try:
        number = Decimal(body)
    except InvalidOperation:
        raise ValueError(text) from None
    if not number.is_finite():
        raise ValueError(text)
    return number


def _split_ticker(text: str) -> tuple[str, str]:
    parts = text.upper().split()
    if len(parts) >= 2:
        return parts[0], _EXCHANGE_OF.get(parts[1], "")
    bare, dot, suffix = text.upper().rpartition(".")
    if dot and suffix in _SUFFIX_OF:
        return bare, _SUFFIX_OF[suffix]
    return text.upper(), ""


def _holding(line: int, cells: Mapping[str, str], marks: Mapping[str, str]) -> Holding:
    isin, lei = (re.sub(r"[\s-]", "", cells.get(field, "")).upper() for field in ("isin", "lei"))
    if isin and not stdnum_isin.is_valid(isin):
        raise ValueError(f"the ISIN {isin} has a wrong check digit or form")
    if lei and not stdnum_lei.is_valid(lei):
        raise ValueError(f"the LEI {lei} has wrong check digits or form")
    ticker, mic = _split_ticker(cells.get("ticker", ""))
    stated = cells.get("mic", "").upper()
    numbers: dict[str, Decimal | None] = {}
    for field in ("weight", "value"):
        try:
            numbers[field] = _number(cells.get(field, ""), marks[field])
        except ValueError as error:
            raise ValueError(f"the {field} {cells[field]!r} is not a number") from error
    return Holding(
        line=line, isin=isin, lei=lei, ticker=ticker, mic=stated if _MIC.match(stated) else mic,
        name=cells.get("name", ""), weight=numbers["weight"], value=numbers["value"],
    )  # fmt: skip


def _unit(total: Decimal | None) -> Unit:
    if total is None:
        return "unknown"
    if Decimal(90) <= total <= Decimal(110):
        return "percent"
    if Decimal("0.9") <= total <= Decimal("1.1"):
        return "fraction"
    return "unknown"


def read_portfolio(path: Path) -> Portfolio:
    """Read a holdings file: CSV with comma, semicolon or tab, in UTF-8, UTF-16 or cp1252, header in any order.

    A row with a wrong ISIN or LEI or an unreadable number is rejected with its line and the reason, and the rest goes
    on; total rows and empty rows are skipped. Raises `PortfolioError` when no identifying column is known or the file
    is not a table, and `OSError` when it cannot be opened.
    """
    rows = _rows(_decode(path.read_bytes()))
    _, header = next(rows, (1, []))
    columns = _known(header)
    if not columns:
        seen = ", ".join(repr(cell) for cell in header if cell) or "none"
        raise PortfolioError(
            f"No column of {path.name} identifies a holding: seen {seen}; known are {', '.join(COLUMNS)} "
            "and their usual spellings, and one of isin, lei, ticker or name is needed."
        )
    holdings: list[Holding] = []
    rejected: list[RejectedRow] = []
    skipped: list[RejectedRow] = []
    table: list[tuple[int, dict[str, str]]] = []
    for line, row in rows:
        cells = {field: row[index] for field, index in columns.items() if index < len(row)}
        first = next((cell for cell in row if cell), "")
        if _TOTAL.fullmatch(first):
            skipped.append(RejectedRow(line, "a total row"))
        elif first:
            table.append((line, cells))
    marks = {
        field: _decimal_mark([cells.get(field, "") for _, cells in table], thousands_likely=field == "value")
        for field in ("weight", "value")
    }
    for line, cells in table:
        try:
            holdings.append(_holding(line, cells, marks))
        except ValueError as error:
            rejected.append(RejectedRow(line, str(error)))
    weights = [holding.weight for holding in holdings if holding.weight is not None]
    total = sum(weights, Decimal(0)) if weights else None
    return Portfolio(
        holdings=tuple(holdings),
        rejected=tuple(rejected),
        skipped=tuple(skipped),
        columns=MappingProxyType({field: header[index] for field, index in columns.items()}),
        weight_unit=_unit(total),
        weight_sum=total,
    )


class _Names:
    """The registry's names by folded key, split into clear and ambiguous ones."""

    def __init__(self, registry: Registry) -> None:
        clear: dict[str, set[str]] = {}
        unclear: dict[str, set[str]] = {}
        for vendor, name, ambiguous, own in registry.names():
            normal = normalise(name)
            bare = normal.key.replace(" ", "")
            (unclear if ambiguous else clear).setdefault(bare, set()).add(vendor.id)
            if own and normal.legal_form:
                # With its legal form a holding's name is the issuer's own, whatever else the bare word means.
                clear.setdefault(f"{bare}|{normal.legal_form}", set()).add(vendor.id)
        self._clear, self._unclear = MappingProxyType(clear), MappingProxyType(unclear)

    def find(self, name: str) -> tuple[set[str], bool]:
        """Vendor ids with this name, and whether it stands for one of them without doubt."""
        normal = normalise(name)
        bare = normal.key.replace(" ", "")
        full = self._clear.get(f"{bare}|{normal.legal_form}", set()) if normal.legal_form else set()
        if len(full) == 1:
            return set(full), True
        doubtful = self._unclear.get(bare, set())
        found = self._clear.get(bare, set()) | doubtful
        return found, len(found) == 1 and not doubtful


def _match_one(holding: Holding, registry: Registry, names: _Names) -> HoldingMatch:
    by: dict[str, set[str]] = {}
    for how, value in (("ISIN", holding.isin), ("LEI", holding.lei)):
        hits = registry.by_security(isin=value) if how == "ISIN" else registry.by_security(lei=value)
        if value and hits:
            by[how] = set(hits)
    if holding.ticker and (hits := registry.by_security(ticker=holding.ticker, mic=holding.mic or None)):
        by["ticker and exchange" if holding.mic else "ticker"] = set(hits)
    named, clear = names.find(holding.name) if holding.name else (set[str](), False)

    strong = {how: ids for how, ids in by.items() if how in {"ISIN", "LEI"}}
    if strong:
        agreed = set.intersection(*strong.values())
        if len(agreed) != 1:
            return _ambiguous(holding, set.union(*strong.values()), "the ISIN and the LEI are of different companies")
        if named and clear and not named & agreed:
            return _ambiguous(holding, agreed | named, f"the {' and '.join(strong)} and the name disagree")
        return _held(holding, agreed.pop(), " and ".join(strong), registry)
    weak = next(iter(by.values()), set())
    if holding.isin or holding.lei:
        # The row's own identifier is valid and not ours: a name or ticker alone cannot overrule it.
        if possible := (named if clear else set()) | (weak & named):
            why = "its identifier is not in the registry: another security of this company, or another company"
            return _ambiguous(holding, possible, why)
        return _absent(holding, "identifier")
    if weak and named and not weak & named:
        return _ambiguous(holding, weak | named, "the ticker and the name belong to different companies")
    both = weak & named
    if len(both) == 1:
        return _held(holding, both.pop(), "ticker and name", registry)
    if weak:
        listed = {v for v in weak if any(_lists(listing, holding) for listing in registry.vendors[v].listings)}
        if len(listed) == 1 and not holding.name:
            return _held(holding, listed.pop(), "ticker and exchange", registry)
        return _ambiguous(holding, weak, "a ticker needs its exchange or an agreeing name to stand for one security")
    if len(named) == 1 and clear:
        return _held(holding, named.pop(), "name", registry)
    if named:
        return _ambiguous(holding, named, "the name alone is a common word or that of several companies")
    if holding.ticker or holding.name:
        return _absent(holding, "ticker or name")
    return HoldingMatch(holding.line, "unmatched", reason="the row has no ISIN, LEI, ticker or name")


def _lists(listing: Listing, holding: Holding) -> bool:
    return bool(holding.mic) and (listing.ticker.upper(), listing.mic) == (holding.ticker, holding.mic)


def _ambiguous(holding: Holding, vendor_ids: set[str], reason: str) -> HoldingMatch:
    return HoldingMatch(holding.line, "ambiguous", tuple(sorted(vendor_ids)), reason=reason)


def _absent(holding: Holding, what: str) -> HoldingMatch:
    reason = f"no registered company has its {what}; that says nothing about its contracts"
    return HoldingMatch(holding.line, "not_in_registry", reason=reason)


def _held(holding: Holding, vendor_id: str, how: str, registry: Registry) -> HoldingMatch:
    below = registry.subsidiaries(vendor_id)
    reason = f"with its subsidiaries {', '.join(below)}" if below else ""
    return HoldingMatch(holding.line, "matched", (vendor_id, *below), below, how, reason)


def match_portfolio(portfolio: Portfolio, registry: Registry) -> list[HoldingMatch]:
    """One `HoldingMatch` a row of the file, rejected ones included, in the order of the lines. Never raises.

    Identifiers come first (ISIN, LEI), then ticker with exchange, then name; what contradicts itself is `ambiguous`.
    Subsidiaries follow the company that is held; a parent of what is held does not.
    """
    names = _Names(registry)
    out = [_match_one(holding, registry, names) for holding in portfolio.holdings]
    out.extend(HoldingMatch(row.line, "rejected", reason=row.reason) for row in portfolio.rejected)
    return sorted(out, key=lambda match: match.line)

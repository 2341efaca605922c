"""Amounts and dates as portals write them, read strictly: what does not fit is an error with its raw text."""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from dateutil import parser as dates

_CURRENCY_LETTERS = 3


def read_amount(raw: object) -> Decimal:
    """A Decimal from a JSON number or a plain numeral. Raises ValueError for anything else, also NaN and infinity."""
    if isinstance(raw, bool) or raw is None:
        raise ValueError(f"{raw!r} is not an amount")
    try:
        amount = Decimal(str(raw).strip())
    except InvalidOperation:
        raise ValueError(f"{raw!r} is not an amount") from None
    if not amount.is_finite():
        raise ValueError(f"{raw!r} is not an amount")
    return amount


def read_currency(raw: object) -> str | None:
    """An ISO 4217 code in capitals, or None for an empty one. Raises ValueError for what cannot be a code."""
    if raw is None or raw == "":
        return None
    code = str(raw).strip().upper()
    if len(code) != _CURRENCY_LETTERS or not code.isalpha():
        raise ValueError(f"{raw!r} is not a currency code")
    return code


def read_moment(raw: str) -> datetime:
    """A zone-aware UTC time from ISO 8601; a time without a zone is taken as UTC. Raises ValueError."""
    try:
        moment = dates.isoparse(raw.strip())
    except (ValueError, OverflowError):
        raise ValueError(f"{raw!r} is not an ISO 8601 date") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def read_day(raw: str, order: str = "iso") -> date:
    """A calendar day as written, in its own zone. `order` is `iso`, `dmy` or `mdy`. Raises ValueError."""
    text = raw.strip()
    if order == "iso":
        try:
            return dates.isoparse(text).date()
        except (ValueError, OverflowError):
            raise ValueError(f"{raw!r} is not an ISO 8601 date") from None
    try:
        return dates.parse(text, dayfirst=order == "dmy", default=datetime(1, 1, 1, tzinfo=UTC)).date()
    except (ValueError, OverflowError):
        raise ValueError(f"{raw!r} is not a {order} date") from None

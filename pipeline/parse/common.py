"""What every parser shares: a misfit as an exception, problems with their place, notes gathered beside a release."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from models.procurement import Parsed, Place, Release
from models.run import Problem
from pipeline.redact import redact
from pipeline.values import read_day

_RAW = 200


class Misfit(ValueError):
    """A record that does not fit; becomes a rejected Problem of that kind."""

    def __init__(self, kind: str, detail: str, raw: object = "") -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.raw = str(raw)[:_RAW]


@dataclass
class Notes:
    """Gathers what is new or odd about one record that is kept all the same."""

    place: Place
    problems: list[Problem] = field(default_factory=list)

    def __call__(self, kind: str, detail: str, raw: object = "") -> None:
        self.problems.append(
            Problem(
                kind=kind,
                detail=detail,
                severity="note",
                payload_sha256=self.place.payload_sha256,
                pointer=self.place.pointer,
                raw=redact(str(raw)[:_RAW]),
            )
        )


def rejected(misfit: Misfit, place: Place) -> Problem:
    """The problem that stands in for a record that did not fit."""
    return Problem(
        kind=misfit.kind,
        detail=misfit.detail,
        payload_sha256=place.payload_sha256,
        pointer=place.pointer,
        raw=redact(misfit.raw),
    )


def read_strictly(read: Callable[[Notes], Release], place: Place) -> Iterator[Parsed | Problem]:
    """The release that `read` makes of one record, then what it noted; or the problem that stands in for the record."""
    note = Notes(place)
    try:
        release = read(note)
    except Misfit as misfit:
        yield rejected(misfit, place)
        return
    yield Parsed(release=release, place=place)
    yield from note.problems


def text_of(holder: Any, key: str) -> str:
    """The stripped text of a field that may be absent, null or a number; empty otherwise."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def required(holder: Any, key: str) -> str:
    """The text of a field that a record cannot do without. Raises Misfit `missing_field`."""
    value = text_of(holder, key)
    if not value:
        raise Misfit("missing_field", f"`{key}` is missing", holder if not isinstance(holder, dict) else "")
    return value


def day_of(holder: Any, key: str, note: Notes) -> date | None:
    """The calendar day in a field, as written; None when it is absent, or unreadable, which is noted."""
    raw = text_of(holder, key)
    if not raw:
        return None
    try:
        return read_day(raw)
    except ValueError as error:
        note("unreadable_date", f"`{key}`: {error}", raw)
        return None

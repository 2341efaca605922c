"""Merges what was said of one contracting process, over releases and sources, into one contract. Pure.

What is told by several sources is never added up: one total is chosen, and a note says what the others tell.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from models.codes import Basis, Candidacy, Lifecycle, Role, ValueKind
from models.procurement import Child, Party, Place, Release, Status, Value
from pipeline.build.same_party import same_parties

_T = TypeVar("_T")
# Above it an amount is a slip of the keyboard; sums below it fit the columns.
LARGEST: Final = Decimal(10) ** 24
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_CANDIDACIES: Final = (Candidacy.TEXT, Candidacy.VENDOR, Candidacy.PROBE)
_DIGITS: Final = re.compile(r"(\d+)")
# Sources that round to whole units do not disagree.
_ROUNDING: Final = Decimal(1)
# Ends and halts that a source states outlast what is merely computed from dates.
_LASTING: Final = frozenset({Lifecycle.CANCELLED, Lifecycle.TERMINATED, Lifecycle.COMPLETE, Lifecycle.SUSPENDED})


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release, where its bytes lie, when they were fetched, and why it was kept (None: history of a candidate)."""

    release: Release
    place: Place
    fetched_at: datetime | None = None
    candidacy: Candidacy | None = None


@dataclass(frozen=True, slots=True)
class MergedChild:
    """An award or contract as last known; `releases` counts the releases that speak of it."""

    child: Child
    releases: int


@dataclass(frozen=True, slots=True)
class SourceOf:
    """One source of a process: its newest place and how many of its releases there are."""

    source_id: str
    place: Place
    releases: int


@dataclass(frozen=True, slots=True)
class Merged:
    """A contracting process as last known. `place` is the newest release's; `notes` say what could not be merged.

    `published_on` is the day of the first dated release, `updated_on` of the last. `aliases` are pairs of a local id
    that another source gives a party and the party's own.
    """

    contract_id: str
    source_id: str
    native_id: str
    title: str
    language: str | None
    country: str | None
    buyer: str | None
    procurement_method: str | None
    classifications: tuple[str, ...]
    status: Status
    tender_ends_on: date | None
    starts_on: date | None
    ends_on: date | None
    value: Value | None
    published_on: date | None
    updated_on: date | None
    candidacy: Candidacy | None
    releases: tuple[ReleaseRow, ...]
    place: Place
    children: tuple[MergedChild, ...]
    parties: tuple[Party, ...]
    sources: tuple[SourceOf, ...]
    notes: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()


def merge(rows: Sequence[ReleaseRow]) -> Merged:
    """One contract out of the releases of one process: the newest that says something of a field wins.

    A release that came twice counts once. Raises ValueError when there is none, or they are of several processes.
    """
    notes: list[str] = []
    releases = tuple(sorted((_believable(row, notes) for row in _distinct(rows)), key=_age))
    if len({row.release.contract_id for row in releases}) != 1:
        raise ValueError("merge takes the releases of exactly one process")
    newest = releases[-1]
    said = [row.release for row in reversed(releases)]
    aliases = same_parties(said)
    children = _children(releases, aliases, notes)
    days = [day for row in releases if (day := row.release.published_on)]
    return Merged(
        contract_id=newest.release.contract_id,
        source_id=newest.release.source_id,
        native_id=newest.release.native_id,
        title=_title(said),
        language=_first(said, lambda r: r.language),
        country=_first(said, lambda r: r.country),
        buyer=_first(said, _buyer),
        procurement_method=_first(said, lambda r: r.procurement_method),
        classifications=tuple(f"{c.scheme}:{c.id}" for c in _first(said, lambda r: r.classifications) or ()),
        status=_status(r.status for r in said),
        tender_ends_on=_first(said, lambda r: r.tender_ends_on),
        starts_on=_first(said, lambda r: r.starts_on),
        ends_on=_first(said, lambda r: r.ends_on),
        value=_contract_value([c.child for c in children], _first(said, lambda r: r.value)),
        published_on=min(days, default=None),
        updated_on=max(days, default=None),
        candidacy=_candidacy(releases),
        releases=releases,
        place=newest.place,
        children=children,
        parties=_parties(said, children, aliases),
        sources=_sources(releases),
        notes=tuple(notes),
        aliases=tuple(sorted(aliases.items())),
    )


def _distinct(rows: Iterable[ReleaseRow]) -> list[ReleaseRow]:
    kept: dict[str, ReleaseRow] = {}
    for row in rows:
        other = kept.get(row.release.release_id)
        if other is None or _copy(row) < _copy(other):
            kept[row.release.release_id] = row
    return list(kept.values())


def _believable(row: ReleaseRow, notes: list[str]) -> ReleaseRow:
    """The row without amounts that no currency knows and no column holds."""
    release = row.release
    values = [release.value, *(child.value for child in release.children)]
    if all(value is None or abs(value.amount) < LARGEST for value in values):
        return row

    def kept(value: Value | None) -> Value | None:
        if value is None or abs(value.amount) < LARGEST:
            return value
        notes.append(f"release {release.release_id} states an amount of {value.amount:.2e}, which was left out")
        return None

    children = tuple(c.model_copy(update={"value": kept(c.value)}) for c in release.children)
    return replace(row, release=release.model_copy(update={"value": kept(release.value), "children": children}))


def _copy(row: ReleaseRow) -> tuple[Any, ...]:
    # Bytes whose fetch is not on record come after all others.
    return row.fetched_at is None, row.fetched_at or _LONG_AGO, row.place.payload_sha256, row.place.pointer


def _age(row: ReleaseRow) -> tuple[Any, ...]:
    """Oldest first. Within one file and day a later record is newer: `row=10` comes after `row=9`."""
    pointer = tuple(int(part) if part.isdigit() else part for part in _DIGITS.split(row.place.pointer))
    return (
        row.release.published_at or _LONG_AGO,
        row.fetched_at or _LONG_AGO,
        row.place.payload_sha256,
        pointer,
        row.release.release_id,
    )


def _first(newest_first: Iterable[Any], field: Callable[[Any], _T]) -> _T | None:
    return next((value for record in newest_first if (value := field(record))), None)


def _status(newest_first: Iterable[Status]) -> Status:
    """The newest that says a lifecycle or quotes a word, be it one we do not know; else the newest.

    One that rests on dates alone gives way to the last word that was stated before it, when that was an end: dates
    of a contract that was terminated may go on saying that it runs.
    """
    statuses = list(newest_first)
    found = next((s for s in statuses if s.raw is not None or s.lifecycle is not Lifecycle.UNKNOWN), statuses[0])
    if found.raw is None and found.basis is Basis.DATES:
        stated = next((s for s in statuses if s.raw is not None), None)
        if stated is not None and stated.lifecycle in _LASTING:
            return stated
    return found


def _buyer(release: Release) -> str | None:
    for role in (Role.BUYER, Role.PROCURING_ENTITY):
        names = ["[natural person]" if p.natural_person else p.name for p in release.with_role(role)]
        if names := [name for name in dict.fromkeys(names) if name]:
            return "; ".join(names)
    return None


def _candidacy(releases: Sequence[ReleaseRow]) -> Candidacy | None:
    found = {row.candidacy for row in releases}
    return next((c for c in _CANDIDACIES if c in found), None)


@dataclass(frozen=True, slots=True)
class _Version:
    """An award or contract as one release of a source has it."""

    source_id: str
    child: Child


def _children(releases: Sequence[ReleaseRow], aliases: Mapping[str, str], notes: list[str]) -> tuple[MergedChild, ...]:
    history: dict[tuple[str, str], list[_Version]] = {}
    spoken: dict[tuple[str, str], set[str]] = {}
    for row in releases:
        for child in row.release.children:
            key = (child.kind, child.native_id)
            history.setdefault(key, []).append(_Version(row.release.source_id, child))
            spoken.setdefault(key, set()).add(row.release.release_id)
    merged = {key: _child(versions, aliases, notes) for key, versions in sorted(history.items())}
    return tuple(MergedChild(_with_award_suppliers(child, merged), len(spoken[key])) for key, child in merged.items())


def _child(oldest_first: Sequence[_Version], aliases: Mapping[str, str], notes: list[str]) -> Child:
    said = [version.child for version in reversed(oldest_first)]
    values = [(v.source_id, v.child.value) for v in reversed(oldest_first) if v.child.value]
    suppliers = _first(said, lambda c: c.supplier_ids) or ()
    status = _status(c.status for c in said)
    ends_on = _first(said, lambda c: c.ends_on)
    if status.lifecycle is Lifecycle.UNKNOWN and status.raw is None:
        status = Status(basis=Basis.DATES if ends_on else Basis.NONE)
    return Child(
        kind=said[0].kind,
        native_id=said[0].native_id,
        award_id=_first(said, lambda c: c.award_id),
        lot_ids=_first(said, lambda c: c.lot_ids) or (),
        title=_first(said, lambda c: c.title) or "",
        status=status,
        signed_on=_first(said, lambda c: c.signed_on),
        starts_on=_first(said, lambda c: c.starts_on),
        ends_on=ends_on,
        value=_child_value(values, said[0].native_id, notes),
        supplier_ids=tuple(dict.fromkeys(aliases.get(local_id, local_id) for local_id in suppliers)),
    )


def _title(newest_first: Sequence[Release]) -> str:
    """The newest title; of transactions the first one's: a modification says what it changes, not what is bought.

    A release that tells of all transactions so far has the award's own title, and goes before them.
    """
    values = [(r, c.value) for r in newest_first for c in r.children if c.value]
    obligations = [(r, v) for r, v in values if v.kind is ValueKind.OBLIGATION]
    whole = _first((r for r, v in obligations if v.cumulative), lambda r: r.title)
    return whole or _first(reversed(newest_first) if obligations else newest_first, lambda r: r.title) or ""


def _child_value(newest_first: Sequence[tuple[str, Value]], native_id: str, notes: list[str]) -> Value | None:
    """The newest value; of obligations the newest total that a source states, else the sum of one source's.

    Totals of two sources tell of the same money: they are compared and never added.
    """
    if not newest_first:
        return None
    newest = newest_first[0][1]
    if newest.kind is not ValueKind.OBLIGATION:
        return newest
    amounts = [(source_id, v) for source_id, v in newest_first if v.kind is ValueKind.OBLIGATION]
    if len({v.currency for _, v in amounts}) > 1:
        notes.append(f"the obligations of {native_id} are in several currencies and were not added")
        return None
    by_source: dict[str, list[Value]] = {}
    for source_id, value in amounts:
        by_source.setdefault(source_id, []).append(value)
    totals = {source_id: _total(values) for source_id, values in by_source.items()}
    # The sources stand in the order of their newest values.
    stated = next((source_id for source_id, v in amounts if v.cumulative), None)
    chosen = stated or next(iter(totals))
    total = totals[chosen]
    others = {s: t for s, t in totals.items() if abs(t.amount - total.amount) >= _ROUNDING}
    if others:
        told = ", ".join(f"{source_id} of {one.amount:,.2f}" for source_id, one in sorted(others.items()))
        notes.append(f"{chosen} tells of obligations of {total.amount:,.2f} for {native_id}, {told}; the first counts")
    return total


def _total(newest_first: Sequence[Value]) -> Value:
    """What one source says was obligated in all: its newest total, else the sum of its transactions."""
    stated = next((v for v in newest_first if v.cumulative), None)
    if stated is not None:
        return stated
    return newest_first[0].model_copy(update={"amount": sum((v.amount for v in newest_first), Decimal(0))})


def _with_award_suppliers(child: Child, merged: dict[tuple[str, str], Child]) -> Child:
    # OCDS: the suppliers of a contract are those of the award it names.
    if child.kind != "contract" or child.supplier_ids or child.award_id is None:
        return child
    award = merged.get(("award", child.award_id))
    return child.model_copy(update={"supplier_ids": award.supplier_ids}) if award else child


def _contract_value(children: Sequence[Child], estimate: Value | None) -> Value | None:
    """The children's sum within one kind and one currency; without any value among them the tender's own.

    An award gives way to the contract that names it, once that has a value; cancelled ones do not count while
    others have a value. None when kinds or currencies are mixed: they are never added.
    """
    replaced = {c.award_id for c in children if c.kind == "contract" and c.award_id and c.value}
    # What a lot is thought to be worth is part of the tender's own estimate.
    counting = [
        c for c in children if c.value and c.kind != "lot" and not (c.kind == "award" and c.native_id in replaced)
    ]
    standing = [c for c in counting if c.status.lifecycle is not Lifecycle.CANCELLED]
    values = [c.value for c in standing or counting if c.value]
    if not values:
        return estimate
    if len({(v.kind, v.currency) for v in values}) > 1:
        return None
    return values[0].model_copy(update={"amount": sum((v.amount for v in values), Decimal(0))})


def _parties(
    newest_first: Sequence[Release], children: Sequence[MergedChild], aliases: Mapping[str, str]
) -> tuple[Party, ...]:
    versions: dict[str, list[Party]] = {}
    for release in newest_first:
        for party in release.parties:
            local_id = aliases.get(party.local_id, party.local_id)
            versions.setdefault(local_id, []).append(party)
    merged = {local_id: _party(local_id, said) for local_id, said in versions.items()}
    for child in children:
        for local_id in child.child.supplier_ids:
            if local_id not in merged:
                # An award may point at a supplier that no list of parties names; it is kept without a name.
                merged[local_id] = Party(local_id=local_id, name="", roles=(Role.SUPPLIER,))
    return tuple(merged[local_id] for local_id in sorted(merged))


def _party(local_id: str, said: Sequence[Party]) -> Party:
    person = any(p.natural_person for p in said)
    return Party(
        local_id=local_id,
        # Once taken for a person, never named: hiding a firm harms less than naming a person.
        name="" if person else _first(said, lambda p: p.name) or "",
        roles=_first(said, lambda p: p.roles) or (),
        identifiers=() if person else _first(said, lambda p: p.identifiers) or (),
        country=_first(said, lambda p: p.country),
        natural_person=person,
    )


def _sources(releases: Sequence[ReleaseRow]) -> tuple[SourceOf, ...]:
    newest = {row.release.source_id: row for row in releases}
    return tuple(
        SourceOf(source_id, newest[source_id].place, sum(r.release.source_id == source_id for r in releases))
        for source_id in sorted(newest)
    )

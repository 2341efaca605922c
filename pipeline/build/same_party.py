"""Finds one organisation under the local ids that several sources give it within one contract. Pure."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Final

from models.procurement import Party, Release
from pipeline.names import normalise
from pipeline.parse.ocds_parties import opaque_id

# Schemes of a party's owner end so: subsidiaries that share one are not one company.
_OF_THE_OWNER: Final = "-PARENT"


def same_parties(newest_first: Sequence[Release]) -> dict[str, str]:
    """From each local id that is not kept to the one that stands for the party; empty for a single source.

    Parties of different sources are one when they share a number, or a name and a role while no number speaks
    against it. Local ids of one source are its own statement of who is who, and are left alone. A party whose name
    another source took for a person's is that person.
    """
    seen: dict[str, tuple[set[str], list[Party]]] = {}
    for release in newest_first:
        for party in release.parties:
            sources, versions = seen.setdefault(party.local_id, (set(), []))
            sources.add(release.source_id)
            versions.append(party)
    if len({release.source_id for release in newest_first}) < 2:
        return {}
    kept = {local_id: local_id for local_id in seen}
    for one, other in combinations(sorted(seen), 2):
        (here, first), (there, second) = seen[one], seen[other]
        if kept[one] == kept[other] or not here.isdisjoint(there) or not _same(one, first, other, second):
            continue
        left, right = ([key for key, value in kept.items() if value == kept[side]] for side in (one, other))
        # Two companies of one name stay two, though a source without numbers cannot tell them apart.
        if any(_differ(seen[a][1], seen[b][1]) for a, b in product(left, right)):
            continue
        group = [*left, *right]
        kept.update(dict.fromkeys(group, min(group, key=lambda key: _rank(key, seen[key][1]))))
    return {local_id: standing for local_id, standing in sorted(kept.items()) if local_id != standing}


def _rank(local_id: str, versions: Sequence[Party]) -> tuple[bool, bool, str]:
    """A person's id first, since it hides the name; then one that a register knows."""
    return not any(p.natural_person for p in versions), not any(p.identifiers for p in versions), local_id


def _same(one: str, first: Sequence[Party], other: str, second: Sequence[Party]) -> bool:
    if any(p.natural_person for p in (*first, *second)):
        return any(opaque_id(p.name) in (one, other) for p in (*first, *second) if p.name)
    if _numbers(first) & _numbers(second):
        return True
    if _differ(first, second):
        return False
    roles = {role for p in first for role in p.roles} & {role for p in second for role in p.roles}
    names = {normalise(p.name) for p in first if p.name} & {normalise(p.name) for p in second if p.name}
    return bool(roles and names)


def _differ(first: Sequence[Party], second: Sequence[Party]) -> bool:
    """Whether a register gives both a number and they share none, or they are of different countries."""
    here, there = _numbers(first), _numbers(second)
    if {scheme for scheme, _ in here} & {scheme for scheme, _ in there} and not here & there:
        return True
    countries = {p.country for p in first if p.country}, {p.country for p in second if p.country}
    return all(countries) and countries[0].isdisjoint(countries[1])


def _numbers(versions: Sequence[Party]) -> set[tuple[str, str]]:
    return {
        (number.scheme, number.id)
        for party in versions
        for number in party.identifiers
        if not number.scheme.endswith(_OF_THE_OWNER)
    }

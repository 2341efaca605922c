"""A look at a record's raw JSON, before it is read whole: can any candidate come of it?"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from pipeline.names import normalise, run_together
from pipeline.records import Records
from pipeline.registry import Registry
from pipeline.resolve import scheme_key
from pipeline.screen import Screen, side_by_side

Glance = Callable[[bytes], bool]


def make_glance(screen: Screen, registry: Registry) -> Glance:
    """Says False of a JSON record only where `Candidates.decide` would find no reason to keep its release.

    It looks at every string, name, number and code wherever it stands, so that it need not know how a release is
    built: what a parser takes out of a record is among what it sees. Redaction only takes away. Nearly all records hold
    no such letters at all and are passed over as bytes.
    """
    names, numbers = _of_sole_purpose(registry)
    records = records_of(screen, registry)

    def glance(record: bytes) -> bool:
        if not records.may_hold(record):
            return False
        try:
            value = orjson.loads(record)
        except orjson.JSONDecodeError:
            return True
        texts: list[str] = []
        below = [value] if isinstance(value, str | dict | list) else []
        # No recursion: what comes in may be nested as deep as it likes.
        while below:
            one = below.pop()
            if isinstance(one, str):
                texts.append(one)
                continue
            if isinstance(one, dict):
                if telling(one):
                    return True
                inner: Iterable[Any] = one.values()
            else:
                inner = one
            for each in inner:
                if isinstance(each, str):
                    texts.append(each)
                elif isinstance(each, dict | list):
                    below.append(each)
        return screen.may_matter(side_by_side(texts))

    def telling(one: dict[str, Any]) -> bool:
        """Whether it is a code that is probed, or a party that is a vendor with one purpose."""
        code, scheme = one.get("id"), one.get("scheme")
        if (
            isinstance(scheme, str)
            and isinstance(code, str | int)
            and (screen.classified(scheme, str(code)) or scheme_key(scheme, str(code)) in numbers)
        ):
            return True
        name = one.get("name")
        if not names or not isinstance(name, str):
            return False
        letters = run_together(name)
        # A legal form in characters without spaces may stand amid the name, and is not part of its key.
        return any(known in letters for known in names) or (
            not name.isascii() and normalise(name).key.replace(" ", "") in names
        )

    return glance


def records_of(screen: Screen, registry: Registry) -> Records:
    """The first look at a record, as bytes: for what the texts may hold, for probed codes and sole-purpose vendors."""
    names, numbers = _of_sole_purpose(registry)
    codes = ("id" + prefix for prefix in screen.code_prefixes)
    registered = (number.rpartition(" ")[2] for number in numbers)
    # "&" is read as "and" in names.
    called = (form for name in names for form in (name, name.replace("and", "")) if form)
    return Records(screen, [*codes, *registered, *called])


def _of_sole_purpose(registry: Registry) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names run together and register numbers of the vendors whose every contract is kept."""
    names = {normalise(name).key.replace(" ", "") for vendor, name, _, _ in registry.names() if vendor.sole_purpose}
    numbers = set()
    for vendor in registry.vendors.values():
        if vendor.sole_purpose:
            numbers |= {scheme_key(register.scheme, register.id) for register in vendor.registers}
            if vendor.lei:
                numbers.add(scheme_key("LEI", vendor.lei.value))
    return tuple(sorted(name for name in names if name)), frozenset(numbers)

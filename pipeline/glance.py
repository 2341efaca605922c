"""A look at a record's raw JSON, before it is read whole: can any candidate come of it?"""

from collections.abc import Callable
from typing import Any

import orjson

from pipeline.names import normalise, run_together
from pipeline.registry import Registry
from pipeline.resolve import scheme_key
from pipeline.screen import Screen, side_by_side

Glance = Callable[[bytes], bool]


def make_glance(screen: Screen, registry: Registry) -> Glance:
    """Says False of a JSON record only where `Candidates.decide` would find no reason to keep its release.

    It looks at every string, name, number and code wherever it stands, so that it need not know how a release is
    built: what a parser takes out of a record is among what it sees. Redaction only takes away.
    """
    names, numbers = _of_sole_purpose(registry)

    def glance(record: bytes) -> bool:
        try:
            value = orjson.loads(record)
        except orjson.JSONDecodeError:
            return True
        texts: list[str] = []
        try:
            if _told(value, texts):
                return True
        except RecursionError:
            # Nested beyond any record: for the parser to refuse by name.
            return True
        text = side_by_side(texts)
        return screen.may_match(text) or screen.may_probe(text)

    def _told(value: Any, texts: list[str]) -> bool:
        """Gathers texts; True at once for a code that is probed or a party that is a vendor with one purpose."""
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            code = value.get("id")
            scheme = value.get("scheme")
            if (
                isinstance(code, str | int)
                and isinstance(scheme, str)
                and (screen.classified(scheme, str(code)) or scheme_key(scheme, str(code)) in numbers)
            ):
                return True
            if isinstance(name := value.get("name"), str) and names:
                letters = run_together(name)
                if any(known in letters for known in names):
                    return True
                # A legal form in characters without spaces may stand amid the name, and is not part of its key.
                if not name.isascii() and normalise(name).key.replace(" ", "") in names:
                    return True
            return any(_told(below, texts) for below in value.values())
        elif isinstance(value, list):
            return any(_told(below, texts) for below in value)
        return False

    return glance


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

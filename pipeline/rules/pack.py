"""A rule set as bytes: what a saved pipeline carries, so that it runs without the rule files."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import orjson

from models.codes import Function, Lifecycle, Setting, Technology
from pipeline.rules.model import Code, CueCategory, Direction, Kind, Reach, Rule, RuleSet, Strength

_CODELISTS: Mapping[str, type[StrEnum]] = MappingProxyType(
    {
        "kind": Kind,
        "strength": Strength,
        "technology": Technology,
        "function": Function,
        "setting": Setting,
        "lifecycle": Lifecycle,
        "gives": Strength,
        "category": CueCategory,
        "direction": Direction,
        "reach": Reach,
    }
)
_TUPLES = frozenset(field.name for field in fields(Rule) if str(field.type).startswith("tuple"))


def to_bytes(rules: RuleSet) -> bytes:
    """The rule set as JSON; `from_bytes` gives an equal one."""
    return orjson.dumps({"version": rules.version, "rules": [asdict(rule) for rule in rules.rules]})


def from_bytes(data: bytes) -> RuleSet:
    """The rule set that `to_bytes` wrote. Raises `ValueError` for other bytes."""
    try:
        plain = orjson.loads(data)
        rules = tuple(Rule(**{name: _read(name, value) for name, value in one.items()}) for one in plain["rules"])
        return RuleSet(rules=rules, version=plain["version"], by_id=MappingProxyType({rule.id: rule for rule in rules}))
    except (TypeError, KeyError) as error:
        raise ValueError(f"these bytes are no rule set: {error}") from error


def _read(name: str, value: Any) -> Any:
    codelist: Callable[[str], StrEnum] | None = _CODELISTS.get(name)
    if codelist is not None:
        return None if value is None else codelist(value)
    if name == "codes":
        return tuple(Code(**one) for one in value)
    return tuple(value) if name in _TUPLES else value

"""A rule set as bytes: what a saved pipeline carries, so that it runs without the rule files."""

from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from pipeline.rules.model import Rule, RuleSet

_PACKED = TypeAdapter(tuple[str, tuple[Rule, ...]])


def to_bytes(rules: RuleSet) -> bytes:
    """The rule set as JSON; `from_bytes` gives an equal one."""
    return _PACKED.dump_json((rules.version, rules.rules))


def from_bytes(data: bytes) -> RuleSet:
    """The rule set that `to_bytes` wrote. Raises `ValueError` for other bytes."""
    try:
        version, rules = _PACKED.validate_json(data)
    except ValidationError as error:
        raise ValueError(f"these bytes are no rule set: {error}") from error
    return RuleSet(rules=rules, version=version, by_id=MappingProxyType({rule.id: rule for rule in rules}))

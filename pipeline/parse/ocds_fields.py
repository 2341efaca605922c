"""Single fields of OCDS objects, read strictly: what is absent is empty, what is of another type is named."""

from collections.abc import Mapping
from typing import Any

from models.codes import ValueKind
from models.procurement import Value
from pipeline.parse.common import Misfit
from pipeline.values import read_amount, read_currency


def text_field(holder: Mapping[str, Any], key: str, *, required: bool = False) -> str:
    """The field as text, empty when it is absent. Raises Misfit for a required one that is missing or no string."""
    value = holder.get(key)
    if value is None or value == "":
        if required:
            raise Misfit("missing_field", f"`{key}` is missing")
        return ""
    if not isinstance(value, str | int):
        if required:
            raise Misfit("wrong_type", f"`{key}` should be a string, not {type(value).__name__}", value)
        return ""
    return str(value)


def object_field(holder: Mapping[str, Any], key: str, note: Any) -> dict[str, Any]:
    """The object in a field; an empty one when it is absent, or of another type, which is noted."""
    value = holder.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        note("wrong_type", f"`{key}` should be an object, not {type(value).__name__}", value)
        return {}
    return value


def object_list(holder: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of a list; none when the field is absent or no list."""
    value = holder.get(key)
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def value_field(raw: Any, kind: ValueKind, note: Any) -> Value | None:
    """An OCDS value as an amount of that kind; None without an amount, or with an unreadable one, which is noted."""
    if not isinstance(raw, dict) or raw.get("amount") is None:
        return None
    try:
        return Value(amount=read_amount(raw["amount"]), currency=read_currency(raw.get("currency")), kind=kind)
    except ValueError as error:
        note("unreadable_amount", f"{kind.value} value: {error}", raw)
        return None

"""Loads the cards of `data/sources` and `data/columns`; a malformed card is told with its file and line."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from models.source import ColumnsCard, SourceCard
from pipeline.errors import WrongUse

_Card = TypeVar("_Card", SourceCard, ColumnsCard)
_Path = tuple[int | str, ...]


def load_source_cards(folder: Path) -> dict[str, SourceCard]:
    """Every source card of a folder by id, in id order. Raises WrongUse on the first malformed card."""
    return _load_all(folder, SourceCard)


def load_source_card(folder: Path, source_id: str) -> SourceCard:
    """One source card by id. Raises WrongUse naming the known ids when there is none of that name."""
    return _load_named(folder, source_id, SourceCard, "source")


def load_columns_cards(folder: Path) -> dict[str, ColumnsCard]:
    """Every columns card of a folder by id, in id order. Raises WrongUse on the first malformed card."""
    return _load_all(folder, ColumnsCard)


def load_columns_card(folder: Path, name_or_path: str | Path) -> ColumnsCard:
    """A columns card by id from `folder`, or from anywhere by the path of a .yml file. Raises WrongUse."""
    path = Path(name_or_path)
    if path.suffix in (".yml", ".yaml"):
        if not path.is_file():
            raise WrongUse(f"There is no columns card at {path}.")
        return _load(path, ColumnsCard)
    return _load_named(folder, str(name_or_path), ColumnsCard, "columns card")


def _load_all(folder: Path, kind: type[_Card]) -> dict[str, _Card]:
    cards: dict[str, _Card] = {}
    for path in sorted(folder.glob("*.yml")):
        card = _load(path, kind)
        if card.id != path.stem:
            raise WrongUse(f"{path}: the id `{card.id}` differs from the file's name; rename one of the two.")
        cards[card.id] = card
    return cards


def _load_named(folder: Path, card_id: str, kind: type[_Card], word: str) -> _Card:
    path = folder / f"{card_id}.yml"
    # The glob, not the joined path, decides: an id such as `../x` never leaves the folder.
    known = {p.stem: p for p in folder.glob("*.yml")}
    if card_id not in known:
        names = ", ".join(sorted(known)) or f"none, {folder} holds no card"
        raise WrongUse(f"There is no {word} `{card_id}`; known: {names}.")
    card = _load(path, kind)
    if card.id != card_id:
        raise WrongUse(f"{path}: the id `{card.id}` differs from the file's name; rename one of the two.")
    return card


def _load(path: Path, kind: type[_Card]) -> _Card:
    text = path.read_text(encoding="utf-8")
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        value = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise WrongUse(f"{path}{_mark_line(error)} is not YAML: {_yaml_reason(error)}.") from error
    if not isinstance(node, yaml.MappingNode) or not isinstance(value, dict):
        raise WrongUse(f"{path}:1 a card is a list of `field: value` lines.")
    for line, key in _duplicates(node):
        raise WrongUse(f"{path}:{line} says `{key}` twice.")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise WrongUse(_sentence(path, node, error, kind)) from error


def _sentence(path: Path, node: yaml.Node, error: ValidationError, kind: type[BaseModel]) -> str:
    # A misspelt field is also a missing one; the line a person can see is told first.
    found = error.errors(include_url=False, include_context=False)
    first = min(found, key=lambda one: one["type"] != "extra_forbidden")
    place = tuple(part for part in first["loc"] if part != "[key]")
    line = _line(node, place)
    field = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        near = get_close_matches(str(place[-1]), _fields(kind), n=1)
        said = f"`{field}` is not a field of a card" + (f"; did you mean `{near[0]}`?" if near else "")
    elif first["type"] == "missing":
        said = f"the field `{field}` is missing"
    else:
        said = f"`{field}`: {first['msg'][:1].lower()}{first['msg'][1:]}"
        if isinstance(first["input"], str | int | float | bool):
            said += f", not `{first['input']}`"
    more = error.error_count() - 1
    if more:
        said = f"{said.rstrip('?')} (and {more} more)"
    return f"{path}:{line} {said}{'' if said.endswith('?') else '.'}"


def _fields(kind: type[BaseModel]) -> list[str]:
    """Names of a card's fields and of those of its parts."""
    names = list(kind.model_fields)
    for field in kind.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names.extend(_fields(field.annotation))
    return names


def _line(node: yaml.Node, place: _Path) -> int:
    """Line, from 1, of the key or item that `place` leads to, or of the nearest one above it."""
    line = node.start_mark.line + 1
    for part in place:
        step = _below(node, part)
        if step is None:
            break
        line, node = step
    return line


def _below(node: yaml.Node, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item.start_mark.line + 1, item
    return None


def _duplicates(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """YAML keeps the last of two equal keys in silence; a card must not."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value)
            yield from _duplicates(value)
    elif isinstance(node, yaml.SequenceNode):
        yield from _chained(node.value)


def _chained(nodes: Iterable[yaml.Node]) -> Iterator[tuple[int, str]]:
    for node in nodes:
        yield from _duplicates(node)


def _mark_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def _yaml_reason(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]

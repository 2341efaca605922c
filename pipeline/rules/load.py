"""Reading rule files. A mistake in a file is named with the file, the line and the reason."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml

from models.codes import Function, Lifecycle, Setting, Technology
from pipeline.errors import WrongUse
from pipeline.rules import pack
from pipeline.rules.cache import cached
from pipeline.rules.fold import is_breakless, squash
from pipeline.rules.model import Code, CueCategory, Direction, Kind, Reach, Rule, RuleSet, Strength
from pipeline.rules.phrases import CLITICS, PhraseError, expand

# Shorter strings turn up inside other words ("of a fiscal"): they must be acronyms, which are matched at boundaries.
MIN_LITERAL = 6
# A probe of two letters, sought in the bytes of a record, would have every other one read whole.
MIN_PROBE = 3

_E = TypeVar("_E", bound=StrEnum)
_COMMON = frozenset({"id", "concept", "phrases", "note", "gloss", "match", "no_match", "not_in"})
_NAMING = frozenset({"strength", "technology", "function", "setting", "needs", "needs_too", "gives", "reach"})
_FIELDS: MappingProxyType[Kind, frozenset[str]] = MappingProxyType(
    {
        Kind.TECHNOLOGY: _NAMING,
        Kind.PRODUCT: _NAMING,
        Kind.FUNCTION: frozenset({"function"}),
        Kind.SETTING: frozenset({"setting"}),
        Kind.PURCHASE: frozenset(),
        Kind.LIFECYCLE: frozenset({"lifecycle", "needs", "direction", "scope"}),
        Kind.CUE: frozenset({"category", "direction", "scope"}),
        Kind.NEIGHBOUR: frozenset({"cancels", "reach"}),
        Kind.DISCOURSE: frozenset(),
        Kind.WORD: frozenset(),
        Kind.PROBE: frozenset({"codes"}),
    }
)
_REQUIRED: MappingProxyType[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.TECHNOLOGY: ("strength", "technology"),
        Kind.PRODUCT: ("strength", "technology"),
        Kind.SETTING: ("setting",),
        Kind.LIFECYCLE: ("lifecycle",),
        Kind.CUE: ("category",),
        Kind.NEIGHBOUR: ("cancels",),
    }
)
_ENUMS: MappingProxyType[str, type[StrEnum]] = MappingProxyType(
    {
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
_LISTS = frozenset({"phrases", "match", "no_match", "needs", "needs_too", "cancels", "not_in"})


class RuleFileError(WrongUse, ValueError):
    """A rule file that cannot be used: `file`, `line` (from 1) and `reason`."""

    def __init__(self, file: Path, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


def load_rules(path: Path) -> RuleSet:
    """The rules of every `*.yml` file under a folder, in order of their paths; from the cache if they are known.

    Raises `RuleFileError` for a file that cannot be read as rules, a rule with an unknown or missing field, a value
    outside its codelist, a phrase that cannot be expanded, or an id used twice.
    """
    files = sorted(path.rglob("*.yml"))
    if not files:
        raise RuleFileError(path, 1, "no rule files (*.yml) under this folder")
    names = [file.relative_to(path).as_posix().encode() for file in files]
    made_from = [part for name, file in zip(names, files, strict=True) for part in (name, file.read_bytes())]
    return pack.from_bytes(cached("rules", made_from, lambda: pack.to_bytes(_read_rules(path, files))))


def _read_rules(path: Path, files: Iterable[Path]) -> RuleSet:
    rules: dict[str, Rule] = {}
    for file in files:
        for rule in _file_rules(file, file.relative_to(path).as_posix()):
            if rule.id in rules:
                first = rules[rule.id]
                raise RuleFileError(file, rule.line, f"id {rule.id!r} is already used in {first.file}:{first.line}")
            rules[rule.id] = rule
    ordered = tuple(rules.values())
    return RuleSet(rules=ordered, version=_version(ordered), by_id=MappingProxyType(rules))


def _version(rules: tuple[Rule, ...]) -> str:
    silent = {"note", "gloss", "match", "no_match", "file", "line"}
    names = [field.name for field in fields(Rule) if field.name not in silent]
    body = [[_plain(getattr(rule, name)) for name in names] for rule in sorted(rules, key=lambda rule: rule.id)]
    digest = hashlib.sha256(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))
    return f"rules-{digest.hexdigest()[:12]}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return [value.scheme, value.prefix] if isinstance(value, Code) else value


def _file_rules(file: Path, name: str) -> Iterator[Rule]:
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RuleFileError(file, mark.line + 1 if mark else 1, f"not YAML: {error.problem}") from error
    except UnicodeDecodeError as error:
        raise RuleFileError(file, 1, f"not UTF-8: {error.reason}") from error
    reader = _Reader(file, name)
    if root is None:
        raise reader.error(None, "the file is empty")
    head = reader.mapping(root, "the file")
    reader.only(head, {"kind", "language", "affixes", "rules"}, "the file's head")
    for wanted in ("kind", "language", "rules"):
        if wanted not in head:
            raise reader.error(root, f"the file has no `{wanted}`")
    kind = reader.member(head["kind"][1], Kind)
    language = reader.text(head["language"][1], "language")
    if "affixes" in head:
        reader.name_affixes(head["affixes"][1])
    for node in reader.sequence(head["rules"][1], "rules"):
        yield reader.rule(node, kind, language)


def _is_too_short(probe: str) -> bool:
    letters = squash(probe)
    return len(letters) < MIN_PROBE and not any(map(is_breakless, letters))


class _Reader:
    """Turns YAML nodes of one file into rules; every error knows its node's line."""

    def __init__(self, file: Path, name: str) -> None:
        self._file = file
        self._name = name
        self._named: dict[str, tuple[str, ...]] = dict(CLITICS)

    def name_affixes(self, node: yaml.Node) -> None:
        """Take over the file's own named choices: `affixes: {adj: [ая, ой]}` is written `{@adj}` in phrases."""
        for name, (key, value) in self.mapping(node, "affixes").items():
            if name in CLITICS:
                raise self.error(key, f"`{name}` is the name of a built-in choice; take another")
            self._named[name] = tuple(self.ending(item) for item in self.sequence(value, name))

    def ending(self, node: yaml.Node) -> str:
        """An affix, which may be empty: `""` is none."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node, "an affix must be a text")
        return str(node.value)

    def error(self, node: yaml.Node | None, reason: str) -> RuleFileError:
        return RuleFileError(self._file, node.start_mark.line + 1 if node else 1, reason)

    def mapping(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{what} must be a mapping of fields")
        out: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = self.text(key, "a field's name")
            if name in out:
                raise self.error(key, f"field `{name}` stands twice")
            out[name] = (key, value)
        return out

    def only(self, found: dict[str, tuple[yaml.Node, yaml.Node]], allowed: set[str], what: str) -> None:
        for name, (key, _) in found.items():
            if name not in allowed:
                raise self.error(key, f"unknown field `{name}` in {what}; known: {', '.join(sorted(allowed))}")

    def sequence(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, f"`{what}` must be a list")
        return list(node.value)

    def text(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            raise self.error(node, f"`{what}` must be a text")
        return str(node.value)

    def member(self, node: yaml.Node, codelist: type[_E]) -> _E:
        value = self.text(node, codelist.__name__.lower())
        try:
            return codelist(value)
        except ValueError:
            known = ", ".join(item.value for item in codelist)
            raise self.error(node, f"{value!r} is not a {codelist.__name__.lower()}; known: {known}") from None

    def rule(self, node: yaml.Node, kind: Kind, language: str) -> Rule:
        found = self.mapping(node, "a rule")
        self.only(found, set(_COMMON | _FIELDS[kind]), f"a {kind} rule")
        required = ("id", "concept", *(_REQUIRED.get(kind, ())), *(() if kind is Kind.PROBE else ("phrases",)))
        for name in required:
            if name not in found:
                raise self.error(node, f"a {kind} rule needs `{name}`")
        values: dict[str, Any] = {}
        for name, (_, value) in found.items():
            values[name] = self._value(name, value)
        values["phrases"] = self._phrases(found["phrases"][1]) if "phrases" in found else ()
        rule = Rule(kind=kind, language=language, file=self._name, line=node.start_mark.line + 1, **values)
        self._check(rule, node, found)
        return rule

    def _value(self, name: str, node: yaml.Node) -> Any:
        if name in _ENUMS:
            return self.member(node, _ENUMS[name])
        if name in _LISTS:
            return tuple(self.text(item, name) for item in self.sequence(node, name))
        if name == "scope":
            value = self.text(node, name)
            if not value.isdigit() or int(value) == 0:
                raise self.error(node, "`scope` must be a number of tokens, 1 or more")
            return int(value)
        if name == "codes":
            return tuple(self._code(item) for item in self.sequence(node, name))
        return self.text(node, name)

    def _code(self, node: yaml.Node) -> Code:
        found = self.mapping(node, "a code")
        self.only(found, {"scheme", "prefix"}, "a code")
        if len(found) != 2:
            raise self.error(node, "a code needs `scheme` and `prefix`")
        return Code(self.text(found["scheme"][1], "scheme"), self.text(found["prefix"][1], "prefix"))

    def _phrases(self, node: yaml.Node) -> tuple[str, ...]:
        out: dict[str, None] = {}
        for item in self.sequence(node, "phrases"):
            try:
                out.update(dict.fromkeys(expand(self.text(item, "phrases"), self._named)))
            except PhraseError as error:
                raise self.error(item, str(error)) from error
        return tuple(out)

    def _check(self, rule: Rule, node: yaml.Node, found: dict[str, tuple[yaml.Node, yaml.Node]]) -> None:
        problems: list[tuple[Callable[[], bool], str]] = [
            (lambda: not rule.phrases and not rule.codes, "a rule needs `phrases` or `codes`"),
            (lambda: rule.names_technology and not rule.match, "a rule that flags needs a `match` example"),
            (
                lambda: rule.strength in {Strength.CONTEXT, Strength.ACRONYM} and not (rule.needs and rule.gives),
                f"a rule of strength {rule.strength} needs `needs` and `gives`",
            ),
            (
                lambda: rule.kind is Kind.NEIGHBOUR and rule.reach not in {Reach.SPAN, Reach.SENTENCE},
                "a neighbour's `reach` is span or sentence",
            ),
            (
                lambda: rule.kind is Kind.PROBE and bool(rule.not_in),
                "a probe reads texts of every language: it has no `not_in`",
            ),
            (
                lambda: rule.kind is Kind.PROBE and any(map(_is_too_short, rule.phrases)),
                f"a probe's words have at least {MIN_PROBE} letters: they are looked for amid other words too",
            ),
            (
                lambda: not all(len(code) == 2 and code.isascii() and code.islower() for code in rule.not_in),
                "`not_in` lists languages by ISO 639-1 code, like [es, pt]",
            ),
            (
                lambda: rule.gives in {Strength.CONTEXT, Strength.ACRONYM},
                "`gives` must be strong or conditional",
            ),
            (
                lambda: (
                    rule.category not in {None, CueCategory.PSEUDO, CueCategory.TERMINATOR}
                    and (rule.direction is None or rule.scope == 0)
                ),
                "a cue needs `direction` and `scope`",
            ),
        ]
        for wrong, reason in problems:
            if wrong():
                raise self.error(node, reason)
        if rule.names_technology and rule.strength is not Strength.ACRONYM:
            for phrase in rule.phrases:
                literal = squash(phrase)
                if literal.isascii() and len(literal) < MIN_LITERAL:
                    where = found["phrases"][1]
                    raise self.error(where, f"{phrase!r} is too short to be searched for: make it an acronym rule")

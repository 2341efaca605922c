"""What a rule is once its file was read: phrases, and what they imply."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from models.codes import Function, Lifecycle, Setting, Technology


class Kind(StrEnum):
    """What a rule's phrases are."""

    TECHNOLOGY = "technology"
    PRODUCT = "product"
    FUNCTION = "function"
    SETTING = "setting"
    PURCHASE = "purchase"
    LIFECYCLE = "lifecycle"
    CUE = "cue"
    NEIGHBOUR = "neighbour"
    DISCOURSE = "discourse"
    WORD = "word"
    PROBE = "probe"


class Strength(StrEnum):
    """What a technology or product phrase is worth on its own.

    `strong` is in scope; `conditional` is 1:1 or enrolment into a large base; `context` and `acronym` say
    nothing until one of the concepts they need stands near.
    """

    STRONG = "strong"
    CONDITIONAL = "conditional"
    CONTEXT = "context"
    ACRONYM = "acronym"


class Direction(StrEnum):
    """Where a cue's target stands: after it, before it, or on either side."""

    FORWARD = "forward"
    BACKWARD = "backward"
    BIDIRECTIONAL = "bidirectional"


class CueCategory(StrEnum):
    """What a cue does to its target. `pseudo` cues undo cues they overlap, terminators end a cue's reach."""

    EXCLUDED = "excluded"
    BANNED = "banned"
    OPTIONAL = "optional"
    HYPOTHETICAL = "hypothetical"
    PSEUDO = "pseudo"
    TERMINATOR = "terminator"


class Reach(StrEnum):
    """How far a neighbour cancels (span or sentence), or a needed concept may stand (clause, sentence or segment)."""

    SPAN = "span"
    CLAUSE = "clause"
    SENTENCE = "sentence"
    SEGMENT = "segment"


@dataclass(frozen=True)
class Code:
    """A classification code that a probe looks for: a scheme's name and the start of its codes."""

    scheme: str
    prefix: str


@dataclass(frozen=True)
class Rule:
    """One rule. `phrases` are expanded; `file` and `line` say where it was written.

    Of the concepts that a technology `needs` one must stand near, and one of `needs_too` as well, if it names any.
    `gloss` says in short English what the phrases mean, for those who read a quote in a language they do not know.
    `not_in` are languages (ISO 639-1) in which the phrases mean something else: Portuguese "no" is "in the".
    """

    id: str
    kind: Kind
    concept: str
    language: str
    phrases: tuple[str, ...]
    file: str
    line: int
    note: str = ""
    gloss: str = ""
    strength: Strength | None = None
    technology: Technology | None = None
    function: Function | None = None
    setting: Setting | None = None
    lifecycle: Lifecycle | None = None
    needs: tuple[str, ...] = ()
    needs_too: tuple[str, ...] = ()
    gives: Strength | None = None
    category: CueCategory | None = None
    direction: Direction | None = None
    scope: int = 0
    cancels: tuple[str, ...] = ()
    reach: Reach = Reach.SENTENCE
    codes: tuple[Code, ...] = ()
    not_in: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    no_match: tuple[str, ...] = ()

    @property
    def names_technology(self) -> bool:
        return self.kind in {Kind.TECHNOLOGY, Kind.PRODUCT}


@dataclass(frozen=True)
class RuleSet:
    """All rules, in the order of their files. `version` changes when what they match or imply changes."""

    rules: tuple[Rule, ...]
    version: str
    by_id: Mapping[str, Rule]

    def of_kind(self, *kinds: Kind) -> tuple[Rule, ...]:
        """The rules of some kinds, in order."""
        return tuple(rule for rule in self.rules if rule.kind in kinds)

    def explain(self, rule_id: str) -> str:
        """A rule in words: what it implies, why it is there, what it matches. Raises `KeyError` for an unknown id."""
        rule = self.by_id[rule_id]
        implied = [
            f"{name} {value}"
            for name, value in (
                ("technology", rule.technology),
                ("function", rule.function),
                ("setting", rule.setting),
                ("lifecycle", rule.lifecycle),
                ("strength", rule.strength),
                ("category", rule.category),
            )
            if value is not None
        ]
        lines = [f"{rule.id} ({rule.kind}, {rule.language}): {rule.concept}", f"  written in {rule.file}:{rule.line}"]
        if implied:
            lines.append(f"  implies {', '.join(implied)}")
        if rule.needs:
            lines.append(f"  counts as {rule.gives} only near: {', '.join(rule.needs)} (same {rule.reach})")
        if rule.needs_too:
            lines.append(f"  and near: {', '.join(rule.needs_too)}")
        if rule.cancels:
            lines.append(f"  cancels {', '.join(rule.cancels)} (same {rule.reach})")
        if rule.not_in:
            lines.append(f"  not read in texts in: {', '.join(rule.not_in)}")
        if rule.direction:
            lines.append(f"  acts {rule.direction} over {rule.scope} tokens")
        if rule.gloss:
            lines.append(f"  in English: {rule.gloss}")
        if rule.note:
            lines.append(f"  note: {rule.note}")
        if rule.codes:
            lines.append("  codes: " + ", ".join(f"{code.scheme} {code.prefix}*" for code in rule.codes))
        if rule.phrases:
            more = f" and {len(rule.phrases) - 12} more" if len(rule.phrases) > 12 else ""
            lines.append("  phrases: " + "; ".join(rule.phrases[:12]) + more)
        return "\n".join(lines)

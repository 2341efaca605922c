"""The examples in rule files: each rule finds what it says it finds, and not what it says it does not."""

from collections.abc import Iterator
from dataclasses import dataclass

from models.assessment import Segment
from pipeline.flag.flagger import Flagger
from pipeline.flag.lifecycle import lifecycle_of
from pipeline.rules.model import Kind, Rule, RuleSet
from pipeline.screen import Screen

# English, and names that belong to no language.
_ENGLISH = frozenset({"en", "xx"})


@dataclass(frozen=True)
class Failure:
    """An example that does not do what it should: a `match` that is not found, or a `no_match` that is."""

    rule: Rule
    text: str
    wanted: bool

    def __str__(self) -> str:
        said = "does not match" if self.wanted else "matches"
        return f"{self.rule.file}:{self.rule.line}: {self.rule.id} {said} its example “{self.text}”"


class Examples:
    """Whether a rule finds a text, by the way its kind is used."""

    def __init__(self, rules: RuleSet) -> None:
        self._flagger = Flagger(rules)
        self._screen = Screen(rules)

    def finds(self, rule: Rule, text: str) -> bool:
        """Technologies and products must be mentions, lifecycle words must count, probes be found by the screen."""
        if rule.kind is Kind.PROBE:
            return rule.id in self._screen.probe(text)
        case = self._flagger.case([Segment(where="description", text=text)])
        if rule.names_technology:
            return any(one.term.rule is rule and one.shown for one in case.weighed)
        if rule.kind is Kind.LIFECYCLE:
            return any(hit.rule is rule for _, hit in lifecycle_of(case)[1])
        return any(hit.rule is rule for reading in case.readings for hit in reading.hits)


def lacking(rules: RuleSet) -> Iterator[str]:
    """A line for everything a rule should say of itself and does not: note, examples of both kinds, English gloss."""
    for rule in rules.rules:
        said = {"note": bool(rule.note)}
        if rule.phrases:
            said |= {"match": bool(rule.match), "no_match": bool(rule.no_match)}
        if rule.language not in _ENGLISH:
            said["gloss"] = bool(rule.gloss)
        for name in (name for name, there in said.items() if not there):
            yield f"{rule.file}:{rule.line}: {rule.id} has no `{name}`"


def failures(rules: RuleSet) -> Iterator[Failure]:
    """Every example of every rule that does not do what it should, in the order of the rules."""
    examples = Examples(rules)
    for rule in rules.rules:
        for wanted, texts in ((True, rule.match), (False, rule.no_match)):
            for text in texts:
                if examples.finds(rule, text) is not wanted:
                    yield Failure(rule, text, wanted)

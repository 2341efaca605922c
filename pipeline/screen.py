"""The screen: a quick superset of the rules, so that most notices never meet spaCy."""

import re
from collections.abc import Iterable
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, Implementation

from models.procurement import Classification
from pipeline.rules.fold import fold, squash_bytes, stands_alone, words_pattern
from pipeline.rules.load import MIN_LITERAL
from pipeline.rules.model import Kind, RuleSet

# Put between texts that are looked at together: letters, so that no literal reaches from one into the next.
_SEAM: Final = "\nqzq\n"


def side_by_side(texts: Iterable[str]) -> str:
    """Several texts as one for the screen, with a seam between them that no literal crosses."""
    return _SEAM.join(texts)


class Screen:
    """Says whether a text may match a rule or name a vendor. Holds compiled automata only.

    For rules the answer is a superset: whatever tokens the matcher finds, their squashed letters stand in the
    squashed text. Short ASCII literals (acronyms) are checked again at word boundaries.
    """

    def __init__(self, rules: RuleSet, vendor_literals: Iterable[str] = ()) -> None:
        phrases = [phrase for rule in rules.rules if rule.names_technology for phrase in rule.phrases]
        literals: dict[bytes, re.Pattern[str] | None] = {}
        for phrase in phrases:
            _add(literals, phrase, checked=_is_short(phrase))
        for literal in vendor_literals:
            _add(literals, literal, checked=True)
        self._checks = tuple(literals.values())
        self._automaton = _automaton(list(literals))
        probes = rules.of_kind(Kind.PROBE)
        words = [(phrase, rule.id) for rule in probes for phrase in rule.phrases]
        self._probe_words = tuple((words_pattern(phrase), rule_id) for phrase, rule_id in words)
        self._probe_automaton = _automaton([squash_bytes(phrase) for phrase, _ in words])
        self._codes = tuple((code.scheme.casefold(), code.prefix, rule.id) for rule in probes for code in rule.codes)

    def may_match(self, text: str) -> bool:
        """False only where no technology rule can match and no vendor literal stands at word boundaries."""
        return self._may_match(text, squash_bytes(text))

    def may_matter(self, text: str) -> bool:
        """False only where `may_match` says so and no probe word stands in the text, not even inside other words."""
        squashed = squash_bytes(text)
        if self._probe_automaton is not None and self._probe_automaton.find_matches_as_indexes(squashed):
            return True
        return self._may_match(text, squashed)

    def _may_match(self, text: str, squashed: bytes) -> bool:
        if self._automaton is None:
            return False
        folded: str | None = None
        tried: set[int] = set()
        for number, _, _ in self._automaton.find_matches_as_indexes(squashed, overlapping=True):
            check = self._checks[number]
            if check is None:
                return True
            if number not in tried:
                tried.add(number)
                folded = fold(text) if folded is None else folded
                if stands_alone(check, folded):
                    return True
        return False

    def probe(self, text: str, classifications: Iterable[Classification] = ()) -> tuple[str, ...]:
        """Ids of the probe rules whose words stand in the text or whose codes classify it, in order.

        Codes are compared by scheme and prefix, letters and case of the scheme aside (`CPV`, `cpv`, `x_CPV`).
        """
        found: dict[str, None] = {}
        for one in classifications:
            found.update(dict.fromkeys(self.classified(one.scheme, one.id)))
            if one.description:
                found.update(dict.fromkeys(self._probed(one.description)))
        found.update(dict.fromkeys(self._probed(text)))
        return tuple(found)

    def classified(self, scheme: str, code: str) -> list[str]:
        """Ids of the probe rules that name a code of that scheme or one above it."""
        scheme, code = scheme.casefold(), code.strip()
        return [
            rule_id for wanted, prefix, rule_id in self._codes if scheme.endswith(wanted) and code.startswith(prefix)
        ]

    def _probed(self, text: str) -> list[str]:
        if self._probe_automaton is None:
            return []
        hits = self._probe_automaton.find_matches_as_indexes(squash_bytes(text), overlapping=True)
        numbers = sorted({number for number, _, _ in hits})
        folded = fold(text) if numbers else ""
        return [
            self._probe_words[number][1] for number in numbers if stands_alone(self._probe_words[number][0], folded)
        ]


def _add(literals: dict[bytes, re.Pattern[str] | None], literal: str, checked: bool) -> None:
    """Add a literal; one that a rule needs unchecked stays unchecked."""
    key = squash_bytes(literal)
    if key and not (key in literals and literals[key] is None):
        literals[key] = words_pattern(literal) if checked else None


def _is_short(phrase: str) -> bool:
    letters = squash_bytes(phrase)
    return letters.isascii() and len(letters) < MIN_LITERAL


def _automaton(literals: list[bytes]) -> BytesAhoCorasick | None:
    return BytesAhoCorasick(literals, implementation=Implementation.DFA) if literals else None

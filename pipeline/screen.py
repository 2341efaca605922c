"""The screen: a quick superset of the rules, so that most notices never meet spaCy."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson
from ahocorasick_rs import BytesAhoCorasick, Implementation

from models.procurement import Classification
from pipeline.rules.cache import cached
from pipeline.rules.fold import GLUED, is_breakless, squash, stands_alone, words_pattern
from pipeline.rules.model import Kind, Rule, RuleSet
from pipeline.rules.squash import Escapes, Letters, folded, squashed, unescaped, wide_form

# Put between texts that are looked at together: letters, so that no literal reaches from one into the next.
_SEAM: Final = "\nqzq\n"
# Literals with fewer letters are looked for at word boundaries.
_TELLING: Final = 9
# A word that may go on in the next line.
_BROKEN: Final = re.compile(r"[-\u2010]\s*\n")


def side_by_side(texts: Iterable[str]) -> str:
    """Several texts as one for the screen, with a seam between them that no literal crosses."""
    return _SEAM.join(texts)


class Screen:
    """Says whether a text may match a rule or name a vendor. Holds compiled automata only.

    For rules the answer is a superset: whatever tokens the matcher finds, their squashed letters stand in the
    squashed text. Short literals (acronyms) are checked again at word boundaries.
    """

    def __init__(self, rules: RuleSet, vendor_literals: Iterable[str] = ()) -> None:
        sure, short = _literals(rules)
        self._sure = Finder(sure)
        checked = dict.fromkeys(filter(squash, [*short, *vendor_literals]))
        self._checked = Finder(without(checked, self._sure))
        probes = rules.of_kind(Kind.PROBE)
        self._probe_ids: dict[str, list[str]] = {}
        for rule in probes:
            for phrase in rule.phrases:
                self._probe_ids.setdefault(phrase, []).append(rule.id)
        self._probes = Finder(self._probe_ids)
        self._codes = tuple((code.scheme.casefold(), code.prefix, rule.id) for rule in probes for code in rule.codes)

    @property
    def sure(self) -> tuple[str, ...]:
        """Literals that need no second look: with them a text may match."""
        return self._sure.literals

    @property
    def checked(self) -> tuple[str, ...]:
        """Literals that count at word boundaries only."""
        return self._checked.literals

    @property
    def probe_words(self) -> tuple[str, ...]:
        """The words of all probes."""
        return self._probes.literals

    @property
    def code_prefixes(self) -> tuple[str, ...]:
        """The beginnings of all codes that probes look for."""
        return tuple(dict.fromkeys(prefix for _, prefix, _ in self._codes))

    def may_match(self, text: str) -> bool:
        """False only where no technology rule can match and no vendor literal stands at word boundaries."""
        return self._may_match(text, squashed(text))

    def may_match_bytes(self, data: bytes, escapes: Escapes = Escapes.NONE) -> bool:
        """`may_match` for a text in UTF-8, or in a JSON string or XML text that was not unescaped yet."""
        return self.may_match(unescaped(data, escapes))

    def may_matter(self, text: str) -> bool:
        """False only where `may_match` says so and no probe word stands in the text, not even inside other words."""
        letters = squashed(text)
        return self._probes.finds(letters) or self._may_match(text, letters)

    def _may_match(self, text: str, letters: Letters) -> bool:
        if self._sure.finds(letters):
            return True
        literals = self._checked.found(letters)
        if not literals:
            return False
        words = folded(text)
        return any(alone(literal, words) for literal in literals)

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
        literals = self._probes.found(squashed(text))
        words = folded(text) if literals else ""
        return [rule_id for literal in literals if alone(literal, words) for rule_id in self._probe_ids[literal]]


def led_by_others(rules: RuleSet) -> frozenset[str]:
    """Rules whose words count only beside those of other rules that the screen looks for: it need not look for theirs.

    A maker's name beside a technology is let through by the technology; alone it would let through every notice.
    """
    serving: dict[str, list[Rule]] = {}
    for rule in rules.rules:
        serving.setdefault(rule.concept, []).append(rule)

    def rests_on_names(rule: Rule) -> bool:
        others = [other for need in rule.needs for other in serving.get(need, ())]
        return bool(others) and rule.names_technology and all(other.names_technology for other in others)

    resting = {rule.id for rule in rules.rules if rests_on_names(rule)}
    return frozenset(
        rule_id
        for rule_id in resting
        if not any(other.id in resting for need in rules.by_id[rule_id].needs for other in serving.get(need, ()))
    )


def _literals(rules: RuleSet) -> tuple[list[str], list[str]]:
    """The literals that the phrases of technologies and products come down to: the long ones and the short."""

    def make() -> bytes:
        led = led_by_others(rules)
        naming = [rule for rule in rules.rules if rule.names_technology and rule.id not in led]
        phrases = [phrase for rule in naming for phrase in rule.phrases]
        sure = smallest([phrase for phrase in phrases if not _is_short(phrase)])
        return orjson.dumps([sure, [phrase for phrase in phrases if _is_short(phrase)]])

    made_from = [Path(__file__).read_bytes(), rules.version.encode()]
    sure, short = orjson.loads(cached("literals", made_from, make) if rules.rules else make())
    return sure, short


class Finder:
    """Literals in squashed texts: one automaton for those of ASCII letters, one for all, in two bytes a letter."""

    def __init__(self, literals: Iterable[str]) -> None:
        self.literals = tuple(literals)
        forms = [squash(literal) for literal in self.literals]
        self._narrow = tuple(one for one, form in zip(self.literals, forms, strict=True) if form.isascii())
        self._in_narrow = _automaton([form.encode("ascii") for form in forms if form.isascii()])
        # Of two bytes a letter, tables of every state would take hundreds of megabytes.
        wide = [
            form.encode("utf-16-le") if max(form) < "\uffff" else wide_form(one)
            for one, form in zip(self.literals, forms, strict=True)
        ]
        self._in_wide = _automaton(wide, quick_to_search=False)

    def finds(self, letters: Letters) -> bool:
        """Whether any literal stands in the letters."""
        if letters.wide:
            # Of two bytes a letter, only what begins at a letter's first byte is one.
            found = self._in_wide.find_matches_as_indexes(letters.data, overlapping=True) if self._in_wide else ()
            return any(start % 2 == 0 for _, start, _ in found)
        return bool(self._in_narrow and self._in_narrow.find_matches_as_indexes(letters.data))

    def found(self, letters: Letters) -> list[str]:
        """The literals that stand in the letters, in their own order."""
        automaton, literals = (self._in_wide, self.literals) if letters.wide else (self._in_narrow, self._narrow)
        if automaton is None:
            return []
        hits = automaton.find_matches_as_indexes(letters.data, overlapping=True)
        numbers = {number for number, start, _ in hits if not letters.wide or start % 2 == 0}
        return [literals[number] for number in sorted(numbers)]

    def places(self, letters: bytes) -> Iterator[tuple[str, int]]:
        """Every literal in letters of one byte, with its first place there, in the order of the places' ends."""
        if self._in_narrow is not None:
            for number, start, _ in self._in_narrow.find_matches_as_indexes(letters, overlapping=True):
                yield self._narrow[number], start


def alone(literal: str, words: str) -> bool:
    """Whether a literal stands in folded text with no letter or digit touching it."""
    if not literal.isalnum() or not literal.isascii() or ("\n" in words and _BROKEN.search(words)):
        return stands_alone(_pattern(literal), words)
    start = words.find(literal.lower())
    while start >= 0:
        end = start + len(literal)
        if not (GLUED.match(words[start - 1 : start]) or GLUED.match(words[end : end + 1])):
            return True
        start = words.find(literal.lower(), start + 1)
    return False


def smallest(literals: Iterable[str]) -> list[str]:
    """One literal of each squashed form, without those that hold another: where they stand, the other stands too."""
    forms = {squash(literal): literal for literal in literals}
    whole = _automaton([form.encode() for form in forms], quick_to_search=False)
    if whole is None:
        return []
    return [literal for form, literal in forms.items() if not _holds_shorter(form, whole)]


def _holds_shorter(form: str, automaton: BytesAhoCorasick) -> bool:
    data = form.encode()
    return any(end - start < len(data) for _, start, end in automaton.find_matches_as_indexes(data, overlapping=True))


def without(literals: Iterable[str], finder: Finder) -> list[str]:
    """The literals that the finder would not find anyway."""
    return [literal for literal in literals if not finder.finds(squashed(literal))]


@lru_cache(maxsize=4096)
def _pattern(literal: str) -> re.Pattern[str]:
    return words_pattern(literal)


def _is_short(phrase: str) -> bool:
    """Whether a phrase is so short that its letters turn up across other words: "via voice" holds "a voice"."""
    letters = squash(phrase)
    return len(letters) < _TELLING and not any(map(is_breakless, letters))


def _automaton(literals: list[bytes], quick_to_search: bool = True) -> BytesAhoCorasick | None:
    """Quick to search, or quick to make."""
    kind = Implementation.DFA if quick_to_search else Implementation.ContiguousNFA
    return BytesAhoCorasick(literals, implementation=kind) if literals else None

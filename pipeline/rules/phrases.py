"""The phrase language of rule files: finite, so that the screen can hold every phrase a rule can match."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from types import MappingProxyType

from pipeline.rules.fold import BREAKLESS, fold, squash, tokens

MAX_EXPANSIONS = 3000
_BREAKLESS = re.compile(f"[{BREAKLESS}]")
_ALL_BREAKLESS = re.compile(f"[{BREAKLESS} ]+")
# Conjunctions, prepositions and article that are written onto a word, alone and in their usual pairs, or none.
CLITICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "he": ("", *"הבלמוכש", "וה", "וב", "ול", "שה"),
        "ar": ("", "ال", "و", "ب", "ل", "ف", "ك", "وال", "بال", "لل", "فال", "كال", "وب", "ول", "وبال", "ولل"),
    }
)


class PhraseError(ValueError):
    """A phrase that cannot be expanded: open braces, nothing left, or too many readings."""


def expand(form: str, named: Mapping[str, Sequence[str]] = CLITICS) -> list[str]:
    """All phrases a form stands for, in order, without repeats.

    `{a,b}` is a choice, `{a,}` or `{,a}` an optional part, braces may nest: `{live ,}fac{e,ial} recognition`.
    `{@he}` is a choice out of `named`: the prefixes of Hebrew, or none. Raises `PhraseError` for unbalanced braces, an
    unknown name, an empty phrase or more than `MAX_EXPANSIONS` phrases.
    """
    readings = _Form(form, named).readings()
    phrases = list(dict.fromkeys(" ".join(reading.split()) for reading in readings))
    if not all(squash(phrase) or tokens(phrase) for phrase in phrases):
        raise PhraseError(f"{form!r} can stand for an empty phrase")
    return phrases


def words(phrase: str) -> tuple[str, ...]:
    """The folded tokens of a phrase; quickly for plain words, and for scripts where each character is a token."""
    if phrase.replace(" ", "").isalnum():
        if phrase.isascii():
            return tuple(phrase.lower().split())
        if not _BREAKLESS.search(phrase):
            return tuple(map(squash, phrase.split()))
    if _ALL_BREAKLESS.fullmatch(phrase):
        return tuple(filter(None, map(fold, phrase.replace(" ", ""))))
    return tuple(token.text for token in tokens(phrase))


def written_together(parts: tuple[str, ...], compounds: bool) -> list[tuple[str, ...]]:
    """The token sequences of a phrase; of two words also as one (`facerecognition`), as lost spaces leave them.

    With `compounds`, any two neighbours and all words may stand as one. Only for Latin letters: no other script was
    seen to lose its spaces, and Hebrew's prefixes make phrases many.
    """
    if not 2 <= len(parts) <= (5 if compounds else 2) or not all(word.isascii() and word.isalpha() for word in parts):
        return [parts]
    pairs = [(*parts[:i], parts[i] + parts[i + 1], *parts[i + 2 :]) for i in range(len(parts) - 1)]
    return list(dict.fromkeys([parts, *pairs, ("".join(parts),)]))


class _Form:
    """Reads one form from left to right."""

    def __init__(self, form: str, named: Mapping[str, Sequence[str]]) -> None:
        self._form = form
        self._named = named

    def readings(self) -> list[str]:
        readings, rest = self._sequence(0, depth=0)
        if rest != len(self._form):
            raise PhraseError(f"closing brace without an opening one in {self._form!r}")
        return readings

    def _sequence(self, at: int, depth: int) -> tuple[list[str], int]:
        """Readings from `at` up to the `,` or `}` that ends this part, and where that stands."""
        form = self._form
        parts: list[Sequence[str]] = []
        while at < len(form):
            character = form[at]
            if character == "{":
                choices, at = self._choice(at + 1, depth + 1)
                parts.append(choices)
            elif character == "}" or (depth and character == ","):
                break
            else:
                parts.append([character])
                at += 1
        return self._joined(parts), at

    def _choice(self, at: int, depth: int) -> tuple[Sequence[str], int]:
        form = self._form
        if form.startswith("@", at):
            name, closed, _ = form[at + 1 :].partition("}")
            if not closed or name not in self._named:
                raise PhraseError(f"no choice is named {name!r} in {form!r}; known: {', '.join(self._named)}")
            return self._named[name], at + len(name) + 2
        choices: list[str] = []
        while True:
            readings, at = self._sequence(at, depth)
            choices += readings
            if at >= len(form):
                raise PhraseError(f"opening brace without a closing one in {form!r}")
            at += 1
            if form[at - 1] == "}":
                return choices, at

    def _joined(self, parts: list[Sequence[str]]) -> list[str]:
        count = 1
        for part in parts:
            count *= len(part)
            if count > MAX_EXPANSIONS:
                raise PhraseError(f"{self._form!r} stands for more than {MAX_EXPANSIONS} phrases")
        return ["".join(pieces) for pieces in product(*parts)]

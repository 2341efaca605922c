"""The phrase language of rule files: finite, so that the screen can hold every phrase a rule can match."""

from itertools import product
from types import MappingProxyType

from pipeline.rules.fold import squash, tokens

MAX_EXPANSIONS = 3000
# Prepositions, article and conjunctions that Hebrew writes onto a word, alone and in their usual pairs.
_NAMED = MappingProxyType({"he": ("", *"הבלמוכש", "וה", "וב", "ול", "שה")})


class PhraseError(ValueError):
    """A phrase that cannot be expanded: open braces, nothing left, or too many readings."""


def expand(form: str) -> list[str]:
    """All phrases a form stands for, in order, without repeats.

    `{a,b}` is a choice, `{a,}` or `{,a}` an optional part, braces may nest: `{live ,}fac{e,ial} recognition`.
    `{@he}` is a named choice: the prefixes of Hebrew, or none. Raises `PhraseError` for unbalanced braces, an unknown
    name, an empty phrase or more than `MAX_EXPANSIONS` phrases.
    """
    readings, rest = _sequence(form, 0, depth=0)
    if rest != len(form):
        raise PhraseError(f"closing brace without an opening one in {form!r}")
    phrases = list(dict.fromkeys(" ".join(reading.split()) for reading in readings))
    if not all(squash(phrase) or tokens(phrase) for phrase in phrases):
        raise PhraseError(f"{form!r} can stand for an empty phrase")
    return phrases


def words(phrase: str) -> tuple[str, ...]:
    """The folded tokens of a phrase; the quick way for plain ASCII words."""
    if phrase.isascii() and phrase.replace(" ", "").isalnum():
        return tuple(phrase.lower().split())
    return tuple(token.text for token in tokens(phrase))


def written_together(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The token sequences of a phrase, also with two neighbours or all words written as one (`facerecognition`).

    Only for Latin letters: no other script was seen to lose its spaces, and Hebrew's prefixes make phrases many.
    """
    out = [parts]
    if 2 <= len(parts) <= 5 and all(word.isascii() and word.isalpha() for word in parts):
        out += [(*parts[:i], parts[i] + parts[i + 1], *parts[i + 2 :]) for i in range(len(parts) - 1)]
        out.append(("".join(parts),))
    return list(dict.fromkeys(out))


def _sequence(form: str, at: int, depth: int) -> tuple[list[str], int]:
    """Readings of `form` from `at` up to the `,` or `}` that ends this part, and where that stands."""
    parts: list[list[str]] = [[""]]
    while at < len(form):
        character = form[at]
        if character == "{":
            choices, at = _choice(form, at + 1, depth + 1)
            parts.append(choices)
        elif depth and character in ",}":
            break
        elif character == "}":
            return _joined(parts, form), at
        else:
            parts.append([character])
            at += 1
    return _joined(parts, form), at


def _choice(form: str, at: int, depth: int) -> tuple[list[str], int]:
    if form.startswith("@", at):
        name, closed, _ = form[at + 1 :].partition("}")
        if not closed or name not in _NAMED:
            raise PhraseError(f"no choice is named {name!r} in {form!r}; known: {', '.join(_NAMED)}")
        return list(_NAMED[name]), at + len(name) + 2
    choices: list[str] = []
    while True:
        readings, at = _sequence(form, at, depth)
        choices += readings
        if at >= len(form):
            raise PhraseError(f"opening brace without a closing one in {form!r}")
        at += 1
        if form[at - 1] == "}":
            return choices, at


def _joined(parts: list[list[str]], form: str) -> list[str]:
    count = 1
    for part in parts:
        count *= len(part)
        if count > MAX_EXPANSIONS:
            raise PhraseError(f"{form!r} stands for more than {MAX_EXPANSIONS} phrases")
    return ["".join(pieces) for pieces in product(*parts)]

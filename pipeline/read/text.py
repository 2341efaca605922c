"""From the characters a page gives to a text that can be stored, searched and pointed into."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

# PDFium marks a hyphen it takes for a word broken over lines with this, and leaves out the line break after it.
BROKEN_WORD: Final = "\ufffe"

_SPECIAL: Final = re.compile(
    "\r\n?"
    "|[\ud800-\udbff][\udc00-\udfff]"
    "|[\ud800-\udfff]"
    "|[\u00ad\u2010](?:\r\n|\r|\n)"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\ufffe\uffff]"
)
_LETTERS_BEFORE: Final = re.compile(r"[^\W\d_]+\Z")
_LETTERS_AFTER: Final = re.compile(r"[^\W\d_]+")
_LONGEST_HALF: Final = 40


def clean(raw: str, is_broken_word: Callable[[int], bool] = lambda _: False) -> tuple[str, list[int]]:
    """Give the storable text of `raw`, and for each of its characters the index in `raw` it came from.

    Control characters, NUL and non-characters go; lone surrogates become U+FFFD, pairs become the character they
    spell; line ends become a newline. A word broken over lines is made whole: its hyphen and line break go, so that
    it is found by searching; the hyphen stays (without the break) where it is not the break's own: beside a digit or
    capital, or where the same word stands hyphenated elsewhere in `raw`. A soft hyphen inside a line is drawn as a
    hyphen in a PDF, so it is read as one. `is_broken_word(i)` confirms that U+FFFE at `i` is such a hyphen.
    """
    parts: list[str] = []
    origin: list[int] = []
    last = 0
    lowered: str | None = None
    for match in _SPECIAL.finditer(raw):
        start, end = match.span()
        if start > last:
            parts.append(raw[last:start])
            origin.extend(range(last, start))
        last = end
        found = match.group()
        replacement = ""
        if found[0] == "\r":
            replacement = "\n"
        elif "\ud800" <= found[0] <= "\udfff":
            replacement = found.encode("utf-16", "surrogatepass").decode("utf-16") if end - start == 2 else "\ufffd"
        elif end - start > 1 or (found == BROKEN_WORD and is_broken_word(start)):
            if lowered is None:
                lowered = raw.lower()
            replacement = "" if _breaks_word(raw, lowered, start, end) else "-"
        elif found == "\u00ad":
            replacement = "-"
        if replacement:
            parts.append(replacement)
            origin.append(start)
    parts.append(raw[last:])
    origin.extend(range(last, len(raw)))
    return "".join(parts), origin


def _breaks_word(raw: str, lowered: str, start: int, end: int) -> bool:
    """Whether the hyphen at `start`, whose line ends before `end`, was put there only to break a word."""
    before = _LETTERS_BEFORE.search(raw, max(0, start - _LONGEST_HALF), start)
    after = _LETTERS_AFTER.match(raw, end, end + _LONGEST_HALF)
    if before is None or after is None or after.group()[0].isupper():
        return False
    if len(before.group()) > 1 and before.group().isupper():
        return after.group().isupper()
    return f"{before.group()}-{after.group()}".lower() not in lowered


def squash(text: str) -> str:
    """Casefolded letters and digits of `text`, compatibility forms resolved: what a search may ignore is gone."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def agreement(one: str, other: str) -> float:
    """How far two readings share their words, order aside: 0 to 1 (the F1 of the two bags of words)."""
    words, others = one.split(), other.split()
    if not words and not others:
        return 1.0
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    shared = 0
    for word in others:
        if counts.get(word, 0) > 0:
            counts[word] -= 1
            shared += 1
    return 2 * shared / (len(words) + len(others))

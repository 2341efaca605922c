"""Takes e-mail addresses, telephone numbers and contact persons out of texts without moving a single character.

Every redacted character becomes `█`, so that offsets go on counting characters of the archived text.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from pipeline.persons import is_natural_person

BLOCK = "█"
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)*\.?", re.UNICODE)
# Ten digits in the shapes people type (202-555-0100, (202) 555-0100, 202.555.0100, 202 555 0100): phonenumbers
# declines some that no exchange has assigned, and a number that is merely mistyped still leads to a person.
_TYPED = re.compile(r"(?<![\d.,$])(?:\+?1[-. ]?)?(?:\(\d{3}\)\s?|\d{3}[-. /])\d{3}[-. ]\d{4}(?!\d)")
_ENOUGH_DIGITS = re.compile(r"\d(?:[^\w\n]{0,3}\d){6}")
# Words that announce a contact person: contracting officers' representatives and other points of contact.
_LABEL = re.compile(
    r"(?:\b(?:ALTERNATE |ALT\.? )?A?CORS?|\bTPOC|\bPOCS?|\bPOINTS? OF CONTACT"
    r"|\bCONTACT(?:S|ED BY| PERSON| NAME)?(?=\s*:))"
    r"(?!\w)(?:\s*\([A-Z]{2,6}\))?(?:\s+(?:IS|ARE|WILL BE|TO))?\s*[-:;,.#]*\s*",
    re.IGNORECASE,
)
_NAME = re.compile(r"[^\W\d_][\w.'’-]*(?:,?\s+[^\W\d_][\w.'’-]*){1,3}")
_SHORTEST_NAME = 3


def redact(text: str, country: str | None = None) -> str:
    """The text with e-mail addresses, telephone numbers and contact persons blocked out; same length as `text`.

    Contact persons are names behind a word that announces one, and names that an e-mail address spells out.
    `country` (ISO 3166-1 alpha-2) says how national telephone numbers are written.
    """
    spans = list(_spans(text, country))
    if not spans:
        return text
    characters = list(text)
    for start, end in spans:
        characters[start:end] = BLOCK * (end - start)
    return "".join(characters)


def _spans(text: str, country: str | None) -> Iterator[tuple[int, int]]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield match.span()
            yield from _spelled_out(text, match[0].partition("@")[0])
    if _ENOUGH_DIGITS.search(text):
        yield from (match.span() for match in _TYPED.finditer(text))
        yield from _phone_spans(text, country)
    for label in _LABEL.finditer(text):
        yield from _announced(text, label.end(), country)


def _spelled_out(text: str, mailbox: str) -> Iterator[tuple[int, int]]:
    """Where the parts of `jo.bloggs@` stand as words of the text."""
    parts = [part for part in re.split(r"[\W\d_]+", mailbox) if len(part) >= _SHORTEST_NAME]
    # One part alone is as often a function (`info@`, `procurement@`) as a person.
    if len(parts) < 2:
        return
    for part in parts:
        for match in re.finditer(rf"\b{re.escape(part)}\b", text, re.IGNORECASE):
            yield match.span()


def _announced(text: str, start: int, country: str | None) -> Iterator[tuple[int, int]]:
    match = _NAME.match(text, start)
    if match is None:
        return
    words = list(re.finditer(r"\S+", match[0]))
    for number in range(len(words), 1, -1):
        name = match[0][: words[number - 1].end()].strip(" .,;")
        if is_natural_person(name, country=country):
            yield start, start + len(name)
            return


@lru_cache(maxsize=4096)
def _phone_spans(text: str, country: str | None) -> tuple[tuple[int, int], ...]:
    found = phonenumbers.PhoneNumberMatcher(text, country, leniency=phonenumbers.Leniency.VALID)
    return tuple((match.start, match.end) for match in found)

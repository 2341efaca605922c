"""Takes e-mail addresses and telephone numbers out of texts without moving a single character.

Every redacted character becomes `█`, so that offsets go on counting characters of the archived text.
"""

import re
from functools import lru_cache

import phonenumbers

BLOCK = "█"
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)*\.?", re.UNICODE)
# Ten digits in the shapes people type (202-555-0100, (202) 555-0100, 202.555.0100, 202 555 0100): phonenumbers
# declines some that no exchange has assigned, and a number that is merely mistyped still leads to a person.
_TYPED = re.compile(r"(?<![\d.,$])(?:\+?1[-. ]?)?(?:\(\d{3}\)\s?|\d{3}[-. /])\d{3}[-. ]\d{4}(?!\d)")
_ENOUGH_DIGITS = re.compile(r"\d(?:[^\w\n]{0,3}\d){6}")


def redact(text: str, country: str | None = None) -> str:
    """The text with e-mail addresses and telephone numbers blocked out; same length as `text`.

    `country` (ISO 3166-1 alpha-2) says how national telephone numbers are written.
    """
    spans = list(_spans(text, country))
    if not spans:
        return text
    characters = list(text)
    for start, end in spans:
        characters[start:end] = BLOCK * (end - start)
    return "".join(characters)


def _spans(text: str, country: str | None) -> list[tuple[int, int]]:
    spans = []
    if "@" in text:
        spans.extend(match.span() for match in _EMAIL.finditer(text))
    if _ENOUGH_DIGITS.search(text):
        spans.extend(match.span() for match in _TYPED.finditer(text))
        spans.extend(_phone_spans(text, country))
    return spans


@lru_cache(maxsize=4096)
def _phone_spans(text: str, country: str | None) -> tuple[tuple[int, int], ...]:
    found = phonenumbers.PhoneNumberMatcher(text, country, leniency=phonenumbers.Leniency.VALID)
    return tuple((match.start, match.end) for match in found)

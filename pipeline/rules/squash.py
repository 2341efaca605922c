"""Squashing whole texts fast: `pipeline.rules.fold.squash`, by table and in bytes, for the screen.

A text whose letters all squash to ASCII becomes one byte a letter, any other two (UTF-16, little endian). Raw bytes of
JSON and XML are read without parsing: their escapes are undone, the rest is taken as it stands.
"""

import html
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from pipeline.rules.fold import FOLDED, READINGS, SQUASHED, TONES, fold

_LOWER = bytes(range(256)).lower()
_NO_LETTER = bytes(c for c in range(128) if not chr(c).isalnum())
# In the table: a character that becomes several, and is therefore replaced beforehand.
_SEVERAL = 0xFFFF
# Below it there are no Chinese characters.
_HAN = 0x3400


_Table = np.ndarray[tuple[int], np.dtype[np.uint16]]


class Escapes(StrEnum):
    """How bytes write characters otherwise than in UTF-8: not at all, as a JSON text or as XML character data."""

    NONE = "none"
    JSON = "json"
    XML = "xml"


class Letters(NamedTuple):
    """A squashed text in bytes. `wide`: two bytes a letter, else one and all of them ASCII."""

    data: bytes
    wide: bool


def squashed(text: str) -> Letters:
    """The squashed letters of a text. Beyond the basic plane letters are folded first, halves of pairs left out."""
    if text.isascii():
        return Letters(text.encode("ascii").translate(_LOWER, _NO_LETTER), wide=False)
    units = _mapped(text, _SQUASHING, SQUASHED)
    if units.size == 0 or units.max() < 128:
        return Letters(units.astype("u1").tobytes(), wide=False)
    return Letters(units.tobytes(), wide=True)


def folded(text: str) -> str:
    """`pipeline.rules.fold.fold`, ten times as fast for long texts that are not ASCII.

    Letters beyond the basic plane that do not fold, and halves of pairs, are left out.
    """
    if text.isascii():
        return fold(text)
    return _mapped(text, _FOLDING, FOLDED).tobytes().decode("utf-16-le")


def wide_form(text: str) -> bytes:
    """The squashed letters of a text in two bytes each, whatever they are: how a literal is sought in wide texts."""
    letters = squashed(text)
    return letters.data if letters.wide else letters.data.decode("ascii").encode("utf-16-le")


def unescaped(data: bytes, escapes: Escapes) -> str:
    """The text that raw UTF-8 bytes hold, near enough to squash it: escapes undone, markup left where it stands.

    Bytes that are no UTF-8 become halves of pairs, which squashing leaves out.
    """
    if escapes is Escapes.JSON and b"\\" in data:
        # An escaped backslash first: the letter after it is a letter, not an escape.
        data = data.replace(b"\\\\", b" ")
        if b"\\u" in data:
            data = _JSON_CODES.sub(_from_codes, data)
        data = _JSON_SIGNS.sub(b" ", data)
    text = data.decode("utf-8", "surrogateescape") if not data.isascii() else data.decode("ascii")
    if escapes is Escapes.XML and "&" in text:
        text = html.unescape(text)
    return text


def _from_codes(found: re.Match[bytes]) -> bytes:
    """A run of `\\uXXXX`, pairs joined, in UTF-8; halves without their other half are left out."""
    units = bytes.fromhex(found[0].replace(b"\\u", b"").decode("ascii"))
    return units.decode("utf-16-be", "ignore").encode("utf-8")


def _mapped(text: str, table: _Table, changes: Mapping[int, str]) -> _Table:
    """The UTF-16 units of a text, each as the table says; `changes` holds what becomes several."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    if _may_hold_readings(text, encoded):
        text = READINGS.sub("", text)
        encoded = text.encode("utf-16-le", "surrogatepass")
    if len(encoded) != 2 * len(text):
        text = _BEYOND.sub(lambda found: found[0].translate(changes), text)
        encoded = text.encode("utf-16-le", "surrogatepass")
    units = table[np.frombuffer(encoded, dtype="<u2")]
    several = units == _SEVERAL
    if several.any():
        for code in np.unique(np.frombuffer(encoded, dtype="<u2")[several]):
            text = text.replace(chr(code), changes[int(code)])
        units = table[np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")]
    kept: _Table = units[units != 0]
    return kept


def _may_hold_readings(text: str, encoded: bytes) -> bool:
    return (
        ("(" in text or "（" in text)
        and any(tone in text for tone in TONES)
        and bool(np.frombuffer(encoded, dtype="<u2").max() >= _HAN)
    )


def _table(changes: Mapping[int, str]) -> _Table:
    table = np.arange(0x10000, dtype=np.uint16)
    for code, form in changes.items():
        if code < 0x10000:
            table[code] = 0 if not form else ord(form) if len(form) == 1 and ord(form) < 0x10000 else _SEVERAL
    table[0] = 0
    table[0xD800:0xE000] = 0
    table[0xFFFF] = 0
    return table


_BEYOND = re.compile("[\U00010000-\U0010ffff]+")
_JSON_CODES = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+")
_JSON_SIGNS = re.compile(rb"\\.", re.DOTALL)
_SQUASHING, _FOLDING = _table(SQUASHED), _table(FOLDED)

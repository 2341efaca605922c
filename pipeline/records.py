"""Screens whole records as they come in bytes, one by one or files of lines at a time, before anything is parsed."""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import IO

from pipeline.rules.fold import squash
from pipeline.rules.squash import Escapes, folded, squashed, unescaped
from pipeline.screen import Finder, Screen, alone, smallest, without

BLOCK = 1 << 20
ESCAPE = ord("\\")
_LOWER = bytes(range(256)).lower()
_NO_LETTER = bytes(c for c in range(128) if not chr(c).isalnum() and c != ord("\n"))
_SIGNS = re.compile(rb"\\[^u\n]")


class Records:
    """Says of JSON records, unparsed, whether they may matter. Holds compiled automata only.

    It says no only where no text of the record may matter (see `Screen.may_matter`) and none of some further `letters`
    stands in its squashed letters. Records whose letters do not all squash to ASCII always pass: names are read
    otherwise there.
    """

    def __init__(self, screen: Screen, letters: Iterable[str] = ()) -> None:
        sure = smallest([*screen.sure, *screen.probe_words, *filter(squash, letters)])
        checked = without(screen.checked, Finder(sure))
        self._every = Finder([*sure, *checked])
        self._checked = frozenset(checked)

    def may_hold(self, record: bytes) -> bool:
        """False only where the record cannot matter."""
        text = unescaped(record, Escapes.JSON)
        letters = squashed(text)
        if letters.wide:
            return True
        literals = self._every.found(letters)
        if not literals or literals[0] not in self._checked:
            return bool(literals)
        words = folded(text)
        return any(alone(literal, words) for literal in literals)

    def of_lines(self, lines: list[bytes]) -> list[int]:
        """Which of these lines `may_hold`, by their places in the list. One search for all that are plain ASCII."""
        plain = [place for place, line in enumerate(lines) if line.isascii() and b"\\u" not in line]
        if len(plain) < len(lines):
            odd = set(range(len(lines))).difference(plain)
            kept = {place for place in odd if self.may_hold(lines[place])}
        else:
            kept = set()
        block = b"\n".join(lines if len(plain) == len(lines) else [lines[place] for place in plain])
        if b"\\" in block:
            block = _SIGNS.sub(b" ", block)
        letters = block.translate(_LOWER, _NO_LETTER)
        number = seen = 0
        tried: set[tuple[int, str]] = set()
        for literal, start in self._every.places(letters):
            number += letters.count(b"\n", seen, start)
            seen = start
            place = plain[number]
            if place in kept or (place, literal) in tried:
                continue
            tried.add((place, literal))
            if literal not in self._checked or self._stands_in(literal, lines[place]):
                kept.add(place)
        return sorted(kept)

    def _stands_in(self, literal: str, line: bytes) -> bool:
        """Whether a literal stands at word boundaries in a plain line; one of a single word is looked for as it is."""
        if not literal.isalnum() or b"-\\n" in line or b"-\\r" in line:
            return self.may_hold(line)
        wanted, lower = literal.lower().encode(), line.lower()
        start = lower.find(wanted)
        while start >= 0:
            end = start + len(wanted)
            if not (lower[start - 1 : start].isalnum() or lower[end : end + 1].isalnum()) or lower[start - 2] == ESCAPE:
                return True
            start = lower.find(wanted, start + 1)
        return False


def screened(stream: IO[bytes], records: Records) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that may matter, with their numbers from 1 and without their line ends.

    The next block is read, and unpacked if it is packed, while the last is searched. Memory holds two blocks, or the
    longest line.
    """
    first = 1
    rest = b""
    with ThreadPoolExecutor(max_workers=1) as reader:
        following = reader.submit(stream.read, BLOCK)
        for _ in count():
            block = following.result()
            if block:
                following = reader.submit(stream.read, BLOCK)
            lines = (rest + block).split(b"\n")
            rest = lines.pop() if block else b""
            for place in records.of_lines(lines):
                if lines[place].strip():
                    yield first + place, lines[place].removesuffix(b"\r")
            first += len(lines)
            if not block:
                return

"""How texts and phrases are compared: folding, squashing and cutting into tokens.

`fold` and `squash` are defined character by character, so `squash(a + b) == squash(a) + squash(b)`. The screen's
promise rests on it: what the matcher finds as tokens is a substring of the squashed text.
"""

import re
import unicodedata
from typing import NamedTuple

# Scripts written without spaces between words: one character a token there.
_BREAKLESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Characters that leave no trace: halves of broken code points, zero width, soft hyphen, trade mark signs.
_IGNORED = "\ud800-\udfff\u00ad\u200b-\u200f\u2060\ufeff\u2122\u00ae\u00a9\u2120"
_HYPHENS = r"\-\u2010-\u2015\u2212"
# Vowel points and accents that a writer may leave out; marks of Indic, Thai and Burmese are letters and stay.
_DROPPED_MARKS = (
    (0x0300, 0x036F),
    (0x0483, 0x0487),
    (0x0591, 0x05C7),
    (0x0610, 0x061A),
    (0x064B, 0x065F),
    (0x0670, 0x0670),
    (0x06D6, 0x06ED),
)
_BY_HAND = {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي"}
# The planes that hold letters with compatibility forms; beyond them folding changes nothing.
_FOLDED_RANGES = ((0x00, 0xAC00), (0xD7B0, 0x10000), (0x10400, 0x10450), (0x1D400, 0x1D800))


class Token(NamedTuple):
    """A folded token and where it stands: `start` and `end` count characters of the source text."""

    text: str
    start: int
    end: int


def fold(text: str) -> str:
    """Lower case without accents, full-width forms and invisible characters; digits and punctuation stay."""
    return text.lower() if text.isascii() else text.translate(_FOLD)


def squash(text: str) -> str:
    """Folded letters, digits and marks only: no spaces, no hyphens, no punctuation."""
    if text.isascii():
        return text.lower().encode("ascii").translate(None, _ASCII_DELETED).decode("ascii")
    return text.translate(_SQUASH)


def squash_bytes(text: str) -> bytes:
    """`squash` in UTF-8. ASCII goes as bytes, which is ten times as quick, and stretches of it in other texts too."""
    if not text.isascii():
        foreign = len(text.encode("utf-8", "surrogatepass")) - len(text)
        if foreign > len(text) // 4:
            return text.translate(_SQUASH).encode("utf-8", "surrogatepass")
        text = _OTHERS.sub(lambda found: found[0].translate(_SQUASH), text)
    return text.encode("utf-8", "surrogatepass").lower().translate(None, _ASCII_DELETED)


def tokens(text: str) -> list[Token]:
    """Folded tokens of a text in any language, with their places.

    A token is a run of letters, digits and marks (also across a hyphen at a line's end), one character in scripts
    without spaces, or one other visible character. White space, hyphens and quotation marks part tokens only.
    """
    out = []
    for found in _TOKEN.finditer(text):
        folded = squash(found.group()) if found.lastgroup == "word" else fold(found.group())
        if folded:
            out.append(Token(folded, found.start(), found.end()))
    return out


def words_pattern(literal: str) -> re.Pattern[str]:
    """A pattern that finds a literal's words in *folded* text, also inside longer words; see `stands_alone`.

    Between characters it allows what the tokenizer ignores (a hyphen and line break), between words any separator but
    the block that stands for something redacted.
    """
    words = [r"(?:[-\u2010]\s*)?".join(squash(token.text)) for token in tokens(literal)]
    # "Face++" is a name, "face" is none: of punctuation only plus signs count, and only at the end.
    plus = len(literal.rstrip()) - len(literal.rstrip().rstrip("+"))
    return re.compile(r"(?:[^\w█]|_)*".join(filter(None, words)) + re.escape("+" * plus))


def stands_alone(pattern: re.Pattern[str], folded: str) -> bool:
    """Whether a pattern of `words_pattern` matches folded text somewhere with no letter or digit touching it."""
    found = pattern.search(folded)
    while found:
        before, after = folded[found.start() - 1 : found.start()], folded[found.end() : found.end() + 1]
        if not (_GLUED.match(before) or _GLUED.match(after)):
            return True
        found = pattern.search(folded, found.start() + 1)
    return False


def _kept_mark(code: int) -> bool:
    return not any(low <= code <= high for low, high in _DROPPED_MARKS)


def _fold_character(character: str) -> str:
    if re.match(f"[{_IGNORED}]", character):
        return ""
    lowered = _BY_HAND.get(character.casefold(), character.casefold())
    decomposed = unicodedata.normalize("NFKD", lowered).casefold()
    return "".join(_BY_HAND.get(c, c) for c in decomposed if _kept_mark(ord(c)))


def _is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in {"Mn", "Mc"}


def _tables() -> tuple[dict[int, str], dict[int, str]]:
    folded: dict[int, str] = {}
    squashed: dict[int, str] = {}
    for low, high in _FOLDED_RANGES:
        for code in range(low, high):
            character = chr(code)
            plain = _fold_character(character) if code > 0x7F else character.lower()
            letters = "".join(c for c in plain if _is_letter(c))
            if plain != character:
                folded[code] = plain
            if letters != character:
                squashed[code] = letters
    return folded, squashed


def _mark_class() -> str:
    codes = [c for c in range(0x0300, 0x10000) if unicodedata.category(chr(c)) in {"Mn", "Mc"}]
    runs: list[list[int]] = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in runs if not re.match(f"[{_BREAKLESS}]", chr(a)))


_FOLD, _SQUASH = _tables()
# From one letter that is not ASCII to the last with at most two others between: words of other scripts in one stretch.
_OTHERS = re.compile(r"[^\x00-\x7f](?:[\x00-\x7f]{0,2}[^\x00-\x7f])*")
_ASCII_DELETED = bytes(c for c in range(128) if not chr(c).isalnum())
_WORD = rf"(?:[^\W_{_BREAKLESS}]|[{_mark_class()}{_IGNORED}])+"
_GLUED = re.compile(rf"[^\W_{_BREAKLESS}]")
_TOKEN = re.compile(
    rf"(?P<word>{_WORD}(?:[-\u2010][ \t]*\r?\n[ \t]*{_WORD})*)"
    rf"|(?P<one>[^\s{_HYPHENS}_'\"\u2018-\u201f\u00ab\u00bb`\u00b4])"
)

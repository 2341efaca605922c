"""How texts and phrases are compared: folding, squashing and cutting into tokens.

`fold` and `squash` are defined character by character, so `squash(a + b) == squash(a) + squash(b)`. The screen's
promise rests on it: what the matcher finds as tokens is a substring of the squashed text.

Of Thai, Devanagari and Burmese the skeleton is compared: vowel signs, tone marks and medials are left out, as broken
fonts lose or swap them, transliterations differ in them and the Zawgyi encoding orders them otherwise. `spelled` keeps
them, for phrases too short to be told apart by their skeleton.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

# Scripts written without spaces between words: one character a token there.
BREAKLESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Characters that leave no trace: NUL, halves of broken code points, zero width and bidi marks, soft hyphen, the stroke
# that lengthens Arabic words, trade mark signs.
_INVISIBLE = "\\x00\ud800-\udfff\u00ad\u034f\u061c\u0640\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_IGNORED = _INVISIBLE + "\u2122\u00ae\u00a9\u2120"
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
# Where letters have compatibility forms; elsewhere (Han, Hangul) folding changes nothing.
_FOLDED_RANGES = ((0x00, 0x3400), (0xA000, 0xAC00), (0xD7B0, 0x10000), (0x10400, 0x10450), (0x1D400, 0x1D800))
# Vowel signs, tone marks and medials; in the Burmese block also the forms that Zawgyi has for them.
_SKELETON_DROPS = (
    (0x0900, 0x0903),
    (0x093A, 0x094F),
    (0x0951, 0x0957),
    (0x0962, 0x0963),
    (0x0E31, 0x0E31),
    (0x0E34, 0x0E3A),
    (0x0E47, 0x0E4E),
    (0x102B, 0x103E),
    (0x1056, 0x1059),
    (0x105E, 0x105F),
    (0x1064, 0x1064),
    (0x107D, 0x1084),
    (0x1087, 0x108E),
    (0x1094, 0x1095),
)
# Stacked and variant letters of Zawgyi, by what they are in Unicode once the marks are gone (Unicode Technical Note 11;
# the table of Zawgyi code points of Google's myanmar-tools).
_ZAWGYI = dict(
    zip(
        range(0x1060, 0x107D),
        "က ခ ဂ ဃ _ စ ဆ ဆ ဇ ဈ ဥ ည ဋ ဌ ဍဍ ဍဎ ဏ တ တ ထ ထ ဒ ဓ န ပ ဖ ဗ ဘ မ".replace("_", "").split(" "),
        strict=True,
    )
) | {
    0x1085: "လ",
    0x1086: "သသ",
    0x108F: "န",
    0x1090: "ရ",
    0x1091: "ဏဍ",
    0x1092: "ဋဌ",
    0x1093: "ဘ",
    0x1096: "တ",
    0x1097: "ဋဋ",
    # Written one for the other in both encodings.
    0x1009: "ဥ",
    0x103F: "သသ",
    0x1040: "ဝ",
}


class Token(NamedTuple):
    """A folded token and where it stands: `start` and `end` count characters of the source text."""

    text: str
    start: int
    end: int


def fold(text: str) -> str:
    """Lower case without accents, full-width forms and invisible characters; digits and punctuation stay."""
    return text.lower() if text.isascii() and "\0" not in text else text.translate(_FOLD)


def squash(text: str) -> str:
    """Folded letters, digits and marks only: no spaces, no hyphens, no punctuation."""
    if text.isascii():
        return text.lower().encode("ascii").translate(None, _ASCII_DELETED).decode("ascii")
    return text.translate(_SQUASH)


def spelled(text: str) -> str:
    """Like `squash`, but with the vowel signs, tone marks and medials that the skeleton leaves out."""
    return text.translate(_SPELLED)


def tokens(text: str) -> list[Token]:
    """Folded tokens of a text in any language, with their places.

    A token is a run of letters, digits and marks (also across a hyphen at a line's end), one character in scripts
    without spaces, or one other visible character. White space, hyphens and quotation marks part tokens only, and the
    sound that some pages print behind a Chinese character is none.
    """
    out = []
    for found in _TOKEN.finditer(text):
        if found.lastgroup == "reading":
            continue
        folded = squash(found.group()) if found.lastgroup == "word" else fold(found.group())
        if folded:
            out.append(Token(folded, found.start(), found.end()))
        elif out and out[-1].end == found.start() and _are_marks(found.group()):
            # A mark that the skeleton leaves out belongs to its letter, in quotes and in the full spelling.
            out[-1] = out[-1]._replace(end=found.end())
    return out


def is_breakless(token: str) -> bool:
    """Whether a token is a character of a script that is written without spaces between words."""
    return _BREAKLESS_ONE.match(token) is not None


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
        if not (GLUED.match(before) or GLUED.match(after)):
            return True
        found = pattern.search(folded, found.start() + 1)
    return False


def _are_marks(text: str) -> bool:
    # Zawgyi writes two tone marks at the places of digits.
    return all(unicodedata.category(c) in {"Mn", "Mc"} or c in "\u1094\u1095" for c in text)


def _codes(ranges: Iterable[tuple[int, int]]) -> frozenset[str]:
    return frozenset(chr(code) for low, high in ranges for code in range(low, high + 1))


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or unicodedata.category(c) in {"Mn", "Mc"})


def _tables() -> tuple[dict[int, str], dict[int, str], dict[int, str]]:
    """What characters become when folded, when squashed, and when squashed with all their marks; only changes."""
    folded: dict[int, str] = {}
    squashed: dict[int, str] = {}
    whole: dict[int, str] = {}
    dropped, skeleton = _codes(_DROPPED_MARKS), _codes(_SKELETON_DROPS)
    ignored = frozenset(filter(_IGNORED_ONE.match, map(chr, range(0x10000))))
    touched = dropped | skeleton | ignored | _BY_HAND.keys() | frozenset(map(chr, _ZAWGYI))
    for low, high in _FOLDED_RANGES:
        for code in range(low, high):
            character = chr(code)
            lowered = character.casefold()
            plain = unicodedata.normalize("NFKD", _BY_HAND.get(lowered, lowered)).casefold()
            if plain == character and character not in touched:
                if not character.isalnum() and unicodedata.category(character) not in {"Mn", "Mc"}:
                    squashed[code] = whole[code] = ""
                continue
            spelled_out = "" if character in ignored else "".join(_BY_HAND.get(c, c) for c in plain if c not in dropped)
            bare = "".join(_ZAWGYI.get(ord(c), c) for c in spelled_out if c not in skeleton)
            for table, result in ((folded, bare), (squashed, _letters(bare)), (whole, _letters(spelled_out))):
                if result != character:
                    table[code] = result
    return folded, squashed, whole


def _mark_class() -> str:
    codes = [c for c in range(0x0300, 0x10000) if unicodedata.category(chr(c)) in {"Mn", "Mc"}]
    runs: list[list[int]] = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in runs if not re.match(f"[{BREAKLESS}]", chr(a)))


_BREAKLESS_ONE = re.compile(f"[{BREAKLESS}]")
_IGNORED_ONE = re.compile(f"[{_IGNORED}]")
_FOLD, _SQUASH, _SPELLED = _tables()
# What folding and squashing change, by code point; for tables that are faster than `str.translate`.
FOLDED: Mapping[int, str] = MappingProxyType(_FOLD)
SQUASHED: Mapping[int, str] = MappingProxyType(_SQUASH)
_ASCII_DELETED = bytes(c for c in range(128) if not chr(c).isalnum())
_WORD = rf"(?:[^\W_{BREAKLESS}]|[{_mark_class()}{_IGNORED}])+"
GLUED = re.compile(rf"[^\W_{BREAKLESS}]")
# Pages that print how a Chinese character sounds behind it: 識(shí)別(bié). The sound is no part of the text.
TONES = "āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜ"
READINGS = re.compile(rf"[(（](?<=[\u3400-\u4dbf\u4e00-\u9fff].)[a-zü]*[{TONES}][a-zü]*[)）]")
_TOKEN = re.compile(
    rf"(?P<reading>{READINGS.pattern})"
    rf"|(?P<word>{_WORD}(?:[-\u2010][ \t]*\r?\n[ \t]*{_WORD})*)"
    rf"|(?P<one>[^\s\x01-\x1f\x7f-\x9f{_HYPHENS}_'\"\u2018-\u201f\u00ab\u00bb`\u00b4\u05f3\u05f4])"
)

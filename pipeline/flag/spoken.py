"""Which languages a text speaks, by the words that the rules know.

A technology counts in any language, wherever it stands, and so do words that name a thing or a place. Words that turn a
sentence (not, banned, cancelled, thesis, bought) count only in a language that the text speaks: French "thèse" is also
English "these". Nothing but the rules' own hits is asked, so that a wrong label or guess of a language loses nothing.
"""

from collections.abc import Iterable, Sequence

from pipeline.rules.model import Kind, Rule

# A language with so large a share of the words of the one that is heard most is spoken too.
SHARE = 0.4
# Texts with fewer known words are judged together with the rest of their process.
_FEW = 4
_EVERYWHERE = "xx"
_TURNING = frozenset({Kind.CUE, Kind.LIFECYCLE, Kind.DISCOURSE, Kind.NEIGHBOUR, Kind.PURCHASE})


class Heard:
    """The distinct words known in each language and script. Languages of different scripts do not compete."""

    def __init__(self, hits: Iterable[tuple[Rule, str]]) -> None:
        """`hits` are rules with the folded words that they matched."""
        self._words: dict[str, dict[str, set[str]]] = {}
        self._named: dict[str, set[str]] = {}
        for rule, words in hits:
            script = _script(words)
            self._words.setdefault(script, {}).setdefault(rule.language, set()).add(words)
            if rule.names_technology:
                self._named.setdefault(words, set()).add(rule.language)

    def __len__(self) -> int:
        return sum(max(map(len, languages.values())) for languages in self._words.values())

    def spoken(self, declared: str | None) -> frozenset[str]:
        """The declared language, those heard enough in their script, and those that name a technology nobody else does.

        So a sentence quoted in another language keeps its "without" and "not".
        """
        found = {_EVERYWHERE, *((declared,) if declared else ())}
        for languages in self._words.values():
            most = max(map(len, languages.values()))
            found |= {language for language, words in languages.items() if len(words) >= SHARE * most}
        for named in self._named.values():
            if not named & found:
                found |= named
        return frozenset(found)


def heard_in(rule: Rule, spoken: frozenset[str]) -> bool:
    """Whether a rule's hit counts where these languages are spoken."""
    return rule.kind not in _TURNING or rule.language in spoken


def spoken_in(texts: Sequence[Heard], whole: Heard, declared: Sequence[str | None]) -> list[frozenset[str]]:
    """The languages of each text of a process, of which `whole` holds all hits together."""
    return [
        (text if len(text) >= _FEW else whole).spoken(language) for text, language in zip(texts, declared, strict=True)
    ]


def _script(words: str) -> str:
    """A name for the script of folded words: `latin`, `cjk`, or the block of Unicode they stand in."""
    first = next((ord(c) for c in words if c.isalpha()), 0)
    if first < 0x250:
        return "latin"
    return "cjk" if first >= 0x3000 else f"{first >> 8:02x}"

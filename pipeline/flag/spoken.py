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


# The words of a hit, near enough to tell them apart: the first, the last, and how many.
Words = tuple[str, str, int]


class Heard:
    """The distinct words of one text, or of several, that are known in each language and script.

    Languages of different scripts do not compete. `declared` is the language that the source says the text is in.
    """

    def __init__(self, hits: Iterable[tuple[Rule, Words]], declared: str | None = None) -> None:
        self.words: dict[tuple[str, str], set[Words]] = {}
        self.named: dict[Words, set[str]] = {}
        self._declared = declared
        for rule, words in hits:
            self.words.setdefault((_script(words[0]), rule.language), set()).add(words)
            if rule.names_technology:
                self.named.setdefault(words, set()).add(rule.language)

    def add(self, other: "Heard") -> None:
        """Take over what was heard in another text."""
        for key, words in other.words.items():
            self.words.setdefault(key, set()).update(words)
        for name, languages in other.named.items():
            self.named.setdefault(name, set()).update(languages)

    def most(self) -> dict[str, int]:
        """For each script, how many words are known in the language that is heard most."""
        out: dict[str, int] = {}
        for (script, _), words in self.words.items():
            out[script] = max(out.get(script, 0), len(words))
        return out

    def spoken(self, declared: str | None = None) -> frozenset[str]:
        """The declared language, those heard enough in their script, and those that name a technology nobody else does.

        So a sentence quoted in another language keeps its "without" and "not".
        """
        declared = declared or self._declared
        found = {_EVERYWHERE, *((declared,) if declared else ())}
        most = self.most()
        found |= {language for (script, language), words in self.words.items() if len(words) >= SHARE * most[script]}
        for named in self.named.values():
            if not named & found:
                found |= named
        return frozenset(found)

    @property
    def declared(self) -> str | None:
        return self._declared


def heard_in(rule: Rule, spoken: frozenset[str]) -> bool:
    """Whether a rule's hit counts where these languages are spoken."""
    return rule.kind not in _TURNING or rule.language in spoken


def spoken_in(texts: Sequence[Heard]) -> list[frozenset[str]]:
    """The languages of each text of a process. One with few known words is judged by all of them together."""
    whole = Heard(())
    if any(sum(text.most().values()) < _FEW for text in texts):
        for text in texts:
            whole.add(text)
    return [text.spoken() if sum(text.most().values()) >= _FEW else whole.spoken(text.declared) for text in texts]


def _script(word: str) -> str:
    """A name for the script of a folded word: `latin`, `cjk`, or the block of Unicode it stands in."""
    first = ord(word[0])
    if first < 0x250:
        return "latin"
    return "cjk" if first >= 0x3000 else f"{first >> 8:02x}"

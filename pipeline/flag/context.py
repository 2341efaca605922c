"""Context: how a text speaks of a technology, and what its neighbours take away (after ConText)."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.codes import Polarity
from pipeline.flag.spans import Hit, Reading
from pipeline.rules.fold import is_breakless
from pipeline.rules.model import CueCategory, Direction, Kind, Reach, Rule

# A dog named forty words from a face does not make the face a dog's.
NEIGHBOUR_WORDS = 12
# Where every character is a token, so many make a word: Chinese and Japanese, and Thai and Burmese.
_HAN_A_WORD, _LETTERS_A_WORD = 2, 4
# The concept of words after a comma that go on speaking of what stood before it.
_CONTINUES = "continues"

_POLARITY = {
    CueCategory.EXCLUDED: Polarity.EXCLUDED,
    CueCategory.BANNED: Polarity.EXCLUDED,
    CueCategory.OPTIONAL: Polarity.OPTIONAL,
    CueCategory.HYPOTHETICAL: Polarity.HYPOTHETICAL,
}
# Where several cues reach one mention, the first of these decides.
_ORDER = (CueCategory.EXCLUDED, CueCategory.BANNED, CueCategory.HYPOTHETICAL, CueCategory.OPTIONAL)


@dataclass(frozen=True)
class Term:
    """A technology or product named by a text: its hit, its segment's reading, and how the text speaks of it."""

    hit: Hit
    reading: Reading
    polarity: Polarity = Polarity.ASSERTED
    category: CueCategory | None = None
    cue: str = ""
    cue_gloss: str = ""

    @property
    def rule(self) -> Rule:
        return self.hit.rule

    @property
    def text(self) -> str:
        return self.reading.segment.text[self.hit.start : self.hit.end]


@dataclass(frozen=True)
class Cancelled:
    """A technology phrase that a neighbour took away, and the neighbour's rule and words."""

    hit: Hit
    by: Rule
    words: str


def terms(reading: Reading) -> tuple[list[Term], list[Cancelled]]:
    """The technologies that a segment names, with polarity, and those that a neighbour cancelled."""
    kept: list[Term] = []
    cancelled: list[Cancelled] = []
    for hits in reading.by_sentence.values():
        neighbours = [hit for hit in hits if hit.rule.kind is Kind.NEIGHBOUR]
        cues = _live_cues(hits)
        for hit in (hit for hit in hits if hit.rule.names_technology):
            neighbour = next((other for other in neighbours if _cancels(other, hit, reading)), None)
            if neighbour is None:
                kept.append(_with_polarity(hit, reading, cues))
            else:
                words = reading.segment.text[neighbour.start : neighbour.end]
                cancelled.append(Cancelled(hit, neighbour.rule, words))
    return kept, cancelled


def negated(hit: Hit, reading: Reading) -> bool:
    """Whether an exclusion of its sentence reaches a hit of any kind: "has not been awarded", "is no longer in use"."""
    cues = _live_cues(list(reading.around(hit)))
    ends = [cue for cue in cues if cue.rule.category is CueCategory.TERMINATOR]
    return any(cue.rule.category is CueCategory.EXCLUDED and _reaches(cue, hit, ends) for cue in cues)


def _cancels(neighbour: Hit, hit: Hit, reading: Reading) -> bool:
    if hit.rule.technology is None or hit.rule.technology.value not in neighbour.rule.cancels:
        return False
    if neighbour.rule.reach is Reach.SPAN:
        inside = hit.first <= neighbour.first and neighbour.last <= hit.last
        return neighbour.first < hit.last and hit.first < neighbour.last and not inside
    between = reading.tokens[min(hit.last, neighbour.last) : max(hit.first, neighbour.first)]
    if len(between) <= NEIGHBOUR_WORDS or len(between) > NEIGHBOUR_WORDS * _LETTERS_A_WORD:
        return len(between) <= NEIGHBOUR_WORDS
    return sum(_share_of_word(token.text) for token in between) <= NEIGHBOUR_WORDS


def _share_of_word(token: str) -> float:
    if not is_breakless(token):
        return 1
    return 1 / (_HAN_A_WORD if token >= "\u3040" else _LETTERS_A_WORD)


def _live_cues(hits: Sequence[Hit]) -> list[Hit]:
    """A sentence's cues that no pseudo cue touches; terminators are among them."""
    cues = [hit for hit in hits if hit.rule.kind is Kind.CUE]
    pseudo = [hit for hit in cues if hit.rule.category is CueCategory.PSEUDO]

    def covered(hit: Hit) -> bool:
        if hit.rule.category is CueCategory.PSEUDO:
            return False
        return any(other.first < hit.last and hit.first < other.last for other in pseudo)

    return [hit for hit in cues if not covered(hit)]


def _with_polarity(hit: Hit, reading: Reading, cues: list[Hit]) -> Term:
    ends = [cue for cue in cues if cue.rule.category is CueCategory.TERMINATOR]
    reaching = [
        cue
        for cue in cues
        if cue.rule.category in _POLARITY and _reaches(cue, hit, ends) and not _speaks_of_another(cue, hit, reading)
    ]
    for category in _ORDER:
        for cue in reaching:
            if cue.rule.category is category:
                words = reading.segment.text[cue.start : cue.end]
                return Term(hit, reading, _POLARITY[category], category, words, cue.rule.gloss)
    return Term(hit, reading)


def _speaks_of_another(cue: Hit, hit: Hit, reading: Reading) -> bool:
    """Whether a cue after the hit has a subject of its own: "face recognition cameras, maintenance not included"."""
    if cue.first < hit.last or cue.rule.category is CueCategory.OPTIONAL:
        return False
    between = [token.text for token in reading.tokens[hit.last : cue.first]]
    commas = [place for place, text in enumerate(between) if text in {",", "،", "、"}]
    if not commas:
        return False
    comma = hit.last + commas[-1]
    subject = reading.tokens[comma + 1 : cue.first]
    goes_on = any(other.rule.concept == _CONTINUES and other.first == comma + 1 for other in reading.around(hit))
    if not subject or goes_on:
        return False
    return not any(other.rule.names_technology and comma < other.first < cue.first for other in reading.around(hit))


def _reaches(cue: Hit, hit: Hit, ends: list[Hit]) -> bool:
    if cue.first < hit.last and hit.first < cue.last:
        return False
    forward = hit.first >= cue.last
    if cue.rule.direction is Direction.FORWARD and not forward:
        return False
    if cue.rule.direction is Direction.BACKWARD and forward:
        return False
    low, high = (cue.last, hit.first) if forward else (hit.last, cue.first)
    return high - low < cue.rule.scope and not any(low <= end.first < high for end in ends)

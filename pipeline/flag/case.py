"""A case: all readings of one process, the technologies they name, and what each is worth where it stands."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from models.assessment import BUYER
from models.codes import Polarity, Technology
from pipeline.flag.context import Cancelled, Term, terms
from pipeline.flag.spans import Hit, Reading
from pipeline.rules.model import CueCategory, Kind, Reach, Rule, Strength

# Segments up to this many characters are one thought: a title, a description, a row of a table.
SHORT = 1500
# Concepts that show one person is sought among many, or in public: they keep a face in scope.
HARDENERS = frozenset({"one_to_many", "watchlist", "database_search", "live", "suspects", "surveillance_word"})
# Concepts that make bare "facial recognition" a check of one person, unless a hardener stands by.
SOFTENERS = frozenset({"verification", "attendance", "door_access", "travel_identity", "identity_programme"})
FACES = frozenset({Technology.FACE_IDENTIFICATION, Technology.FACE_UNSPECIFIED, Technology.FACE_VERIFICATION})
_SEARCHED_BY = frozenset({"policing", "border", "stadium", "street_public_space", "retail", "housing"})
_MULTI = FACES | {Technology.MULTIMODAL, Technology.IRIS, Technology.OTHER}


class Worth(IntEnum):
    """What a term amounts to where it stands."""

    NOTHING = 0
    CONDITIONAL = 1
    IN_SCOPE = 2


@dataclass(frozen=True)
class Weighed:
    """A term with its worth, the technology it stands for here, and the reason in words."""

    term: Term
    worth: Worth
    technology: Technology
    reason: str
    bought: bool

    @property
    def live(self) -> bool:
        """Spoken of as bought, run or offered, be it as an option."""
        return self.term.polarity in {Polarity.ASSERTED, Polarity.OPTIONAL}

    @property
    def shown(self) -> bool:
        """Whether it is a mention. An acronym or a product's common word with nothing near is not even that."""
        return self.worth > Worth.NOTHING or self.term.rule.concept in {"biometric", "fingerprint"}


class Case:
    """What several segments say together. Titles speak for all segments."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.readings = tuple(map(_heard, readings))
        self.cancelled: list[Cancelled] = []
        found: list[Term] = []
        for reading in self.readings:
            named, cancelled = terms(reading)
            found += named
            self.cancelled += cancelled
        self._title = _concepts(reading for reading in self.readings if is_title(reading.segment.where))
        self._record = _concepts(reading for reading in self.readings if _is_short(reading))
        self.weighed = tuple(_outermost([self._weigh(term) for term in found]))

    def hits(self, *kinds: Kind) -> list[tuple[Reading, Hit]]:
        """All hits of some kinds, with their readings."""
        return [(reading, hit) for reading in self.readings for hit in reading.hits if hit.rule.kind in kinds]

    def near(self, term: Term, reach: Reach = Reach.SENTENCE) -> frozenset[str]:
        """Concepts in a term's sentence or the ones beside it, or in its segment, and in the title; or in its clause.

        Title and short fields of a record are read as one thought; a page's term hears its own sentences and the title.
        """
        reading = term.reading
        if reach is Reach.CLAUSE:
            return frozenset(hit.rule.concept for hit in reading.clause(term.hit))
        if _is_short(reading):
            return self._record
        if reach is Reach.SEGMENT:
            return self._title | reading.concepts
        return self._title | {hit.rule.concept for hit in reading.around(term.hit, 1)}

    def beside(self, term: Term) -> frozenset[str]:
        """Concepts in a term's own sentence and the one before and after it."""
        return frozenset(hit.rule.concept for hit in term.reading.around(term.hit, 1))

    def sentence(self, term: Term) -> frozenset[str]:
        """Concepts in a term's own sentence."""
        return frozenset(hit.rule.concept for hit in term.reading.around(term.hit))

    def _weigh(self, term: Term) -> Weighed:
        near = self.near(term)
        bought = bool(self.sentence(term) & {"bought", "deployed", "bought_before"})
        worth, technology, reason = self._worth(term, near)
        return Weighed(term, worth, technology, reason, bought)

    def _worth(self, term: Term, near: frozenset[str]) -> tuple[Worth, Technology, str]:
        rule = term.rule
        technology = rule.technology or Technology.OTHER
        if rule.strength in {Strength.CONTEXT, Strength.ACRONYM}:
            near_by = self.near(term, rule.reach)
            companions = sorted((set(rule.needs) | set(rule.needs_too)) & near_by)
            if not set(rule.needs) & near_by or (rule.needs_too and not set(rule.needs_too) & near_by):
                return Worth.NOTHING, technology, f"says nothing without {' or '.join(rule.needs)} near"
            given = Worth.IN_SCOPE if rule.gives is Strength.STRONG else Worth.CONDITIONAL
            reason = f"counts because {', '.join(companions)} stands near"
        else:
            given = Worth.IN_SCOPE if rule.strength is Strength.STRONG else Worth.CONDITIONAL
            reason = "names the technology"
        if given is Worth.IN_SCOPE:
            return self._softened(term, technology, near, reason)
        return self._hardened(technology, near, reason)

    def _softened(
        self, term: Term, technology: Technology, near: frozenset[str], reason: str
    ) -> tuple[Worth, Technology, str]:
        if technology is not Technology.FACE_UNSPECIFIED:
            return Worth.IN_SCOPE, technology, reason
        hard = near & HARDENERS
        soft = near & SOFTENERS
        if soft and not hard:
            return (
                Worth.CONDITIONAL,
                Technology.FACE_VERIFICATION,
                f"a check of one person ({', '.join(sorted(soft))}), no search among many shown",
            )
        public = near & (HARDENERS | _PUBLIC)
        if public and term.polarity is not Polarity.EXCLUDED:
            return Worth.IN_SCOPE, Technology.FACE_IDENTIFICATION, f"{reason}, with {', '.join(sorted(public))}"
        return Worth.IN_SCOPE, technology, reason

    def _hardened(self, technology: Technology, near: frozenset[str], reason: str) -> tuple[Worth, Technology, str]:
        searched = near & {"one_to_many", "watchlist", "database_search", "suspects"}
        if technology is Technology.IRIS and near & {"policing", "prison"} and "face_word" in near:
            return Worth.IN_SCOPE, technology, f"{reason}, used on people in custody or in the field"
        if searched and near & _SEARCHED_BY and technology in _MULTI and "face_word" in near:
            return Worth.IN_SCOPE, technology, f"{reason}, searched by police or border forces, or in a public place"
        if technology is Technology.MULTIMODAL and {"policing", "face_word"} <= near and not near & SOFTENERS:
            return Worth.IN_SCOPE, technology, f"{reason}, with faces, held by the police: such a base is searched"
        return Worth.CONDITIONAL, technology, reason


def _outermost(weighed: list[Weighed]) -> list[Weighed]:
    """Without terms inside a longer one of the same technology that says as much: `live facial recognition` is one.

    What says nothing where it stands swallows nothing. Of two rules with the same words ("biometria facial" is Spanish
    and Portuguese), the text's language has the first say.
    """
    by_place: dict[tuple[int, int], list[Weighed]] = {}
    for one in weighed:
        by_place.setdefault((one.term.reading.number, one.term.hit.sentence), []).append(one)

    def rank(one: Weighed) -> tuple[bool, int, bool, str]:
        hit, language = one.term.hit, one.term.reading.segment.language
        return one.worth > Worth.NOTHING, hit.last - hit.first, language == hit.rule.language, hit.rule.id

    def swallowed(one: Weighed) -> bool:
        hit = one.term.hit
        return any(
            other is not one
            and other.term.hit.first <= hit.first
            and hit.last <= other.term.hit.last
            and rank(other) > rank(one)
            and (other.term.rule.technology == hit.rule.technology or _same_body(other.term.rule, hit.rule))
            for other in by_place[(one.term.reading.number, hit.sentence)]
        )

    return [one for one in weighed if not swallowed(one)]


def _same_body(a: Rule, b: Rule) -> bool:
    """Both speak of faces, or one speaks of unnamed biometrics inside the other's words."""
    if b.concept in {"biometric", "fingerprint"}:
        return True
    return str(a.technology).startswith("face") and str(b.technology).startswith("face")


# The title of a purchase or lot in a notice of TED, newer and older.
_XML_TITLE = re.compile(r"/\*:(?:ProcurementProject\[\d+\]/\*:Name|TITLE)\[\d+\]$")


def is_title(where: str) -> bool:
    """Whether a segment's place is a record's title: `title` itself or a pointer that ends in it."""
    return where == "title" or where.endswith("/title") or _XML_TITLE.search(where) is not None


def _concepts(readings: Iterable[Reading]) -> frozenset[str]:
    return frozenset(concept for reading in readings for concept in reading.concepts)


def _heard(reading: Reading) -> Reading:
    """A reading as it counts. Of a buyer's name only where it is at home: "Biometric Planning Agency" buys pens too."""
    return reading.of_kind(Kind.SETTING) if reading.segment.where == BUYER else reading


def _is_short(reading: Reading) -> bool:
    return not reading.segment.where.startswith("page:") and len(reading.segment.text) <= SHORT


_PUBLIC = frozenset(
    {
        "camera_word",
        "public_camera",
        "policing",
        "border",
        "transport",
        "school",
        "library",
        "stadium",
        "housing",
        "street_public_space",
        "retail",
        "prison",
    }
)


def excluded(weighed: Iterable[Weighed]) -> list[Weighed]:
    """Those that the text itself rules out. Of what says nothing where it stands, nothing is ruled out."""
    return [one for one in weighed if one.term.polarity is Polarity.EXCLUDED and one.worth > Worth.NOTHING]


def banned(weighed: Iterable[Weighed]) -> list[Weighed]:
    """Those that a ban speaks of."""
    return [one for one in weighed if one.term.category is CueCategory.BANNED]

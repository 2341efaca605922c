"""Spans: spaCy finds every phrase of every rule in the segments of a Doc, with its place in the source text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from models.assessment import Segment
from pipeline.flag.patterns import compile_patterns
from pipeline.flag.spoken import Heard, heard_in, spoken_in
from pipeline.flag.tokenizer import Piece, pieces_of
from pipeline.rules import pack
from pipeline.rules.fold import Token, spelled, squash
from pipeline.rules.model import Kind, Rule, RuleSet

# The name of the span group.
SPANS = "unveil"
# Skeletons of so many letters tell phrases apart; shorter ones are compared with their marks.
TELLING_SKELETON = 8

# A full stop ends a sentence unless it follows a short abbreviation, an initial or a number's part.
_SENTENCE_END = re.compile(
    r"(?<!\bNo)(?<!\bNos)(?<!\bInc)(?<!\bLtd)(?<!\bRs)(?<!\bvs)(?<!\bart)(?<!\be\.g)(?<!\bi\.e)(?<!\bCo)(?<!\bSt)"
    r"(?<![\s.][A-Z])[.!?][\"'”’)\]]*(?=\s)"
    r"|[;。！？；।။]"
    r"|\r?\n[ \t]*\r?\n"
    r"|\r?\n(?=[ \t]*(?:[•*▪●‣◦–-]|\(?[0-9a-zA-Z]{1,3}[.)])[ \t])"
)


# What parts clauses, in any script; a hyphen within a word or a decimal comma does not.
_CLAUSE_END = re.compile(r"[,;:{}|\t\n،؛၊、，；：（）。।–—]|\s-\s|\.\s")

# Tables and lists without full stops: cut there, so that work stays in proportion to a text's length.
_LONGEST = 2000


@dataclass(frozen=True)
class Hit:
    """A rule's phrase in a segment: tokens `first` to `last` (exclusive), characters `start` to `end`."""

    rule: Rule
    first: int
    last: int
    start: int
    end: int
    sentence: int


@dataclass(frozen=True)
class Reading:
    """A segment as the rules see it: its tokens, its sentences as character ranges, and the hits in order."""

    segment: Segment
    number: int
    tokens: tuple[Token, ...]
    sentences: tuple[tuple[int, int], ...]
    hits: tuple[Hit, ...]
    by_sentence: Mapping[int, tuple[Hit, ...]]
    concepts: frozenset[str]

    def of_kind(self, kind: Kind) -> "Reading":
        """The same reading with the hits of one kind of rule only."""
        kept = [hit for hit in self.hits if hit.rule.kind is kind]
        return replace(self, **_grouped(kept))

    def around(self, hit: Hit, sentences: int = 0) -> Iterator[Hit]:
        """The hits of a hit's sentence, and of as many sentences before and after it."""
        for number in range(hit.sentence - sentences, hit.sentence + sentences + 1):
            yield from self.by_sentence.get(number, ())

    def clause(self, hit: Hit) -> Iterator[Hit]:
        """The other hits of a hit's clause: its sentence up to a comma, colon, bracket, dash or table mark."""
        for other in self.by_sentence.get(hit.sentence, ()):
            low, high = min(hit.last, other.last), max(hit.first, other.first)
            overlaps = other.first < hit.last and hit.first < other.last
            between = self.segment.text[self.tokens[low - 1].end : self.tokens[high].start] if low <= high else ""
            if other is not hit and not overlaps and not _CLAUSE_END.search(between):
                yield other


class SpanFinder:
    """A spaCy component: finds the phrases of a rule set and keeps them as `doc.spans["unveil"]`, labelled by rule id.

    Docs must come from the tokenizer `unveil.folding_tokenizer.v1`. Built once; a call keeps nothing.
    """

    def __init__(self, vocab: Vocab, rules: RuleSet) -> None:
        self._vocab = vocab
        self.use(rules)

    def use(self, rules: RuleSet) -> None:
        """Compile a rule set in place of the present one."""
        self.rules = rules
        self._matcher = PhraseMatcher(self._vocab, attr="ORTH")
        self._spelled: dict[str, frozenset[str]] = {}
        if not rules.rules:
            return
        compiled = compile_patterns(rules)
        for rule_id, phrases in compiled.patterns():
            self._matcher.add(rule_id, cast(Any, phrases))
        self._spelled = compiled.spelled

    def __call__(self, doc: Doc) -> Doc:
        strings = self._vocab.strings
        found = sorted({(first, -last, strings[key]) for key, first, last in self._matcher(doc)})
        pieces = pieces_of(doc)
        number = 0
        spans = []
        for first, last, rule_id in found:
            while first >= pieces[number].first + len(pieces[number].tokens):
                number += 1
            if self._holds(pieces[number], rule_id, first, -last):
                spans.append(Span(doc, first, -last, label=rule_id))
        doc.spans[SPANS] = SpanGroup(doc, name=SPANS, spans=spans)
        return doc

    def _holds(self, piece: Piece, rule_id: str, first: int, last: int) -> bool:
        """Whether a match counts here: in this language, and in full spelling where the skeleton is short."""
        if piece.segment.language in self.rules.by_id[rule_id].not_in:
            return False
        forms = self._spelled.get(rule_id)
        if forms is None:
            return True
        found = piece.tokens[first - piece.first : last - piece.first]
        written = spelled(piece.segment.text[found[0].start : found[-1].end])
        skeleton = squash(written)
        telling = self.rules.by_id[rule_id].names_technology and len(skeleton) >= TELLING_SKELETON
        return telling or written in forms

    def to_bytes(self, **_: Any) -> bytes:
        return pack.to_bytes(self.rules)

    def from_bytes(self, data: bytes, **_: Any) -> "SpanFinder":
        self.use(pack.from_bytes(data))
        return self

    def to_disk(self, path: Path | str, **_: Any) -> None:
        Path(path).write_bytes(self.to_bytes())

    def from_disk(self, path: Path | str, **_: Any) -> "SpanFinder":
        return self.from_bytes(Path(path).read_bytes())


def readings_of(doc: Doc, rules: RuleSet) -> list[Reading]:
    """The segments of a Doc as its spans see them, without words of languages that they do not speak."""
    spans = doc.spans.get(SPANS, ())
    by_piece: dict[int, list[Span]] = {}
    pieces = pieces_of(doc)
    number = 0
    for span in spans:
        while span.start >= pieces[number].first + len(pieces[number].tokens):
            number += 1
        by_piece.setdefault(number, []).append(span)
    found = [
        [
            (span.start - piece.first, span.end - piece.first, rules.by_id[span.label_])
            for span in by_piece.get(number, ())
        ]
        for number, piece in enumerate(pieces)
    ]
    spoken = spoken_in([_heard(piece, hits) for piece, hits in zip(pieces, found, strict=True)])
    return [
        _reading(piece, number, [hit for hit in hits if heard_in(hit[2], languages)])
        for number, (piece, hits, languages) in enumerate(zip(pieces, found, spoken, strict=True))
    ]


def _heard(piece: Piece, hits: list[tuple[int, int, Rule]]) -> Heard:
    tokens = piece.tokens
    return Heard(
        ((rule, (tokens[first].text, tokens[last - 1].text, last - first)) for first, last, rule in hits),
        piece.segment.language,
    )


def _reading(piece: Piece, number: int, found: list[tuple[int, int, Rule]]) -> Reading:
    sentences = tuple((low + piece.start, high + piece.start) for low, high in sentence_ranges(piece.text))
    hits = []
    for first, last, rule in found:
        start, end = piece.tokens[first].start, piece.tokens[last - 1].end
        hits.append(Hit(rule, first, last, start, end, _sentence_of(sentences, start)))
    return Reading(piece.segment, number, piece.tokens, sentences, **_grouped(hits))


def _grouped(hits: list[Hit]) -> dict[str, Any]:
    """The fields of a reading that follow from its hits."""
    groups: dict[int, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.sentence, []).append(hit)
    by_sentence = {sentence: tuple(group) for sentence, group in groups.items()}
    return {
        "hits": tuple(hits),
        "by_sentence": by_sentence,
        "concepts": frozenset(hit.rule.concept for hit in hits),
    }


def sentence_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Sentences of a text as character ranges without outer white space; at least one, also for an empty text.

    What runs on for more than 2,000 characters is cut at white space.
    """
    out = []
    start = 0
    for end in _ends(text):
        piece = text[start:end]
        if piece.strip():
            out.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
        start = end
    return tuple(out) or ((0, 0),)


def _ends(text: str) -> Iterator[int]:
    start = 0
    for end in [*(found.end() for found in _SENTENCE_END.finditer(text)), len(text)]:
        while end - start > _LONGEST:
            blank = text.rfind(" ", start + _LONGEST // 2, start + _LONGEST)
            start = blank + 1 if blank >= 0 else start + _LONGEST
            yield start
        yield end
        start = end


def _sentence_of(sentences: tuple[tuple[int, int], ...], at: int) -> int:
    low, high = 0, len(sentences) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if sentences[middle][0] <= at:
            low = middle
        else:
            high = middle - 1
    return low

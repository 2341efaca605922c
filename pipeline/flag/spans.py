"""Spans: spaCy finds every phrase of every rule in a segment, with its place in the source text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import spacy
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from models.assessment import Segment
from pipeline.rules.fold import Token, tokens
from pipeline.rules.model import Kind, Rule, RuleSet
from pipeline.rules.phrases import words, written_together

# A full stop ends a sentence unless it follows a short abbreviation, an initial or a number's part.
_SENTENCE_END = re.compile(
    r"(?<!\bNo)(?<!\bNos)(?<!\bInc)(?<!\bLtd)(?<!\bRs)(?<!\bvs)(?<!\bart)(?<!\be\.g)(?<!\bi\.e)(?<!\bCo)(?<!\bSt)"
    r"(?<![\s.][A-Z])[.!?][\"'”’)\]]*(?=\s)"
    r"|[;。！？；।]"
    r"|\r?\n[ \t]*\r?\n"
    r"|\r?\n(?=[ \t]*(?:[•*▪●‣◦–-]|\(?[0-9a-zA-Z]{1,3}[.)])[ \t])"
)


# What parts clauses, in any script; a hyphen within a word or a decimal comma does not.
_CLAUSE_END = re.compile(r"[,;:{}|\t\n،؛、，；：（）。।–—]|\s-\s|\.\s")

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


class FoldingTokenizer:
    """A spaCy tokenizer for texts in any language; `doc.user_data["places"]` keeps the source offsets.

    spaCy's own offsets assume that white space is one blank, which procurement texts are not.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        found = tokens(text)
        doc = Doc(self.vocab, words=[token.text for token in found])
        doc.user_data["places"] = tuple(found)
        return doc


class SpanFinder:
    """Finds the phrases of a rule set. Built once; a call keeps nothing."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._language: Language = spacy.blank("xx")
        self._language.tokenizer = FoldingTokenizer(self._language.vocab)
        self._matcher = PhraseMatcher(self._language.vocab, attr="ORTH")
        for rule in rules.rules:
            if rule.phrases and rule.kind is not Kind.PROBE:
                for pattern in self._patterns(rule):
                    # One at a time: thousands of documents kept together cost more to collect than to make.
                    self._matcher.add(rule.id, [pattern])

    def read(self, segment: Segment, number: int) -> Reading:
        """A segment's tokens, sentences and hits. Words met only here are forgotten afterwards."""
        with self._language.memory_zone():
            doc = self._language.make_doc(segment.text)
            places: tuple[Token, ...] = doc.user_data["places"]
            found = [(self._language.vocab.strings[key], first, last) for key, first, last in self._matcher(doc)]
        sentences = sentence_ranges(segment.text)
        hits = []
        for rule_id, first, last in sorted(set(found), key=lambda item: (item[1], -item[2], item[0])):
            if segment.language in self._rules.by_id[rule_id].not_in:
                continue
            start, end = places[first].start, places[last - 1].end
            sentence = _sentence_of(sentences, start)
            hits.append(Hit(self._rules.by_id[rule_id], first, last, start, end, sentence))
        groups: dict[int, list[Hit]] = {}
        for hit in hits:
            groups.setdefault(hit.sentence, []).append(hit)
        by_sentence = {sentence: tuple(group) for sentence, group in groups.items()}
        concepts = frozenset(hit.rule.concept for hit in hits)
        return Reading(segment, number, places, sentences, tuple(hits), by_sentence, concepts)

    def _patterns(self, rule: Rule) -> Iterator[Doc]:
        for phrase in rule.phrases:
            plain = words(phrase)
            variants = written_together(plain) if rule.names_technology else [plain]
            for variant in variants:
                yield Doc(self._language.vocab, words=list(variant))


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

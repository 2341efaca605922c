"""Mentions: what a case's texts name, each with its place, its quote and how the text speaks of it."""

from collections import Counter
from collections.abc import Iterable

from models.assessment import Mention
from models.codes import Polarity
from pipeline.flag.case import SHORT, Case
from pipeline.flag.context import Term
from pipeline.flag.spans import Hit, Reading
from pipeline.rules.model import Kind

QUOTE_LENGTH = 400
_SUPPORT = (Kind.FUNCTION, Kind.SETTING)
# A page may say "police" two hundred times: the first few are enough to show why.
_SUPPORT_PER_RULE = 2
# A text made of nothing else would fill the database.
_MENTIONS_PER_RULE = 100


def mentions_of(case: Case) -> list[Mention]:
    """Technologies and products with polarity, and the function and setting words beside them, segment by segment.

    `start` and `end` count characters of the segment's own text; `quote` is the sentence, cut to 400 characters. Of
    one rule the first hundred in a segment are told.
    """
    out = []
    by_reading: dict[int, list[Term]] = {}
    for one in case.weighed:
        if one.shown:
            by_reading.setdefault(one.term.reading.number, []).append(one.term)
    for reading in case.readings:
        here = _first_of_each_rule(by_reading.get(reading.number, ()))
        found = [_mention(reading, term.hit, term) for term in here]
        if here:
            found += [_mention(reading, hit, None) for hit in _support(reading, here)]
        out += sorted(found, key=lambda mention: (mention.start, mention.end, mention.rule_id))
    return out


def _first_of_each_rule(terms: Iterable[Term]) -> list[Term]:
    count: Counter[str] = Counter()
    kept = []
    for term in terms:
        count[term.rule.id] += 1
        if count[term.rule.id] <= _MENTIONS_PER_RULE:
            kept.append(term)
    return kept


def _support(reading: Reading, terms: list[Term]) -> list[Hit]:
    """Function and setting words in the sentences of the terms, or anywhere in a short segment."""
    sentences = {term.hit.sentence for term in terms}
    whole = len(reading.segment.text) <= SHORT
    count: dict[str, int] = {}
    kept = []
    for hit in reading.hits:
        if hit.rule.kind in _SUPPORT and (whole or hit.sentence in sentences):
            count[hit.rule.id] = count.get(hit.rule.id, 0) + 1
            if count[hit.rule.id] <= _SUPPORT_PER_RULE:
                kept.append(hit)
    return kept


def _mention(reading: Reading, hit: Hit, term: Term | None) -> Mention:
    segment = reading.segment
    return Mention(
        where=segment.where,
        start=hit.start,
        end=hit.end,
        text=segment.text[hit.start : hit.end],
        quote=_quote(reading, hit),
        rule_id=hit.rule.id,
        concept=hit.rule.concept,
        technology=hit.rule.technology,
        polarity=term.polarity if term else Polarity.ASSERTED,
        cue=term.cue if term else "",
        gloss=hit.rule.gloss,
        cue_gloss=term.cue_gloss if term else "",
        payload_sha256=segment.payload_sha256,
        pointer=segment.pointer,
    )


def _quote(reading: Reading, hit: Hit) -> str:
    """The sentence around a hit; of a long one, the part around the hit, cut between words."""
    low, high = reading.sentences[hit.sentence]
    high = max(high, hit.end)
    text = reading.segment.text
    if high - low <= QUOTE_LENGTH:
        return text[low:high]
    room = max(0, QUOTE_LENGTH - (hit.end - hit.start)) // 2
    start, end = max(low, hit.start - room), min(high, hit.end + room)
    if start > low:
        blank = text.find(" ", start, hit.start)
        start = blank + 1 if blank >= 0 else start
    if end < high:
        blank = text.rfind(" ", hit.end, end)
        end = blank if blank >= 0 else end
    return text[start:end]

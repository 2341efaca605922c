"""The flagger: segments of one process in, mentions and an assessment out."""

from collections.abc import Sequence

from models.assessment import Assessment, Mention, Segment
from models.codes import Basis, Lifecycle, Polarity, Scope, Technology
from pipeline.flag.case import SHORT, Case, banned
from pipeline.flag.context import Term
from pipeline.flag.decide import clauses_of, confidence_of, decide, function_of, settings_of
from pipeline.flag.lifecycle import lifecycle_of
from pipeline.flag.spans import Hit, Reading, SpanFinder
from pipeline.rules.model import Kind, RuleSet

QUOTE_LENGTH = 400
_SUPPORT = (Kind.FUNCTION, Kind.SETTING)
# A page may say "police" two hundred times: the first few are enough to show why.
_SUPPORT_PER_RULE = 2


class Flagger:
    """Matches a rule set and decides by the codebook. Holds the compiled matcher only; calls are independent."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._finder = SpanFinder(rules)

    @property
    def rules(self) -> RuleSet:
        return self._rules

    def mentions(self, segments: Sequence[Segment]) -> list[Mention]:
        """Technologies and products that segments name, with polarity, and the function and setting words beside them.

        `start` and `end` count characters of the segment's own text; `quote` is the sentence, cut to 400 characters.
        What a neighbour cancels (a face mask, a voice recorder) is no mention.
        """
        return _mentions(Case(self._read(segments)))

    def assess(self, segments: Sequence[Segment], sole_purpose: Technology | None = None) -> Assessment:
        """Scope and reasons for the segments of one process.

        `sole_purpose` is a registry fact: the supplier does nothing but this technology. Only with it is a vaguely
        described purchase in scope. The lifecycle is set only where words say so, with basis `text`.
        """
        case = Case(self._read(segments))
        decision = decide(case, sole_purpose)
        settings = settings_of(case)
        lifecycle, said = lifecycle_of(case)
        reasons = list(decision.reasons)
        if decision.scope in {Scope.IN_SCOPE, Scope.CONDITIONAL} and banned(case.weighed) and not _ended(lifecycle):
            lifecycle = Lifecycle.SUSPENDED
            reasons.append("bought, then banned or halted")
        elif said:
            words = said[0][0].segment.text[said[0][1].start : said[0][1].end]
            reasons.append(f"lifecycle {lifecycle.value}: “{words}”")
        confidence, sum_of = confidence_of(case, decision, settings)
        return Assessment(
            scope=decision.scope,
            technology=decision.technology,
            function=function_of(case, decision),
            setting=settings,
            lifecycle=lifecycle,
            lifecycle_basis=Basis.NONE if lifecycle is Lifecycle.UNKNOWN else Basis.TEXT,
            clauses=clauses_of(case, decision, settings),
            confidence=confidence,
            why=f"{decision.scope.value}: {'; '.join(reasons)}. Confidence {confidence:.2f} = {sum_of}.",
            mentions=tuple(_mentions(case)),
            rules_version=self._rules.version,
        )

    def _read(self, segments: Sequence[Segment]) -> list[Reading]:
        return [self._finder.read(segment, number) for number, segment in enumerate(segments)]


def _ended(lifecycle: Lifecycle) -> bool:
    return lifecycle in {Lifecycle.SUSPENDED, Lifecycle.CANCELLED, Lifecycle.TERMINATED}


def _mentions(case: Case) -> list[Mention]:
    out = []
    for reading in case.readings:
        here = [one.term for one in case.weighed if one.term.reading is reading and one.shown]
        found = [_mention(reading, term.hit, term) for term in here]
        if here:
            found += [_mention(reading, hit, None) for hit in _support(reading, here)]
        out += sorted(found, key=lambda mention: (mention.start, mention.end, mention.rule_id))
    return out


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

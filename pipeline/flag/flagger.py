"""The flagger: segments of one process in, mentions and an assessment out."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from spacy.tokens import Doc

from models.assessment import Assessment, Mention, Segment
from models.codes import Technology
from pipeline.flag.case import Case
from pipeline.flag.mentions import mentions_of
from pipeline.flag.pipe import findings_of, load_pipeline
from pipeline.flag.tokenizer import FoldingTokenizer
from pipeline.rules.model import RuleSet
from pipeline.screen import Screen

# Of segments longer than this only the windows that the screen lets through are read, so that memory stays bounded.
LONGEST_SEGMENT = 100_000
_WINDOW = 20_000
# What windows share, so that no phrase is cut in two.
_OVERLAP = 400
# Enough to decide by and to show: no process is flagged by its thousandth mention.
_MOST_WINDOWS = 10


class Flagger:
    """Reads segments with the spaCy pipeline of a rule set. Holds the pipeline only; calls are independent."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._pipeline = load_pipeline(rules)
        self._tokenizer = FoldingTokenizer(self._pipeline.vocab)

    @cached_property
    def _screen(self) -> Screen:
        return Screen(self._rules)

    @property
    def rules(self) -> RuleSet:
        return self._rules

    def mentions(self, segments: Sequence[Segment]) -> list[Mention]:
        """Technologies and products that segments name, with polarity, and the function and setting words beside them.

        What a neighbour cancels (a face mask, a voice recorder) is no mention.
        """
        return mentions_of(self.case(segments))

    def case(self, segments: Sequence[Segment]) -> Case:
        """What the rules find in the segments, before anything is decided."""
        with self._pipeline.memory_zone():
            doc, _ = self._doc(segments)
            for name in ("unveil_spans", "unveil_context"):
                doc = self._pipeline.get_pipe(name)(doc)
            return findings_of(doc).case

    def assess(self, segments: Sequence[Segment], sole_purpose: Technology | None = None) -> Assessment:
        """Scope and reasons for the segments of one process.

        `sole_purpose` is a registry fact: the supplier does nothing but this technology. Only with it is a vaguely
        described purchase in scope. The lifecycle is set only where words say so, with basis `text`. What was left
        unread of very long texts stands at the end of `why`.
        """
        with self._pipeline.memory_zone():
            doc, unread = self._doc(segments)
            doc.user_data["unveil_sole_purpose"] = sole_purpose
            said = Assessment.model_validate(self._pipeline(doc)._.unveil)
        return said.model_copy(update={"why": said.why + unread})

    def _doc(self, segments: Sequence[Segment]) -> tuple[Doc, str]:
        """The segments as a Doc, very long ones in windows, and a sentence on what was left unread, or nothing."""
        windows: list[tuple[Segment, int, int]] = []
        notes = []
        for segment in segments:
            if len(segment.text) <= LONGEST_SEGMENT:
                windows.append((segment, 0, len(segment.text)))
                continue
            every = list(self._windows(segment))
            telling = [window for window in every if self._screen.may_match(segment.text[window[1] : window[2]])]
            windows += telling[:_MOST_WINDOWS] or every[:1]
            notes.append(
                f" {segment.where} has {len(segment.text):,} characters: {min(len(telling), _MOST_WINDOWS)} of the "
                f"{len(telling)} stretches out of {len(every)} that may name a technology were read."
            )
        return self._tokenizer.of_windows(windows), "".join(notes)

    @staticmethod
    def _windows(segment: Segment) -> Iterator[tuple[Segment, int, int]]:
        for start in range(0, len(segment.text), _WINDOW):
            yield segment, start, min(len(segment.text), start + _WINDOW + _OVERLAP)

"""The spaCy pipeline: registered factories that read texts, weigh what they say and decide by the codebook.

`load_pipeline()` is the whole of it; `spacy.blank("xx").add_pipe("unveil")` puts it as one component into a pipeline of
somebody else's, whatever its tokenizer. Both need no model and load the rules of `data/rules` alone; saved with
`nlp.to_disk(folder)`, the rules go along and `spacy.load(folder)` runs without the rule files.

The components hand on their findings in `doc.user_data` and the last takes them away: a finished Doc can be serialised
and carries `doc.spans["unveil"]`, `doc._.unveil`, the assessment as plain values, and `doc._.unveil_hits`: for every
span its segment, its characters there and its rule.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import spacy
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup

from models.assessment import Assessment
from models.codes import Basis, Lifecycle, Scope, Setting, Technology
from pipeline.flag.case import Case, banned
from pipeline.flag.decide import Decision, clauses_of, confidence_of, decide, function_of, settings_of
from pipeline.flag.lifecycle import lifecycle_of
from pipeline.flag.mentions import mentions_of
from pipeline.flag.spans import SPANS, Hit, Reading, SpanFinder, readings_of
from pipeline.flag.tokenizer import PIECES
from pipeline.rules import RuleSet, load_rules
from pipeline.store import DATA

COMPONENTS = (
    "unveil_spans",
    "unveil_context",
    "unveil_scope",
    "unveil_setting",
    "unveil_lifecycle",
    "unveil_clauses",
    "unveil_assessment",
)
_CONFIG = {"nlp": {"tokenizer": {"@tokenizers": "unveil.folding_tokenizer.v1"}}}
_FINDINGS = "unveil_findings"
_ENDED = frozenset({Lifecycle.SUSPENDED, Lifecycle.CANCELLED, Lifecycle.TERMINATED})

for _name in ("unveil", "unveil_hits"):
    if not Doc.has_extension(_name):
        Doc.set_extension(_name, default=None)


@dataclass
class Findings:
    """What the components have found out about one Doc so far."""

    case: Case
    rules_version: str
    sole_purpose: Technology | None = None
    decision: Decision | None = None
    settings: tuple[Setting, ...] = ()
    lifecycle: Lifecycle = Lifecycle.UNKNOWN
    lifecycle_words: list[tuple[Reading, Hit]] = field(default_factory=list)
    clauses: tuple[str, ...] = ()
    reasons: list[str] = field(default_factory=list)

    @property
    def decided(self) -> Decision:
        """The decision. Raises `ValueError` while the component `unveil_scope` has not run."""
        if self.decision is None:
            raise ValueError("the component unveil_scope has to run first")
        return self.decision


def load_pipeline(rules: RuleSet | Path | None = None) -> Language:
    """A spaCy pipeline with the folding tokenizer and all components.

    `rules` are compiled rules, a folder of rule files, or None for `data/rules`. Raises `RuleFileError` for a rule file
    with a mistake.
    """
    nlp = spacy.blank("xx", config=_CONFIG)
    # Shapes, prefixes and the like of every new word: nothing here asks for them, and they took half the time.
    nlp.vocab.lex_attr_getters = {}  # type: ignore[attr-defined]
    for name in COMPONENTS:
        nlp.add_pipe(name)
    finder_of(nlp).use(rules if isinstance(rules, RuleSet) else load_rules(rules or DATA / "rules"))
    return nlp


def finder_of(nlp: Language) -> SpanFinder:
    """The component that holds the rules. Raises `KeyError` for a pipeline without it."""
    finder: Any = nlp.get_pipe("unveil_spans")
    return cast(SpanFinder, finder)


@Language.factory("unveil_spans")
def make_spans(nlp: Language, name: str) -> SpanFinder:
    """Finds the rules' phrases. It begins without rules: `use(rules)` or `spacy.load` gives it some."""
    return SpanFinder(nlp.vocab, RuleSet(rules=(), version="rules-none", by_id={}))


@Language.factory("unveil_context")
def make_context(nlp: Language, name: str) -> Callable[[Doc], Doc]:
    """Says how the text speaks of each technology: asserted, optional, hypothetical or excluded."""

    def context(doc: Doc) -> Doc:
        rules = finder_of(nlp).rules
        sole_purpose = doc.user_data.pop("unveil_sole_purpose", None)
        doc.user_data[_FINDINGS] = Findings(Case(readings_of(doc, rules)), rules.version, sole_purpose)
        return doc

    return context


@Language.component("unveil_scope")
def scope(doc: Doc) -> Doc:
    """Scope and technology, by the codebook."""
    found = findings_of(doc)
    found.decision = decide(found.case, found.sole_purpose)
    found.reasons += found.decision.reasons
    return doc


@Language.component("unveil_setting")
def setting(doc: Doc) -> Doc:
    """Where the technology is used."""
    found = findings_of(doc)
    found.settings = settings_of(found.case)
    return doc


@Language.component("unveil_lifecycle")
def lifecycle(doc: Doc) -> Doc:
    """Where the process stands, where words say so; bought and then banned is suspended."""
    found = findings_of(doc)
    found.lifecycle, found.lifecycle_words = lifecycle_of(found.case)
    flagged = found.decided.scope in {Scope.IN_SCOPE, Scope.CONDITIONAL}
    if flagged and banned(found.case.weighed) and found.lifecycle not in _ENDED:
        found.lifecycle = Lifecycle.SUSPENDED
        found.reasons.append("bought, then banned or halted")
    elif found.lifecycle_words:
        reading, hit = found.lifecycle_words[0]
        found.reasons.append(f"lifecycle {found.lifecycle.value}: “{reading.segment.text[hit.start : hit.end]}”")
    return doc


@Language.component("unveil_clauses")
def clauses(doc: Doc) -> Doc:
    """The clauses of the letter that the flag touches."""
    found = findings_of(doc)
    found.clauses = clauses_of(found.case, found.decided, found.settings)
    return doc


@Language.component("unveil_assessment")
def assessment(doc: Doc) -> Doc:
    """Puts the findings together as `doc._.unveil`, plain values of `models.assessment.Assessment`."""
    found: Findings = doc.user_data.pop(_FINDINGS)
    decision = found.decided
    confidence, sum_of = confidence_of(found.case, decision, found.settings)
    made = Assessment(
        scope=decision.scope,
        technology=decision.technology,
        function=function_of(found.case, decision),
        setting=found.settings,
        lifecycle=found.lifecycle,
        lifecycle_basis=Basis.NONE if found.lifecycle is Lifecycle.UNKNOWN else Basis.TEXT,
        clauses=found.clauses,
        confidence=confidence,
        why=f"{decision.scope.value}: {'; '.join(found.reasons)}. Confidence {confidence:.2f} = {sum_of}.",
        rests_on=tuple(dict.fromkeys(one.term.rule.id for one in decision.rests_on)),
        mentions=tuple(mentions_of(found.case)),
        rules_version=found.rules_version,
    )
    doc._.unveil = made.model_dump(mode="json")
    doc._.unveil_hits = [
        [reading.segment.where, hit.start, hit.end, hit.rule.id]
        for reading in found.case.readings
        for hit in reading.hits
    ]
    del doc.user_data[PIECES]
    return doc


def findings_of(doc: Doc) -> Findings:
    """The findings that the components hand on. Raises `ValueError` before `unveil_context` or after the last."""
    found: Findings | None = doc.user_data.get(_FINDINGS)
    if found is None:
        raise ValueError("the component unveil_context has to run first")
    return found


class Unveil:
    """All of it as one component of any pipeline: reads `doc.text` anew, in its own tokens.

    It leaves `doc.spans["unveil"]` (spans of the Doc's own tokens around each phrase) and `doc._.unveil`.
    """

    def __init__(self, inner: Language) -> None:
        self._inner = inner

    def __call__(self, doc: Doc) -> Doc:
        with self._inner.memory_zone():
            inner = self._inner(doc.text)
            found, hits = inner._.unveil, inner._.unveil_hits
        spans = [doc.char_span(start, end, label=rule_id, alignment_mode="expand") for _, start, end, rule_id in hits]
        doc.spans[SPANS] = SpanGroup(doc, name=SPANS, spans=[span for span in spans if span is not None])
        doc._.unveil, doc._.unveil_hits = found, hits
        return doc

    def to_bytes(self, **_: Any) -> bytes:
        return finder_of(self._inner).to_bytes()

    def from_bytes(self, data: bytes, **_: Any) -> "Unveil":
        finder_of(self._inner).from_bytes(data)
        return self

    def to_disk(self, path: Path | str, **_: Any) -> None:
        Path(path).write_bytes(self.to_bytes())

    def from_disk(self, path: Path | str, **_: Any) -> "Unveil":
        return self.from_bytes(Path(path).read_bytes())


@Language.factory("unveil", default_config={"rules": None})
def make_unveil(nlp: Language, name: str, rules: str | None) -> Unveil:
    """The whole pipeline as one component; `rules` is a folder of rule files, by default `data/rules`."""
    return Unveil(load_pipeline(Path(rules) if rules else None))

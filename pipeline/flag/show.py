"""Shows decisions: displaCy marks in each text what the rules found, beside what was decided and why."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

from spacy import displacy

from models.assessment import Segment
from pipeline.flag.case import Case
from pipeline.flag.flagger import Flagger
from pipeline.flag.spans import Hit, Reading
from pipeline.rules.model import Kind

# Where several kinds of words overlap, the first of these is drawn.
_DRAWN = (
    Kind.TECHNOLOGY, Kind.PRODUCT, Kind.NEIGHBOUR, Kind.CUE, Kind.LIFECYCLE, Kind.FUNCTION, Kind.SETTING,
    Kind.DISCOURSE, Kind.PURCHASE, Kind.WORD,
)  # fmt: skip
_COLOURS = {
    "technology": "#f4b6a6", "product": "#f4b6a6", "neighbour": "#d5d5d5", "cue": "#ffe08a", "lifecycle": "#c9d8f0",
    "function": "#f7d9c4", "setting": "#cfe8cf", "discourse": "#e4d3ee", "purchase": "#d9ead3", "word": "#eeeeee",
}  # fmt: skip
_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Decisions of the rules</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c}
article{border-top:1px solid #bbb;padding:1rem 0}h2{font-size:1rem;margin:0 0 .4rem}.why{color:#444;font-size:.9rem}
.where{color:#666;font-size:.8rem;margin:.6rem 0 0}mark small{opacity:.75}</style></head><body>
<h1>Decisions of the rules</h1>
"""


def decision_page(cases: Iterable[tuple[str, Sequence[Segment]]], flagger: Flagger) -> str:
    """An HTML page with an article for each case, given as its id and its segments. It asks nothing of the network."""
    parts = [_HEAD, f"<p>{html.escape(flagger.rules.version)}</p>\n"]
    for name, segments in cases:
        assessment = flagger.assess(segments)
        case = flagger.case(segments)
        parts.append(
            f"<article><h2>{html.escape(name)}: {assessment.scope.value}</h2>\n"
            f'<p class="why">{html.escape(assessment.why)}</p>\n'
        )
        parts += [_drawn(reading, case) for reading in case.readings]
        parts.append("</article>\n")
    return "".join([*parts, "</body></html>\n"])


def _drawn(reading: Reading, case: Case) -> str:
    """One segment with its words marked. Overlapping words are drawn once, by the order of `_DRAWN`, longest first."""
    taken: list[Hit] = []
    order = sorted(reading.hits, key=lambda hit: (_DRAWN.index(hit.rule.kind), hit.first - hit.last, hit.first))
    for hit in order:
        if not any(other.first < hit.last and hit.first < other.last for other in taken):
            taken.append(hit)
    entities = [
        {"start": hit.start, "end": hit.end, "label": _label(hit, case)}
        for hit in sorted(taken, key=lambda hit: hit.start)
    ]
    labels = {_label(hit, case): _COLOURS[hit.rule.kind.value] for hit in taken}
    document: dict[str, Any] = {"text": reading.segment.text, "ents": entities, "title": None}
    drawn = displacy.render(document, style="ent", manual=True, page=False, options={"colors": labels}, jupyter=False)
    return f'<p class="where">{html.escape(reading.segment.where)}</p>\n<div dir="auto">{drawn}</div>\n'


def _label(hit: Hit, case: Case) -> str:
    """The rule's id, how the text speaks of it, and what it means in English."""
    term = next((one.term for one in case.weighed if one.term.hit is hit), None)
    parts = [hit.rule.id]
    if term is not None:
        parts.append(term.polarity.value)
    if hit.rule.gloss:
        parts.append(f"“{html.escape(hit.rule.gloss)}”")
    return " · ".join(parts)

"""Assessing plain rows of text, as `unveil assess FILE.jsonl` does."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from models.assessment import Assessment, Segment

if TYPE_CHECKING:
    from pipeline.flag.flagger import Flagger


class RowError(ValueError):
    """A row that cannot be assessed: `line` counts from 1, `reason` says what is missing."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def assess_rows(
    rows: Iterable[dict[str, Any]],
    flagger: "Flagger",
    vendor_names: Callable[[str], list[str]] | None = None,
) -> Iterator[dict[str, Any]]:
    """One answer a row. Rows are `{id, title?, text, language?}`, title may be None.

    Answers hold id, scope, technology, setting, lifecycle, vendors, confidence, why and mentions with rule ids and
    quotes. `vendor_names` names the registry's vendors in a text. Raises `RowError` for a row without id or text.
    """
    for line, row in enumerate(rows, start=1):
        yield _answer(row, line, flagger, vendor_names)


def _answer(
    row: dict[str, Any],
    line: int,
    flagger: "Flagger",
    vendor_names: Callable[[str], list[str]] | None,
) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise RowError(line, "not an object")
    for name in ("id", "text"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise RowError(line, f"no `{name}`, or not a text")
    title = row.get("title")
    if title is not None and not isinstance(title, str):
        raise RowError(line, "`title` is neither a text nor null")
    language = row.get("language")
    segments = [Segment(where="title", text=title, language=language)] if title else []
    segments.append(Segment(where="text", text=row["text"], language=language))
    assessment = flagger.assess(segments)
    vendors = vendor_names("\n".join(segment.text for segment in segments)) if vendor_names else []
    return _plain(row["id"], assessment, vendors)


def _plain(row_id: str, assessment: Assessment, vendors: list[str]) -> dict[str, Any]:
    return {
        "id": row_id,
        "scope": assessment.scope.value,
        "technology": [technology.value for technology in assessment.technology],
        "setting": [setting.value for setting in assessment.setting],
        "lifecycle": assessment.lifecycle.value,
        "vendors": vendors,
        "confidence": assessment.confidence,
        "why": assessment.why,
        "rests_on": list(assessment.rests_on),
        "mentions": [
            {
                "where": mention.where,
                "start": mention.start,
                "end": mention.end,
                "text": mention.text,
                "rule_id": mention.rule_id,
                "polarity": mention.polarity.value,
                "cue": mention.cue,
                "gloss": mention.gloss,
                "quote": mention.quote,
            }
            for mention in assessment.mentions
        ],
        "rules_version": assessment.rules_version,
    }

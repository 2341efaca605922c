"""What a searched portal is asked: our terms in its languages, each with a window of its own."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from models.codes import Outcome
from models.ids import sha256_hex
from models.run import Query
from models.source import SourceCard
from pipeline.errors import WrongUse
from pipeline.lake import read_rows
from pipeline.rules.fold import fold
from pipeline.store import Store


def load_terms(path: Path) -> dict[str, tuple[str, ...]]:
    """Search terms by ISO 639-1 language. Raises WrongUse for a file of another shape."""
    value = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if not isinstance(value, dict) or not all(
        isinstance(terms, list) and all(isinstance(term, str) and term.strip() for term in terms)
        for terms in value.values()
    ):
        raise WrongUse(f"{path}: search terms are lists of words by language, like `en: [facial recognition]`.")
    return {str(language): tuple(terms) for language, terms in value.items()}


def query_id(kind: str, term: str) -> str:
    """Id of a query: its kind and folded term, spaces aside. Two spellings that fold alike are one query."""
    folded = " ".join(fold(term).split())
    return f"q-{sha256_hex(f'{kind}:{folded}'.encode())[:12]}"


def plan_queries(
    card: SourceCard,
    terms: Mapping[str, Sequence[str]],
    suppliers: Iterable[str],
    watermarks: Mapping[str, datetime],
    *,
    since: datetime | None,
    until: datetime,
) -> tuple[Query, ...]:
    """The queries of one crawl, terms in the order of the card's languages, then supplier names.

    A query known to `watermarks` begins `overlap_days` before its own; a new one goes `backfill_days` back. An
    explicit `since` overrides both.
    """
    if card.query is None:
        return ()
    asked: list[tuple[str, str, str | None]] = [
        ("text", term, language) for language in card.languages for term in terms.get(language, ())
    ]
    if card.query.supplier_names:
        asked += [("supplier", name, None) for name in suppliers]
    queries: dict[str, Query] = {}
    for kind, term, language in asked:
        own = query_id(kind, term)
        mark = watermarks.get(own)
        begin = since or (
            mark - timedelta(days=card.overlap_days) if mark else until - timedelta(days=card.query.backfill_days)
        )
        queries.setdefault(
            own,
            Query.model_validate(
                {"query_id": own, "kind": kind, "term": term, "language": language, "since": begin, "until": until}
            ),
        )
    return tuple(queries.values())


def watermarks(store: Store, source_id: str, not_before: datetime) -> dict[str, datetime]:
    """Up to when each query of a source was answered whole, in windows that end after `not_before` and touch.

    A window asked for by hand beyond a gap does not close the gap.
    """
    marks: dict[str, datetime] = {}
    complete = Outcome.COMPLETE.value
    rows = [r for r in read_rows(store, "query", source_id) if r["outcome"] == complete and r["until"] > not_before]
    for row in sorted(rows, key=lambda r: (r["since"], r["until"])):
        before = marks.get(row["query_id"])
        if before is None or row["since"] <= before:
            marks[row["query_id"]] = max(row["until"], before or row["until"])
    return marks

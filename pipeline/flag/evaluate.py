"""Measures the rules against labelled passages: error rates by language and by rule."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.flag.rows import RowError, assess_rows

if TYPE_CHECKING:
    from pipeline.flag.flagger import Flagger

FLAGGED = frozenset({"in_scope", "conditional"})
_SCOPES = frozenset({"in_scope", "conditional", "out_of_scope", "excluded_by_text"})
Pair = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Rate:
    """Precision, recall and F1 over `n` passages of which `positives` should be found; 1.0 where there is nothing."""

    precision: float
    recall: float
    f1: float
    n: int
    positives: int


@dataclass(frozen=True)
class Evaluation:
    """The table of one set of passages. Shares are between 0 and 1.

    `flag` takes in_scope and conditional as flagged; `scope_accuracy` compares all four labels; technology and setting
    are micro-F1 over the passages to be flagged; the lifecycle is judged where the label knows one. `rules` counts, for
    each rule that a flag rests on, right and wrong flags.
    """

    rows: int
    flag: Rate
    flag_hard: Rate
    in_scope: Rate
    scope_accuracy: float
    technology_micro_f1: float
    setting_micro_f1: float
    lifecycle_accuracy: float
    languages: dict[str, Rate]
    confusion: dict[tuple[str, str], int]
    rules: dict[str, tuple[int, int]]
    wrong: list[Pair] = field(default_factory=list)


def evaluate(gold: Sequence[dict[str, Any]], flagger: "Flagger") -> Evaluation:
    """Assess the passages and compare what was said with their labels.

    A passage is `{id, language, title, title_source, text, scope, technology, setting, lifecycle, hard?}`; its title
    counts only where `title_source` is `source`. Raises `RowError` for one without id, text or a known scope.
    """
    return compare(assessed(gold, flagger))


def assessed(gold: Sequence[dict[str, Any]], flagger: "Flagger") -> list[Pair]:
    """Each passage with what was said of it. Raises `RowError` as `evaluate` does."""
    for line, row in enumerate(gold, 1):
        if not isinstance(row, dict) or row.get("scope") not in _SCOPES:
            raise RowError(line, f"no `scope` out of {', '.join(sorted(_SCOPES))}")
    asked = ({**row, "title": row.get("title") if row.get("title_source") == "source" else None} for row in gold)
    return list(zip(gold, assess_rows(asked, flagger), strict=True))


def compare(pairs: Sequence[Pair]) -> Evaluation:
    """The table for labelled passages and what was said of each."""
    by_language: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_language[str(pair[0].get("language") or "unknown")].append(pair)
    wanted = [(row, said) for row, said in pairs if row["scope"] in FLAGGED]
    living = [(row, said) for row, said in pairs if row.get("lifecycle") not in {None, "unknown"}]
    return Evaluation(
        rows=len(pairs),
        flag=_flags(pairs),
        flag_hard=_flags([pair for pair in pairs if pair[0].get("hard")]),
        in_scope=_rate([(row["scope"] == "in_scope", said["scope"] == "in_scope") for row, said in pairs]),
        scope_accuracy=_share(sum(row["scope"] == said["scope"] for row, said in pairs), len(pairs)),
        technology_micro_f1=_micro(wanted, "technology"),
        setting_micro_f1=_micro(wanted, "setting"),
        lifecycle_accuracy=_share(sum(row["lifecycle"] == said["lifecycle"] for row, said in living), len(living)),
        languages={language: _flags(group) for language, group in sorted(by_language.items())},
        confusion=dict(sorted(Counter((row["scope"], said["scope"]) for row, said in pairs).items())),
        rules=_by_rule(pairs),
        wrong=[(row, said) for row, said in pairs if row["scope"] != said["scope"]],
    )


def _flags(pairs: Iterable[Pair]) -> Rate:
    return _rate([(row["scope"] in FLAGGED, said["scope"] in FLAGGED) for row, said in pairs])


def _rate(pairs: Sequence[tuple[bool, bool]]) -> Rate:
    right = sum(gold and said for gold, said in pairs)
    false = sum(said and not gold for gold, said in pairs)
    missed = sum(gold and not said for gold, said in pairs)
    precision = right / (right + false) if right + false else 1.0
    recall = right / (right + missed) if right + missed else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Rate(precision, recall, f1, len(pairs), right + missed)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _micro(pairs: Sequence[Pair], name: str) -> float:
    sets = [(set(row.get(name) or ()), set(said.get(name) or ())) for row, said in pairs]
    together = sum(len(gold) + len(said) for gold, said in sets)
    return 2 * sum(len(gold & said) for gold, said in sets) / together if together else 1.0


def _by_rule(pairs: Iterable[Pair]) -> dict[str, tuple[int, int]]:
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for row, said in pairs:
        if said["scope"] in FLAGGED:
            (right if row["scope"] in FLAGGED else wrong).update(said["rests_on"])
    return {rule_id: (right[rule_id], wrong[rule_id]) for rule_id in sorted(right.keys() | wrong.keys())}

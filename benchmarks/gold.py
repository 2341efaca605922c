"""Measures the rules against labelled passages: precision and recall of flags and the lifecycle, by language.

Usage: python benchmarks/gold.py GOLD.jsonl [--wrong]
Rows are `{id, language, title, title_source, text, scope, lifecycle}`; a title counts only where `title_source` is
`source`. A row is flagged when its scope is in_scope or conditional. The lifecycle is judged where the label knows one.
`--wrong` lists every row whose scope differs from its label.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.flag import Flagger, assess_rows
from pipeline.rules import load_rules

RULES = Path(__file__).resolve().parent.parent / "data" / "rules"
FLAGGED = frozenset({"in_scope", "conditional"})
Pair = tuple[dict[str, Any], dict[str, Any]]


def assessed(path: Path, flagger: Flagger) -> list[Pair]:
    """Each labelled row with what the rules say of it."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    asked = [{**row, "title": row["title"] if row.get("title_source") == "source" else None} for row in rows]
    return list(zip(rows, assess_rows(asked, flagger), strict=True))


def line(name: str, pairs: Iterable[Pair]) -> str:
    """One row of the table: n, flags expected, precision, recall, scope and lifecycle accuracy ("-" for none)."""
    rows = list(pairs)
    flags = [(row["scope"] in FLAGGED, said["scope"] in FLAGGED) for row, said in rows]
    right = sum(gold and said for gold, said in flags)
    lived = [
        row["lifecycle"] == said["lifecycle"] for row, said in rows if row.get("lifecycle") not in {None, "unknown"}
    ]
    shares = [
        (right, sum(said for _, said in flags)),
        (right, sum(gold for gold, _ in flags)),
        (sum(row["scope"] == said["scope"] for row, said in rows), len(rows)),
        (sum(lived), len(lived)),
    ]
    cells = [f"{part / whole:.2f}" if whole else "-" for part, whole in shares]
    return f"| {name} | {len(rows)} | {shares[1][1]} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("--wrong", action="store_true")
    options = parser.parse_args()
    rules = load_rules(RULES)
    pairs = assessed(options.gold, Flagger(rules))
    by_language: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_language[pair[0]["language"]].append(pair)
    print(f"{rules.version}: {len(rules.rules)} rules\n")
    print("| language | passages | to flag | precision | recall | scope right | lifecycle right |")
    print("|---|---|---|---|---|---|---|")
    for language in sorted(by_language):
        print(line(language, by_language[language]))
    print(line("all", pairs))
    if options.wrong:
        print()
        for row, said in pairs:
            if row["scope"] != said["scope"]:
                print(f"{row['id']} {row['language']}: {row['scope']}, said {said['why']}")


if __name__ == "__main__":
    main()

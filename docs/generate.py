"""Writes the generated pages of docs/: command line, data dictionary, sources, error rates of the rules.

`--check` only says what differs; error rates are the figures of a run, which a rule that was mended makes old, and are
not compared.
"""

import json
import sys
from pathlib import Path

import click
import duckdb

from flows.cli import main as cli
from pipeline.build import create_schema
from pipeline.cards import load_columns_cards, load_source_cards
from pipeline.flag import Flagger
from pipeline.flag.evaluate import assessed, compare
from pipeline.rules import load_rules
from pipeline.store import CHECKOUT, DATA

DOCS = Path(__file__).resolve().parent
JUDGED = CHECKOUT / "tests" / "judged"
_NOTE = "<!-- Written by docs/generate.py; `make docs` writes it again. -->\n\n"


def pages() -> dict[str, str]:
    """File name and text of every generated page that follows from the code alone."""
    return {
        "commands.md": _NOTE + _commands(),
        "database.md": _NOTE + _database(),
        "sources.md": _NOTE + _sources(),
    }


def _commands() -> str:
    parts = ["# Commands\n\nData goes to stdout, words to stderr. Exit codes: 0; 1 it ran but a person is needed; "]
    parts.append("2 wrong use; 3 data that does not fit.\n")

    def walk(command: click.Command, path: str) -> None:
        context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100)
        parts.append(f"\n## {path}\n\n```\n{command.get_help(context)}\n```\n")
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                sub = command.get_command(context, name)
                if sub is not None:
                    walk(sub, f"{path} {name}")

    walk(cli, "unveil")
    return "".join(parts)


def _database() -> str:
    connection = duckdb.connect()
    create_schema(connection)
    tables = connection.execute(
        """
        SELECT table_name, comment, 'table' FROM duckdb_tables() WHERE NOT internal
        UNION ALL SELECT view_name, comment, 'view' FROM duckdb_views() WHERE NOT internal ORDER BY 3 DESC, 1
        """
    ).fetchall()
    parts = ["# The database\n\nEvery comment below also stands in the file itself (`duckdb_columns()`).\n"]
    for name, comment, kind in tables:
        parts.append(f"\n## {name} ({kind})\n\n{comment}\n\n| column | type | meaning |\n|---|---|---|\n")
        columns = connection.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
            [name],
        ).fetchall()
        parts.extend(f"| `{column}` | {form} | {_cell(said)} |\n" for column, form, said in columns)
    return "".join(parts)


def _sources() -> str:
    head = ("id", "name", "countries", "rank", "how it speaks", "retrieval", "group", "licence")
    parts = [f"# Sources\n\n| {' | '.join(head)} |\n{'|---' * len(head)}|\n"]
    for source_id, card in sorted(load_source_cards(DATA / "sources").items()):
        row = (
            source_id, card.name, ", ".join(card.countries), card.rank, card.platform, card.retrieval.value,
            card.group, card.licence,
        )  # fmt: skip
        parts.append("| " + " | ".join(_cell(cell) for cell in row) + " |\n")
    parts.append("\n# Columns cards for spreadsheets\n\n| id | name | countries | licence |\n|---|---|---|---|\n")
    for card_id, columns in sorted(load_columns_cards(DATA / "columns").items()):
        row = (card_id, columns.name, ", ".join(columns.countries), columns.licence)
        parts.append("| " + " | ".join(_cell(cell) for cell in row) + " |\n")
    return "".join(parts)


def _error_rates() -> str:
    rules = load_rules(DATA / "rules")
    files = sorted(JUDGED.glob("*.jsonl"))
    rows = [
        json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    pairs = assessed(rows, Flagger(rules))
    parts = [
        "# Error rates of the rules\n\n"
        "Measured on the passages of `tests/judged`, made up and labelled by those who wrote the rules, reviewed by "
        "nobody: `unveil evaluate` on all of them together. Rules were mended after passages were missed, so these "
        "figures say that nothing decayed, not how often a new text is judged rightly; see [languages](languages.md) "
        "for what came out on the first try.\n\n"
        "| language | rules | phrases | passages | to flag | precision | recall | F1 | scope right | lifecycle right "
        "|\n"
        "|---|---|---|---|---|---|---|---|---|---|\n"
    ]
    languages = sorted({rule.language for rule in rules.rules} | {str(row["language"]) for row in rows})
    for language in [*languages, "all"]:
        of = [rule for rule in rules.rules if language in ("all", rule.language)]
        said = compare([pair for pair in pairs if language in ("all", pair[0]["language"])])
        measured = (
            (said.rows, said.flag.positives, f"{said.flag.precision:.2f}", f"{said.flag.recall:.2f}",
             f"{said.flag.f1:.2f}", f"{said.scope_accuracy:.2f}", f"{said.lifecycle_accuracy:.2f}")
            if said.rows else (0, 0, *"-----")
        )  # fmt: skip
        row = (language, len(of), sum(len(rule.phrases) for rule in of), *measured)
        parts.append("| " + " | ".join(str(cell) for cell in row) + " |\n")
    parts.append("\n`xx` are names and words that belong to no language.\n\n## Rules that flagged wrongly\n\n")
    wrong = {rule_id: counts for rule_id, counts in compare(pairs).rules.items() if counts[1]}
    parts.append("| rule | right | wrong |\n|---|---|---|\n" if wrong else "None on these passages.\n")
    parts.extend(f"| `{rule_id}` | {right} | {false} |\n" for rule_id, (right, false) in wrong.items())
    return "".join(parts)


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ").strip()


def differing() -> list[str]:
    """Names of generated pages whose file is not what would be written now."""
    return [
        name
        for name, text in pages().items()
        if not (DOCS / name).is_file() or (DOCS / name).read_text(encoding="utf-8") != text
    ]


if __name__ == "__main__":
    if "--check" in sys.argv:
        stale = differing()
        click.echo(f"stale: {', '.join(stale)}; run `make docs`" if stale else "up to date", err=True)
        sys.exit(1 if stale else 0)
    for name, text in (pages() | {"error-rates.md": _NOTE + _error_rates()}).items():
        (DOCS / name).write_text(text, encoding="utf-8")

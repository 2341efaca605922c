"""The commands about rules: what they say of a text, what they are, and how often they are right."""

import json
from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=_PATH)
@click.option("--html", "page", type=_PATH, help="Also write a page that shows each decision in its text.")
def assess(file: Path, page: Path | None) -> None:
    """Flag passages of FILE.jsonl, rows {id, title, text, language?}; prints JSON lines."""
    from flows.assessing import assess_file, write_page

    if page is not None:
        write_page(file, page)
    for row in assess_file(file):
        click.echo(json.dumps(row, ensure_ascii=False))


@click.command()
@click.argument("file", type=_PATH)
def screen(file: Path) -> None:
    """Print the lines of FILE.jsonl or FILE.jsonl.gz, OCDS releases for instance, that may matter to the rules.

    A quick look into a file of any size before it is ingested: what is left out cannot be flagged, named or probed.
    """
    from flows.assessing import screened_lines

    for line in screened_lines(file):
        click.echo(line)


@click.command()
@click.argument("gold", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--wrong", is_flag=True, help="Also list every passage whose scope differs from its label.")
def evaluate(gold: Path, as_json: bool, wrong: bool) -> None:
    """Measure the rules on labelled passages, GOLD.jsonl: precision, recall and F1, by language and by rule.

    A row is {id, language, title, title_source, text, scope, technology, setting, lifecycle, hard}; a title counts only
    where title_source is `source`. Flagged is what is in scope or conditional.
    """
    from flows.assessing import as_json_values, evaluate_file, table

    result = evaluate_file(gold)
    if as_json:
        click.echo(json.dumps(as_json_values(result), ensure_ascii=False, indent=1))
    else:
        click.echo(table(result))
    if wrong:
        for row, said in result.wrong:
            click.echo(f"{row['id']} {row['language']}: {row['scope']}, said {said['why']}", err=True)


@click.group()
def rules() -> None:
    """Look at the rules, try them and take them along."""


@rules.command("check")
@click.argument("folder", type=_PATH, required=False)
def rules_check(folder: Path | None) -> None:
    """Read every rule file (of FOLDER, else data/rules) and run the examples in it."""
    from flows.assessing import check_rules
    from pipeline.errors import BadData

    count, version, failures = check_rules(folder)
    for failure in failures:
        click.echo(failure)
    if failures:
        raise BadData(f"{len(failures)} things to mend: in phrases, examples or what a rule should say of itself.")
    click.echo(f"{count} rules, every example as it says; {version}")


@rules.command("explain")
@click.argument("rule_id")
def rules_explain(rule_id: str) -> None:
    """Show a rule: what it matches, what it means, and why it is there."""
    from flows.house import House
    from pipeline.errors import WrongUse
    from pipeline.store import default_store

    known = House(default_store()).rules
    if rule_id not in known.by_id:
        raise WrongUse(f"There is no rule `{rule_id}`; rule ids stand beside every quote and in data/rules.")
    click.echo(known.explain(rule_id))


@rules.command("try")
@click.argument("text")
@click.option("--language", help="Language of the text, ISO 639-1; some words mean something else in some.")
def rules_try(text: str, language: str | None) -> None:
    """Say what the rules find in TEXT and what they decide, with every rule that had a part in it."""
    from flows.assessing import tried

    for line in tried(text, language):
        click.echo(line)


@rules.command("export")
@click.argument("folder", type=_PATH)
def rules_export(folder: Path) -> None:
    """Write the rules as a spaCy pipeline into FOLDER, for `spacy.load(FOLDER)` wherever Unveil is installed."""
    from flows.assessing import export_pipeline

    click.echo(f"{export_pipeline(folder)} in {folder}")

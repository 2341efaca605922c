"""The command line. Data goes to stdout, words to stderr; each command imports what it needs when it runs."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from flows.cli_rules import assess, evaluate, rules, screen
from pipeline.errors import UnveilError

_PATH = click.Path(path_type=Path)
_T = TypeVar("_T")


def say(text: str) -> None:
    """A sentence for the person at the terminal."""
    click.echo(text, err=True)


def _progress(text: str) -> None:
    # A log keeps lines, a terminal keeps one line that changes; a pipe hears nothing.
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()


def _bar(items: Iterable[_T], length: int, label: str) -> Iterator[_T]:
    """The items as they come, with a bar for a person at a terminal."""
    with click.progressbar(items, length=length, label=label, file=sys.stderr, show_pos=True) as shown:
        yield from shown


def _end_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


class _Commands(click.Group):
    """Turns our errors into one sentence on stderr and their exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except UnveilError as error:
            _end_progress()
            say(f"unveil: {error}")
            sys.exit(error.exit_code)
        except OSError as error:
            _end_progress()
            say(f"unveil: {_system_sentence(error)}")
            sys.exit(1)


def _system_sentence(error: OSError) -> str:
    from pipeline.store import is_disk_full

    where = error.filename or "the store"
    if is_disk_full(error):
        return (
            f"The disk is full while writing to {where}; nothing stored was changed. "
            "Free some space and run the same command again."
        )
    return f"{where}: {error.strerror or error}; check the path and its permissions."


def _store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    @click.option("--store", "store_path", type=_PATH, envvar="UNVEIL_STORE", help="Store to use; default data/store.")
    @wraps(command)
    def with_store(*args: Any, store_path: Path | None, **kwargs: Any) -> Any:
        from pipeline.store import Store, default_store

        store = Store(store_path.expanduser().resolve()) if store_path else default_store()
        return command(*args, store=store, **kwargs)

    return with_store


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unveil")
def main() -> None:
    """Public contracts for biometric surveillance: crawl, read, flag, and report with evidence."""


@main.command()
@click.option("--sample", is_flag=True, help="Replay the bundled fictional sample into a store of its own.")
@click.option("--portfolio", type=_PATH, help="Portfolio to report on when the night is done.")
@click.option("--source", "sources", multiple=True, help="Source to crawl; may be repeated. Default: every card.")
@click.option("--group", help="Only the sources whose card names this group.")
@click.option("--json", "as_json", is_flag=True, help="Print the night's result as JSON.")
@_store_option
def run(
    store: Any, sample: bool, portfolio: Path | None, sources: tuple[str, ...], group: str | None, as_json: bool
) -> None:
    """Run one night: crawl, read, resolve, flag, build and report.

    Works without a Prefect server. A second run of the same night goes on where the first one stopped.
    """
    from flows.running import run_night

    night = run_night(store, sample=sample, portfolio=portfolio, sources=sources, group=group, say=say)
    if as_json:
        click.echo(json.dumps(night.to_json(), ensure_ascii=False, indent=1))
    sys.exit(1 if night.needs_a_person else 0)


@main.command()
@click.argument("source", required=False)
@click.option(
    "--since", help="Start of the window, ISO 8601. Default: where the last complete crawl ended, less an overlap."
)
@click.option("--until", help="End of the window, ISO 8601. Default: now.")
@click.option("--replay", type=_PATH, help="Archive (run folder or .warc.gz) to crawl from instead of the network.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@_store_option
def crawl(
    store: Any, source: str | None, since: str | None, until: str | None, replay: Path | None, as_json: bool
) -> None:
    """Crawl one SOURCE, or replay a crawl from its archive without a network."""
    from flows.house import open_house
    from flows.steps import crawl_source
    from pipeline.archive import run_info
    from pipeline.errors import WrongUse
    from pipeline.values import read_moment

    house = open_house(store)
    if replay is not None:
        recorded = run_info(replay).source_id
        if source and source != recorded:
            raise WrongUse(f"{replay} holds a crawl of {recorded}, not of {source}; leave the source out.")
        source = recorded
    if not source:
        raise WrongUse("Name a source to crawl (see `unveil sources`) or an archive with --replay.")
    try:
        window = {name: read_moment(text) if text else None for name, text in (("since", since), ("until", until))}
    except ValueError as error:
        raise WrongUse(
            f"The window does not fit: {error}; write it like 2026-11-01 or 2026-11-01T06:00:00Z."
        ) from error
    summary = crawl_source(house, house.source_card(source), replay=replay, on_progress=_progress, **window)
    _finish(summary, as_json)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@click.option("--source", help="Source whose card says how to read the files (OCDS packages, lists, lines).")
@click.option("--columns", help="Columns card for spreadsheets: its name in data/columns, or a path.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@_store_option
def ingest(store: Any, paths: tuple[Path, ...], source: str | None, columns: str | None, as_json: bool) -> None:
    """Take files on disk through the same archive and the same parse as a crawl."""
    from flows.house import open_house
    from pipeline.errors import WrongUse
    from pipeline.ingest import ingest as take

    house = open_house(store)
    if bool(source) == bool(columns):
        raise WrongUse(
            "Say how to read the files: either --source ID for OCDS data or --columns CARD for a spreadsheet."
        )
    card = house.source_card(source) if source else house.columns_card(str(columns))
    summary = take(store, paths, card, house.candidates, on_progress=_progress)
    _finish(summary, as_json)


def _finish(summary: Any, as_json: bool) -> None:
    from models.codes import Outcome

    _end_progress()
    if as_json:
        click.echo(json.dumps(summary.to_json(), ensure_ascii=False, indent=1, default=str))
    else:
        rejected = ", ".join(f"{kind} {number}" for kind, number in sorted(summary.rejected.items())) or "none"
        say(
            f"{summary.source_id}: {summary.outcome.value} ({summary.reason}). "
            f"{summary.records:,} records, {summary.parsed:,} parsed, rejected: {rejected}; "
            f"{summary.repeated:,} verbatim repeats; {summary.contracts:,} contracts, "
            f"{summary.candidates:,} candidates, {summary.probes:,} probes. Next: unveil build"
        )
    codes = {Outcome.COMPLETE: 0, Outcome.EMPTY: 0, Outcome.FAILED: 3 if summary.records else 1}
    sys.exit(codes.get(summary.outcome, 1))


@main.command()
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@click.option("--format", "form", type=click.Choice(["jsonl", "text"]), default="text", help="How to print the pages.")
def read(paths: tuple[Path, ...], form: str) -> None:
    """Read documents and print their text, a line a file and page with --format jsonl."""
    from pipeline.errors import WrongUse
    from pipeline.read import ReadPathError, read_paths

    try:
        rows = read_paths(paths)
    except ReadPathError as error:
        raise WrongUse(str(error)) from error
    for row in rows:
        if form == "jsonl":
            click.echo(json.dumps(row, ensure_ascii=False))
        elif row["page"] is None:
            say(f"{row['path']}: {row['outcome']} {row.get('detail') or ''}".rstrip())
        else:
            click.echo(f"— {row['path']}, page {row['page']} ({row['outcome']})\n{row['text']}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print what changed as JSON.")
@_store_option
def rescreen(store: Any, as_json: bool) -> None:
    """Re-derive everything from the archive after a change in rules or registry, and print what changed."""
    from flows.house import open_house
    from flows.rescreen import rescreen as derive_again
    from flows.rescreen import summary

    result = derive_again(open_house(store), _progress, _bar)
    _end_progress()
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=1, default=str))
        return
    for change in result.changes:
        before = change.before["scope"] if change.before else "not flagged"
        after = change.after["scope"] if change.after else "not flagged"
        vendors = ", ".join((change.after or change.before or {}).get("vendor_ids") or ()) or "no named vendor"
        rules = ", ".join(change.rules) or "no rule: registry or decision"
        click.echo(f"{change.kind}\t{change.contract_id}\t{before} -> {after}\t{vendors}\t{rules}\t{change.title}")
    say(summary(result))
    for source_id in result.queried_sources:
        say(f"{source_id} is searched with our terms: ask it again to find what new terms would bring.")
    if result.documents_to_fetch:
        say(f"{len(result.documents_to_fetch)} documents of candidates are still to be fetched by the next crawl.")


@main.command()
@_store_option
def build(store: Any) -> None:
    """Read, resolve and flag what is new in the lake, then build unveil.duckdb beside the old one and swap it in."""
    from flows.house import open_house
    from flows.steps import process

    done = process(open_house(store), on_progress=_progress)
    _end_progress()
    counts = done.database.counts
    say(
        f"{done.database.path}: {counts.get('contract', 0):,} contracts kept, {counts.get('evidence', 0):,} places in "
        f"evidence; {done.documents_read:,} documents read, {done.processes_flagged:,} processes flagged."
    )
    for warning in done.database.warnings:
        say(f"note: {warning}")


main.add_command(assess)
main.add_command(evaluate)
main.add_command(rules)
main.add_command(screen)


@main.command()
@click.argument("portfolio", type=_PATH)
@click.option("--out", type=_PATH, help="Where to write the page; default: the store's reports folder.")
@click.option("--as-of", "as_of", help="Day the stages are computed for, ISO 8601; default today.")
@_store_option
def report(store: Any, portfolio: Path, out: Path | None, as_of: str | None) -> None:
    """Write a due-diligence page for a PORTFOLIO (columns isin, lei, ticker, name, weight; any of them)."""
    from flows.house import open_house
    from flows.reporting import report as write
    from pipeline.errors import WrongUse
    from pipeline.values import read_day

    try:
        day = read_day(as_of) if as_of else None
    except ValueError as error:
        raise WrongUse(f"--as-of: {error}; write it like 2026-11-01.") from error
    summary = write(open_house(store), portfolio, out=out, as_of=day)
    click.echo(str(summary.path))
    for sentence in summary.sentences:
        say(sentence)
    sys.exit(1 if summary.rejected else 0)


@main.command()
@click.argument("evidence_id")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--image", type=_PATH, help="Also render the page's part with the quote boxed, as PNG.")
@_store_option
def evidence(store: Any, evidence_id: str, as_json: bool, image: Path | None) -> None:
    """Say where the bytes of a piece of evidence lie, verify their hash and show the quote in its page."""
    from flows.evidencing import show_evidence

    sys.exit(show_evidence(store, evidence_id, as_json=as_json, image=image))


@main.command()
@click.argument("statement")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table")
@_store_option
def sql(store: Any, statement: str, form: str) -> None:
    """Ask the published database, read-only and without access to anything outside it."""
    from pipeline.query import run_sql

    run_sql(store, statement, form, sys.stdout.buffer)


@main.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the sources as JSON.")
@_store_option
@click.pass_context
def sources(context: click.Context, store: Any, as_json: bool) -> None:
    """List the sources with how they are asked and how they last ended."""
    if context.invoked_subcommand is not None:
        return
    from flows.house import open_house
    from flows.listing import print_sources, source_rows

    rows = source_rows(open_house(store))
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
    else:
        print_sources(rows)


@sources.command("new")
@click.argument("source_id", metavar="ID")
@click.option("--platform", help="How the portal speaks: ocds_links, bulk, search, xml_notices or sql.")
@click.option("--format", "form", help="Name of its format; `ocds` or a new one, which gets a parser of its own.")
@click.option("--like", help="Source of the same kind whose settings, spider and format it takes over.")
def sources_new(source_id: str, platform: str | None, form: str | None, like: str | None) -> None:
    """Write the files of a new source ID, whose tests run at once; docs/new-source.md goes on from there."""
    from flows.scaffold import left_to_do, new_source
    from pipeline.store import CHECKOUT

    for path in new_source(source_id, platform=platform, form=form, like=like):
        click.echo(str(path.relative_to(CHECKOUT)))
    say(
        f"{len(left_to_do(source_id))} lines say TODO: what only the portal can tell. Until the last one is done "
        f"{source_id} is not crawled. Next: pytest tests/test_sources.py -k {source_id}, then docs/new-source.md."
    )


@main.group()
def vendors() -> None:
    """Look things up in the registry of companies."""


@vendors.command("match")
@click.argument("name")
@click.option("--country", help="The supplier's country, ISO 3166-1 alpha-2.")
@click.option("--buyer-country", "buyer_country", help="The buyer's country, where the supplier's is not known.")
@click.option("--json", "as_json", is_flag=True, help="Print the match as JSON.")
@_store_option
def vendors_match(store: Any, name: str, country: str | None, buyer_country: str | None, as_json: bool) -> None:
    """Say which company of the registry a supplier string means, how surely and why."""
    from flows.house import open_house

    found = open_house(store).resolver.match(name, (), country, buyer_country, explain=True)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), ensure_ascii=False))
    else:
        click.echo(f"{found.vendor_id or 'no match'}\t{found.score:.2f}\t{found.why}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@_store_option
def doctor(store: Any, as_json: bool) -> None:
    """Check versions and the store's health, and say what is missing and how to get it."""
    from flows.doctor import examine, print_findings

    findings = examine(store)
    if as_json:
        click.echo(json.dumps([vars(f) for f in findings], ensure_ascii=False, indent=1))
    else:
        print_findings(findings)
    sys.exit(1 if any(f.level == "problem" for f in findings) else 0)


if __name__ == "__main__":
    main()

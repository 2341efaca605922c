"""Checks versions and the store's health; every finding says how to mend it."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from rich.console import Console

from flows.house import open_house
from flows.scaffold import left_to_do
from pipeline.archive import verify_manifest
from pipeline.errors import UnveilError
from pipeline.ingest import crawl_row
from pipeline.query import connect
from pipeline.store import Store

_LIBRARIES = ("scrapy", "prefect", "fastapi", "spacy", "duckdb", "warcio", "pdfplumber", "pypdfium2", "pydantic")
_LITTLE_SPACE = 2 << 30


@dataclass(frozen=True)
class Finding:
    level: Literal["ok", "note", "problem"]
    what: str
    mend: str = ""


def examine(store: Store) -> list[Finding]:
    """Everything worth knowing before a night: versions, data folders, store, database, contact, disk, readers."""
    return [
        *_versions(),
        *_data(store),
        *_unfinished(store),
        *_archive(store),
        *_database(store),
        *_surroundings(store),
    ]


def _versions() -> Iterator[Finding]:
    found = [f"Python {sys.version.split()[0]}", f"Unveil {version('unveil')}"]
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("problem", f"{name} is not installed", "run `make setup`")
    yield Finding("ok", ", ".join(found))


def _data(store: Store) -> Iterator[Finding]:
    house = open_house(store)
    parts = (
        ("source cards", lambda: f"{len(house.cards)} source cards"),
        ("rules", lambda: f"rules {house.rules.version}"),
        ("registry", lambda: f"{len(house.registry.vendors)} companies, registry {house.registry.version}"),
        ("reviews", lambda: f"{len(house.reviews)} decisions of people"),
    )
    for name, describe in parts:
        try:
            yield Finding("ok", describe())
        except UnveilError as error:
            yield Finding("problem", f"{name}: {error}", "mend the file it names")


def _unfinished(store: Store) -> Iterator[Finding]:
    try:
        known = sorted(open_house(store).cards)
    except UnveilError:
        # `_data` has told of it.
        return
    for source_id in known:
        if left := left_to_do(source_id):
            yield Finding(
                "problem",
                f"{source_id} is not crawled: {len(left)} lines of its files say TODO, the first is {left[0]}",
                "see docs/new-source.md",
            )


def _archive(store: Store) -> Iterator[Finding]:
    sources = store.source_ids()
    runs = [folder for source_id in sources for folder in store.runs(source_id)]
    yield Finding("ok", f"store {store.root}: {len(sources)} sources, {len(runs)} sealed runs")
    for folder in runs:
        for sentence in verify_manifest(folder):
            yield Finding("problem", sentence, "restore the file from a copy, or crawl or ingest it again")
        if crawl_row(store, folder.parent.name, folder.name) is None:
            yield Finding("note", f"{folder} was archived but not parsed yet", "run `unveil rescreen`")
    for folder in sorted(store.archive.glob("*/*.open")) if store.archive.is_dir() else []:
        yield Finding("note", f"{folder} was begun and not ended", f"run `unveil crawl {folder.parent.name}` to go on")


def _database(store: Store) -> Iterator[Finding]:
    if not store.database.is_file():
        yield Finding(
            "note", "there is no database yet", "run `unveil run --sample`, or ingest or crawl, then `unveil build`"
        )
        return
    try:
        with connect(store) as connection:
            row = connection.execute("SELECT count(*) FROM contract").fetchone()
        yield Finding("ok", f"database {store.database}: {row[0] if row else 0} contracts")
    except UnveilError as error:
        yield Finding("problem", str(error), "move the file away and run `unveil build`")


def _surroundings(store: Store) -> Iterator[Finding]:
    if os.environ.get("UNVEIL_CONTACT"):
        yield Finding("ok", "UNVEIL_CONTACT is set: portals can reach you")
    else:
        yield Finding(
            "note", "UNVEIL_CONTACT is not set; a live crawl needs it", "export UNVEIL_CONTACT=you@example.org"
        )
    root = store.root
    while not root.exists():
        root = root.parent
    free = shutil.disk_usage(root).free
    if free < _LITTLE_SPACE:
        yield Finding("problem", f"only {free >> 20} MiB are free at {root}", "free some space before a crawl")
    else:
        yield Finding("ok", f"{free >> 30} GiB free")
    if shutil.which("tesseract"):
        yield Finding(
            "note", "tesseract is installed, but scanned pages are not read yet: they are counted as needs_ocr"
        )
    else:
        yield Finding("note", "scanned pages are not read: they are counted as needs_ocr")


def print_findings(findings: list[Finding]) -> None:
    console = Console()
    marks = {"ok": "[green]ok     [/]", "note": "[yellow]note   [/]", "problem": "[red]problem[/]"}
    for finding in findings:
        console.print(
            f"{marks[finding.level]} {finding.what}" + (f"\n        → {finding.mend}" if finding.mend else "")
        )

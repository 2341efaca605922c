"""Shows a piece of evidence: where its bytes lie, whether they still fit their hash, and the quote in its place."""

import json
import re
from pathlib import Path
from typing import Any

import click

from flows.house import House, open_house
from models.source import ColumnsCard
from pipeline.archive import open_payload_at
from pipeline.errors import BAD_DATA, WrongUse
from pipeline.evidence import EvidenceRecord, find_evidence, print_evidence, show, verify
from pipeline.read import PlaceError, render_quote
from pipeline.store import Store

_PAGE = re.compile(r"page=(\d+)")


def show_evidence(store: Store, evidence_id: str, *, as_json: bool, image: Path | None) -> int:
    """Prints the evidence and returns the exit code: 0, or 3 when the bytes no longer fit their hash."""
    record = find_evidence(store, evidence_id)
    reading = _reading(open_house(store), record)
    code = _as_json(store, record, reading) if as_json else print_evidence(store, record.evidence_id, **reading)
    if image is not None:
        _draw(store, record, image)
    return code


def _reading(house: House, record: EvidenceRecord) -> dict[str, Any]:
    card = house.card_of(record.source_id)
    reading: dict[str, Any] = {"country": card.countries[0] if len(card.countries) == 1 else None}
    if isinstance(card, ColumnsCard):
        reading |= {"delimiter": card.delimiter, "encoding": card.encoding}
    return reading


def _as_json(store: Store, record: EvidenceRecord, reading: dict[str, Any]) -> int:
    checked = verify(store, record)
    said: dict[str, Any] = {
        "evidence_id": record.evidence_id,
        "source_id": record.source_id,
        "url": record.url,
        "fetched_at": record.fetched_at.isoformat() if record.fetched_at else None,
        "warc_file": record.warc_file,
        "warc_offset": record.warc_offset,
        "sha256": record.payload_sha256,
        "pointer": record.pointer,
        "verified": checked.ok,
        "why": checked.why,
    }
    if checked.ok:
        shown = show(store, record, **reading)
        said |= {"quote": shown.exact, "before": shown.before, "after": shown.after}
    click.echo(json.dumps(said, ensure_ascii=False, indent=1))
    return 0 if checked.ok else BAD_DATA


def _draw(store: Store, record: EvidenceRecord, image: Path) -> None:
    page = _PAGE.match(record.pointer)
    if not page:
        raise WrongUse(f"{record.evidence_id} is a field of a record, not a page; there is nothing to draw.")
    shown = show(store, record)
    with open_payload_at(store.root / record.warc_file, record.warc_offset) as stream:
        data = stream.read()
    try:
        render_quote(data, int(page[1]), shown.start, shown.end, image)
    except PlaceError as error:
        raise WrongUse(f"The quote of {record.evidence_id} could not be drawn: {error}") from error
    click.echo(str(image), err=True)

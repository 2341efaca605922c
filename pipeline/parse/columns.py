"""Parses a spreadsheet by its columns card: one row, one release. Rows stream; the file is never held whole."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import IO

from models.codes import Basis, Lifecycle, Role
from models.ids import contract_id, release_id, sha256_hex
from models.procurement import Child, Classification, Parsed, Party, Place, Release, Status, Text, Value
from models.run import Problem
from models.source import ColumnsCard
from pipeline.errors import WrongUse
from pipeline.persons import is_natural_person
from pipeline.redact import redact
from pipeline.values import read_amount, read_currency, read_day, read_moment

FIELDS = frozenset(
    {
        "process_id", "portal_release_id", "published_on", "title", "description", "buyer", "supplier", "supplier_id",
        "amount", "currency", "child_id", "award_id", "status", "signed_on", "starts_on", "ends_on", "classification",
        "amendment",
    }
)  # fmt: skip
# A quoted field may hold a whole gazette notice; Python's default of 128 KiB is too small for that.
_FIELD_LIMIT = 10_000_000
_SEPARATOR = "\x1f"


class _Misfit(ValueError):
    def __init__(self, kind: str, detail: str, raw: str = "") -> None:
        super().__init__(detail)
        self.kind, self.raw = kind, raw[:200]


def check_header(header: list[str], card: ColumnsCard, file_name: str) -> None:
    """Raises WrongUse naming the columns that the card expects and the file lacks, and those it has."""
    unknown = sorted(set(card.columns) - FIELDS)
    if unknown:
        raise WrongUse(
            f"The columns card {card.id} maps unknown fields {_listed(unknown)}; known are {_listed(sorted(FIELDS))}."
        )
    expected = [*card.columns.values(), *card.text_columns]
    missing = [name for name in dict.fromkeys(expected) if name not in header]
    if missing:
        raise WrongUse(
            f"{file_name} lacks the column{'s' if len(missing) > 1 else ''} {_listed(missing)} that the columns card "
            f"{card.id} names; the file has {_listed(header)}. Mend the card or name another with --columns."
        )


def parse_rows(
    stream: IO[bytes], card: ColumnsCard, payload_sha256: str, file_name: str = "the file"
) -> Iterator[Parsed | Problem]:
    """Releases of a delimited file; `row=N` pointers count records, the header being row 1.

    Raises WrongUse when the header does not fit the card.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    text = io.TextIOWrapper(stream, encoding=python_encoding(card.encoding), newline="", errors="strict")
    reader = csv.reader(text, delimiter=card.delimiter, strict=True)
    number = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        check_header(header, card, file_name)
        for row in reader:
            number += 1
            place = Place(payload_sha256=payload_sha256, pointer=f"row={number}")
            if len(row) != len(header):
                yield _problem(place, "wrong_width", f"the row has {len(row)} cells, the header {len(header)}", "")
                continue
            try:
                yield Parsed(release=_release(dict(zip(header, row, strict=True)), card), place=place)
            except _Misfit as misfit:
                yield _problem(place, misfit.kind, str(misfit), misfit.raw)
    except (csv.Error, UnicodeDecodeError) as error:
        place = Place(payload_sha256=payload_sha256, pointer=f"row={number + 1}")
        yield _problem(place, "malformed_csv", f"{error}; the rest of the file was not read", "")


def cell_text(row: Mapping[str, str], column: str) -> str:
    return row.get(column, "").strip()


def _release(row: Mapping[str, str], card: ColumnsCard) -> Release:
    def field(name: str) -> str:
        column = card.columns.get(name)
        return cell_text(row, column) if column else card.constants.get(name, "")

    for name in ("process_id", *card.required):
        if not field(name):
            raise _Misfit("missing_field", f"the column `{card.columns.get(name, name)}` ({name}) is empty")
    country = card.constants.get("country") or (card.countries[0] if len(card.countries) == 1 else None)
    process = field("process_id")
    published = field("published_on")
    child = _child(field, card)
    parties = tuple(_parties(field, card, country))
    suppliers = tuple(p.local_id for p in parties if card.supplier_role in p.roles)
    child = child.model_copy(update={"supplier_ids": suppliers})
    description = field("description")
    title = field("title") or description
    content = sha256_hex(_SEPARATOR.join(row.values()).encode("utf-8"))
    try:
        published_at = read_moment(_day(published, card).isoformat()) if published else None
    except ValueError as error:
        raise _Misfit("unreadable_date", f"`{card.columns['published_on']}`: {error}", published) from error
    return Release(
        release_id=release_id(card.id, content),
        contract_id=contract_id(card.namespace, process),
        source_id=card.id,
        native_id=process,
        portal_release_id=field("portal_release_id") or None,
        published_at=published_at,
        published_raw=published or None,
        title=redact(title, country),
        language=card.languages[0] if card.languages else None,
        country=country,
        classifications=_classifications(field),
        parties=parties,
        children=(child,),
        texts=tuple(_texts(row, card, country)),
    )


def _day(raw: str, card: ColumnsCard) -> date:
    return read_day(raw, card.date_format)


def _child(field: Callable[[str], str], card: ColumnsCard) -> Child:
    raw = field("status")
    status = Status()
    if raw:
        mapped = card.lifecycle.get(raw)
        if mapped is None:
            raise _Misfit("unknown_code", f"the status `{raw}` is not in the card's lifecycle map", raw)
        status = Status(lifecycle=mapped, raw=raw, basis=Basis.STATUS)
    days = {}
    for name in ("signed_on", "starts_on", "ends_on"):
        text = field(name)
        try:
            days[name] = _day(text, card) if text else None
        except ValueError as error:
            raise _Misfit("unreadable_date", f"`{card.columns.get(name)}`: {error}", text) from error
    amount = field("amount")
    try:
        value = (
            Value(amount=read_amount(amount), currency=read_currency(field("currency")), kind=card.value_kind)
            if amount
            else None
        )
    except ValueError as error:
        raise _Misfit("unreadable_amount", f"`{card.columns.get('amount')}`: {error}", amount) from error
    if status.lifecycle is Lifecycle.UNKNOWN and days["ends_on"]:
        status = status.model_copy(update={"basis": Basis.DATES})
    return Child(
        kind=card.child_kind,
        native_id=field("child_id") or field("process_id"),
        award_id=field("award_id") or None,
        title="",
        status=status,
        value=value,
        **days,
    )


def _parties(field: Callable[[str], str], card: ColumnsCard, country: str | None) -> Iterator[Party]:
    buyer = field("buyer")
    if buyer:
        name = card.buyers.get(buyer, buyer)
        yield Party(local_id=f"buyer:{buyer}", name=redact(name, country), roles=(Role.BUYER,), country=country)
    supplier = field("supplier")
    if supplier:
        person = is_natural_person(supplier, country=country)
        digest = sha256_hex(supplier.encode())[:12]
        yield Party(
            local_id=f"person-{digest}" if person else f"supplier:{supplier}",
            name="" if person else redact(supplier, country),
            roles=(card.supplier_role,),
            natural_person=person,
        )


def _classifications(field: Callable[[str], str]) -> tuple[Classification, ...]:
    text = field("classification")
    return (Classification(scheme="text", id=text, description=text),) if text else ()


def _texts(row: Mapping[str, str], card: ColumnsCard, country: str | None) -> Iterator[Text]:
    fields = ("title", "description", "classification", "amendment")
    named = [card.columns[name] for name in fields if name in card.columns]
    for column in dict.fromkeys([*named, *card.text_columns]):
        # Offsets count characters of the cell as archived, so the cell is not stripped.
        text = row.get(column, "")
        if text.strip():
            yield Text(pointer=f"column={column}", text=redact(text, country))


def _problem(place: Place, kind: str, detail: str, raw: str) -> Problem:
    return Problem(
        kind=kind, detail=redact(detail), payload_sha256=place.payload_sha256, pointer=place.pointer, raw=redact(raw)
    )


def python_encoding(name: str) -> str:
    """The codec for a card's encoding."""
    # A byte-order mark is no part of the first header.
    return "utf-8-sig" if name.lower().replace("-", "") == "utf8" else name


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

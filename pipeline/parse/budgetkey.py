"""The format `budgetkey`: rows of BudgetKey's table of Israeli tenders and exemptions, as `GET /api/query` gives them.

Columns: OpenBudget's budgetkey-data-pipelines, procurement/tenders. One row is what the portal says of a purchase now.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import IO, Any, Final
from urllib.parse import urlsplit

import orjson

from models.codes import Basis, Lifecycle, Role, ValueKind
from models.ids import contract_id, release_id, sha256_hex
from models.procurement import Child, DocumentLink, Identifier, Parsed, Party, Place, Release, Seen, Status, Text, Value
from models.run import Problem
from models.source import SourceCard
from pipeline.names import has_legal_form
from pipeline.outcome import as_utf8
from pipeline.parse.common import Misfit, Notes, day_of, read_strictly, rejected, required, text_of
from pipeline.parse.json_records import check_json_head, stream_records
from pipeline.persons import is_natural_person
from pipeline.redact import redact
from pipeline.values import read_amount, read_currency, read_moment

_KNOWN: Final = frozenset(
    {
        "publication_id", "tender_id", "tender_type", "tender_type_he", "description", "publisher", "publisher_unit",
        "page_url", "status", "decision", "publication_date", "last_update_date", "claim_date", "start_date",
        "end_date", "volume", "source_currency", "supplier", "supplier_id", "subjects", "documents",
    }
)  # fmt: skip
# Free text of a row; `decision` says in words what was decided about an exemption.
_TEXTS: Final = ("description", "subjects", "decision")
_SHEKEL: Final = frozenset({"₪", "NIS", 'ש"ח', "ש״ח", "שח", "שקל", "שקל חדש"})
# Numbers of companies, partnerships, cooperatives and associations have nine digits, the first being 5; other numbers
# of nine digits are those of residents.
_COMPANY: Final = re.compile(r"5\d{8}")
_RESIDENT: Final = re.compile(r"\d{8,9}")
_HEBREW_FORM: Final = re.compile(r"(?:בע[\"״'׳]{1,2}מ|בעמ|ע[\"״]ר|אגש[\"״]ח|חל[\"״]צ)(?:$|[\s.,)])")
# A person's name in Hebrew: two or three words of letters alone. Of a firm without number and legal form such a word
# tells; without one it is taken for a person, since hiding a firm harms less than naming a person.
_HEBREW_NAME: Final = re.compile(r"[\u05d0-\u05ea'׳\-]{2,}(?: [\u05d0-\u05ea'׳\-]{2,}){1,2}")
_OF_A_FIRM: Final = re.compile(
    r"חברת|חברה|מערכות|טכנולוגי|שירותי|תעשי|קבוצת|עמות|אוניברסיט|מכללת|עירי|מועצ|מכון|בנק|תקשורת|אבטחה|הנדסה|פתרונות|"
    r"מחשבים|תוכנה|ישראל|סייבר|אלקטרוני|מרכז|רשות|איגוד|הסתדרות"
)
_STOPPED: Final = (Lifecycle.CANCELLED, Lifecycle.SUSPENDED)


def check_head(head: bytes, name: str) -> None:
    """Raises BadData for a file that cannot hold rows of BudgetKey."""
    check_json_head(head, name, "rows of BudgetKey")


def parse_page(data: bytes, card: SourceCard, sha256: str, url: str) -> Iterator[Parsed | Problem]:
    """Releases of one answer `{"rows": […]}`, each with its JSON pointer, or the problem instead of it."""
    try:
        value = orjson.loads(as_utf8(data)[0])
        rows = value.get("rows") if isinstance(value, dict) else None
        if not isinstance(rows, list):
            raise Misfit("missing_field", "the answer has no list `rows`")
    except orjson.JSONDecodeError as error:
        yield rejected(Misfit("malformed_json", str(error)), Place(payload_sha256=sha256, pointer=""))
    except Misfit as misfit:
        yield rejected(misfit, Place(payload_sha256=sha256, pointer=""))
    else:
        for index, row in enumerate(rows):
            yield from read_strictly(
                partial(_release, row, card), Place(payload_sha256=sha256, pointer=f"/rows/{index}")
            )


def parse_file(
    open_stream: Callable[[], IO[bytes]],
    card: SourceCard,
    sha256: str,
    url: str,
    glance: Callable[[bytes], bool] | None,
) -> Iterator[Parsed | Seen | Problem]:
    """Releases of a saved answer, a list of rows or lines of them; plain or gzipped."""
    for pointer, row in stream_records(open_stream, sha256, "rows"):
        if isinstance(row, Problem):
            yield row
        else:
            yield from read_strictly(partial(_release, row, card), Place(payload_sha256=sha256, pointer=pointer))


def _release(row: Any, card: SourceCard, note: Notes) -> Release:
    if not isinstance(row, dict):
        raise Misfit("wrong_type", f"a row is an object, not {type(row).__name__}", row)
    number = required(row, "publication_id")
    kind = required(row, "tender_type")
    changed = required(row, "last_update_date")
    description = required(row, "description")
    try:
        published_at = read_moment(changed)
    except ValueError as error:
        raise Misfit("unreadable_date", f"`last_update_date`: {error}", changed) from error
    for column in sorted(set(row) - _KNOWN):
        note("unknown_field", f"column `{column}` is not one we asked for", column)
    # Exemptions, office and central tenders are numbered apart.
    native_id = f"{kind}/{number}"
    status = _status(row, card, note)
    supplier = _supplier(row)
    starts_on, ends_on = day_of(row, "start_date", note), day_of(row, "end_date", note)
    award = _award(row, status, published_at.date(), (starts_on, ends_on), supplier, note)
    return Release(
        release_id=release_id(card.id, sha256_hex(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))),
        contract_id=contract_id(card.namespace, native_id),
        source_id=card.id,
        native_id=native_id,
        portal_release_id=f"{number}@{changed}",
        published_at=published_at,
        published_raw=changed,
        tags=(kind,),
        title=redact(description, "IL"),
        language="he",
        country="IL",
        procurement_method=text_of(row, "tender_type_he") or kind,
        status=status,
        tender_ends_on=day_of(row, "claim_date", note),
        starts_on=starts_on,
        ends_on=ends_on,
        value=None if supplier else _value(row, ValueKind.ESTIMATE, note),
        parties=tuple(p for p in (*_buyers(row, note), supplier) if p),
        children=(award,) if award else (),
        documents=tuple(_documents(row, note)),
        texts=tuple(_texts(row)),
    )


def _status(row: Mapping[str, Any], card: SourceCard, note: Notes) -> Status:
    raw = text_of(row, "status")
    if not raw:
        note("missing_field", "the row has no `status`")
        return Status()
    mapped = card.lifecycle.get(f"status:{raw}")
    if mapped is None:
        note("unknown_code", f"status `{raw}` is not in the card's lifecycle map", raw)
        return Status(raw=raw, basis=Basis.STATUS)
    kind = text_of(row, "tender_type_he")
    by_kind = card.lifecycle.get(f"type:{kind}")
    if by_kind and mapped is Lifecycle.TENDER:
        # `Published` is said of a request for information too, by which nothing is bought yet.
        return Status(lifecycle=by_kind, raw=kind, basis=Basis.STATUS)
    return Status(lifecycle=mapped, raw=raw, basis=Basis.STATUS)


def _buyers(row: Mapping[str, Any], note: Notes) -> Iterator[Party]:
    name = text_of(row, "publisher")
    unit = text_of(row, "publisher_unit")
    if not name:
        note("missing_field", "no `publisher` is named")
        return
    whole = f"{name}, {unit}" if unit and unit != name else name
    yield Party(local_id="publisher", name=redact(whole, "IL"), roles=(Role.BUYER,), country="IL")


def _supplier(row: Mapping[str, Any]) -> Party | None:
    """The supplier a row names; a private person without name and number."""
    name = text_of(row, "supplier")
    number = text_of(row, "supplier_id")
    if not name and not number:
        return None
    company = bool(_COMPANY.fullmatch(number) or _HEBREW_FORM.search(name) or has_legal_form(name))
    if not company and (_RESIDENT.fullmatch(number) or is_natural_person(name, country="IL") or _hebrew_person(name)):
        return Party(
            local_id=f"person-{sha256_hex((number or name).encode())[:12]}",
            name="",
            roles=(Role.SUPPLIER,),
            natural_person=True,
        )
    registered = (Identifier(scheme="IL-ROC", id=number),) if _COMPANY.fullmatch(number) else ()
    # Another number beside a firm's name may be its owner's own, and is kept only where it is all there is.
    return Party(
        local_id=number if registered else name or number,
        name=redact(name, "IL"),
        roles=(Role.SUPPLIER,),
        identifiers=registered,
        country="IL" if registered else None,
    )


def _hebrew_person(name: str) -> bool:
    return bool(_HEBREW_NAME.fullmatch(" ".join(name.split()))) and not _OF_A_FIRM.search(name)


def _award(
    row: Mapping[str, Any],
    status: Status,
    changed_on: date,
    period: tuple[date | None, date | None],
    supplier: Party | None,
    note: Notes,
) -> Child | None:
    """The award that a named supplier means; one of a purchase that was stopped is stopped too.

    A period that was over when the row last changed makes it complete; one that ends later ends in the database.
    """
    if supplier is None:
        return None
    starts_on, ends_on = period
    decided = Status(lifecycle=Lifecycle.ACTIVE, raw=text_of(row, "decision") or None, basis=Basis.EVENT)
    if ends_on and ends_on < changed_on:
        decided = decided.model_copy(update={"lifecycle": Lifecycle.COMPLETE, "basis": Basis.DATES})
    return Child(
        kind="award",
        native_id="supplier",
        status=status if status.lifecycle in _STOPPED else decided,
        starts_on=starts_on,
        ends_on=ends_on,
        value=_value(row, ValueKind.AWARD, note),
        supplier_ids=(supplier.local_id,),
    )


def _value(row: Mapping[str, Any], kind: ValueKind, note: Notes) -> Value | None:
    amount = row.get("volume")
    if amount is None or amount == "":
        return None
    currency = text_of(row, "source_currency")
    try:
        code = "ILS" if currency in _SHEKEL else read_currency(currency)
        return Value(amount=read_amount(amount), currency=code, kind=kind)
    except ValueError as error:
        note("unreadable_amount", f"`volume`, `source_currency`: {error}", f"{amount} {currency}")
        return None


def _documents(row: Mapping[str, Any], note: Notes) -> Iterator[DocumentLink]:
    found = row.get("documents")
    if isinstance(found, str):
        try:
            found = orjson.loads(found) if found.strip() else None
        except orjson.JSONDecodeError as error:
            note("malformed_json", f"`documents`: {error}", found)
            return
    if found is None:
        return
    if not isinstance(found, list):
        note("wrong_type", f"`documents` should be a list, not {type(found).__name__}", found)
        return
    seen = set()
    for entry in found:
        url = text_of(entry, "link")
        if urlsplit(url).scheme not in ("http", "https"):
            note("missing_field", "a document has no address", entry)
        elif url not in seen:
            seen.add(url)
            yield DocumentLink(url=url, title=redact(text_of(entry, "description"), "IL"))


def _texts(row: Mapping[str, Any]) -> Iterator[Text]:
    for column in _TEXTS:
        value = row.get(column)
        entries = (
            [(f"/{column}/{n}", v) for n, v in enumerate(value)] if isinstance(value, list) else [(f"/{column}", value)]
        )
        for pointer, entry in entries:
            if isinstance(entry, str) and entry.strip():
                yield Text(pointer=pointer, text=redact(entry, "IL"))

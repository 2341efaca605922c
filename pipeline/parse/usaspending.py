"""The format `usaspending`: awards of USAspending.gov and their transactions.

An award is the answer to GET /api/v2/awards/<id>/, a list of transactions that to POST /api/v2/transactions/. Field
meanings: awards/award_id.md and transactions.md of the API contracts (github.com/fedspendingtransparency/
usaspending-api). Officers, addresses and numbers of persons are never mapped.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import IO, Any, Final

import orjson

from models.codes import Basis, Lifecycle, ValueKind
from models.ids import contract_id, release_id, sha256_hex
from models.procurement import (
    Child,
    Classification,
    Identifier,
    Parsed,
    Place,
    Release,
    Status,
    Text,
    Value,
)
from models.run import Problem
from models.source import SourceCard
from pipeline.outcome import as_utf8
from pipeline.parse.common import Misfit, Notes, day_of, read_strictly, required, text_of
from pipeline.parse.json_records import check_json_head, stream_records
from pipeline.parse.usaspending_parties import read_parties
from pipeline.redact import redact
from pipeline.values import read_amount, read_moment

_COUNTRY: Final = "US"
# The key under which an answer holds its list.
_LIST: Final = "results"
# Top-level fields of a contract and of an indefinite delivery vehicle that the API's contracts name.
_KNOWN: Final = frozenset(
    {
        "id", "generated_unique_award_id", "piid", "category", "type", "type_description", "description",
        "total_obligation", "subaward_count", "total_subaward_amount", "date_signed", "base_exercised_options",
        "base_and_all_options", "parent_award", "latest_transaction_contract_data", "funding_agency",
        "awarding_agency", "period_of_performance", "recipient", "executive_details", "place_of_performance",
        "psc_hierarchy", "naics_hierarchy", "total_account_outlay", "total_account_obligation", "total_outlay",
        "account_outlays_by_defc", "account_obligations_by_defc",
    }
)  # fmt: skip
_CATEGORIES: Final = frozenset({"contract", "idv"})
_TYPES: Final = frozenset(
    {"A", "B", "C", "D", "IDV_A", "IDV_B", "IDV_B_A", "IDV_B_B", "IDV_B_C", "IDV_C", "IDV_D", "IDV_E"}
)
# Reasons for a modification that say nothing of where the award stands (`change_reasons` in gsdm_maps.py there).
_NEUTRAL_ACTIONS: Final = frozenset("BCDHJLMPRSTVWY")
_TRANSACTION: Final = "CONT_TX_"
# What the purchase is called, in fields of the latest transaction.
_LATEST_TEXTS: Final = ("product_or_service_description", "naics_description", "major_program", "program_acronym")


def error_said(data: bytes) -> str:
    """What the API says instead of an award or a list: its `detail` or `messages`; empty for a good answer.

    A good list of finds has `messages` too.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return ""
    return _error_of(value)


def _error_of(value: Any) -> str:
    if not isinstance(value, dict) or _LIST in value or "generated_unique_award_id" in value:
        return ""
    words = value.get("detail") or value.get("messages") or ""
    return redact(str(words)[:200])


def check_head(head: bytes, name: str) -> None:
    """Raises BadData, with how to mend it, for a file that cannot be awards as JSON."""
    check_json_head(head, name, "awards of USAspending")


def parse_page(data: bytes, card: SourceCard, sha256: str, url: str) -> Iterator[Parsed | Problem]:
    """The release of an award, or one of each transaction of a list, with JSON pointers."""
    try:
        value = orjson.loads(as_utf8(data)[0])
    except orjson.JSONDecodeError as error:
        yield Problem(kind="malformed_json", detail=str(error), payload_sha256=sha256)
        return
    yield from _answer(value, card, sha256, "")


def parse_file(
    open_stream: Callable[[], IO[bytes]],
    card: SourceCard,
    sha256: str,
    url: str,
    glance: Callable[[bytes], bool] | None,
) -> Iterator[Parsed | Problem]:
    """Releases of one answer, of a list of them or of lines; memory does not grow with the file."""
    for pointer, value in stream_records(open_stream, sha256, _LIST):
        if isinstance(value, Problem):
            yield value
        elif f"/{_LIST}/" in pointer:
            yield from _record(_transaction, value, card, Place(payload_sha256=sha256, pointer=pointer))
        else:
            yield from _answer(value, card, sha256, pointer)


def _answer(value: Any, card: SourceCard, sha256: str, pointer: str) -> Iterator[Parsed | Problem]:
    """An award, or a list of transactions at a JSON pointer."""
    if isinstance(value, dict) and isinstance(value.get(_LIST), list):
        for index, one in enumerate(value[_LIST]):
            place = Place(payload_sha256=sha256, pointer=f"{pointer}/{_LIST}/{index}")
            yield from _record(_transaction, one, card, place)
        return
    yield from _record(_award, value, card, Place(payload_sha256=sha256, pointer=pointer))


def _record(
    read: Callable[[Mapping[str, Any], SourceCard, Notes], Release], value: Any, card: SourceCard, place: Place
) -> Iterator[Parsed | Problem]:
    def checked(note: Notes) -> Release:
        if not isinstance(value, dict):
            raise Misfit("wrong_type", f"a record is an object, not {type(value).__name__}", value)
        if words := _error_of(value):
            raise Misfit("error_in_200", f"an error stands in place of the award: {words}")
        return read(value, card, note)

    yield from read_strictly(checked, place)


def _award(raw: Mapping[str, Any], card: SourceCard, note: Notes) -> Release:
    native_id = required(raw, "generated_unique_award_id")
    piid = required(raw, "piid")
    for key in sorted(set(raw) - _KNOWN):
        note("unknown_field", f"award field `{key}` is not one we know", key)
    for key, known in (("category", _CATEGORIES), ("type", _TYPES)):
        if (code := text_of(raw, key)) not in known:
            note("unknown_code", f"`{key}` is `{code}`, which the API's contracts do not name", code)
    period = _object(raw, "period_of_performance")
    latest = _object(raw, "latest_transaction_contract_data")
    published_raw = text_of(period, "last_modified_date")
    published_at = _moment(published_raw, "last_modified_date") if published_raw else None
    if published_at is None:
        note("missing_field", "`last_modified_date` is empty, so the award's state is of an unknown day")
    ends_on = day_of(period, "end_date", note)
    parties, suppliers = read_parties(raw, note)
    vehicle = text_of(raw, "category") == "idv"
    status = _by_dates(ends_on, published_at)
    return Release(
        release_id=release_id(card.id, _content(raw)),
        contract_id=contract_id(card.namespace, native_id),
        source_id=card.id,
        native_id=native_id,
        published_at=published_at,
        published_raw=published_raw or None,
        tags=tuple(filter(None, (text_of(raw, "category"), text_of(raw, "type")))),
        title=redact(_string(raw, "description").strip(), _COUNTRY),
        language=card.languages[0],
        country=_COUNTRY,
        procurement_method=text_of(latest, "extent_competed_description") or text_of(latest, "extent_competed") or None,
        classifications=tuple(_classifications(latest)),
        status=status,
        starts_on=day_of(period, "start_date", note),
        ends_on=ends_on,
        value=_value(raw, "base_and_all_options", ValueKind.FRAMEWORK_CEILING if vehicle else ValueKind.CONTRACT),
        parties=parties,
        children=(
            Child(
                kind="contract",
                native_id=piid,
                status=status,
                signed_on=day_of(raw, "date_signed", note),
                starts_on=day_of(period, "start_date", note),
                ends_on=ends_on,
                value=_obligation(raw, "total_obligation", vehicle=vehicle, cumulative=True),
                supplier_ids=suppliers,
            ),
        ),
        texts=tuple(_texts(raw, latest)),
        identifiers=tuple(dict.fromkeys(_identifiers(raw, latest, piid))),
    )


def _transaction(raw: Mapping[str, Any], card: SourceCard, note: Notes) -> Release:
    """A modification of an award. The list does not name the award; the transaction's own id holds all parts of it."""
    native_id, piid, vehicle = _award_of(required(raw, "id"), text_of(raw, "type"))
    if text_of(raw, "type") not in _TYPES:
        note("unknown_code", f"`type` is `{text_of(raw, 'type')}`, which the API's contracts do not name")
    published_raw = required(raw, "action_date")
    status = _action(raw, card, note)
    description = _string(raw, "description")
    return Release(
        release_id=release_id(card.id, _content(raw)),
        contract_id=contract_id(card.namespace, native_id),
        source_id=card.id,
        native_id=native_id,
        portal_release_id=text_of(raw, "modification_number") or None,
        published_at=_moment(published_raw, "action_date"),
        published_raw=published_raw,
        tags=("transaction",),
        title=redact(description.strip(), _COUNTRY),
        language=card.languages[0],
        country=_COUNTRY,
        status=status,
        children=(
            Child(
                kind="contract",
                native_id=piid,
                status=status,
                value=_obligation(raw, "federal_action_obligation", vehicle=vehicle, cumulative=False),
            ),
        ),
        texts=(Text(pointer="/description", text=redact(description, _COUNTRY)),) if description.strip() else (),
    )


def _award_of(transaction: str, award_type: str) -> tuple[str, str, bool]:
    """Id of the award, its number, and whether it is a vehicle, out of a transaction's id.

    `CONT_TX_<agency>_<agency of the parent>_<number>_<modification>_<parent>_<count>` belongs to
    `CONT_AWD_<number>_<agency>_<parent>_<agency of the parent>`, or to `CONT_IDV_<number>_<agency>`.
    """
    parts = transaction.removeprefix(_TRANSACTION).split("_")
    if not transaction.startswith(_TRANSACTION) or len(parts) != 6:
        raise Misfit("unreadable_id", "`id` is not that of a transaction of a contract", transaction)
    agency, parent_agency, piid, _, parent, _ = parts
    if award_type.startswith("IDV_"):
        return f"CONT_IDV_{piid}_{agency}", piid, True
    return f"CONT_AWD_{piid}_{agency}_{parent}_{parent_agency}", piid, False


def _action(raw: Mapping[str, Any], card: SourceCard, note: Notes) -> Status:
    if "action_type" not in raw:
        raise Misfit("missing_field", "`action_type` is missing")
    code = text_of(raw, "action_type")
    mapped = card.lifecycle.get(f"action:{code}")
    if mapped is not None:
        return Status(lifecycle=mapped, raw=text_of(raw, "action_type_description") or code, basis=Basis.EVENT)
    if code and code not in _NEUTRAL_ACTIONS:
        note("unknown_code", f"the action type `{code}` is not in the card's lifecycle map", code)
    return Status()


def _by_dates(ends_on: date | None, published_at: datetime | None) -> Status:
    """The API has no status: an award is active while its period had not ended when it was last modified."""
    if ends_on is None or published_at is None:
        return Status(basis=Basis.DATES if ends_on else Basis.NONE)
    running = ends_on >= published_at.date()
    return Status(lifecycle=Lifecycle.ACTIVE if running else Lifecycle.COMPLETE, basis=Basis.DATES)


def _obligation(raw: Mapping[str, Any], key: str, *, vehicle: bool, cumulative: bool) -> Value | None:
    """Dollars committed. None for a vehicle's zero: the money of a vehicle is committed by its orders."""
    value = _value(raw, key, ValueKind.OBLIGATION)
    if value is None or (vehicle and not value.amount):
        return None
    return value.model_copy(update={"cumulative": cumulative})


def _value(raw: Mapping[str, Any], key: str, kind: ValueKind) -> Value | None:
    if key not in raw:
        raise Misfit("missing_field", f"`{key}` is missing")
    if raw[key] is None:
        return None
    try:
        return Value(amount=read_amount(raw[key]), currency="USD", kind=kind)
    except ValueError as error:
        raise Misfit("unreadable_amount", f"`{key}`: {error}", raw[key]) from error


def _object(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    if not isinstance(value, dict):
        kind = "missing_field" if value is None else "wrong_type"
        raise Misfit(kind, f"`{key}` should be an object, not {type(value).__name__}", value)
    return value


def _string(raw: Mapping[str, Any], key: str) -> str:
    """A text as it stands, since offsets count its characters; empty for null. Raises Misfit for anything else."""
    if key not in raw:
        raise Misfit("missing_field", f"`{key}` is missing")
    value = raw[key]
    if value is not None and not isinstance(value, str):
        raise Misfit("wrong_type", f"`{key}` should be a string, not {type(value).__name__}", value)
    return value or ""


def _moment(raw: str, key: str) -> datetime:
    try:
        return read_moment(raw)
    except ValueError as error:
        raise Misfit("unreadable_date", f"`{key}`: {error}", raw) from error


def _classifications(latest: Mapping[str, Any]) -> Iterator[Classification]:
    for scheme, key, words in (
        ("PSC", "product_or_service_code", "product_or_service_description"),
        ("NAICS", "naics", "naics_description"),
    ):
        if code := text_of(latest, key):
            yield Classification(scheme=scheme, id=code, description=text_of(latest, words))


def _texts(raw: Mapping[str, Any], latest: Mapping[str, Any]) -> Iterator[Text]:
    description = _string(raw, "description")
    if description.strip():
        yield Text(pointer="/description", text=redact(description, _COUNTRY))
    for key in _LATEST_TEXTS:
        value = latest.get(key)
        if isinstance(value, str) and value.strip():
            yield Text(pointer=f"/latest_transaction_contract_data/{key}", text=redact(value, _COUNTRY))


def _identifiers(raw: Mapping[str, Any], latest: Mapping[str, Any], piid: str) -> Iterator[Identifier]:
    """The award's own number, that of its parent award, and that of the solicitation at SAM.gov."""
    yield Identifier(scheme="piid", id=piid)
    if parent := text_of(raw.get("parent_award"), "piid"):
        yield Identifier(scheme="piid", id=parent)
    if solicitation := text_of(latest, "solicitation_identifier"):
        yield Identifier(scheme="us_solicitation", id=solicitation)


def _content(raw: Mapping[str, Any]) -> str:
    return sha256_hex(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS))

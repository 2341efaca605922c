"""Parses OCDS release packages into releases, strictly: what is missing or of a new kind is a named problem.

Contact points, street addresses and personal names of officials are never mapped.
Field meanings: OCDS 1.1 reference (standard.open-contracting.org), statuses as the card's lifecycle map says.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from models.codes import Basis, Lifecycle, ValueKind
from models.ids import contract_id, release_id, sha256_hex
from models.procurement import (
    Child,
    Classification,
    DocumentLink,
    Identifier,
    Parsed,
    Party,
    Place,
    Release,
    Seen,
    Status,
    Text,
)
from models.run import Problem
from models.source import SourceCard
from pipeline.identifiers import normal, procedures_in, ted_notices_at
from pipeline.outcome import as_utf8
from pipeline.parse.common import Misfit, day_of, read_strictly
from pipeline.parse.ocds_fields import object_field, object_list, text_field, value_field
from pipeline.parse.ocds_parties import opaque_id, read_parties
from pipeline.redact import redact
from pipeline.values import read_moment

# Top-level keys of a release that OCDS 1.1 and the extensions of portals we know define.
_KNOWN = {
    "ocid", "id", "date", "tag", "initiationType", "parties", "buyer", "planning", "tender", "awards", "contracts",
    "language", "relatedProcesses", "title", "description", "bids", "links", "uri", "publisher",
}  # fmt: skip
_ENDS = (Lifecycle.CANCELLED, Lifecycle.TERMINATED)


def parse_package(data: bytes, card: SourceCard, payload_sha256: str) -> Iterator[Parsed | Problem]:
    """Releases of one release package (an API page), each with its JSON pointer, or the problem instead of it."""
    try:
        package = orjson.loads(as_utf8(data)[0])
    except orjson.JSONDecodeError as error:
        yield Problem(
            kind="malformed_json", detail=str(error), payload_sha256=payload_sha256, raw=_head(data), pointer=""
        )
        return
    if not isinstance(package, dict) or not isinstance(package.get("releases"), list):
        yield Problem(
            kind="missing_field",
            detail="the page has no list `releases`",
            payload_sha256=payload_sha256,
            raw=_head(data),
        )
        return
    for index, raw in enumerate(package["releases"]):
        yield from parse_release(raw, card, Place(payload_sha256=payload_sha256, pointer=f"/releases/{index}"))


def parse_release(raw: Any, card: SourceCard, place: Place) -> Iterator[Parsed | Problem]:
    """One release of any OCDS 1.1 source: the parsed release followed by notes, or one rejected problem."""
    yield from read_strictly(partial(_release, raw, card), place)


def glimpse_release(raw: Any, card: SourceCard, place: Place) -> Seen | None:
    """What is kept of a release that is not read whole, under the ids it would have; None for one that may not fit."""
    if not isinstance(raw, dict):
        return None
    try:
        ocid, _, _, published_at = _head_of(raw)
    except Misfit:
        return None
    tender = raw.get("tender")
    if not (tender and isinstance(tender, dict)) and not any(raw.get(k) for k in ("planning", "awards", "contracts")):
        return None
    return Seen(
        release_id=release_id(card.id, _content(raw)),
        contract_id=contract_id(card.namespace, ocid),
        source_id=card.id,
        native_id=ocid,
        published_on=published_at.date(),
        place=place,
    )


def _head_of(raw: Mapping[str, Any]) -> tuple[str, str, str, datetime]:
    """ocid, release id, date as written and as a moment. Raises Misfit without one of them."""
    ocid = text_field(raw, "ocid", required=True)
    portal_id = text_field(raw, "id", required=True)
    published_raw = text_field(raw, "date", required=True)
    try:
        return ocid, portal_id, published_raw, read_moment(published_raw)
    except ValueError as error:
        raise Misfit("unreadable_date", f"`date`: {error}", published_raw) from error


def _content(raw: Mapping[str, Any]) -> str:
    try:
        return sha256_hex(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS))
    except orjson.JSONEncodeError as error:
        # orjson reads a thousand levels and writes 254.
        raise Misfit("nested_too_deep", f"objects within objects beyond those of any release ({error})") from error


def _release(raw: Any, card: SourceCard, note: Any) -> Release:
    if not isinstance(raw, dict):
        raise Misfit("wrong_type", f"a release is an object, not {type(raw).__name__}", raw)
    ocid, portal_id, published_raw, published_at = _head_of(raw)
    tender = object_field(raw, "tender", note)
    if not tender and not raw.get("awards") and not raw.get("contracts") and not raw.get("planning"):
        raise Misfit("missing_field", "the release has neither planning, tender, awards nor contracts")
    for key in sorted(set(raw) - _KNOWN):
        note("unknown_field", f"release field `{key}` is not one we know", key)
    country = card.countries[0] if len(card.countries) == 1 else None
    parties = read_parties(raw, country, note)
    tags = tuple(str(t) for t in raw.get("tag") or ())
    children = tuple(_children(raw, card, published_at, parties, note))
    language = text_field(raw, "language") or (card.languages[0] if card.languages else None)
    return Release(
        release_id=release_id(card.id, _content(raw)),
        contract_id=contract_id(card.namespace, ocid),
        source_id=card.id,
        native_id=ocid,
        portal_release_id=portal_id,
        published_at=published_at,
        published_raw=published_raw,
        tags=tags,
        title=redact(text_field(tender, "title") or text_field(raw, "title") or "", country),
        language=language,
        country=country,
        procurement_method=text_field(tender, "procurementMethodDetails")
        or text_field(tender, "procurementMethod")
        or None,
        classifications=tuple(_classifications(tender)),
        status=_status(tender, tags, card, note),
        tender_ends_on=day_of(object_field(tender, "tenderPeriod", note), "endDate", note),
        starts_on=day_of(object_field(tender, "contractPeriod", note), "startDate", note),
        ends_on=day_of(object_field(tender, "contractPeriod", note), "endDate", note),
        value=value_field(tender.get("value"), ValueKind.ESTIMATE, note),
        parties=parties,
        children=children,
        documents=tuple(_documents(raw)),
        texts=tuple(_texts(raw, country)),
        identifiers=tuple(dict.fromkeys(_identifiers(raw, ocid, tender))),
    )


def _method(tender: Mapping[str, Any]) -> str | None:
    return text_field(tender, "procurementMethodDetails") or text_field(tender, "procurementMethod") or None


def _status(tender: Mapping[str, Any], tags: tuple[str, ...], card: SourceCard, note: Any) -> Status:
    by_tag = [(tag, mapped) for tag in tags if (mapped := card.lifecycle.get(f"tag:{tag}"))]
    for tag, mapped in by_tag:
        # A cancellation notice may repeat the status from before it; what it announces is the newer fact.
        if mapped in _ENDS:
            return Status(lifecycle=mapped, raw=tag, basis=Basis.EVENT)
    raw = text_field(tender, "status")
    if raw:
        return Status(lifecycle=_mapped("tender", raw, card, note), raw=raw, basis=Basis.STATUS)
    if by_tag:
        return Status(lifecycle=by_tag[0][1], raw=by_tag[0][0], basis=Basis.EVENT)
    return Status()


def _mapped(kind: str, raw: str, card: SourceCard, note: Any) -> Lifecycle:
    mapped = card.lifecycle.get(f"{kind}:{raw}")
    if mapped is None:
        note("unknown_code", f"{kind} status `{raw}` is not in the card's lifecycle map", raw)
        return Lifecycle.UNKNOWN
    return mapped


def _children(
    raw: Mapping[str, Any], card: SourceCard, published_at: datetime, parties: tuple[Party, ...], note: Any
) -> Iterator[Child]:
    known = {p.local_id for p in parties}
    for award in object_list(raw, "awards"):
        period = object_field(award, "contractPeriod", note)
        suppliers = []
        for supplier in object_list(award, "suppliers"):
            local_id = text_field(supplier, "id") or text_field(supplier, "name")
            suppliers.append(local_id if local_id in known else opaque_id(local_id))
        status = text_field(award, "status")
        yield Child(
            kind="award",
            native_id=text_field(award, "id") or "award",
            title=redact(text_field(award, "title")),
            status=_child_status("award", status, card, note),
            signed_on=day_of(award, "date", note),
            starts_on=day_of(period, "startDate", note),
            ends_on=day_of(period, "endDate", note),
            value=value_field(award.get("value"), ValueKind.AWARD, note),
            supplier_ids=tuple(dict.fromkeys(suppliers)),
        )
    for contract in object_list(raw, "contracts"):
        period = object_field(contract, "period", note)
        ends_on = day_of(period, "endDate", note)
        stands = _child_status("contract", text_field(contract, "status"), card, note)
        if stands.lifecycle is Lifecycle.TERMINATED and ends_on and ends_on <= published_at.date():
            # OCDS says `terminated` for an early and for a normal end; a past end date makes it a normal one.
            stands = stands.model_copy(update={"lifecycle": Lifecycle.COMPLETE, "basis": Basis.DATES})
        award_id = text_field(contract, "awardID") or None
        yield Child(
            kind="contract",
            native_id=text_field(contract, "id") or "contract",
            award_id=award_id,
            title=redact(text_field(contract, "title")),
            status=stands,
            signed_on=day_of(contract, "dateSigned", note),
            starts_on=day_of(period, "startDate", note),
            ends_on=ends_on,
            value=value_field(contract.get("value"), ValueKind.CONTRACT, note),
        )


def _child_status(kind: str, raw: str, card: SourceCard, note: Any) -> Status:
    if not raw:
        return Status()
    return Status(lifecycle=_mapped(kind, raw, card, note), raw=raw, basis=Basis.STATUS)


def _classifications(tender: Mapping[str, Any]) -> Iterator[Classification]:
    main = tender.get("classification")
    entries = [main] if isinstance(main, dict) else []
    entries += object_list(tender, "additionalClassifications")
    for item in object_list(tender, "items"):
        if isinstance(item.get("classification"), dict):
            entries.append(item["classification"])
        entries += object_list(item, "additionalClassifications")
    seen = set()
    for entry in entries:
        key = (text_field(entry, "scheme"), text_field(entry, "id"))
        if key[1] and key not in seen:
            seen.add(key)
            yield Classification(scheme=key[0], id=key[1], description=text_field(entry, "description"))


def _documents(raw: Mapping[str, Any]) -> Iterator[DocumentLink]:
    holders = [raw.get("planning"), raw.get("tender"), *object_list(raw, "awards"), *object_list(raw, "contracts")]
    seen = set()
    for holder in holders:
        for entry in object_list(holder, "documents") if isinstance(holder, dict) else ():
            url = text_field(entry, "url")
            if url and url not in seen:
                seen.add(url)
                yield DocumentLink(
                    url=url,
                    title=redact(text_field(entry, "title") or text_field(entry, "description")),
                    document_type=text_field(entry, "documentType"),
                    format=text_field(entry, "format"),
                )


def _identifiers(raw: Mapping[str, Any], ocid: str, tender: Mapping[str, Any]) -> Iterator[Identifier]:
    """Numbers by which other publishers may know the process.

    OCDS for eForms makes the ocid or the tender's id of the procedure's UUID (BT-04). A related process with the
    scheme of the Official Journal is a notice of this one; those with an ocid are processes of their own.
    """
    yield Identifier(scheme="ocid", id=ocid)
    yield from procedures_in(ocid)
    yield from procedures_in(text_field(tender, "id"))
    for related in object_list(raw, "relatedProcesses"):
        if text_field(related, "scheme").lower() in ("eu-oj", "ojs", "ted"):
            number = normal("ted_notice", text_field(related, "identifier"))
            if number:
                yield Identifier(scheme="ted_notice", id=number)
    for link in _documents(raw):
        if "notice" in link.document_type.lower():
            yield from ted_notices_at(link.url)


def _texts(raw: Mapping[str, Any], country: str | None) -> Iterator[Text]:
    """Free text with JSON pointers: titles, descriptions and rationales, wherever in the process they stand."""

    def walk(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            for key, below in value.items():
                if isinstance(below, str):
                    if key in _TEXT_KEYS:
                        yield f"{pointer}/{key}", below
                elif key not in _NO_TEXT_KEYS:
                    yield from walk(below, f"{pointer}/{key}")
        elif isinstance(value, list):
            for index, below in enumerate(value):
                yield from walk(below, f"{pointer}/{index}")

    for part in ("planning", "tender", "awards", "contracts", "description", "title"):
        value = raw.get(part)
        if isinstance(value, str):
            yield Text(pointer=f"/{part}", text=redact(value, country))
            continue
        for pointer, text in walk(value, f"/{part}"):
            if text.strip():
                yield Text(pointer=pointer, text=redact(text, country))


_TEXT_KEYS = {"title", "description", "rationale", "procurementMethodRationale", "statusDetails"}
# Party and code objects hold names and labels, not statements about the purchase.
_NO_TEXT_KEYS = {
    "suppliers", "procuringEntity", "tenderers", "classification", "additionalClassifications", "contactPoint",
}  # fmt: skip


def _head(data: bytes) -> str:
    return redact(data[:200].decode("utf-8", "replace"))

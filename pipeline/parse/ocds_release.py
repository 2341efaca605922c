"""Parses OCDS release packages into releases, strictly: what is missing or of a new kind is a named problem.

Contact points, street addresses and personal names of officials are never mapped.
Field meanings: OCDS 1.1 reference (standard.open-contracting.org), statuses as the card's lifecycle map says.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import orjson

from models.codes import Basis, Lifecycle, Role, ValueKind
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
    Status,
    Text,
    Value,
)
from models.run import Problem
from models.source import SourceCard
from pipeline.identifiers import normal, procedures_in, ted_notices_at
from pipeline.outcome import as_utf8
from pipeline.parse.common import Misfit, Notes, rejected
from pipeline.persons import is_natural_person
from pipeline.redact import redact
from pipeline.values import read_amount, read_currency, read_day, read_moment

# Top-level keys of a release that OCDS 1.1 and the extensions of portals we know define.
_KNOWN = {
    "ocid", "id", "date", "tag", "initiationType", "parties", "buyer", "planning", "tender", "awards", "contracts",
    "language", "relatedProcesses", "title", "description", "bids", "links", "uri", "publisher",
}  # fmt: skip
_COUNTRIES = {
    "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "united kingdom": "GB",
    "great britain": "GB", "gb": "GB", "uk": "GB",
}  # fmt: skip
_ENDS = (Lifecycle.CANCELLED, Lifecycle.TERMINATED)
_ROLES = {role.value: role for role in Role}
# Roles OCDS defines that say nothing about the purchase itself.
_OTHER_ROLES = {
    "enquirer", "reviewBody", "interestedParty", "funder", "candidate", "informationService", "reviewContactPoint",
}  # fmt: skip


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
    note = Notes(place)
    try:
        release = _release(raw, card, note)
    except Misfit as misfit:
        yield rejected(misfit, place)
        return
    yield Parsed(release=release, place=place)
    yield from note.problems


def _release(raw: Any, card: SourceCard, note: Any) -> Release:
    if not isinstance(raw, dict):
        raise Misfit("wrong_type", f"a release is an object, not {type(raw).__name__}", raw)
    ocid = _text(raw, "ocid", required=True)
    portal_id = _text(raw, "id", required=True)
    published_raw = _text(raw, "date", required=True)
    try:
        published_at = read_moment(published_raw)
    except ValueError as error:
        raise Misfit("unreadable_date", f"`date`: {error}", published_raw) from error
    tender = _object(raw, "tender", note)
    if not tender and not raw.get("awards") and not raw.get("contracts") and not raw.get("planning"):
        raise Misfit("missing_field", "the release has neither planning, tender, awards nor contracts")
    for key in sorted(set(raw) - _KNOWN):
        note("unknown_field", f"release field `{key}` is not one we know", key)
    country = card.countries[0] if len(card.countries) == 1 else None
    parties = _parties(raw, country, note)
    tags = tuple(str(t) for t in raw.get("tag") or ())
    children = tuple(_children(raw, card, published_at, parties, note))
    language = _text(raw, "language") or (card.languages[0] if card.languages else None)
    content = sha256_hex(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS))
    return Release(
        release_id=release_id(card.id, content),
        contract_id=contract_id(card.namespace, ocid),
        source_id=card.id,
        native_id=ocid,
        portal_release_id=portal_id,
        published_at=published_at,
        published_raw=published_raw,
        tags=tags,
        title=redact(_text(tender, "title") or _text(raw, "title") or "", country),
        language=language,
        country=country,
        procurement_method=_text(tender, "procurementMethodDetails") or _text(tender, "procurementMethod") or None,
        classifications=tuple(_classifications(tender)),
        status=_status(tender, tags, card, note),
        tender_ends_on=_day(_object(tender, "tenderPeriod", note), "endDate", note),
        starts_on=_day(_object(tender, "contractPeriod", note), "startDate", note),
        ends_on=_day(_object(tender, "contractPeriod", note), "endDate", note),
        value=_value(tender.get("value"), ValueKind.ESTIMATE, note),
        parties=parties,
        children=children,
        documents=tuple(_documents(raw)),
        texts=tuple(_texts(raw, country)),
        identifiers=tuple(dict.fromkeys(_identifiers(raw, ocid, tender))),
    )


def _text(holder: Mapping[str, Any], key: str, *, required: bool = False) -> str:
    value = holder.get(key)
    if value is None or value == "":
        if required:
            raise Misfit("missing_field", f"`{key}` is missing")
        return ""
    if not isinstance(value, str | int):
        if required:
            raise Misfit("wrong_type", f"`{key}` should be a string, not {type(value).__name__}", value)
        return ""
    return str(value)


def _object(holder: Mapping[str, Any], key: str, note: Any) -> dict[str, Any]:
    value = holder.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        note("wrong_type", f"`{key}` should be an object, not {type(value).__name__}", value)
        return {}
    return value


def _objects(holder: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = holder.get(key)
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _status(tender: Mapping[str, Any], tags: tuple[str, ...], card: SourceCard, note: Any) -> Status:
    by_tag = [(tag, mapped) for tag in tags if (mapped := card.lifecycle.get(f"tag:{tag}"))]
    for tag, mapped in by_tag:
        # A cancellation notice may repeat the status from before it; what it announces is the newer fact.
        if mapped in _ENDS:
            return Status(lifecycle=mapped, raw=tag, basis=Basis.EVENT)
    raw = _text(tender, "status")
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


def _parties(raw: Mapping[str, Any], country: str | None, note: Any) -> tuple[Party, ...]:
    found: dict[str, Party] = {}
    for entry in _objects(raw, "parties"):
        name = _text(entry, "name")
        local_id = _text(entry, "id") or name
        roles = []
        for role in entry.get("roles") or ():
            if role in _ROLES:
                roles.append(_ROLES[role])
            elif role not in _OTHER_ROLES:
                note("unknown_code", f"party role `{role}` is not in OCDS 1.1", role)
        if not name or not roles:
            if not name and roles:
                note("missing_field", f"a party with roles {roles} has no name")
            continue
        found[local_id] = _party(local_id, name, tuple(roles), entry, country)
    for role, holder in _references(raw):
        local_id = _text(holder, "id") or _text(holder, "name")
        name = _text(holder, "name")
        if not local_id:
            continue
        known = found.get(local_id)
        if known is None and name:
            found[local_id] = _party(local_id, name, (role,), {}, country)
        elif known is not None and role not in known.roles:
            found[local_id] = known.model_copy(update={"roles": (*known.roles, role)})
    if not any(Role.BUYER in p.roles or Role.PROCURING_ENTITY in p.roles for p in found.values()):
        note("missing_field", "no buyer is named")
    return tuple(found.values())


def _references(raw: Mapping[str, Any]) -> Iterator[tuple[Role, Mapping[str, Any]]]:
    buyer = raw.get("buyer")
    if isinstance(buyer, dict):
        yield Role.BUYER, buyer
    tender = raw.get("tender")
    entity = tender.get("procuringEntity") if isinstance(tender, dict) else None
    if isinstance(entity, dict):
        yield Role.PROCURING_ENTITY, entity
    for award in _objects(raw, "awards"):
        for supplier in _objects(award, "suppliers"):
            yield Role.SUPPLIER, supplier


def _party(local_id: str, name: str, roles: tuple[Role, ...], entry: Mapping[str, Any], country: str | None) -> Party:
    identifiers = []
    own = entry.get("identifier")
    more = entry.get("additionalIdentifiers")
    for identifier in [own, *(more if isinstance(more, list) else [])]:
        if isinstance(identifier, dict) and identifier.get("scheme") and identifier.get("id"):
            identifiers.append(Identifier(scheme=str(identifier["scheme"]), id=str(identifier["id"])))
    address = entry.get("address")
    stated = address.get("countryName") if isinstance(address, dict) else None
    person = not identifiers and Role.BUYER not in roles and is_natural_person(name, country=country)
    return Party(
        # A person's local id may hold the name; it is replaced by a digest that still joins awards to suppliers.
        local_id=_opaque(local_id) if person else local_id,
        # Some buyers put a mailbox into their name.
        name="" if person else redact(name, country),
        roles=roles,
        identifiers=tuple(identifiers),
        country=_COUNTRIES.get(str(stated).strip().casefold()) if stated else None,
        natural_person=person,
    )


def _opaque(local_id: str) -> str:
    return f"person-{sha256_hex(local_id.encode())[:12]}"


def _children(
    raw: Mapping[str, Any], card: SourceCard, published_at: datetime, parties: tuple[Party, ...], note: Any
) -> Iterator[Child]:
    known = {p.local_id for p in parties}
    for award in _objects(raw, "awards"):
        period = _object(award, "contractPeriod", note)
        suppliers = []
        for supplier in _objects(award, "suppliers"):
            local_id = _text(supplier, "id") or _text(supplier, "name")
            suppliers.append(local_id if local_id in known else _opaque(local_id))
        status = _text(award, "status")
        yield Child(
            kind="award",
            native_id=_text(award, "id") or "award",
            title=redact(_text(award, "title")),
            status=_child_status("award", status, card, note),
            signed_on=_day(award, "date", note),
            starts_on=_day(period, "startDate", note),
            ends_on=_day(period, "endDate", note),
            value=_value(award.get("value"), ValueKind.AWARD, note),
            supplier_ids=tuple(dict.fromkeys(suppliers)),
        )
    for contract in _objects(raw, "contracts"):
        period = _object(contract, "period", note)
        ends_on = _day(period, "endDate", note)
        stands = _child_status("contract", _text(contract, "status"), card, note)
        if stands.lifecycle is Lifecycle.TERMINATED and ends_on and ends_on <= published_at.date():
            # OCDS says `terminated` for an early and for a normal end; a past end date makes it a normal one.
            stands = stands.model_copy(update={"lifecycle": Lifecycle.COMPLETE, "basis": Basis.DATES})
        award_id = _text(contract, "awardID") or None
        yield Child(
            kind="contract",
            native_id=_text(contract, "id") or "contract",
            award_id=award_id,
            title=redact(_text(contract, "title")),
            status=stands,
            signed_on=_day(contract, "dateSigned", note),
            starts_on=_day(period, "startDate", note),
            ends_on=ends_on,
            value=_value(contract.get("value"), ValueKind.CONTRACT, note),
        )


def _child_status(kind: str, raw: str, card: SourceCard, note: Any) -> Status:
    if not raw:
        return Status()
    return Status(lifecycle=_mapped(kind, raw, card, note), raw=raw, basis=Basis.STATUS)


def _day(holder: Mapping[str, Any], key: str, note: Any) -> date | None:
    raw = holder.get(key)
    if not raw:
        return None
    try:
        return read_day(str(raw))
    except ValueError as error:
        note("unreadable_date", f"`{key}`: {error}", raw)
        return None


def _value(raw: Any, kind: ValueKind, note: Any) -> Value | None:
    if not isinstance(raw, dict) or raw.get("amount") is None:
        return None
    try:
        return Value(amount=read_amount(raw["amount"]), currency=read_currency(raw.get("currency")), kind=kind)
    except ValueError as error:
        note("unreadable_amount", f"{kind.value} value: {error}", raw)
        return None


def _classifications(tender: Mapping[str, Any]) -> Iterator[Classification]:
    main = tender.get("classification")
    entries = [main] if isinstance(main, dict) else []
    entries += _objects(tender, "additionalClassifications")
    for item in _objects(tender, "items"):
        if isinstance(item.get("classification"), dict):
            entries.append(item["classification"])
        entries += _objects(item, "additionalClassifications")
    seen = set()
    for entry in entries:
        key = (_text(entry, "scheme"), _text(entry, "id"))
        if key[1] and key not in seen:
            seen.add(key)
            yield Classification(scheme=key[0], id=key[1], description=_text(entry, "description"))


def _documents(raw: Mapping[str, Any]) -> Iterator[DocumentLink]:
    holders = [raw.get("planning"), raw.get("tender"), *_objects(raw, "awards"), *_objects(raw, "contracts")]
    seen = set()
    for holder in holders:
        for entry in _objects(holder, "documents") if isinstance(holder, dict) else ():
            url = _text(entry, "url")
            if url and url not in seen:
                seen.add(url)
                yield DocumentLink(
                    url=url,
                    title=redact(_text(entry, "title") or _text(entry, "description")),
                    document_type=_text(entry, "documentType"),
                    format=_text(entry, "format"),
                )


def _identifiers(raw: Mapping[str, Any], ocid: str, tender: Mapping[str, Any]) -> Iterator[Identifier]:
    """Numbers by which other publishers may know the process.

    OCDS for eForms makes the ocid or the tender's id of the procedure's UUID (BT-04). A related process with the
    scheme of the Official Journal is a notice of this one; those with an ocid are processes of their own.
    """
    yield Identifier(scheme="ocid", id=ocid)
    yield from procedures_in(ocid)
    yield from procedures_in(_text(tender, "id"))
    for related in _objects(raw, "relatedProcesses"):
        if _text(related, "scheme").lower() in ("eu-oj", "ojs", "ted"):
            number = normal("ted_notice", _text(related, "identifier"))
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

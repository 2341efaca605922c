"""Organisations of an OCDS release. Contact points, street addresses and names of persons are never mapped."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.codes import Role
from models.ids import sha256_hex
from models.procurement import Identifier, Party
from pipeline.parse.ocds_fields import object_list, text_field
from pipeline.persons import is_natural_person
from pipeline.redact import redact

_COUNTRIES = {
    "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "united kingdom": "GB",
    "great britain": "GB", "gb": "GB", "uk": "GB",
}  # fmt: skip
_ROLES = {role.value: role for role in Role}
# Roles OCDS defines that say nothing about the purchase itself.
_OTHER_ROLES = {
    "enquirer", "reviewBody", "interestedParty", "funder", "candidate", "informationService", "reviewContactPoint",
}  # fmt: skip


def read_parties(raw: Mapping[str, Any], country: str | None, note: Any) -> tuple[Party, ...]:
    """Every organisation with a role in the purchase, those that only buyer, tender or awards name included."""
    found: dict[str, Party] = {}
    for entry in object_list(raw, "parties"):
        name = text_field(entry, "name")
        local_id = text_field(entry, "id") or name
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
        local_id = text_field(holder, "id") or text_field(holder, "name")
        name = text_field(holder, "name")
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
    for award in object_list(raw, "awards"):
        for supplier in object_list(award, "suppliers"):
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
        local_id=opaque_id(local_id) if person else local_id,
        # Some buyers put a mailbox into their name.
        name="" if person else redact(name, country),
        roles=roles,
        identifiers=tuple(identifiers),
        country=_COUNTRIES.get(str(stated).strip().casefold()) if stated else None,
        natural_person=person,
    )


def opaque_id(local_id: str) -> str:
    """What stands for a person's local id, which may be a name or a number of the person."""
    return f"person-{sha256_hex(local_id.encode())[:12]}"

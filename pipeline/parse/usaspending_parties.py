"""Agencies and recipient of an award of USAspending.gov. Persons are not named, officers and addresses not mapped."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from models.codes import Role
from models.procurement import Identifier, Party
from pipeline.names import has_legal_form, squash
from pipeline.parse.common import Misfit, Notes, text_of
from pipeline.parse.ocds_parties import opaque_id
from pipeline.persons import is_natural_person
from pipeline.redact import redact

UEI: Final = "US-UEI"
# A subsidiary is not its parent: the parent's number tells of the owner, and identifies nobody here.
PARENT_UEI: Final = "US-UEI-PARENT"
_COUNTRY: Final = "US"
# What stands for private persons in place of a name (`SPECIAL_CASES` in recipient/v2/lookups.py of the API).
_PERSONS: Final = frozenset({"REDACTED DUE TO PII", "PRIVATE INDIVIDUAL", "INDIVIDUAL RECIPIENT"})
# Business categories as the API shows them, and as it stores them.
_OF_PERSONS: Final = frozenset({"individuals"})
_OF_SOLE_TRADERS: Final = frozenset({"soleproprietorship"})
# ISO 3166-1 alpha-3 to alpha-2 of countries that sell to the federal government; others stay without a country.
_CODES: Final = """
    AFG:AF ARE:AE ARG:AR AUS:AU AUT:AT BEL:BE BGR:BG BHR:BH BRA:BR CAN:CA CHE:CH CHL:CL CHN:CN COL:CO CRI:CR CYP:CY
    CZE:CZ DEU:DE DJI:DJ DNK:DK DOM:DO ECU:EC EGY:EG ESP:ES EST:EE ETH:ET FIN:FI FRA:FR GBR:GB GEO:GE GHA:GH GRC:GR
    GTM:GT GUM:GU HKG:HK HND:HN HRV:HR HUN:HU IDN:ID IND:IN IRL:IE IRQ:IQ ISL:IS ISR:IL ITA:IT JOR:JO JPN:JP KAZ:KZ
    KEN:KE KOR:KR KWT:KW LBN:LB LTU:LT LUX:LU LVA:LV MAR:MA MEX:MX MLT:MT MMR:MM MYS:MY NGA:NG NLD:NL NOR:NO NZL:NZ
    OMN:OM PAK:PK PAN:PA PER:PE PHL:PH POL:PL PRI:PR PRT:PT QAT:QA ROU:RO RUS:RU RWA:RW SAU:SA SEN:SN SGP:SG SLV:SV
    SRB:RS SVK:SK SVN:SI SWE:SE THA:TH TUN:TN TUR:TR TWN:TW TZA:TZ UGA:UG UKR:UA URY:UY USA:US UZB:UZ VIR:VI VNM:VN
    ZAF:ZA ZMB:ZM
"""
_COUNTRIES: Final = dict(pair.split(":") for pair in _CODES.split())


def read_parties(raw: Mapping[str, Any], note: Notes) -> tuple[tuple[Party, ...], tuple[str, ...]]:
    """The award's agencies and its recipient, and the local ids of its suppliers. Raises Misfit without a recipient."""
    supplier = _recipient(raw.get("recipient"), note)
    agencies = {party.local_id: party for party in _agencies(raw, note)}
    return (*agencies.values(), *([supplier] if supplier else [])), ((supplier.local_id,) if supplier else ())


def _agencies(raw: Mapping[str, Any], note: Notes) -> Iterator[Party]:
    """The agencies that award and that pay as buyers, by sub-agency; the contracting office with all it belongs to."""
    if not isinstance(raw.get("awarding_agency"), dict):
        raise Misfit("missing_field", "`awarding_agency` is missing")
    for key in ("awarding_agency", "funding_agency"):
        agency = raw.get(key)
        if not isinstance(agency, dict):
            continue
        levels = [agency.get("subtier_agency"), agency.get("toptier_agency")]
        named = [level for level in levels if text_of(level, "name")]
        if not named:
            note("missing_field", f"`{key}` has no name")
            continue
        local_id = f"agency:{text_of(named[0], 'code') or text_of(named[0], 'name')}"
        yield _organisation(local_id, text_of(named[0], "name"), Role.BUYER)
        office = text_of(agency, "office_agency_name")
        if office and key == "awarding_agency":
            path = ", ".join(dict.fromkeys([office, *(text_of(level, "name") for level in named)]))
            yield _organisation(f"office:{office}", path, Role.PROCURING_ENTITY)


def _organisation(local_id: str, name: str, role: Role) -> Party:
    return Party(local_id=local_id, name=redact(name, _COUNTRY), roles=(role,), country=_COUNTRY)


def _recipient(recipient: Any, note: Notes) -> Party | None:
    if not isinstance(recipient, dict):
        raise Misfit("missing_field", "`recipient` is missing")
    if "recipient_name" not in recipient:
        raise Misfit("missing_field", "`recipient_name` is missing")
    name = text_of(recipient, "recipient_name")
    if not name:
        note("missing_field", "the recipient has no name")
        return None
    code = text_of(recipient.get("location"), "location_country_code")
    country = _COUNTRIES.get(code)
    if code and country is None:
        note("unknown_code", f"the recipient's country `{code}` is not one we know", code)
    if _is_person(name, country, recipient.get("business_categories")):
        return Party(local_id=opaque_id(name), name="", roles=(Role.SUPPLIER,), country=country, natural_person=True)
    own, parent = text_of(recipient, "recipient_uei"), text_of(recipient, "parent_recipient_uei")
    identifiers = [Identifier(scheme=UEI, id=own)] if own else []
    if parent and parent != own:
        identifiers.append(Identifier(scheme=PARENT_UEI, id=parent))
    return Party(
        local_id=f"uei:{own}" if own else f"supplier:{name}",
        name=redact(name, country),
        roles=(Role.SUPPLIER,),
        identifiers=tuple(identifiers),
        country=country,
    )


def _is_person(name: str, country: str | None, categories: Any) -> bool:
    """A sole trader is a person, unless the name has a company's legal form: the category is self-declared."""
    kinds = {squash(str(one)) for one in categories} if isinstance(categories, list) else set()
    if name.upper() in _PERSONS or kinds & _OF_PERSONS:
        return True
    if kinds & _OF_SOLE_TRADERS and not has_legal_form(name):
        return True
    return is_natural_person(name, country=country)

"""Organisations of an eForms notice, by their role in the purchase.

Only the organisation's own name, country and register numbers are mapped: never its contact, address or points of
contact (`efac:TouchPoint`), and never its owners (`efac:UltimateBeneficialOwner`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from models.codes import Role
from models.procurement import Party
from pipeline.parse.ted_codes import country_of, language_of
from pipeline.parse.ted_fields import Reading, make_party
from pipeline.xml_places import Element, text_of


@dataclass
class Organisations:
    """The organisations of a notice by their technical id (`ORG-0001`), and the roles they are given while it is read.

    A point of contact's id (`TPO-0001`) stands for the organisation that it belongs to.
    """

    reading: Reading
    notice_id: str
    companies: Mapping[str, Element]
    owners: Mapping[str, str]
    people: frozenset[str]
    roles: dict[str, list[Role]] = field(default_factory=dict)

    def give(self, local_id: str, role: Role) -> str:
        """Notes the role of an organisation; returns its technical id, '' for one that is not described."""
        own = self.owners.get(local_id, local_id)
        if own not in self.companies:
            self.reading.note("missing_field", f"the organisation `{local_id}` is not described", local_id)
            return ""
        held = self.roles.setdefault(own, [])
        if role not in held:
            held.append(role)
        return own

    def parties(self) -> dict[str, Party]:
        """Every organisation with a role by its technical id, in the notice's order."""
        return {one: self._party(one) for one in self.companies if one in self.roles}

    def country(self, local_id: str) -> str | None:
        """Where an organisation has its seat; not noted when it is unknown."""
        own = self.companies.get(self.owners.get(local_id, local_id))
        code = self.reading.word(own, "PostalAddress/Country/IdentificationCode")
        return country_of(code) if code else None

    def _party(self, local_id: str) -> Party:
        reading, company = self.reading, self.companies[local_id]
        name = _name(company, reading)
        if not name:
            reading.note("missing_field", f"the organisation `{local_id}` has no name")
        country = reading.country_named(reading.word(company, "PostalAddress/Country/IdentificationCode"))
        numbers = tuple(
            (number.get("schemeName") or "", text_of(number))
            for number in reading.every(company, "PartyLegalEntity/CompanyID")
        )
        return make_party(
            f"{self.notice_id}/{local_id}", name, tuple(self.roles[local_id]), country=country,
            numbers=numbers, person=local_id in self.people,
        )  # fmt: skip


def read_organisations(extension: Element | None, reading: Reading, notice_id: str) -> Organisations:
    """The organisations of a notice; one without an id can be given no role and is noted."""
    companies: dict[str, Element] = {}
    owners: dict[str, str] = {}
    people = set()
    for organisation in reading.every(extension, "Organizations/Organization") if extension is not None else ():
        company = reading.one(organisation, "Company")
        local_id = reading.word(company, "PartyIdentification/ID")
        if company is None or not local_id:
            reading.note("missing_field", "an organisation has no company with an id")
            continue
        if local_id in companies:
            reading.note("repeated_id", f"two organisations have the id `{local_id}`", local_id)
            continue
        companies[local_id] = company
        if reading.word(organisation, "NaturalPersonIndicator").lower() == "true":
            people.add(local_id)
        for point in _points(organisation, reading):
            owners[point] = local_id
    return Organisations(reading, notice_id, companies, owners, frozenset(people))


def buyer_country(root: Element) -> str | None:
    """ISO 3166 alpha-2 of a notice's first buyer, in either schema; it says how telephone numbers are written there."""
    coded = root.find("{*}CODED_DATA_SECTION/{*}NOTICE_DATA/{*}ISO_COUNTRY")
    if coded is not None:
        return country_of(coded.get("VALUE") or "")
    buyers = [text_of(one) for one in root.iterfind("{*}ContractingParty/{*}Party/{*}PartyIdentification/{*}ID")]
    found: dict[str, str | None] = {}
    for organisation in root.iterfind(".//{*}Organizations/{*}Organization"):
        code = organisation.find("{*}Company/{*}PostalAddress/{*}Country/{*}IdentificationCode")
        for one in organisation.iterfind("{*}*/{*}PartyIdentification/{*}ID"):
            found[text_of(one)] = country_of(text_of(code)) if code is not None else None
    return next((country for buyer in buyers if (country := found.get(buyer))), None)


def _points(organisation: Element, reading: Reading) -> Iterator[str]:
    for point in reading.every(organisation, "TouchPoint/PartyIdentification/ID"):
        yield text_of(point)


def _name(company: Element, reading: Reading) -> str:
    names = reading.every(company, "PartyName/Name")
    own = [n for n in names if language_of(n.get("languageID") or "") == reading.language]
    return next((text for n in (*own, *names) if (text := text_of(n))), "")

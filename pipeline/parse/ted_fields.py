"""What both of TED's schemas share: days with offsets, amounts, texts in many languages, and how a card is read."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from models.codes import Basis, Lifecycle, Role, ValueKind
from models.ids import sha256_hex
from models.procurement import Classification, DocumentLink, Identifier, Party, Status, Text, Value
from models.source import SourceCard
from pipeline.identifiers import normal
from pipeline.names import squash
from pipeline.parse.common import Misfit, Notes
from pipeline.parse.ocds_parties import opaque_id
from pipeline.parse.ted_codes import country_of, language_of
from pipeline.persons import is_natural_person
from pipeline.redact import redact
from pipeline.values import read_amount, read_currency
from pipeline.xml_places import Element, Places, text_of

# `2023-03-06+01:00`, `2023-03-06Z`, `20230306`, `20200506 12:00`.
_DAY: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:Z|[+-]\d{2}:\d{2}|[T ]\d{2}:\d{2}.*)?")
_CPV: Final = re.compile(r"\d{8}")


@dataclass
class Reading:
    """One notice while it is read: its card, where notes go, and its main language once that is known."""

    card: SourceCard
    note: Notes
    places: Places = field(default_factory=Places)
    language: str | None = None
    country: str | None = None

    def one(self, below: Element, path: str) -> Element | None:
        """The first element at a path of local names, `a/b`."""
        return below.find("/".join(f"{{*}}{step}" for step in path.split("/")))

    def every(self, below: Element, path: str) -> list[Element]:
        """All elements at a path of local names."""
        return list(below.findall("/".join(f"{{*}}{step}" for step in path.split("/"))))

    def word(self, below: Element | None, path: str) -> str:
        """The text of the first element at a path, or nothing."""
        found = self.one(below, path) if below is not None else None
        return text_of(found) if found is not None else ""

    def day(self, below: Element | None, path: str) -> date | None:
        """A day as written, in its own zone; an unreadable one is noted."""
        raw = self.word(below, path)
        if not raw:
            return None
        found = read_notice_day(raw)
        if found is None:
            self.note("unreadable_date", f"`{path}` is no day", raw)
        return found

    def amount(self, element: Element | None, kind: ValueKind, attribute: str) -> Value | None:
        """An element's amount with the currency of its attribute; None without one, or an unreadable one, noted."""
        if element is None or not (raw := text_of(element)):
            return None
        try:
            found = Value(
                amount=read_amount(raw.replace(" ", "")), currency=read_currency(element.get(attribute)), kind=kind
            )
        except ValueError as error:
            self.note("unreadable_amount", f"{kind.value} value: {error}", raw)
            return None
        return found

    def redacted(self, text: str) -> str:
        return redact(text, self.country)

    def text(self, element: Element, language: str | None) -> Text | None:
        """An element as free text with its place, or None for an empty one."""
        said = text_of(element)
        if not said:
            return None
        pointer = f"xpath={self.places.pointer(element)}"
        return Text(pointer=pointer, text=self.redacted(said), language=language)

    def country_named(self, code: str) -> str | None:
        found = country_of(code) if code else None
        if code and found is None:
            self.note("unknown_code", f"`{code}` is no country we know", code)
        return found

    def language_named(self, code: str | None) -> str | None:
        found = language_of(code) if code else None
        if code and found is None:
            self.note("unknown_code", f"`{code}` is no language we know", code)
        return found

    def mapped(self, key: str, raw: str, basis: Basis = Basis.STATUS) -> Status:
        """The card's lifecycle for one of the portal's words; an unknown one is kept raw and noted."""
        found = self.card.lifecycle.get(key)
        if found is None:
            self.note("unknown_code", f"`{key}` is not in the card's lifecycle map", raw)
            return Status(lifecycle=Lifecycle.UNKNOWN, raw=raw, basis=basis)
        return Status(lifecycle=found, raw=raw, basis=basis)

    def cpv(self, code: str) -> Classification | None:
        """A CPV code without its check digit; another shape is noted."""
        found = _CPV.match(code.strip())
        if found is None:
            self.note("unknown_code", f"`{code}` is no CPV code", code)
            return None
        return Classification(scheme="CPV", id=found[0])

    def link(self, url: str, title: str = "", kind: str = "") -> DocumentLink | None:
        """A link to documents; one that is no address is noted."""
        address = url.strip()
        if address.lower().startswith("www."):
            address = f"https://{address}"
        if not re.match(r"https?://[^\s/]+", address, re.IGNORECASE) or any(c.isspace() for c in address):
            self.note("unreadable_url", "a document's address is no URL", url)
            return None
        return DocumentLink(url=address, title=self.redacted(title), document_type=kind)


def read_notice_day(raw: str) -> date | None:
    """The calendar day of a date with or without an offset, as it is written; None for anything else."""
    found = _DAY.fullmatch(raw.strip())
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def published(reading: Reading, publication: str, dispatch: str) -> tuple[datetime, str]:
    """Midnight UTC of the day of publication, else of dispatch, and the raw word, which says when it is the latter.

    A day has no hour: with its offset it would fall on the day before. Raises Misfit when there is neither.
    """
    for raw, said in ((publication, publication), (dispatch, f"dispatched {dispatch}")):
        if not raw:
            continue
        day = read_notice_day(raw)
        if day is None:
            raise Misfit("unreadable_date", "the day of publication or dispatch is no day", raw)
        if raw is dispatch:
            reading.note("dispatch_date", "no day of publication is given; the day of dispatch stands for it", raw)
        return datetime(day.year, day.month, day.day, tzinfo=UTC), said
    raise Misfit("missing_field", "neither a day of publication nor of dispatch is given")


def ted_number(raw: str) -> str:
    """A notice's number as `N-YYYY` without leading zeros, out of `00123456-2024` or `2019/S 123-456789`, or ''."""
    return normal("ted_notice", raw)


def notice_identifiers(*raw: str) -> Iterator[Identifier]:
    """`ted_notice` for every number that is one."""
    for number in dict.fromkeys(ted_number(one) for one in raw):
        if number:
            yield Identifier(scheme="ted_notice", id=number)


def make_party(
    key: str,
    name: str,
    roles: tuple[Role, ...],
    *,
    country: str | None,
    numbers: tuple[tuple[str, str], ...] = (),
    person: bool = False,
) -> Party:
    """A party; a natural person, told by the notice's flag or by the name, keeps neither name nor numbers.

    Notices number their organisations anew, so the local id is made of what identifies one: country, numbers and
    name. A person's is made of `key`, the place in the notice, which tells nothing. `numbers` are pairs of a scheme,
    empty where none is given, and a number. A public body is never taken for a person.
    """
    office = Role.BUYER in roles or Role.PROCURING_ENTITY in roles
    if not office and (person or is_natural_person(name, country=country)):
        return Party(local_id=opaque_id(key), name="", roles=roles, country=country, natural_person=True)
    identifiers = tuple(
        Identifier(scheme=scheme or f"{country or 'XX'}-NATIONALID", id=number.strip(" :;,"))
        for scheme, number in numbers
        if _is_number(number)
    )
    known = "\x1f".join([country or "", *(f"{i.scheme} {i.id}" for i in identifiers), squash(name)])
    return Party(
        local_id=f"org-{sha256_hex(known.encode())[:16]}",
        name=redact(name, country),
        roles=roles,
        identifiers=identifiers,
        country=country,
    )


def merged_parties(parties: Iterable[Party]) -> tuple[Party, ...]:
    """The parties, one that stands twice once with all its roles."""
    found: dict[str, Party] = {}
    for party in parties:
        before = found.get(party.local_id)
        roles = tuple(dict.fromkeys((*before.roles, *party.roles))) if before else party.roles
        found[party.local_id] = (before or party).model_copy(update={"roles": roles})
    return tuple(found.values())


def _is_number(number: str) -> bool:
    """Whether a register number is one: not `not available`, not zeros, no telephone number (`t:…`, a German habit)."""
    text = number.strip()
    if text.lower().startswith(("t:", "tel", "+")):
        return False
    return any(c.isdigit() for c in text) and bool(set(text) - set("0- ./"))


def total(values: list[Value]) -> Value | None:
    """The sum of amounts of one kind and currency; None of none or of mixed ones."""
    if not values or len({(v.kind, v.currency) for v in values}) > 1:
        return None
    return values[0].model_copy(update={"amount": sum((v.amount for v in values), Decimal(0))})


def first_texts(texts: list[Text], language: str | None) -> list[Text]:
    """The texts with those of the main language first, otherwise in the notice's order; blank and equal ones once."""
    ordered = sorted(texts, key=lambda t: t.language != language)
    seen: set[tuple[str, str | None]] = set()
    kept = []
    for text in ordered:
        if (text.text, text.language) not in seen:
            seen.add((text.text, text.language))
            kept.append(text)
    return kept

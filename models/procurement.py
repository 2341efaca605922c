"""Procurement in OCDS words: what one portal said at one time about one contracting process."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from models.base import Record
from models.codes import Basis, Candidacy, Lifecycle, Role, ValueKind


class Value(Record):
    """An amount of money. `currency` is ISO 4217, or None where the source names none.

    A `cumulative` obligation is the sum of all transactions so far; one that is not adds to the others of its source.
    """

    amount: Decimal
    currency: str | None
    kind: ValueKind
    cumulative: bool = False


class Identifier(Record):
    """A party's number in a register, with the register's own scheme code (org-id.guide where known)."""

    scheme: str
    id: str


class Classification(Record):
    scheme: str
    id: str
    description: str = ""


class Status(Record):
    """A lifecycle with the portal's raw word for it and what the reading rests on."""

    lifecycle: Lifecycle = Lifecycle.UNKNOWN
    raw: str | None = None
    basis: Basis = Basis.NONE


class Party(Record):
    """An organisation in a process. `name` is as written by the source; contact data never gets here.

    `natural_person` parties keep no name: `name` is then empty.
    """

    local_id: str
    name: str
    roles: tuple[Role, ...]
    identifiers: tuple[Identifier, ...] = ()
    country: str | None = None
    natural_person: bool = False


class Child(Record):
    """A lot, an award or a contract of a process, with its own suppliers, value, dates and lifecycle.

    `lot_ids` are the native ids of the lots that an award or contract is about.
    """

    kind: Literal["lot", "award", "contract"]
    native_id: str
    award_id: str | None = None
    lot_ids: tuple[str, ...] = ()
    title: str = ""
    status: Status = Status()
    signed_on: date | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    value: Value | None = None
    supplier_ids: tuple[str, ...] = ()


class DocumentLink(Record):
    """A document that a release points at; fetched only for candidates."""

    url: str
    title: str = ""
    document_type: str = ""
    format: str = ""


class Text(Record):
    """One free-text field. `pointer` is relative to the record; redaction keeps every offset.

    `language` is ISO 639-1, or None where it is the release's own.
    """

    pointer: str
    text: str
    language: str | None = None


class Release(Record):
    """What one portal said at one time about one contracting process."""

    release_id: str
    contract_id: str
    source_id: str
    native_id: str
    portal_release_id: str | None = None
    published_at: datetime | None = None
    published_raw: str | None = None
    tags: tuple[str, ...] = ()
    title: str
    language: str | None = None
    country: str | None = None
    procurement_method: str | None = None
    classifications: tuple[Classification, ...] = ()
    status: Status = Status()
    tender_ends_on: date | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    value: Value | None = None
    parties: tuple[Party, ...] = ()
    children: tuple[Child, ...] = ()
    documents: tuple[DocumentLink, ...] = ()
    texts: tuple[Text, ...] = ()
    # Numbers under which other publishers know the same process: `ocid`, `eforms_procedure`, `ted_notice`, `cig`, …
    identifiers: tuple[Identifier, ...] = ()

    @property
    def published_on(self) -> date | None:
        return self.published_at.date() if self.published_at else None

    def with_role(self, *roles: Role) -> tuple[Party, ...]:
        return tuple(p for p in self.parties if any(r in p.roles for r in roles))


class Place(Record):
    """Where a record lies in an archived payload: JSON pointer, line or row."""

    payload_sha256: str
    pointer: str


class Parsed(Record):
    """A release and where it was read.

    `line` is the exact line of a file of lines, so that a candidate can be archived apart; `within` is then the
    release's JSON pointer in it.
    """

    release: Release
    place: Place
    line: bytes | None = None
    within: str = ""


class Seen(Record):
    """A release that passed before our eyes and was not read whole, since the screen found nothing in its bytes."""

    release_id: str
    contract_id: str
    source_id: str
    native_id: str
    published_on: date | None
    place: Place


class Candidate(Record):
    """A release that is kept whole, and why."""

    parsed: Parsed
    candidacy: Candidacy
    reasons: tuple[str, ...]

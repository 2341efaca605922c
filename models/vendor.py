"""Companies of the registry, and what a name was matched to."""

from typing import Literal

from models.base import Record
from models.codes import Technology

VendorRole = Literal["developer", "integrator", "reseller", "camera_maker", "database_operator", "parent_or_investor"]


class Fact(Record):
    """A value with the public source it was seen in."""

    value: str
    source: str


class Listing(Record):
    """A listed security. `mic` is the ISO 10383 code, or None where the source gives a ticker alone."""

    ticker: str
    mic: str | None = None
    isin: str | None = None
    source: str


class RegisterNumber(Record):
    scheme: str
    id: str
    source: str


class Alias(Record):
    """Another name. An ambiguous one never names the company without a second attribute."""

    name: str
    source: str
    ambiguous: bool = False


class Product(Record):
    name: str
    aliases: tuple[str, ...] = ()
    technology: Technology | Literal["video_analytics", "anpr", "none"] | None = None
    ambiguous: bool = False
    source: str


class Ownership(Record):
    """A parent company; `since` and `until` are ISO dates, or None where the source gives none."""

    vendor_id: str
    since: str | None = None
    until: str | None = None
    source: str


class SolePurpose(Record):
    """The company does nothing but technology in scope: a fact with a public source, or it is not stated."""

    technology: Technology
    source: str


class Vendor(Record):
    """One company: one file of `data/vendors/`."""

    id: str
    name: str
    ambiguous: bool = False
    country: Fact | None = None
    aliases: tuple[Alias, ...] = ()
    domains: tuple[Fact, ...] = ()
    registers: tuple[RegisterNumber, ...] = ()
    lei: Fact | None = None
    wikidata: Fact | None = None
    listings: tuple[Listing, ...] = ()
    roles: tuple[VendorRole, ...] = ()
    products: tuple[Product, ...] = ()
    parents: tuple[Ownership, ...] = ()
    sole_purpose: SolePurpose | None = None
    sources: tuple[str, ...]
    fictional: bool = False


class Match(Record):
    """What a supplier string was matched to, with the reason; `vendor_id` is None when nothing is close enough.

    `named` is the naming gate: only then may an output name the vendor.
    """

    name: str
    vendor_id: str | None
    score: float
    method: Literal["identifier", "exact_name", "normalised_name", "review", "none"]
    why: str
    runner_up: str | None = None
    runner_up_score: float = 0.0
    named: bool = False
    named_why: str = ""

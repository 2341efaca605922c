"""What a report states: records filled by queries and printed by the template. No query and no markup here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from models.codes import Scope, Stage

STAGES: Final = (Stage.IN_THE_MAKING, Stage.ONGOING, Stage.SUSPENDED, Stage.ENDED, Stage.UNKNOWN)
COUNTED: Final = (Scope.IN_SCOPE, Scope.CONDITIONAL)
# A run that ended so has seen what it set out to see; `empty` has not, it only met no error.
GOOD_OUTCOME: Final = "complete"


@dataclass(frozen=True, slots=True)
class Database:
    """Which database the report rests on."""

    sha256: str
    meta: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """Archived bytes and the place in them."""

    evidence_id: str
    url: str
    fetched_at: datetime | None
    sha256: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of a record or document, the words that matched in it, and how it speaks; glosses are English."""

    before: str
    words: str
    after: str
    where: str
    page: int | None
    polarity: str
    cue: str
    gloss: str
    cue_gloss: str
    rules: tuple[str, ...]
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Money:
    """One stated amount. `joint`: others share it. `kind` decides what it may be added to."""

    amount: Decimal
    currency: str | None
    kind: str
    joint: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """An award or contract of a process that names the company as supplier."""

    kind: str
    native_id: str
    lifecycle: str
    lifecycle_raw: str
    stage: Stage
    stage_basis: str
    signed_on: date | None
    starts_on: date | None
    ends_on: date | None
    money: Money | None


@dataclass(frozen=True, slots=True)
class PartyLink:
    """How the record names the company: its name as written, roles, and why it was taken for this company."""

    vendor_id: str
    name: str
    roles: tuple[str, ...]
    method: str
    why: str


@dataclass(frozen=True, slots=True)
class SameContract:
    """Another publisher's record of a contract shown, and the numbers by which both were found to be one."""

    source_name: str
    native_id: str
    title: str
    shared: tuple[str, ...]
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Contract:
    """One contracting process as a report shows it in one company's section.

    `supplied`: the record names the company as one that supplies, makes or takes part, not as a mere tenderer.
    """

    contract_id: str
    source_name: str
    native_id: str
    title: str
    language: str
    country: str
    buyer: str
    scope: Scope
    technology: tuple[str, ...]
    function: str
    setting: tuple[str, ...]
    clauses: tuple[str, ...]
    why: str
    confidence: float
    review: str
    stage: Stage
    stage_basis: str
    process_stage: Stage
    published_on: date | None
    updated_on: date | None
    process_value: Money | None
    supplied: bool
    links: tuple[PartyLink, ...]
    parts: tuple[Part, ...]
    money: tuple[Money, ...]
    quotes: tuple[Quote, ...]
    quotes_left_out: int
    proof: Proof | None
    more_proofs: tuple[Proof, ...]
    cluster_id: str
    shared: tuple[str, ...] = ()
    same: tuple[SameContract, ...] = ()

    @property
    def whole_differs(self) -> bool:
        """Whether the value of the whole process says anything that the company's own amounts do not."""
        whole = self.process_value
        own = self.money[0] if len(self.money) == 1 else None
        if whole is None or own is None:
            return whole is not None
        return (whole.amount, whole.currency, whole.kind) != (own.amount, own.currency, own.kind)


@dataclass(frozen=True, slots=True)
class Total:
    """A sum within one scope, one currency and one value kind; joint amounts are summed apart."""

    scope: Scope
    currency: str | None
    kind: str
    joint: bool
    amount: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a company is, as the registry states it, each fact with its public source."""

    vendor_id: str
    name: str
    country: tuple[str, str] | None
    identifiers: tuple[tuple[str, str, str], ...]
    aliases: tuple[tuple[str, str], ...]
    roles: tuple[str, ...]
    parents: tuple[tuple[str, str, str, str], ...]
    sources: tuple[str, ...]
    fictional: bool


@dataclass(frozen=True, slots=True)
class Company:
    """One held company: who it is, its subsidiaries in the registry, and what was found of them.

    `contracts` are those it supplies, `elsewhere` those that name it in another role: they are in no figure.
    """

    identity: Identity
    subsidiaries: tuple[Identity, ...]
    lines: tuple[int, ...]
    contracts: tuple[Contract, ...]
    elsewhere: tuple[Contract, ...]
    excluded: tuple[Contract, ...]
    totals: tuple[Total, ...]
    without_value: int
    below_naming: int
    retracted: int
    out_of_scope: int

    def at(self, stage: Stage) -> tuple[Contract, ...]:
        """Contracts at a stage, in scope before conditional."""
        return tuple(c for c in self.contracts if c.stage is stage)

    def count(self, scope: Scope, stage: Stage | None = None) -> int:
        """How many contracts have a scope, at one stage or at any."""
        return sum(c.scope == scope and stage in (None, c.stage) for c in self.contracts)

    def names(self) -> Mapping[str, str]:
        """Legal names of the company and its subsidiaries by vendor id."""
        return {i.vendor_id: i.name for i in (self.identity, *self.subsidiaries)}


@dataclass(frozen=True, slots=True)
class IntakeRow:
    """One row of the holdings file and what became of it. No row is left out."""

    line: int
    status: str
    name: str
    identifiers: str
    weight: str
    how: str
    reason: str
    companies: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """What was asked of one source and what came of it."""

    source_id: str
    name: str
    countries: tuple[str, ...]
    retrieval: str
    first_day: date | None
    last_day: date | None
    records: int
    contracts: int
    candidates: int
    probes: int
    last_run_at: datetime | None
    last_outcome: str
    last_reason: str
    rejected: int
    unread_documents: int

    @property
    def good(self) -> bool:
        """Whether the last run saw all it set out to see."""
        return self.last_outcome == GOOD_OUTCOME


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What a report holds, for the command that made it. `unreviewed` counts flags no person has looked at."""

    path: Path
    sha256: str
    rows: Mapping[str, int]
    companies: int
    without_contract: int
    in_scope: int
    conditional: int
    excluded: int
    unreviewed: int
    failing_sources: tuple[str, ...]

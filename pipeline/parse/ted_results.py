"""What an eForms notice says came of a procedure: results of lots as awards, and the contracts behind them.

`efac:LotResult` is an award (its lot, whether there is a winner, tenders), `efac:SettledContract` a contract,
`efac:LotTender` carries the amount (BT-720) and the tendering party, whose members are the suppliers.
Ids such as `RES-0001` are numbered anew in each notice; the ids of awards and contracts therefore also name their
lots, and a contract goes by the buyer's own reference (BT-150) where there is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from models.codes import Basis, Lifecycle, Role, ValueKind
from models.procurement import Child, Status, Value
from pipeline.parse.ted_fields import Reading, total
from pipeline.parse.ted_parties import Organisations
from pipeline.xml_places import Element, text_of

WON = "selec-w"
MODIFICATION = "can-modif"
_LOST = frozenset({Lifecycle.CANCELLED, Lifecycle.TENDER})


@dataclass(frozen=True)
class _Tender:
    """A tender: what it amounts to, and technical ids of those who made it."""

    value: Value | None
    tenderers: tuple[str, ...]


@dataclass(frozen=True)
class _Contract:
    """A contract as written: its tenders and what is known of it."""

    native_id: str
    title: str
    signed_on: date | None
    tenders: tuple[str, ...]


@dataclass
class Results:
    """Awards and contracts with technical ids of suppliers, the status of each lot, and the notice's own value."""

    children: list[Child] = field(default_factory=list)
    lots: dict[str, Status] = field(default_factory=dict)
    value: Value | None = None


def read_results(extension: Element | None, reading: Reading, organisations: Organisations, stands: Status) -> Results:
    """Reads `efac:NoticeResult`; nothing of a notice without one.

    `stands` is what the notice's type says of a contract. A value stands once: with the contracts when each belongs
    to one award and their tenders are all that won, otherwise with the awards.
    """
    found = Results()
    result = reading.one(extension, "NoticeResult") if extension is not None else None
    if result is None:
        return found
    # What a modification states is the value after it; added to the contract's own it would count twice.
    amended = stands.raw == MODIFICATION
    kind = ValueKind.AMENDMENT if amended else ValueKind.CONTRACT
    tenders = _tenders(result, reading, organisations, ValueKind.AMENDMENT if amended else ValueKind.AWARD)
    contracts = _contracts(result, reading)
    found.value = reading.amount(reading.one(result, "TotalAmount"), ValueKind.AWARD, "currencyID")
    if found.value is None:
        found.value = reading.amount(
            reading.one(result, "OverallMaximumFrameworkContractsAmount"), ValueKind.FRAMEWORK_CEILING, "currencyID"
        )
    counted: set[str] = set()
    awards: list[Child] = []
    of_contract: dict[str, list[Child]] = {}
    for number, one in enumerate(reading.every(result, "LotResult"), 1):
        lot = reading.word(one, "TenderLot/ID")
        name = reading.word(one, "ID") or f"RES-{number:04d}"
        status = _status(one, reading, stands)
        if lot and status.raw:
            found.lots[lot] = _of_lot(found.lots.get(lot), status)
        own = [text_of(c) for c in reading.every(one, "SettledContract/ID")]
        winners = _winners(one, reading, contracts, own) if status.lifecycle not in _LOST else []
        for member in _members([t for t in _named(one, reading) if t not in winners], tenders):
            organisations.give(member, Role.TENDERER)
        suppliers = [given for m in _members(winners, tenders) if (given := organisations.give(m, Role.SUPPLIER))]
        values = [v for w in winners if w not in counted and w in tenders and (v := tenders[w].value)]
        counted.update(winners)
        award = Child(
            kind="award",
            native_id=f"{name}:{lot}" if lot else name,
            lot_ids=(lot,) if lot else (),
            status=status,
            signed_on=next((d for c in own if c in contracts and (d := contracts[c].signed_on)), None),
            value=total(values),
            supplier_ids=tuple(dict.fromkeys(suppliers)),
        )
        if len(values) > 1 and award.value is None:
            reading.note("mixed_currencies", f"the tenders of {award.native_id} are in several currencies, not added")
        awards.append(award)
        for contract_id, contract in contracts.items():
            if contract_id in own or (not own and set(contract.tenders) & set(winners)):
                of_contract.setdefault(contract_id, []).append(award)
    made = [
        _contract(contract, of_contract.get(contract_id, []), tenders, organisations, stands, kind)
        for contract_id, contract in contracts.items()
    ]
    found.children = _valued_once(awards, made)
    return found


def _status(one: Element, reading: Reading, stands: Status) -> Status:
    code = reading.word(one, "TenderResultCode")
    if not code:
        return stands
    reason = reading.word(one, "DecisionReason/DecisionReasonCode")
    mapped = reading.mapped(f"result:{code}", code)
    if code == WON and stands.lifecycle is Lifecycle.COMPLETE:
        mapped = stands
    return mapped.model_copy(update={"raw": f"{code}: {reason}"}) if reason else mapped


def _of_lot(before: Status | None, now: Status) -> Status:
    """A lot with a winner in one of its results has a winner."""
    return before if before is not None and before.lifecycle is Lifecycle.ACTIVE else now


def _tenders(result: Element, reading: Reading, organisations: Organisations, kind: ValueKind) -> Mapping[str, _Tender]:
    parties: dict[str, tuple[str, ...]] = {}
    for party in reading.every(result, "TenderingParty"):
        parties[reading.word(party, "ID")] = tuple(text_of(t) for t in reading.every(party, "Tenderer/ID"))
        for subcontractor in reading.every(party, "SubContractor/ID"):
            organisations.give(text_of(subcontractor), Role.SUBCONTRACTOR)
    return {
        reading.word(tender, "ID"): _Tender(
            reading.amount(reading.one(tender, "LegalMonetaryTotal/PayableAmount"), kind, "currencyID"),
            tuple(m for t in reading.every(tender, "TenderingParty/ID") for m in parties.get(text_of(t), ())),
        )
        for tender in reading.every(result, "LotTender")
    }


def _contracts(result: Element, reading: Reading) -> dict[str, _Contract]:
    found: dict[str, _Contract] = {}
    names: set[str] = set()
    for number, one in enumerate(reading.every(result, "SettledContract"), 1):
        own = reading.word(one, "ID") or f"CON-{number:04d}"
        reference = reading.redacted(reading.word(one, "ContractReference/ID"))
        name = reference or own
        # The same reference twice in one notice is the number of a file, not of a contract.
        name = f"{name} ({own})" if name in names else name
        names.add(name)
        found[own] = _Contract(
            native_id=name,
            title=reading.redacted(reading.word(one, "Title")),
            signed_on=reading.day(one, "IssueDate") or reading.day(one, "AwardDate"),
            tenders=tuple(text_of(t) for t in reading.every(one, "LotTender/ID")),
        )
    return found


def _named(one: Element, reading: Reading) -> list[str]:
    return [text_of(t) for t in reading.every(one, "LotTender/ID")]


def _winners(one: Element, reading: Reading, contracts: Mapping[str, _Contract], own: list[str]) -> list[str]:
    """Tenders that a contract was made with; without any contract the only tender that is named.

    A result may name losing tenders too. Who won among several is not guessed.
    """
    named = _named(one, reading)
    signed = {t for c in (own or contracts) if c in contracts for t in contracts[c].tenders}
    if won := [t for t in named if t in signed]:
        return won
    if len(named) <= 1:
        return named
    ranked = [
        reading.word(t, "ID")
        for t in reading.every(one.getparent(), "LotTender")
        if reading.word(t, "ID") in named and reading.word(t, "RankCode") == "1"
    ]
    if len(ranked) == 1:
        return ranked
    reading.note("ambiguous_winner", f"{reading.word(one, 'ID')} names {len(named)} tenders and none of them as winner")
    return []


def _members(tender_ids: list[str], tenders: Mapping[str, _Tender]) -> list[str]:
    return list(dict.fromkeys(m for t in tender_ids if t in tenders for m in tenders[t].tenderers))


def _contract(
    contract: _Contract,
    awards: list[Child],
    tenders: Mapping[str, _Tender],
    organisations: Organisations,
    stands: Status,
    kind: ValueKind,
) -> Child:
    members = _members(list(contract.tenders), tenders)
    values = [v for t in contract.tenders if t in tenders and (v := tenders[t].value)]
    value = total(values)
    lots = tuple(dict.fromkeys(lot for a in awards for lot in a.lot_ids))
    return Child(
        kind="contract",
        # References as short as `1` come again with another lot.
        native_id=f"{contract.native_id}:{'+'.join(lots)}" if lots else contract.native_id,
        award_id=awards[0].native_id if len(awards) == 1 else None,
        lot_ids=lots,
        title=contract.title,
        # A contract is told of because it was made, whatever its lot's result says.
        status=Status(lifecycle=stands.lifecycle, raw=stands.raw, basis=Basis.EVENT),
        signed_on=contract.signed_on,
        value=value.model_copy(update={"kind": kind}) if value else None,
        supplier_ids=tuple(g for m in members if (g := organisations.give(m, Role.SUPPLIER))),
    )


def _valued_once(awards: list[Child], contracts: list[Child]) -> list[Child]:
    """The children, an amount of money standing either with all awards or with all contracts."""
    signed = {a.native_id: [c.value for c in contracts if c.award_id == a.native_id and c.value] for a in awards}
    if (
        contracts
        and all(c.award_id and c.value for c in contracts)
        and all(_same(a, signed[a.native_id]) for a in awards)
    ):
        return [a.model_copy(update={"value": None}) for a in awards] + contracts
    return awards + [c.model_copy(update={"value": None}) for c in contracts]


def _same(award: Child, signed: list[Value]) -> bool:
    """Whether the contracts of an award amount to all that the award does."""
    if award.value is None:
        return True
    whole = total(signed)
    return whole is not None and (whole.amount, whole.currency) == (award.value.amount, award.value.currency)

"""Section V of TED's older forms: what was awarded to whom, or that nothing was.

An award is told once, in the notice of its lot, so its id is that notice's number with the section's own (`ITEM`):
contract numbers are often no more than `1`, and two notices of a process would overwrite one another's winners.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from models.codes import Basis, Lifecycle, Role, ValueKind
from models.procurement import Child, Party, Status, Value
from pipeline.parse.ted_fields import Reading, make_party
from pipeline.xml_places import Element, local_name, text_of

_SECTIONS = ("AWARD_CONTRACT", "RESULTS")
_WON = ("AWARDED_CONTRACT", "AWARDED_PRIZE")
_LOST = ("NO_AWARDED_CONTRACT", "NO_AWARDED_PRIZE")
_WINNERS = ("CONTRACTOR", "WINNER")
_REASONS = ("PROCUREMENT_UNSUCCESSFUL", "PROCUREMENT_DISCONTINUED")
MODIFICATION = "F20"


@dataclass(frozen=True)
class Company:
    """What an address block says of an organisation, its address aside."""

    name: str
    country: str | None
    numbers: tuple[tuple[str, str], ...]


def read_company(address: Element, reading: Reading) -> Company:
    """Name, country and register number of an `ADDRESS_…` block."""
    country = reading.one(address, "COUNTRY")
    return Company(
        name=" ".join(reading.word(address, "OFFICIALNAME").split()),
        country=reading.country_named(country.get("VALUE") or "") if country is not None else None,
        numbers=tuple(("", text_of(n)) for n in reading.every(address, "NATIONALID")),
    )


def read_awards(
    main: Element, reading: Reading, notice: str, form: str, says: Status
) -> tuple[tuple[Child, ...], tuple[Party, ...]]:
    """Awards of a form with their suppliers; `notice` is its number, `says` what the form says of a contract."""
    awards: list[Child] = []
    suppliers: list[Party] = []
    sections = [s for s in main.iterchildren("{*}*") if local_name(s) in _SECTIONS]
    after = _value_after(main, reading) if form == MODIFICATION and len(sections) == 1 else None
    for number, section in enumerate(sections, 1):
        key = f"{notice}:{section.get('ITEM') or number}"
        won = next((e for name in _WON if (e := reading.one(section, name)) is not None), None)
        members = list(_winners(won, reading, key)) if won is not None else []
        suppliers += members
        awards.append(
            Child(
                kind="award",
                native_id=key,
                lot_ids=tuple(_lot_numbers(section, reading)),
                title=reading.redacted(reading.word(section, "TITLE")),
                status=says if won is not None else _lost(section, reading),
                signed_on=reading.day(won, "DATE_CONCLUSION_CONTRACT") or reading.day(won, "DATE_DECISION_JURY"),
                value=after or (_value(won, reading) if won is not None else None),
                supplier_ids=tuple(dict.fromkeys(m.local_id for m in members)),
            )
        )
    return tuple(awards), tuple(suppliers)


def _lot_numbers(section: Element, reading: Reading) -> Iterator[str]:
    for lot in reading.every(section, "LOT_NO"):
        yield from (one for part in text_of(lot).split(",") if (one := part.strip()))


def _lost(section: Element, reading: Reading) -> Status:
    lost = next((e for name in _LOST if (e := reading.one(section, name)) is not None), None)
    if lost is None:
        reading.note(
            "missing_field", "a section of results says neither that something was awarded nor that it was not"
        )
        return Status()
    for reason in _REASONS:
        if reading.one(lost, reason) is not None:
            return reading.mapped(f"award:{reason}", reason)
    reading.note("missing_field", "nothing was awarded and no reason is given")
    return Status(lifecycle=Lifecycle.CANCELLED, raw=local_name(lost), basis=Basis.STATUS)


def _winners(won: Element, reading: Reading, key: str) -> Iterator[Party]:
    winners = [e for e in won.iter("{*}*") if local_name(e) in _WINNERS]
    for number, winner in enumerate(winners, 1):
        address = next((e for e in winner.iterchildren("{*}*") if local_name(e).startswith("ADDRESS_")), None)
        if address is None:
            reading.note("missing_field", "a contractor has no name")
            continue
        company = read_company(address, reading)
        if not company.name:
            reading.note("missing_field", "a contractor has no name")
            continue
        yield make_party(
            f"{key}/{number}", company.name, (Role.SUPPLIER,), country=company.country, numbers=company.numbers
        )


def _value(won: Element, reading: Reading) -> Value | None:
    for path in ("VALUES/VAL_TOTAL", "VALUE/VAL_TOTAL", "VAL_TOTAL", "VAL_PRIZE"):
        if (found := reading.amount(reading.one(won, path), ValueKind.AWARD, "CURRENCY")) is not None:
            return found
    if won.find(".//{*}VAL_RANGE_TOTAL") is not None:
        reading.note("value_range", "an award's value is given as a range and is not kept")
    return None


def _value_after(main: Element, reading: Reading) -> Value | None:
    """The value after a modification (VII.2.3); added to the contract's own it would count twice."""
    return reading.amount(main.find(".//{*}VAL_TOTAL_AFTER"), ValueKind.AMENDMENT, "CURRENCY")

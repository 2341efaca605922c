"""Section V of TED_EXPORT R2.0.8, the schema of notices until 2016: awards of the general, utilities and defence forms.

Where things stand: TED XML schema R2.0.8, forms F03, F06 and F18. A day is told in three elements, an amount in an
attribute (`FMTVAL`) below the element that has its currency.
"""

from datetime import date
from typing import Final

from models.codes import Role, ValueKind
from models.procurement import Child, Party, Status, Value
from pipeline.parse.ted_fields import Reading, make_party
from pipeline.values import read_amount, read_currency
from pipeline.xml_places import Element, local_name, text_of

_SECTIONS: Final = frozenset(
    {"AWARD_OF_CONTRACT", "AWARD_OF_CONTRACT_DEFENCE", "AWARD_CONTRACT_CONTRACT_AWARD_UTILITIES"}
)
_DAYS: Final = ("CONTRACT_AWARD_DATE", "DATE_OF_CONTRACT_AWARD")
_TITLES: Final = ("CONTRACT_TITLE", "TITLE_CONTRACT")
_COSTS: Final = "COSTS_RANGE_AND_CURRENCY_WITH_VAT_RATE"
# What the buyer thought before the award stands beside what was paid, in elements of the same name.
_ESTIMATES: Final = ("INITIAL_ESTIMATED_TOTAL_VALUE_CONTRACT",)


def read_awards_r208(
    main: Element, reading: Reading, notice: str, says: Status
) -> tuple[tuple[Child, ...], tuple[Party, ...]]:
    """Awards of a form with their suppliers, as `ted_awards.read_awards` gives them."""
    awards: list[Child] = []
    suppliers: list[Party] = []
    sections = [e for e in main.iter("{*}*") if local_name(e) in _SECTIONS]
    for number, section in enumerate(sections, 1):
        key = f"{notice}:{section.get('ITEM') or number}"
        winner = _winner(section, reading, key)
        if winner is None:
            reading.note("missing_field", "an award names no contractor")
        else:
            suppliers.append(winner)
        awards.append(
            Child(
                kind="award",
                native_id=key,
                lot_ids=tuple(lot for e in section.iterfind(".//{*}LOT_NUMBER") if (lot := text_of(e))),
                title=reading.redacted(_first(section, _TITLES)),
                status=says,
                signed_on=_day(section, reading),
                value=_value(section, reading),
                supplier_ids=(winner.local_id,) if winner else (),
            )
        )
    return tuple(awards), tuple(suppliers)


def _first(section: Element, names: tuple[str, ...]) -> str:
    found = (section.find(f".//{{*}}{name}") for name in names)
    return next((text for e in found if e is not None and (text := text_of(e))), "")


def _winner(section: Element, reading: Reading, key: str) -> Party | None:
    operator = section.find(".//{*}ECONOMIC_OPERATOR_NAME_ADDRESS")
    place = section if operator is None else operator
    name = place.find(".//{*}OFFICIALNAME")
    said = " ".join(text_of(name).split()) if name is not None else ""
    if not said:
        return None
    country = place.find(".//{*}COUNTRY")
    return make_party(
        key,
        said,
        (Role.SUPPLIER,),
        country=reading.country_named(country.get("VALUE") or "") if country is not None else None,
        numbers=tuple(("", text_of(n)) for n in place.iterfind(".//{*}NATIONALID")),
    )


def _day(section: Element, reading: Reading) -> date | None:
    for name in _DAYS:
        told = section.find(f".//{{*}}{name}")
        if told is None:
            continue
        parts = [reading.word(told, part) for part in ("YEAR", "MONTH", "DAY")]
        try:
            return date(*(int(part) for part in parts))
        except (TypeError, ValueError):
            reading.note("unreadable_date", f"`{name}` is no day", "-".join(parts))
    return None


def _value(section: Element, reading: Reading) -> Value | None:
    for costs in section.iter(f"{{*}}{_COSTS}"):
        if any(local_name(above) in _ESTIMATES for above in costs.iterancestors()):
            continue
        cost = costs.find("{*}VALUE_COST")
        if cost is None:
            if costs.find("{*}RANGE_VALUE_COST") is not None:
                reading.note("value_range", "an award's value is given as a range and is not kept")
            continue
        raw = cost.get("FMTVAL") or text_of(cost).replace(" ", "")
        try:
            return Value(amount=read_amount(raw), currency=read_currency(costs.get("CURRENCY")), kind=ValueKind.AWARD)
        except ValueError as error:
            reading.note("unreadable_amount", f"award value: {error}", raw)
    return None

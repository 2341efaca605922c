"""A company's own part of a process: its awards and contracts, their stage, and sums that never mix kinds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from duckdb import DuckDBPyConnection

from models.codes import Basis, Lifecycle, Stage
from pipeline.report.facts import COUNTED, Contract, Money, Part, Total
from pipeline.report.sql import Row, money, rows

_CHILDREN: Final = """
    SELECT k.child_id, k.contract_id, k.kind, k.native_id, k.award_id, k.lifecycle, k.lifecycle_raw, k.signed_on,
           k.starts_on, k.ends_on, k.value_amount, k.value_currency, k.value_kind,
           coalesce((SELECT list(cs.local_id ORDER BY cs.local_id) FROM child_supplier cs
                     WHERE cs.child_id = k.child_id), []) AS suppliers, st.stage, st.stage_basis, st.superseded
    FROM child k JOIN child_stage_at(CAST($as_of AS DATE)) st USING (child_id)
    WHERE k.contract_id IN (SELECT unnest($ids)) AND k.kind <> 'lot'
    ORDER BY k.contract_id, k.signed_on NULLS LAST, k.kind, k.native_id, k.child_id
"""
# The most alive part decides, as for a whole process.
_ALIVE: Final = (Stage.ONGOING, Stage.SUSPENDED, Stage.IN_THE_MAKING, Stage.UNKNOWN, Stage.ENDED)


def part_rows(database: DuckDBPyConnection, contract_ids: Sequence[str], as_of: date) -> list[Row]:
    """Awards and contracts of processes with the local ids of their suppliers and their stage as of a date."""
    return rows(database, _CHILDREN, ids=list(contract_ids), as_of=as_of.isoformat())


def money_of(children: Sequence[Row], local_ids: set[str]) -> tuple[tuple[Part, ...], tuple[Money, ...], bool]:
    """The parts of a process that name one of `local_ids` as supplier, the amounts that count for them, and whether
    the process has parts of others too.

    A contract takes the place of the award it names; it has that award's suppliers where it names none itself. The
    award's value counts only while none of its contracts states one, so that nothing is counted twice.
    """
    awards = {row["native_id"]: row for row in children if row["kind"] == "award"}
    suppliers = {row["child_id"]: _suppliers(row, awards) for row in children}
    mine = [row for row in children if local_ids & set(suppliers[row["child_id"]])]
    signed = [row for row in mine if row["kind"] == "contract"]
    valued = {row["award_id"] for row in signed if row["award_id"] and money(row)}
    parts: list[Part] = []
    amounts: list[Money] = []
    for row in mine:
        joint = bool(set(suppliers[row["child_id"]]) - local_ids)
        stated = money(row, joint=joint)
        if stated and not (row["kind"] == "award" and row["native_id"] in valued):
            amounts.append(stated)
        if row["superseded"]:
            continue
        parts.append(
            Part(
                kind=row["kind"],
                native_id=row["native_id"] or "",
                lifecycle=row["lifecycle"] or Lifecycle.UNKNOWN.value,
                lifecycle_raw=row["lifecycle_raw"] or "",
                stage=Stage(row["stage"]),
                stage_basis=row["stage_basis"] or Basis.NONE.value,
                signed_on=row["signed_on"],
                starts_on=row["starts_on"],
                ends_on=row["ends_on"],
                money=stated,
            )
        )
    return tuple(parts), tuple(amounts), len(mine) < len(children)


def stage_of(parts: Sequence[Part], process: tuple[Stage, str]) -> tuple[Stage, str]:
    """The stage of a company's own parts and what it rests on, or the process's where it has none."""
    own = ((part.stage, part.stage_basis) for part in parts)
    return min(own, key=lambda stage: (_ALIVE.index(stage[0]), stage[1]), default=process)


def totals_of(contracts: Iterable[Contract]) -> tuple[Total, ...]:
    """Sums by scope, currency and value kind, amounts shared with other suppliers apart. Nothing else is added up."""
    sums: dict[tuple[str, str, str, bool], list[Decimal]] = defaultdict(list)
    for contract in contracts:
        for amount in contract.money:
            sums[(contract.scope, amount.currency or "", amount.kind, amount.joint)].append(amount.amount)
    return tuple(
        Total(scope, currency or None, kind, joint, sum(sums[key], Decimal(0)), len(sums[key]))
        for scope in COUNTED
        for key in sorted(sums)
        if key[0] == scope
        for _, currency, kind, joint in [key]
    )


def _suppliers(row: Row, awards: dict[str, Row]) -> list[str]:
    award = awards.get(row["award_id"]) if row["award_id"] else None
    return list(row["suppliers"] or (award["suppliers"] if award else ()))

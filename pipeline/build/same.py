"""Finds contracts that several publishers tell of: processes that share a number of the process itself."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import duckdb

from models.procurement import Identifier, Release
from pipeline.identifiers import named_in_text, normal

# Numbers of one process, in the words of `Release.identifiers`. Others, such as the number of a solicitation or of a
# framework, stand for several processes and join nothing.
# The number says among how many processes one may stand: more are a framework, a system of qualification or a slip. A
# notice of TED that two processes name besides its own may be a plan that announced both, and joins none.
JOINING: Final[Mapping[str, int]] = MappingProxyType(
    {"ocid": 12, "eforms_procedure": 12, "eforms_notice": 12, "ted_notice": 2, "cig": 12, "pncp": 12}
)
Pair = tuple[str, str]


def identifiers_of(releases: Iterable[Release]) -> list[Identifier]:
    """Every number of a process that its releases name, spelled one way, in order."""
    found = {
        (one.scheme, normal(one.scheme, one.id))
        for release in releases
        for one in (*release.identifiers, *_own(release), *named_in_text(release))
    }
    return [Identifier(scheme=scheme, id=number) for scheme, number in sorted(found) if number]


def _own(release: Release) -> Iterator[Identifier]:
    if release.native_id.startswith("ocds-"):
        yield Identifier(scheme="ocid", id=release.native_id)


def clusters(shared: Mapping[Pair, frozenset[str]]) -> dict[str, tuple[str, tuple[Pair, ...]]]:
    """From the contracts of each number to contract id → (cluster id, the numbers it shares), for two or more.

    A cluster is named after its first contract. Contracts that are joined through a third one are one cluster.
    """
    parent: dict[str, str] = {}

    def root(one: str) -> str:
        while (above := parent.setdefault(one, one)) != one:
            parent[one] = parent[above]
            one = parent[one]
        return one

    numbers: dict[str, set[Pair]] = defaultdict(set)
    for pair, contracts in shared.items():
        if len(contracts) < 2 or len(contracts) > JOINING[pair[0]]:
            continue
        first, *others = sorted(contracts)
        for other in others:
            low, high = sorted((root(first), root(other)))
            parent[high] = low
        for contract in contracts:
            numbers[contract].add(pair)
    return {contract: (root(contract), tuple(sorted(pairs))) for contract, pairs in sorted(numbers.items())}


def load_same_contracts(connection: duckdb.DuckDBPyConnection, warnings: list[str]) -> None:
    """Fills `same_contract` from `contract_identifier`; says which numbers were too common to join by."""
    rows = connection.execute(
        """
        SELECT scheme, id, list(contract_id) FROM contract_identifier WHERE scheme IN (SELECT unnest($joining))
        GROUP BY scheme, id HAVING count(*) > 1 ORDER BY scheme, id
        """,
        {"joining": sorted(JOINING)},
    ).fetchall()
    shared = {(scheme, number): frozenset(contracts) for scheme, number, contracts in rows}
    for (scheme, number), contracts in shared.items():
        if len(contracts) > JOINING[scheme]:
            warnings.append(f"{scheme} {number} stands in {len(contracts)} processes and joins none of them")
        elif scheme == "eforms_notice":
            # A change may alter much of a notice, but not which procedure it is of (eForms, BT-04).
            warnings.append(
                f"changed_procedure: {' and '.join(sorted(contracts))} name the same notice {number} under several "
                "procedures; they count as one contract"
            )
    found = clusters(shared)
    sizes: dict[str, int] = defaultdict(int)
    for cluster, _ in found.values():
        sizes[cluster] += 1
    values = [
        [contract, cluster, sizes[cluster], [f"{scheme}:{number}" for scheme, number in pairs]]
        for contract, (cluster, pairs) in found.items()
    ]
    if values:
        connection.executemany("INSERT INTO same_contract VALUES ($1, $2, $3, $4)", values)

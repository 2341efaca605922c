"""One purchase told of by several publishers: found by the numbers both give it, counted once."""

from pathlib import Path

import orjson
import pytest

from flows.house import House
from flows.steps import process
from models.procurement import Identifier, Parsed, Release, Text
from pipeline.build.same import clusters, identifiers_of
from pipeline.cards import load_source_card
from pipeline.identifiers import normal, ted_notices_at
from pipeline.ingest import ingest
from pipeline.parse.ocds_release import parse_package
from pipeline.query import connect
from pipeline.store import DATA, Store
from tests.answers.eu_ted import UUID as TED_UUID
from tests.answers.eu_ted import eforms
from tests.portal import release as ocds_release

UUID = "b8f6a1de-6c0f-4d0e-9a75-3d2b7f0c1a55"


@pytest.mark.parametrize(
    ("scheme", "written", "expected"),
    [
        ("ted_notice", "00654321-2023", "654321-2023"),
        ("ted_notice", "2023/S 012-654321", "654321-2023"),
        ("ted_notice", "2019/S 12-001234", "1234-2019"),
        ("ted_notice", "see annex", ""),
        ("eforms_procedure", UUID.upper(), UUID),
        ("cig", " 9a1b2c3d4e ", "9A1B2C3D4E"),
        ("piid", " HSBP10 ", "HSBP10"),
    ],
)
def test_a_number_has_one_spelling(scheme: str, written: str, expected: str) -> None:
    assert normal(scheme, written) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://ted.europa.eu/en/notice/-/detail/654321-2023",
        "https://ted.europa.eu/notice/654321-2023/xml",
        "http://ted.europa.eu/udl?uri=TED:NOTICE:654321-2023:TEXT:EN:HTML",
    ],
)
def test_an_address_of_ted_names_its_notice(url: str) -> None:
    assert list(ted_notices_at(url)) == [Identifier(scheme="ted_notice", id="654321-2023")]


def test_an_ocds_release_names_its_procedure_and_its_notice() -> None:
    raw = ocds_release(1)
    raw["ocid"] = f"ocds-mnwr74-{UUID}"
    raw["relatedProcesses"] = [
        {"id": "1", "relationship": ["planning"], "scheme": "eu-oj", "identifier": "2023/S 012-654321"},
        # A framework is another process: its ocid joins nothing.
        {"id": "2", "relationship": ["framework"], "scheme": "ocid", "identifier": "ocds-mnwr74-framework"},
    ]
    assert identifiers_of([read(raw)]) == [
        Identifier(scheme="eforms_procedure", id=UUID),
        Identifier(scheme="ocid", id=f"ocds-mnwr74-{UUID}"),
        Identifier(scheme="ted_notice", id="654321-2023"),
    ]


def test_the_cig_is_read_where_italian_texts_name_it() -> None:
    def cigs(text: str, country: str = "IT") -> list[str]:
        one = read(ocds_release(2)).model_copy(
            update={"country": country, "texts": (Text(pointer="/tender/description", text=text),)}
        )
        return [i.id for i in identifiers_of([one]) if i.scheme == "cig"]

    assert cigs("Fornitura di telecamere - CIG: 9876543B21 - CUP J51B21000000001") == ["9876543B21"]
    assert cigs("Lotto 1 C.I.G. 98765432AF, lotto 2 CIG 9876543AAA") == ["98765432AF", "9876543AAA"]
    assert cigs("CIG 0000000000") == []
    assert cigs("CIG 9876543B21", country="GB") == []


def read(raw: dict[str, object]) -> Release:
    card = load_source_card(DATA / "sources", "uk_contracts_finder")
    (item,) = parse_package(orjson.dumps({"releases": [raw]}), card, "0" * 64)
    assert isinstance(item, Parsed)
    return item.release


def test_contracts_joined_through_a_third_are_one_cluster() -> None:
    shared = {
        ("ted_notice", "1-2024"): frozenset({"c-b", "c-c"}),
        ("cig", "X"): frozenset({"c-c", "c-a"}),
        ("cig", "Y"): frozenset({"c-d", "c-e"}),
        ("ocid", "alone"): frozenset({"c-f"}),
    }
    assert clusters(shared) == {
        "c-a": ("c-a", (("cig", "X"),)),
        "c-b": ("c-a", (("ted_notice", "1-2024"),)),
        "c-c": ("c-a", (("cig", "X"), ("ted_notice", "1-2024"))),
        "c-d": ("c-d", (("cig", "Y"),)),
        "c-e": ("c-d", (("cig", "Y"),)),
    }


@pytest.mark.parametrize(("scheme", "contracts", "joined"), [("cig", 12, 12), ("cig", 13, 0), ("ted_notice", 3, 0)])
def test_a_number_of_many_processes_joins_none(scheme: str, contracts: int, joined: int) -> None:
    many = frozenset(f"c-{n}" for n in range(contracts))
    assert len(clusters({(scheme, "1-2024"): many})) == joined


def test_a_notice_of_ted_and_a_national_portal_are_one_contract(tmp_path: Path) -> None:
    house = House(Store(tmp_path / "store"))
    raw = ocds_release(1, "Facial recognition cameras")
    raw["ocid"] = f"ocds-mnwr74-{UUID}"
    national = tmp_path / "national.json"
    national.write_bytes(orjson.dumps({"releases": [raw]}))
    notice = tmp_path / "notice.xml"
    notice.write_bytes(eforms().replace(TED_UUID.format(900001).encode(), UUID.encode()))
    ingest(house.store, [national], house.source_card("uk_contracts_finder"), house.candidates)
    ingest(house.store, [notice], house.source_card("eu_ted"), house.candidates)
    process(house)
    with connect(house.store) as database:
        rows = database.execute(
            "SELECT c.source_id, s.contracts, s.shared FROM same_contract AS s JOIN contract AS c USING (contract_id) "
            "ORDER BY ALL"
        ).fetchall()
        counted = database.execute("SELECT count(*), count(DISTINCT cluster_id) FROM biometric_contract").fetchall()
    assert rows == [
        ("eu_ted", 2, [f"eforms_procedure:{UUID}"]),
        ("uk_contracts_finder", 2, [f"eforms_procedure:{UUID}"]),
    ]
    assert counted == [(2, 1)]

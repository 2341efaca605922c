"""Private persons' names are recognised by form; organisations stay visible."""

from pathlib import Path

import pytest

from pipeline.names import squash
from pipeline.persons import is_natural_person
from pipeline.registry import load_registry

VENDORS = Path(__file__).parent.parent / "data" / "vendors"


@pytest.mark.parametrize(
    "name",
    [
        "RAMOS, IRIS",
        "HAWKINS REX ALLEN",
        "CONSTANCE D GOOCH",
        "ROSSER SUSANA",
        "Mr John Smith",
        "Dr Jane Doe",
        "FULLER,HOYT",
        "MASTRIANI, JAMES W.",
        "JOHN R DAVIDSON JR.",
        "RICHARD A BEENS ATTORNEY AT LAW",
        "ACEVEDO-GONZALEZ VICTOR MANUEL",
        "FINE ERIC M",
        "MARIA HILL",
        "SEED DONALD",
        "MAXIMINO RIVERA",
        "Mr John Smith t/a Smith Plumbing Services",
    ],
)
def test_a_persons_name_is_recognised(name: str) -> None:
    assert is_natural_person(name)
    assert is_natural_person(name, country="US")


@pytest.mark.parametrize(
    ("name", "country"),
    [
        ("JOAO CARLOS DA SILVA", "BR"),
        ("MARIA APARECIDA DOS SANTOS 12345678901", "BR"),
        ("José Pérez García", "ES"),
        ("Иванов Иван Иванович", "RU"),
        ("ИП Петров А.В.", "RU"),
        ("王小明", "CN"),
        ("Anna Müller", "DE"),
        ("Mohammed Al Rashid", "AE"),
        ("LUIS ARMANDO ABBATE CORDAZZO", "PY"),
        ("Rajesh Sharma", "IN"),
    ],
)
def test_a_persons_name_is_recognised_elsewhere(name: str, country: str) -> None:
    assert is_natural_person(name, country=country)


@pytest.mark.parametrize(
    "name",
    [
        "MANAGEMENT CONCEPTS, INC",
        "LEIDOS, INC.",
        "MOVEMENT RX PHYSICAL THERAPY, P.C.",
        "London Borough of Merton",
        "Marstons holdings plc",
        "FIELDPRINT INC",
        "K2 International",
        "Clearview AI",
        "Hikvision",
        "Serco",
        "IDEMIA",
        "Four LLC",
        "JOHN SMITH LLC",
        "DEBRA SIMMONS NEVEU LLC ATTORNEY AND COUNSELOR AT LAW",
        "RIVERSIDE, COUNTY OF",
        "PRISONS, FEDERAL BUREAU OF",
        "CLARK COUNTY",
        "VITARO & GOODFRIEND",
        "ASSI SECURITY",
        "TRAINING CLINIC, THE",
        "NHS England",
        "Cabs Smart",
        "Konica Minolta",
        "INDEX S.A.C.I.",
        "Prefeitura Municipal de Campinas",
        "杭州海康威视数字技术股份有限公司",
        "华为",
        "",
        "123",
    ],
)
def test_an_organisation_stays_visible(name: str) -> None:
    assert not is_natural_person(name)
    assert not is_natural_person(name, country="US")


def test_no_company_of_the_registry_is_taken_for_a_person() -> None:
    registry = load_registry(VENDORS)
    known = frozenset(squash(literal) for literal in registry.party_literals())
    assert [name for _, name, _, _ in registry.names() if is_natural_person(name, organisations=known)] == []


def test_a_known_organisation_named_after_people_stays_visible() -> None:
    assert is_natural_person("Northrup Grumman")
    assert not is_natural_person("Northrup Grumman", organisations={"northrupgrumman"})

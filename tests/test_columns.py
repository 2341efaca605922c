"""A spreadsheet read by its card: one row, one release; a wrong card says what is missing and what is there."""

import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from models.codes import Lifecycle, Role, ValueKind
from models.procurement import Parsed
from models.run import Problem
from models.source import ColumnsCard
from pipeline.cards import load_columns_card
from pipeline.errors import WrongUse
from pipeline.parse.columns import parse_rows
from pipeline.store import DATA

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
HEADER = (
    "Agency,Award ID,Recipient Name,Federal Action Obligation,Action Date,Modification,Product/Service Description,"
    "NAICS Description,Transaction Description,Generated Award ID\n"
)


@pytest.fixture(scope="module")
def card() -> ColumnsCard:
    return load_columns_card(DATA / "columns", "us_cbp_ice")


def parse(card: ColumnsCard, text: str) -> list[Parsed | Problem]:
    return list(parse_rows(io.BytesIO(text.encode()), card, "0" * 64, "file.csv"))


def test_a_row_is_mapped_cell_by_cell(card: ColumnsCard) -> None:
    (item,) = parse(
        card,
        HEADER + 'ICE,FIC0001,"FICTIONAL VISION, INC.",-500000.5,2026-09-03,P00002,SOFTWARE,PUBLISHERS,'
        '"FACE SEARCH, COR A.B@AGENCY.EXAMPLE 202-555-0143",CONT_AWD_FIC0001_7012_-NONE-_-NONE-\n',
    )
    assert isinstance(item, Parsed)
    release = item.release
    assert item.place.pointer == "row=2"
    assert release.native_id == "CONT_AWD_FIC0001_7012_-NONE-_-NONE-"
    assert release.published_on == date(2026, 9, 3)
    (child,) = release.children
    assert (child.native_id, child.status.lifecycle) == ("FIC0001", Lifecycle.UNKNOWN)
    assert child.value is not None
    assert (child.value.amount, child.value.currency, child.value.kind) == (
        Decimal("-500000.5"),
        "USD",
        ValueKind.OBLIGATION,
    )
    assert release.with_role(Role.BUYER)[0].name == "U.S. Immigration and Customs Enforcement"
    assert release.with_role(Role.SUPPLIER)[0].name == "FICTIONAL VISION, INC."
    assert [(t.pointer, t.text) for t in release.texts] == [
        ("column=Transaction Description", "FACE SEARCH, COR ██████████████████ ████████████"),
        ("column=Product/Service Description", "SOFTWARE"),
        ("column=NAICS Description", "PUBLISHERS"),
    ]


def test_rows_that_do_not_fit_are_reported_with_their_row(card: ColumnsCard) -> None:
    items = parse(
        card,
        HEADER
        + "ICE,A1,X INC,1.0,2026-09-03,0,S,N,D\n"
        + "ICE,A1,X INC,one,2026-09-03,0,S,N,D,P1\n"
        + "ICE,A1,X INC,1.0,soon,0,S,N,D,P1\n"
        + "ICE,A1,,1.0,2026-09-03,0,S,N,D,P1\n"
        + "ICE,A1,X INC,1.0,2026-09-03,0,S,N,D,P1\n",
    )
    assert [(i.kind, i.pointer) if isinstance(i, Problem) else i.place.pointer for i in items] == [
        ("wrong_width", "row=2"),
        ("unreadable_amount", "row=3"),
        ("unreadable_date", "row=4"),
        ("missing_field", "row=5"),
        "row=6",
    ]


def test_a_wrong_card_says_what_is_missing_and_what_is_there(card: ColumnsCard) -> None:
    with pytest.raises(WrongUse) as error:
        parse(card, "Agency,Supplier\nICE,X\n")
    assert str(error.value).startswith("file.csv lacks the columns `Generated Award ID`, `Award ID`, ")
    assert "the file has `Agency`, `Supplier`." in str(error.value)


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real portal data is not here")
def test_every_row_of_the_buenos_aires_file_is_parsed() -> None:
    card = load_columns_card(DATA / "columns", "ar_gcba_contracts")
    parsed = problems = 0
    lifecycles: dict[Lifecycle, int] = {}
    with (REAL / "ar-buenos-aires-gcba" / "gcba_contracts_jul.csv").open("rb") as stream:
        for item in parse_rows(stream, card, "0" * 64):
            if isinstance(item, Parsed):
                parsed += 1
                lifecycle = item.release.children[0].status.lifecycle
                lifecycles[lifecycle] = lifecycles.get(lifecycle, 0) + 1
            else:
                problems += 1
    assert (parsed, problems) == (95_405, 0)
    assert lifecycles == {Lifecycle.ACTIVE: 51_547, Lifecycle.COMPLETE: 43_858}

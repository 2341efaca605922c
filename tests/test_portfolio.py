"""Holdings files as investors export them, and what their rows are matched to."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from pipeline.portfolio import HoldingMatch, PortfolioError, match_portfolio, read_portfolio
from pipeline.registry import Registry, load_registry

SOURCE = "https://example.org/register"
LEI = "529900T8BM49AURSDO55"
OTHER_LEI = "5493001KJTIIGC8Y1R12"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    folder = tmp_path / "vendors"
    folder.mkdir()
    vendors: list[dict[str, object]] = [
        {"id": "exemplar", "name": "Exemplar Vision AG", "lei": {"value": LEI, "source": SOURCE},
         "listings": [{"ticker": "EXV", "mic": "XETR", "isin": "US0378331005", "source": SOURCE}]},
        {"id": "daughter", "name": "Daughter Recognition Ltd",
         "parents": [{"vendor_id": "exemplar", "source": SOURCE}]},
        {"id": "sold", "name": "Sold Systems Ltd",
         "parents": [{"vendor_id": "exemplar", "until": "2024", "source": SOURCE}]},
        {"id": "other", "name": "Other Eyes Inc.", "lei": {"value": OTHER_LEI, "source": SOURCE},
         "listings": [{"ticker": "EYE", "isin": "US5949181045", "source": SOURCE},
                      {"ticker": "EXV", "mic": "XTSX", "source": SOURCE}]},
        {"id": "plain", "name": "Plain S.A.", "ambiguous": True},
    ]  # fmt: skip
    for vendor in vendors:
        body = vendor | {"sources": [SOURCE]}
        (folder / f"{vendor['id']}.yml").write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    return load_registry(folder)


def portfolio_file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "holdings.csv"
    path.write_bytes(text.encode(encoding))
    return path


def matches(folder: Path, registry: Registry, text: str) -> list[HoldingMatch]:
    return match_portfolio(read_portfolio(portfolio_file(folder, text)), registry)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_delimiters(tmp_path: Path, encoding: str, delimiter: str, newline: str) -> None:
    rows = [["ISIN Code", "Issuer", "Weight %"], ["US0378331005", "Société Générale", "60.5"], ["", "Müller", "39.5"]]
    path = portfolio_file(tmp_path, newline.join(delimiter.join(row) for row in rows) + newline, encoding)
    portfolio = read_portfolio(path)
    assert [(h.line, h.isin, h.name, h.weight) for h in portfolio.holdings] == [
        (2, "US0378331005", "Société Générale", Decimal("60.5")),
        (3, "", "Müller", Decimal("39.5")),
    ]
    assert (portfolio.weight_unit, portfolio.weight_sum) == ("percent", Decimal("100.0"))
    assert portfolio.fraction(portfolio.holdings[0]) == Decimal("0.605")
    assert portfolio.columns == {"isin": "ISIN Code", "name": "Issuer", "weight": "Weight %"}


def test_decimal_commas_thousands_and_units(tmp_path: Path) -> None:
    text = "Name;Gewicht;Marktwert;Market value (EUR)\nA;0,25;x;1.234,50\nB;0,75;x;2.000\nC;;x;(15)\n"
    portfolio = read_portfolio(portfolio_file(tmp_path, text))
    assert [(h.weight, h.value) for h in portfolio.holdings] == [
        (Decimal("0.25"), Decimal("1234.50")), (Decimal("0.75"), Decimal(2000)), (None, Decimal(-15)),
    ]  # fmt: skip
    assert portfolio.weight_unit == "fraction"
    english = read_portfolio(portfolio_file(tmp_path, 'name,value\nA,"1,234,567.5"\nB,"1,234"\nC,2000\n'))
    assert [h.value for h in english.holdings] == [Decimal("1234567.5"), Decimal(1234), Decimal(2000)]
    unclear = read_portfolio(portfolio_file(tmp_path, "name,weight\nA,30\n"))
    assert unclear.weight_unit == "unknown"
    assert unclear.fraction(unclear.holdings[0]) is None


def test_a_wrong_check_digit_rejects_its_row_alone(tmp_path: Path, registry: Registry) -> None:
    text = f"isin,lei,weight\nUS0378331006,,1\nUS0378331005,,1\n,{LEI[:-1]}6,1\nUS0378331005,,one\n\nTotal,,3\n"
    portfolio = read_portfolio(portfolio_file(tmp_path, text))
    assert [(row.line, row.reason) for row in portfolio.rejected] == [
        (2, "the ISIN US0378331006 has a wrong check digit or form"),
        (4, f"the LEI {LEI[:-1]}6 has wrong check digits or form"),
        (5, "the weight 'one' is not a number"),
    ]
    assert [(row.line, row.reason) for row in portfolio.skipped] == [(7, "a total row")]
    assert [(m.line, m.status) for m in match_portfolio(portfolio, registry)] == [
        (2, "rejected"), (3, "matched"), (4, "rejected"), (5, "rejected"),
    ]  # fmt: skip


def test_lines_count_from_the_top_of_the_file(tmp_path: Path) -> None:
    text = 'Fund of Examples\n\nName,ISIN\n"Two\nlines",\nTotal SE,FR0000120271\n'
    portfolio = read_portfolio(portfolio_file(tmp_path, text))
    assert [(h.line, h.name) for h in portfolio.holdings] == [(4, "Two\nlines"), (6, "Total SE")]


def test_a_file_without_a_known_column_says_what_it_saw(tmp_path: Path) -> None:
    with pytest.raises(PortfolioError) as caught:
        read_portfolio(portfolio_file(tmp_path, "colour,size\nred,1\n"))
    assert str(caught.value) == (
        "No column of holdings.csv identifies a holding: seen 'colour', 'size'; known are isin, lei, ticker, mic, "
        "name, weight, value and their usual spellings, and one of isin, lei, ticker or name is needed."
    )
    with pytest.raises(PortfolioError, match="seen none"):
        read_portfolio(portfolio_file(tmp_path, ""))


@pytest.mark.parametrize(
    ("row", "status", "vendor_ids", "how"),
    [
        ("US0378331005,,,,", "matched", ("exemplar", "daughter"), "ISIN"),
        (f",{LEI},,,", "matched", ("exemplar", "daughter"), "LEI"),
        (f"US0378331005,{LEI},,,Exemplar Vision", "matched", ("exemplar", "daughter"), "ISIN and LEI"),
        (f"US0378331005,{OTHER_LEI},,,", "ambiguous", ("exemplar", "other"), ""),
        ("US0378331005,,,,Other Eyes Inc.", "ambiguous", ("exemplar", "other"), ""),
        (",,EXV,XETR,", "matched", ("exemplar", "daughter"), "ticker and exchange"),
        (",,EXV GY Equity,,", "matched", ("exemplar", "daughter"), "ticker and exchange"),
        (",,EXV.DE,,", "matched", ("exemplar", "daughter"), "ticker and exchange"),
        (",,EXV,,", "ambiguous", ("exemplar", "other"), ""),
        (",,EXV,,Exemplar Vision AG", "matched", ("exemplar", "daughter"), "ticker and name"),
        (",,EYE,XNAS,", "ambiguous", ("other",), ""),
        (",,EYE US Equity,,Other Eyes", "matched", ("other",), "ticker and name"),
        (",,EXV,XETR,Other Eyes Inc.", "ambiguous", ("exemplar", "other"), ""),
        (",,,,EXEMPLAR VISION", "matched", ("exemplar", "daughter"), "name"),
        (",,,,Daughter Recognition", "matched", ("daughter",), "name"),
        (",,,,Plain", "ambiguous", ("plain",), ""),
        (",,,,Plain SA", "matched", ("plain",), "name"),
        (",,,,Nobody plc", "not_in_registry", (), ""),
        ("FR0000120271,,,,Total SE", "not_in_registry", (), ""),
        ("FR0000120271,,,,Exemplar Vision AG", "ambiguous", ("exemplar",), ""),
    ],
)
def test_what_a_row_is_matched_to(
    tmp_path: Path, registry: Registry, row: str, status: str, vendor_ids: tuple[str, ...], how: str
) -> None:
    match, *rest = matches(tmp_path, registry, f"isin,lei,ticker,mic,name\n{row}\n")
    assert not rest
    assert (match.line, match.status, match.vendor_ids, match.how) == (2, status, vendor_ids, how)
    if status != "matched":
        assert match.reason


def test_subsidiaries_are_reported_and_absence_is_never_clean(tmp_path: Path, registry: Registry) -> None:
    parent, absent, nothing = matches(tmp_path, registry, "name,weight\nExemplar Vision,1\nNobody,1\n,1\n")
    assert parent.subsidiary_ids == ("daughter",)
    assert parent.reason == "with its subsidiaries daughter"
    assert absent.reason == "no registered company has its ticker or name; that says nothing about its contracts"
    assert (nothing.line, nothing.status) == (4, "unmatched")

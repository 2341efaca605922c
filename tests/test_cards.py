"""Cards load, and a malformed one is told in one sentence with its file and line."""

from pathlib import Path

import pytest

from models.codes import Lifecycle
from pipeline.cards import load_columns_card, load_columns_cards, load_source_card, load_source_cards
from pipeline.errors import WrongUse
from pipeline.store import DATA

CARD = (DATA / "sources" / "uk_contracts_finder.yml").read_text(encoding="utf-8")


def write(folder: Path, text: str, name: str = "uk_contracts_finder") -> Path:
    (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def line_of(text: str, start: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_every_shipped_card_loads() -> None:
    sources = load_source_cards(DATA / "sources")
    assert "uk_contracts_finder" in sources
    assert {"ar_gcba_contracts", "us_cbp_ice"} <= set(load_columns_cards(DATA / "columns"))
    card = sources["uk_contracts_finder"]
    assert card.politeness.busy_wait == {403: 300.0}
    assert card.robots.policy == "obey" and card.robots.why
    assert card.verified_on is None and not card.private_addresses
    assert card.lifecycle["tag:contractTermination"] is Lifecycle.TERMINATED


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("rank: A", "rank: Z", "rank:", "`rank`: input should be 'A', 'B', 'C' or 'D', not `Z`"),
        ("  delay: 1.5", "  delay: -1", "  delay:", "`politeness.delay`"),
        ("  concurrency: 1", "  concurency: 1", "  concurency:", "`politeness.concurency` is not a field"),
        ("licence: Open", "licens: Open", "licens:", "`licens` is not a field of a card; did you mean `licence`"),
        ('"tender:active": tender', '"tender:active": running', '  "tender:active"', "not `running`"),
        ("page_size: 100", "page_size: 100\npage_size: 50", "page_size: 50", "says `page_size` twice"),
        ("countries: [GB]", "countries: [GB", None, "is not YAML"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, old: str, new: str, line: str | None, said: str) -> None:
    assert old in CARD
    text = CARD.replace(old, new, 1)
    with pytest.raises(WrongUse) as caught:
        load_source_cards(write(tmp_path, text))
    sentence = str(caught.value)
    assert said in sentence and "\n" not in sentence
    if line is not None:
        assert f"uk_contracts_finder.yml:{line_of(text, line)} " in sentence


def test_a_missing_field_and_a_foreign_shape(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"the field `publisher` is missing"):
        load_source_cards(write(tmp_path, CARD.replace("publisher: Cabinet Office\n", "")))
    with pytest.raises(WrongUse, match=r":1 a card is a list"):
        load_source_cards(write(tmp_path, "- one\n- two\n"))
    with pytest.raises(WrongUse, match=r":1 a card is a list"):
        load_source_cards(write(tmp_path, ""))


def test_the_file_is_named_after_the_id(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="differs from the file's name"):
        load_source_cards(write(tmp_path, CARD, "other"))


def test_an_unknown_id_names_the_known_ones() -> None:
    with pytest.raises(WrongUse, match=r"no source `nowhere`; known: .*uk_contracts_finder"):
        load_source_card(DATA / "sources", "nowhere")
    with pytest.raises(WrongUse, match="no source"):
        load_source_card(DATA / "sources", "../columns/us_cbp_ice")


def test_columns_cards_by_name_and_by_path(tmp_path: Path) -> None:
    folder = DATA / "columns"
    by_name = load_columns_card(folder, "us_cbp_ice")
    assert load_columns_card(tmp_path, folder / "us_cbp_ice.yml") == by_name
    with pytest.raises(WrongUse, match="no columns card at"):
        load_columns_card(folder, tmp_path / "none.yml")
    with pytest.raises(WrongUse, match=r"known: .*us_cbp_ice"):
        load_columns_card(folder, "nothing")

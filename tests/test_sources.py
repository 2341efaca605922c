"""One contract for all sources: whatever a portal answers, in its own shape, ends as it should."""

import importlib
import importlib.util
from pathlib import Path

import pytest

from flows.scaffold import left_to_do
from models.codes import Outcome
from models.procurement import Parsed
from models.source import SourceCard
from pipeline.cards import load_source_card
from pipeline.parse import format_of
from pipeline.store import DATA
from tests.driver import Answers, Walk, drive, ended, make_spider

SITUATIONS = {"pages", "empty", "malformed", "error_in_200", "challenge", "changed_field"}
CARDS = sorted(path.stem for path in (DATA / "sources").glob("*.yml"))


def card_of(source_id: str) -> SourceCard:
    return load_source_card(DATA / "sources", source_id)


def has_answers(source_id: str) -> bool:
    return importlib.util.find_spec(f"tests.answers.{source_id}") is not None


def answers_of(source_id: str) -> Answers:
    if not has_answers(source_id):
        pytest.fail(
            f"{source_id} has a card and no answers to test it with; see tests/driver.py and docs/new-source.md"
        )
    found: Answers = importlib.import_module(f"tests.answers.{source_id}").ANSWERS
    return found


def walks() -> list[tuple[str, str]]:
    # A source without answers fails by itself; the others are tested all the same.
    return [
        (source_id, name)
        for source_id in CARDS
        for name in sorted(answers_of(source_id).walks if has_answers(source_id) else SITUATIONS)
    ]


@pytest.mark.parametrize("source_id", CARDS)
def test_every_source_is_tested_in_every_situation(source_id: str) -> None:
    assert answers_of(source_id).walks.keys() >= SITUATIONS


@pytest.mark.parametrize(("source_id", "name"), walks())
def test_an_answer_ends_as_it_should(tmp_path: Path, source_id: str, name: str) -> None:
    answers = answers_of(source_id)
    walk: Walk = answers.walks[name]
    spider = make_spider(tmp_path, card_of(source_id), answers.queries)
    asked = drive(spider, walk.answer)
    told = {p.kind for p in (*spider.failures, *spider.notes)}
    outcome, reason = ended(spider)
    assert (outcome, spider.records) == (walk.outcome, walk.records), f"{reason}; told: {told}"
    assert told >= walk.kinds
    assert asked, "the spider asked for nothing"
    if outcome is not Outcome.COMPLETE and outcome is not Outcome.EMPTY:
        assert reason


@pytest.mark.parametrize("source_id", CARDS)
def test_every_status_word_is_read(source_id: str) -> None:
    card = card_of(source_id)
    words = {word.key: word for word in answers_of(source_id).statuses}
    assert words.keys() == card.lifecycle.keys()
    for key, word in words.items():
        assert card.lifecycle[key] is word.lifecycle, key
        read = set()
        for item in format_of(card).parse_page(word.page, card, "0" * 64, word.url):
            if isinstance(item, Parsed):
                read |= {item.release.status.lifecycle} | {c.status.lifecycle for c in item.release.children}
        assert word.lifecycle in read, key


@pytest.mark.parametrize("source_id", CARDS)
def test_nothing_is_left_to_do(source_id: str) -> None:
    left = left_to_do(source_id)
    assert not left, f"{source_id} is crawled only when these {len(left)} lines say what is so:\n" + "\n".join(left)

"""The words that portals are asked for are words that our rules read, each in its own language."""

from pathlib import Path

import pytest

from models.assessment import Segment
from pipeline.flag import Flagger
from pipeline.queries import load_terms, query_id
from pipeline.rules import load_rules
from pipeline.screen import Screen

DATA = Path(__file__).parent.parent / "data"
RULES = load_rules(DATA / "rules")
FLAGGER = Flagger(RULES)
SCREEN = Screen(RULES)
TERMS = load_terms(DATA / "queries.yml")
ALL = [(language, term) for language, terms in TERMS.items() for term in terms]


def readers(language: str, text: str) -> set[str]:
    """Languages of the technology and probe rules that find a text."""
    mentions = FLAGGER.mentions([Segment(where="title", text=text, language=language)])
    found = [RULES.by_id[mention.rule_id] for mention in mentions if mention.technology]
    found += [RULES.by_id[rule_id] for rule_id in SCREEN.probe(text)]
    return {code for rule in found for code in rule.language.split("-")}


@pytest.mark.parametrize(("language", "term"), ALL)
def test_a_term_is_read_by_a_rule_of_its_language(language: str, term: str) -> None:
    assert language in readers(language, term)


def test_a_word_that_no_rule_knows_is_read_by_none() -> None:
    assert readers("es", "reconocimiento de deuda") == set()


def test_terms_are_few_and_every_one_is_its_own_query() -> None:
    assert set(TERMS) >= {"en", "es", "pt", "it", "he", "fr", "de", "th", "my", "zh", "ja"}
    for terms in TERMS.values():
        assert 5 <= len(terms) <= 12
        assert len({query_id("text", term) for term in terms}) == len(terms)

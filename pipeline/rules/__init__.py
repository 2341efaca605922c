"""Rules: what phrases mean, read from `data/rules`. Knows nothing of matching."""

from pipeline.rules.load import RuleFileError, load_rules
from pipeline.rules.model import Code, CueCategory, Direction, Kind, Reach, Rule, RuleSet, Strength
from pipeline.rules.phrases import PhraseError, expand

__all__ = [
    "Code",
    "CueCategory",
    "Direction",
    "Kind",
    "PhraseError",
    "Reach",
    "Rule",
    "RuleFileError",
    "RuleSet",
    "Strength",
    "expand",
    "load_rules",
]

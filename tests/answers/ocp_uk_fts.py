"""The registry's publication `united_kingdom_fts`."""

from tests.answers.registry import answers

ANSWERS = answers("united_kingdom_fts")

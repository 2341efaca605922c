"""The registry's publication `united_kingdom_contracts_finder_releases`."""

from tests.answers.registry import answers

ANSWERS = answers("united_kingdom_contracts_finder_releases")

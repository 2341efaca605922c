"""The letter's clauses from `data/letter.yml`: short texts, whom each addresses, and what can be asked of a company."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml
from pydantic import ValidationError

from models.base import Record
from pipeline.errors import WrongUse
from pipeline.store import DATA

LETTER: Final = DATA / "letter.yml"
COMPANY_ASKS: Final = ("call.2.a", "call.2.b", "call.2.c", "call.2.d")
INVESTOR_ASKS: Final = ("call.4.b",)


class Clause(Record):
    """One clause in our own words; `ask` and `test` only where something can be asked of a company or investor."""

    id: str
    to: str
    text: str
    ask: str = ""
    test: str = ""


class Letter(Record):
    """The letter: where it comes from, and its clauses in its own order."""

    title: str
    issued_by: str
    dated: str
    addressees: Mapping[str, str]
    clauses: tuple[Clause, ...]

    def by_id(self) -> Mapping[str, Clause]:
        """Clauses by id."""
        return MappingProxyType({clause.id: clause for clause in self.clauses})

    def asks(self, ids: tuple[str, ...]) -> tuple[Clause, ...]:
        """The clauses of `ids`, in that order."""
        known = self.by_id()
        return tuple(known[clause_id] for clause_id in ids)


def load_letter(path: Path = LETTER) -> Letter:
    """Reads the clauses. Raises WrongUse, naming the file, when it is missing, malformed or lacks an ask."""
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        head = raw["letter"]
        letter = Letter(
            title=head["title"],
            issued_by=head["issued_by"],
            dated=str(head["dated"]),
            addressees=raw["addressees"],
            clauses=tuple(Clause.model_validate(entry) for entry in raw["clauses"]),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise WrongUse(f"The clauses in {path} cannot be read: {error}.") from error
    known = letter.by_id()
    if len(known) != len(letter.clauses):
        raise WrongUse(f"{path} gives one clause id twice.")
    for clause in letter.clauses:
        if clause.to not in letter.addressees:
            raise WrongUse(f"{path}: clause {clause.id} addresses {clause.to!r}, which is not among the addressees.")
    for clause_id in (*COMPANY_ASKS, *INVESTOR_ASKS):
        if clause_id not in known or not known[clause_id].ask:
            raise WrongUse(f"{path} has no ask for {clause_id}.")
    return letter

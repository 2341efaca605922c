"""Puts cards, rules, registry and decisions together for one store."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from models.assessment import Assessment, Segment
from models.codes import Technology
from models.ids import sha256_hex
from models.review import Review
from models.source import ColumnsCard, SourceCard
from pipeline.archive import run_info
from pipeline.candidate import Candidates, make_candidates
from pipeline.cards import load_columns_card, load_columns_cards, load_source_cards
from pipeline.errors import BadData, WrongUse
from pipeline.parse import Card
from pipeline.queries import load_terms
from pipeline.registry import Registry, load_registry
from pipeline.resolve import Resolver
from pipeline.reviews import load_reviews
from pipeline.rules import RuleSet, load_rules
from pipeline.store import DATA, Store, write_json_atomic

if TYPE_CHECKING:
    from pipeline.flag import Flagger

SAMPLE = DATA / "sample"
_MARK = "store.json"


@dataclass(frozen=True)
class House:
    """One store and everything that decides what its bytes mean. Parts are loaded when first asked for."""

    store: Store
    sample: bool = False
    rules_folder: Path = DATA / "rules"

    @cached_property
    def cards(self) -> Mapping[str, SourceCard]:
        return load_source_cards(DATA / "sources")

    @cached_property
    def rules(self) -> RuleSet:
        return load_rules(self.rules_folder)

    @cached_property
    def terms(self) -> Mapping[str, Sequence[str]]:
        """What searched portals are asked for, by language."""
        path = DATA / "queries.yml"
        return load_terms(path) if path.is_file() else {}

    @property
    def sole_purpose_names(self) -> tuple[str, ...]:
        """Names of companies whose every public contract is of interest: what searched portals are asked for."""
        return tuple(sorted(v.name for v in self.registry.vendors.values() if v.sole_purpose and not v.fictional))

    @property
    def vendor_folders(self) -> tuple[Path, ...]:
        return (DATA / "vendors", SAMPLE / "vendors") if self.sample else (DATA / "vendors",)

    @cached_property
    def registry(self) -> Registry:
        return load_registry(*self.vendor_folders)

    @cached_property
    def reviews(self) -> tuple[Review, ...]:
        return load_reviews(DATA / "reviews")

    @cached_property
    def resolver(self) -> Resolver:
        try:
            return Resolver(self.registry, self.reviews)
        except ValueError as error:
            raise WrongUse(f"A decision in {DATA / 'reviews'} does not fit the registry: {error}") from error

    @cached_property
    def candidates(self) -> Candidates:
        return make_candidates(self.rules, self.registry)

    @cached_property
    def flagger(self) -> "Flagger":
        from pipeline.flag import Flagger

        return Flagger(self.rules)

    def assess(self, segments: Sequence[Segment], sole_purpose: Technology | None) -> Assessment:
        """The rules' opinion of some texts, stamped with both versions. Loads spaCy on the first call."""
        assessment = self.flagger.assess(segments, sole_purpose)
        return assessment.model_copy(update={"registry_version": self.registry.version})

    @property
    def versions(self) -> str:
        reviews = sha256_hex("".join(r.model_dump_json() for r in self.reviews).encode())
        return f"{version('unveil')}/{self.rules.version}/{self.registry.version}/{reviews}"

    def card_of(self, source_id: str) -> Card:
        """The card of a source in the archive: a source card, a shipped columns card, or the one archived with it."""
        if source_id in self.cards:
            return self.cards[source_id]
        shipped = load_columns_cards(DATA / "columns")
        if source_id in shipped:
            return shipped[source_id]
        for folder in reversed(self.store.runs(source_id)):
            archived = run_info(folder).arguments.get("columns_card")
            if archived:
                return ColumnsCard.model_validate(archived)
        raise BadData(f"The archive holds runs of `{source_id}`, but there is no card for that source.")

    def source_card(self, source_id: str) -> SourceCard:
        if source_id not in self.cards:
            known = ", ".join(sorted(self.cards))
            raise WrongUse(f"There is no source `{source_id}`; known are {known}. See `unveil sources`.")
        return self.cards[source_id]

    def columns_card(self, name_or_path: str) -> ColumnsCard:
        return load_columns_card(DATA / "columns", name_or_path)


def open_house(store: Store) -> House:
    """The house of a store; a store that `unveil run --sample` made knows its fictional vendors."""
    mark = store.root / _MARK
    sample = mark.is_file() and bool(json.loads(mark.read_text(encoding="utf-8")).get("sample"))
    return House(store, sample)


def sample_house() -> House:
    """The house of the bundled sample: a store of its own (`UNVEIL_SAMPLE_STORE`), with its own fictional vendors."""
    store = Store(Path(os.environ.get("UNVEIL_SAMPLE_STORE") or SAMPLE / "store").expanduser().resolve())
    if store.root.is_dir() and any(store.root.iterdir()) and not open_house(store).sample:
        raise WrongUse(f"{store.root} is not a store of the sample; fictional notices must not get into a real one.")
    write_json_atomic(store.root / _MARK, {"sample": True})
    return House(store, sample=True)

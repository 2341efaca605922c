"""Decides which releases are kept whole: those the rules match, those of a vendor with one purpose, and probes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.assessment import BUYER, Mention, Segment
from models.codes import Candidacy, Role
from models.procurement import Release
from pipeline.glance import Glance, make_glance
from pipeline.registry import Registry, load_registry
from pipeline.resolve import Resolver
from pipeline.rules import RuleSet, load_rules
from pipeline.screen import Screen, side_by_side
from pipeline.store import DATA

_BUYING = (Role.BUYER, Role.PROCURING_ENTITY)
_SUPPLYING = (Role.SUPPLIER, Role.TENDERER, Role.SUBCONTRACTOR, Role.MANUFACTURER)


@dataclass(frozen=True)
class Candidates:
    """The screen, the rules and the registry, put together once and asked of every release."""

    rules: RuleSet
    registry: Registry
    screen: Screen
    resolver: Resolver
    mentions: Callable[[Sequence[Segment]], list[Mention]]
    glance: Glance

    def decide(self, release: Release) -> tuple[Candidacy | None, tuple[str, ...]]:
        """Why the release is a candidate, with the rule ids or vendor ids that say so; (None, ()) if it is none."""
        vendors = self.sole_purpose_vendors(release)
        text = release_text(release)
        if self.screen.may_match(text):
            found = self.mentions(release_segments(release))
            rule_ids = tuple(dict.fromkeys(m.rule_id for m in found if m.technology is not None))
            if rule_ids:
                return Candidacy.TEXT, rule_ids
        if vendors:
            return Candidacy.VENDOR, vendors
        probes = self.screen.probe(text, release.classifications)
        if probes:
            return Candidacy.PROBE, probes
        return None, ()

    def sole_purpose_vendors(self, release: Release) -> tuple[str, ...]:
        """Registry vendors with one purpose, in scope, among the release's suppliers and tenderers."""
        found = []
        for party in release.with_role(*_SUPPLYING):
            if party.natural_person:
                continue
            match = self.resolver.match(party.name, party.identifiers, party.country, release.country)
            if match.vendor_id and match.named and self.registry.vendors[match.vendor_id].sole_purpose:
                found.append(match.vendor_id)
        return tuple(dict.fromkeys(found))


def release_text(release: Release) -> str:
    """All free text of a release, for the screen."""
    return side_by_side([release.title, *(t.text for t in release.texts), *(d.title for d in release.documents)])


def buyer_segments(release: Release) -> list[Segment]:
    """The names of who buys: a police force's "biometric equipment" is bought by a police force. They are no text."""
    names = dict.fromkeys(party.name for party in release.with_role(*_BUYING) if not party.natural_person)
    return [Segment(where=BUYER, text=name, language=release.language) for name in names if name]


def release_segments(release: Release) -> list[Segment]:
    """The release's free texts, each once, with their pointers, and the names of its buyers."""
    segments = buyer_segments(release)
    seen = set()
    for text in release.texts:
        if text.text not in seen:
            seen.add(text.text)
            language = text.language or release.language
            segments.append(Segment(where=text.pointer, text=text.text, language=language))
    return segments


def load_candidates(vendor_folders: Sequence[Path] = (), rules_folder: Path | None = None) -> Candidates:
    """Rules from `data/rules` and vendors from `data/vendors` plus any further folders.

    spaCy is loaded only when the first text passes the screen.
    """
    rules = load_rules(rules_folder or DATA / "rules")
    registry = load_registry(DATA / "vendors", *vendor_folders)
    return make_candidates(rules, registry)


def make_candidates(rules: RuleSet, registry: Registry) -> Candidates:
    screen = Screen(rules, registry.literals())
    return Candidates(
        rules=rules,
        registry=registry,
        screen=screen,
        resolver=Resolver(registry),
        mentions=_lazy_mentions(rules),
        glance=make_glance(screen, registry),
    )


def _lazy_mentions(rules: RuleSet) -> Callable[[Sequence[Segment]], list[Mention]]:
    made: list[Callable[[Sequence[Segment]], list[Mention]]] = []

    def mentions(segments: Sequence[Segment]) -> list[Mention]:
        if not made:
            from pipeline.flag import Flagger

            made.append(Flagger(rules).mentions)
        return made[0](segments)

    return mentions

"""A supplier's name is matched only on exact grounds, and named only through the gate."""

import time
from datetime import date
from pathlib import Path

import pytest

from models.procurement import Identifier
from models.review import Review
from pipeline.registry import Registry, load_registry
from pipeline.resolve import Resolver

VENDORS = Path(__file__).parent.parent / "data" / "vendors"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(VENDORS)


@pytest.fixture(scope="module")
def resolver(registry: Registry) -> Resolver:
    return Resolver(registry)


def review(subject_id: str, decision: str, day: int = 1) -> Review:
    return Review.model_validate(
        {"subject": "match", "subject_id": subject_id, "decision": decision, "reason": "read the record",
         "reviewer_role": "researcher", "decided_on": date(2026, 1, day)}
    )  # fmt: skip


def test_a_full_legal_name_with_its_country_is_named(resolver: Resolver) -> None:
    match = resolver.match("CLEARVIEW AI, INC.", buyer_country="US")
    assert (match.vendor_id, match.score, match.method, match.named) == ("clearview", 0.95, "exact_name", True)
    assert match.named_why == "full legal name, unique, and the buyer's country US agrees with the vendor's, US"


@pytest.mark.parametrize(
    ("name", "country"),
    [
        ("KHARONS CLEARVIEW TOOL", "US"),
        ("1NTEGER LLC", "US"),
        ("T STAMP INC.", "US"),
        ("FLOCK HOMES, INC.", "US"),
        ("AXON HOLDINGS GROUP", "US"),
        ("Toenec Corp", "JP"),
        ("IRIS AUTOMATION, INC.", "US"),
        ("CLOUDWALK, INC.", "US"),
        ("CLOUDWALK, INC.", "BR"),
        ("LEIDOS, INC.", "US"),
        ("Valid", "BR"),
        ("Oi", "BR"),
        ("AWARE", "US"),
        ("DYSLIPIDEMIA GROUP", "FR"),
        ("Cangzhou Dahua", "CN"),
        ("Aurora", "GB"),
        ("ROC", "IN"),
        ("", "US"),
        ("...", "US"),
    ],
)
def test_another_company_is_not_matched(resolver: Resolver, name: str, country: str) -> None:
    match = resolver.match(name, buyer_country=country)
    assert (match.vendor_id, match.score, match.method, match.named) == (None, 0.0, "none", False)
    assert match.why


@pytest.mark.parametrize(
    ("name", "country", "buyer", "official", "vendor", "score", "named_why"),
    [
        ("CLEARVIEW AI, INC.", None, None, True, "clearview", 0.85, "no country is known"),
        ("CLEARVIEW AI, INC.", None, "GB", True, "clearview", 0.85, "the buyer's country GB differs"),
        ("CLEARVIEW AI, INC.", "CA", "US", True, "clearview", 0.6, "the supplier's country CA differs"),
        ("CLEARVIEW AI, INC.", "US", None, False, "clearview", 0.95, "not quoted from an official record"),
        ("Clearview AI", None, "US", True, "clearview", 0.85, "not the full legal name with its legal form"),
        ("CLEARVIEW AI LLC", None, "US", True, "clearview", 0.75, "not the full legal name with its legal form"),
        ("Hikvision", None, "GB", True, "hikvision", 0.8, "not the full legal name with its legal form"),
        ("AWARE, INC.", None, "US", True, "aware", 0.85, "the name is on the ambiguous list"),
        ("PALANTIR TECHNOLOGIES INC.", None, "US", True, "palantir", 0.85, "the vendor's country has no source"),
    ],
)
def test_the_gate_says_what_is_missing(
    resolver: Resolver, name: str, country: str | None, buyer: str | None, official: bool, vendor: str, score: float,
    named_why: str,
) -> None:  # fmt: skip
    match = resolver.match(name, country=country, buyer_country=buyer, official_record=official)
    assert (match.vendor_id, match.score, match.named) == (vendor, score, False)
    assert match.named_why.startswith(named_why)


def test_an_ambiguous_word_needs_the_suppliers_own_country(resolver: Resolver) -> None:
    assert resolver.match("CloudWalk", country="CN").vendor_id == "cloudwalk"
    assert not resolver.match("CloudWalk", country="CN").named
    assert resolver.match("CloudWalk", buyer_country="CN").vendor_id is None
    assert resolver.match("CLOUDWALK, INC.", country="CN").vendor_id is None


def test_an_identifier_decides_unless_it_is_contradicted(resolver: Resolver) -> None:
    axon = Identifier(scheme="US-SEC-CIK", id="1069183")
    match = resolver.match("A NEW NAME", [axon])
    assert (match.vendor_id, match.score, match.method, match.named) == ("axon", 1.0, "identifier", True)
    assert not resolver.match("A NEW NAME", [axon], official_record=False).named
    contradicted = resolver.match("CLEARVIEW AI, INC.", [axon], buyer_country="US")
    assert contradicted.vendor_id is None
    assert "the identifier is that of axon, the name that of clearview" in contradicted.why
    namesake = resolver.match("AXON ENTERPRISE, INC.", [Identifier(scheme="US-SEC-CIK", id="999")], buyer_country="US")
    assert namesake.vendor_id is None
    unrelated = resolver.match("AXON ENTERPRISE, INC.", [Identifier(scheme="US-XX", id="999")], buyer_country="US")
    assert unrelated.named


def test_a_persons_decision_comes_first(registry: Registry) -> None:
    decisions = [
        review("KHARONS CLEARVIEW TOOL|clearview", "accept"),
        review("CLEARVIEW AI, INC.|clearview", "reject"),
        review("AXON ENTERPRISE, INC.|axon", "dispute"),
        review("Valid|valid", "reject", 1),
        review("Valid|valid", "accept", 2),
    ]
    resolver = Resolver(registry, decisions)
    accepted = resolver.match("Kharons  Clearview Tool", buyer_country="US")
    assert (accepted.vendor_id, accepted.method, accepted.named) == ("clearview", "review", True)
    assert not resolver.match("Kharons Clearview Tool", official_record=False).named
    rejected = resolver.match("CLEARVIEW AI, INC.", buyer_country="US")
    assert (rejected.vendor_id, rejected.why) == (None, "a person ruled this match out")
    disputed = resolver.match("AXON ENTERPRISE, INC.", buyer_country="US")
    assert (disputed.vendor_id, disputed.named, disputed.named_why) == ("axon", False, "the match is disputed")
    assert resolver.match("Valid", buyer_country="BR").vendor_id == "valid"
    with pytest.raises(ValueError, match="id of a vendor"):
        Resolver(registry, [review("Somebody|nobody", "accept")])


def test_the_runner_up_is_shown_and_never_matched(resolver: Resolver) -> None:
    match = resolver.match("HIKVISION USA INC.", buyer_country="US", explain=True)
    assert (match.vendor_id, match.runner_up) == (None, "hikvision")
    assert 0.6 <= match.runner_up_score < 1
    assert resolver.match("HIKVISION USA INC.", buyer_country="US").runner_up is None


def test_bulk_matching_is_fast(resolver: Resolver) -> None:
    names = [f"UNRELATED SUPPLIER {number} OF GOODS, LLC" for number in range(10_000)]
    started = time.perf_counter()
    found = [resolver.match(name, buyer_country="US").vendor_id for name in names]
    assert len(names) / (time.perf_counter() - started) > 20_000
    assert found == [None] * len(names)


def test_vendors_in_text_stand_at_word_boundaries(resolver: Resolver) -> None:
    text = "Licences for Clearview\n  AI and HIKVISION cameras (采购大华股份设备), NeoFace Watch."
    hits = resolver.vendors_in_text(text)
    assert [(hit.vendor_id, hit.text) for hit in hits] == [
        ("clearview", "Clearview\n  AI"), ("hikvision", "HIKVISION"), ("dahua", "大华股份"), ("nec", "NeoFace Watch"),
    ]  # fmt: skip
    assert all(text[hit.start : hit.end] == hit.text for hit in hits)


@pytest.mark.parametrize(
    "text",
    [
        "The offer shall remain valid for 90 days.",
        "oi, tudo bem?",
        "The contractor shall be aware of local noise rules.",
        "Patients in the dyslipidemia group improved.",
        "The works will be let under an NEC4 contract.",
        "KHARONS CLEARVIEW TOOL",
        "axon regeneration therapy",
        "O-ring seals, line 3 of the schedule, in clear text",
        "FBI fingerprint cards, 500 pieces",
        "fintechlab, intechlab and moderntechlab",
        "Let's face it, building a better tomorrow",
    ],
)
def test_common_words_are_no_vendors(resolver: Resolver, text: str) -> None:
    assert resolver.vendors_in_text(text) == []

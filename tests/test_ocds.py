"""One release of the portal's shape, mapped by hand; and each way in which one does not fit."""

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from models.codes import Basis, Lifecycle, Role, ValueKind
from models.procurement import Parsed, Release
from models.run import Problem
from models.source import SourceCard
from pipeline.cards import load_source_card
from pipeline.parse.ocds_release import parse_package
from pipeline.store import DATA

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "uk-contracts-finder-pcs-sell2wales"


@pytest.fixture(scope="module")
def card() -> SourceCard:
    return load_source_card(DATA / "sources", "uk_contracts_finder")


def award(**changes: Any) -> dict[str, Any]:
    release: dict[str, Any] = {
        "ocid": "ocds-b5fd17-00000000-0000-4000-8000-000000000001",
        "id": "11111111-0000-4000-8000-000000000001-900001",
        "language": "en",
        "date": "2026-11-20T16:21:08Z",
        "tag": ["award"],
        "initiationType": "tender",
        "tender": {
            "id": "FIC-1",
            "title": "Fictional cameras",
            "description": "Supply of live facial recognition. Write to buyer@example.org or 020 7946 0018.",
            "status": "complete",
            "classification": {"scheme": "CPV", "id": "35125300", "description": "Security cameras"},
            "value": {"amount": 918230.6, "currency": "GBP"},
            "procurementMethodDetails": "Direct award",
            "tenderPeriod": {"endDate": "2026-10-01T12:00:00Z"},
            "contractPeriod": {"startDate": "2026-12-01T00:00:00Z", "endDate": "2027-11-30T23:59:59Z"},
        },
        "parties": [
            {
                "id": "GB-CFS-1",
                "name": "Fictional Testshire Police",
                "address": {"streetAddress": "1 Example Street", "countryName": "England"},
                "contactPoint": {"name": "Jo Bloggs", "email": "jo@example.org", "telephone": "020 7946 0018"},
                "roles": ["buyer"],
            },
            {
                "id": "GB-CFS-2",
                "name": "Fictional Exemplar Vision Ltd",
                "identifier": {"legalName": "Fictional Exemplar Vision Ltd", "scheme": "GB-COH", "id": "00000000"},
                "roles": ["supplier"],
            },
        ],
        "buyer": {"id": "GB-CFS-1", "name": "Fictional Testshire Police"},
        "awards": [
            {
                "id": "ocds-b5fd17-00000000-0000-4000-8000-000000000001-1",
                "status": "active",
                "date": "2026-11-19T00:00:00Z",
                "value": {"amount": 900000, "currency": "GBP"},
                "suppliers": [{"id": "GB-CFS-2", "name": "Fictional Exemplar Vision Ltd"}],
                "contractPeriod": {"startDate": "2026-12-01T00:00:00Z", "endDate": "2027-11-30T23:59:59+00:00"},
                "documents": [
                    {
                        "id": "1",
                        "description": "Signed contract",
                        "url": "https://www.contractsfinder.service.gov.uk/Notice/Attachment/1",
                        "format": "application/pdf",
                    }
                ],
            }
        ],
    }
    return {**release, **changes}


def parse(card: SourceCard, *releases: Any) -> list[Parsed | Problem]:
    return list(parse_package(json.dumps({"releases": list(releases)}).encode(), card, "0" * 64))


def only(card: SourceCard, release: Any) -> Release:
    (item,) = parse(card, release)
    assert isinstance(item, Parsed)
    return item.release


def test_an_award_is_mapped_field_by_field(card: SourceCard) -> None:
    release = only(card, award())
    assert release.native_id == "ocds-b5fd17-00000000-0000-4000-8000-000000000001"
    assert release.title == "Fictional cameras"
    assert release.published_on == date(2026, 11, 20)
    assert release.country == "GB"
    assert (release.value.amount, release.value.kind) == (Decimal("918230.6"), ValueKind.ESTIMATE)  # type: ignore[union-attr]
    (child,) = release.children
    assert (child.kind, child.status.lifecycle, child.status.raw) == ("award", Lifecycle.ACTIVE, "active")
    assert child.ends_on == date(2027, 11, 30)
    assert child.value.amount == Decimal(900000)  # type: ignore[union-attr]
    assert child.supplier_ids == ("GB-CFS-2",)
    supplier = release.with_role(Role.SUPPLIER)[0]
    assert [(i.scheme, i.id) for i in supplier.identifiers] == [("GB-COH", "00000000")]
    assert release.with_role(Role.BUYER)[0].country == "GB"
    assert [d.format for d in release.documents] == ["application/pdf"]


def test_contact_people_addresses_and_numbers_are_dropped(card: SourceCard) -> None:
    stored = only(card, award()).model_dump_json()
    for personal in ("Jo Bloggs", "jo@example.org", "buyer@example.org", "7946", "Example Street"):
        assert personal not in stored
    texts = {t.pointer: t.text for t in only(card, award()).texts}
    assert texts["/tender/description"] == (
        "Supply of live facial recognition. Write to █████████████████ or █████████████."
    )


def test_a_supplier_who_is_a_person_keeps_no_name(card: SourceCard) -> None:
    raw = award()
    raw["parties"][1] = {"id": "GB-CFS-3", "name": "Mr John Smith", "roles": ["supplier"]}
    raw["awards"][0]["suppliers"] = [{"id": "GB-CFS-3", "name": "Mr John Smith"}]
    release = only(card, raw)
    person = release.with_role(Role.SUPPLIER)[0]
    assert (person.natural_person, person.name) == (True, "")
    assert release.children[0].supplier_ids == (person.local_id,)
    assert "Smith" not in release.model_dump_json()


def test_the_id_of_a_process_does_not_depend_on_content(card: SourceCard) -> None:
    first, second = only(card, award()), only(card, award(date="2026-11-21T00:00:00Z"))
    assert first.contract_id == second.contract_id
    assert first.release_id != second.release_id


@pytest.mark.parametrize(
    ("tag", "status", "lifecycle", "basis"),
    [
        ("planning", "planning", Lifecycle.PLANNED, Basis.STATUS),
        ("planning", "planned", Lifecycle.PLANNED, Basis.STATUS),
        ("tender", "active", Lifecycle.TENDER, Basis.STATUS),
        ("tenderAmendment", "active", Lifecycle.TENDER, Basis.STATUS),
        ("tender", "withdrawn", Lifecycle.CANCELLED, Basis.STATUS),
        ("tender", "unsuccessful", Lifecycle.CANCELLED, Basis.STATUS),
        ("tenderCancellation", "active", Lifecycle.CANCELLED, Basis.EVENT),
    ],
)
def test_each_status_word_has_its_lifecycle(
    card: SourceCard, tag: str, status: str, lifecycle: Lifecycle, basis: Basis
) -> None:
    raw = award(tag=[tag], awards=[])
    raw["tender"]["status"] = status
    found = only(card, raw).status
    assert (found.lifecycle, found.basis) == (lifecycle, basis)


def test_a_contract_terminated_after_its_end_date_is_complete(card: SourceCard) -> None:
    contracts = [
        {"id": "c1", "awardID": "a1", "status": "terminated", "period": {"endDate": "2026-01-31T00:00:00Z"}},
        {"id": "c2", "awardID": "a1", "status": "terminated", "period": {"endDate": "2028-01-31T00:00:00Z"}},
    ]
    found = only(card, award(awards=[], contracts=contracts)).children
    assert [(c.status.lifecycle, c.status.basis) for c in found] == [
        (Lifecycle.COMPLETE, Basis.DATES),
        (Lifecycle.TERMINATED, Basis.STATUS),
    ]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"ocid": ""}, "missing_field"),
        ({"id": None}, "missing_field"),
        ({"date": None}, "missing_field"),
        ({"date": "soon"}, "unreadable_date"),
        ({"ocid": ["x"]}, "wrong_type"),
        ({"tender": None, "awards": []}, "missing_field"),
    ],
)
def test_a_release_that_lacks_what_we_rely_on_is_rejected_by_name(
    card: SourceCard, changes: dict[str, Any], kind: str
) -> None:
    (problem,) = parse(card, award(**changes))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.severity, problem.pointer) == (kind, "rejected", "/releases/0")


def test_new_kinds_are_kept_and_reported(card: SourceCard) -> None:
    raw = award(novelty=1)
    raw["tender"]["status"] = "postponed"
    raw["tender"]["value"] = {"amount": "1e9999x", "currency": "GBP"}
    raw["awards"] = []
    item, *notes = parse(card, raw)
    assert isinstance(item, Parsed)
    assert item.release.status.raw == "postponed"
    assert item.release.status.lifecycle is Lifecycle.UNKNOWN
    assert item.release.value is None
    assert sorted(n.kind for n in notes if isinstance(n, Problem)) == [
        "unknown_code",
        "unknown_field",
        "unreadable_amount",
    ]


def test_a_page_without_releases_and_a_broken_page_are_named(card: SourceCard) -> None:
    (missing,) = parse_package(b'{"message": "Internal error"}', card, "0" * 64)
    (broken,) = parse_package(b'{"releases": [', card, "0" * 64)
    assert isinstance(missing, Problem)
    assert isinstance(broken, Problem)
    assert (missing.kind, broken.kind) == ("missing_field", "malformed_json")


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real portal data is not here")
def test_every_real_release_of_the_portal_is_parsed(card: SourceCard) -> None:
    rows = (REAL / "england-contracts-finder.jsonl").read_text(encoding="utf-8").splitlines()
    items = parse(card, *(json.loads(row) for row in rows))
    releases = [i.release for i in items if isinstance(i, Parsed)]
    assert len(releases) == 201
    assert len({r.release_id for r in releases}) == 201
    assert len({r.native_id for r in releases}) == 190
    assert [i for i in items if isinstance(i, Problem) and i.severity == "rejected"] == []
    assert not re.search(r"\w@\w", "".join(t.text for r in releases for t in r.texts))

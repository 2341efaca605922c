"""The bundled sample: the same bytes each time, in the portal's shape, plainly fictional, and readable."""

import gzip
import importlib.util
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pypdfium2
import pytest
import yaml
from stdnum import isin, lei

from flows.crawl import crawl
from models.procurement import Parsed, Release
from models.run import Problem
from models.source import SourceCard
from pipeline.archive import Archived, read_run, run_info
from pipeline.parse.ocds_release import parse_package
from pipeline.portfolio import match_portfolio, read_portfolio
from pipeline.registry import load_registry
from pipeline.store import DATA, Store
from tests import sample_expected as expected

SAMPLE = DATA / "sample"
NIGHTS = sorted((SAMPLE / "archives").glob("*.warc.gz"))
LIMIT = 2_000_000


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", SAMPLE / "regenerate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def card() -> SourceCard:
    text = (DATA / "sources" / "uk_contracts_finder.yml").read_text(encoding="utf-8")
    return SourceCard.model_validate(yaml.safe_load(text))


def _answers(role: str) -> Iterator[Archived]:
    for path in NIGHTS:
        yield from (a for a in read_run(path) if a.payload.role == role)


def _parsed(card: SourceCard) -> Iterator[Parsed | Problem]:
    for page in _answers("page"):
        yield from parse_package(page.body(), card, page.payload.sha256)


def _raw() -> Iterator[dict[str, Any]]:
    for page in _answers("page"):
        yield from json.loads(page.body())["releases"]


@pytest.fixture(scope="module")
def releases(card: SourceCard) -> dict[str, Release]:
    return {i.release.release_id: i.release for i in _parsed(card) if isinstance(i, Parsed)}


def _pdf_text(body: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(body)
    return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]


def test_the_script_writes_the_committed_bytes(tmp_path: Path) -> None:
    written = _script().regenerate(tmp_path)
    assert [p.name for p in written] == [p.name for p in NIGHTS]
    for new, old in zip(written, NIGHTS, strict=True):
        assert gzip.decompress(new.read_bytes()) == gzip.decompress(old.read_bytes())
        # Another deflate (zlib-ng) packs the same content into other bytes.
        if "ng" not in zlib.ZLIB_RUNTIME_VERSION:
            assert new.read_bytes() == old.read_bytes()


def test_the_archives_are_small() -> None:
    assert sum(p.stat().st_size for p in NIGHTS) < LIMIT


def test_each_archive_says_which_night_it_holds() -> None:
    infos = [run_info(path) for path in NIGHTS]
    assert [i.run_id for i in infos] == [expected.NIGHT_1, expected.NIGHT_2]
    assert {i.source_id for i in infos} == {"uk_contracts_finder"}


@pytest.mark.parametrize("night", NIGHTS, ids=lambda path: path.name)
def test_a_replay_asks_for_exactly_what_is_archived(night: Path, card: SourceCard, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    result = crawl(store, card, replay=night, vendor_folders=(SAMPLE / "vendors",), log=tmp_path / "log")
    assert (result["outcome"], result["problems"]) == ("complete", [])
    run_id = run_info(night).run_id
    assert result["counts"]["records"] == expected.LISTED_BY_NIGHT[run_id]
    assert (result["documents_expected"], result["documents_received"]) == expected.DOCUMENTS_BY_NIGHT[run_id]

    def asked(archive: Path) -> Counter[tuple[str, int, str]]:
        return Counter((a.payload.url, a.payload.status, a.payload.sha256) for a in read_run(archive))

    assert asked(Path(result["folder"])) == asked(night)


def test_every_release_parses_without_a_problem(card: SourceCard) -> None:
    assert [item for item in _parsed(card) if isinstance(item, Problem)] == []


def test_the_nights_hold_what_is_expected_of_them(releases: dict[str, Release]) -> None:
    assert len(releases) == expected.RELEASES
    found = {r.native_id for r in releases.values()}
    assert len(found) == expected.PROCESSES
    assert found == {*expected.FLAGGED, *expected.NOT_FLAGGED, *expected.ORDINARY}
    listed = Counter(page.payload.run_id for page in _answers("page") for _ in json.loads(page.body())["releases"])
    assert listed == expected.LISTED_BY_NIGHT
    assert {tag for r in releases.values() for tag in r.tags} == {
        "planning", "tender", "tenderAmendment", "award", "awardUpdate",
    }  # fmt: skip


def test_expected_titles_buyers_suppliers_and_values_stand_in_the_releases(releases: dict[str, Release]) -> None:
    newest = {r.native_id: r for r in sorted(releases.values(), key=lambda r: r.published_raw or "")}
    for native_id, title in expected.ORDINARY.items():
        assert newest[native_id].title == title
    for native_id, finding in {**expected.FLAGGED, **expected.NOT_FLAGGED}.items():
        release = newest[native_id]
        assert (release.title, release.parties[0].name) == (finding.title, finding.buyer)
        suppliers = ["[natural person]" if p.natural_person else p.name for p in release.parties[1:]]
        assert suppliers == ([finding.supplier] if finding.supplier else [])
        value = release.children[0].value if release.children else release.value
        assert (f"{value.amount.normalize():f}" if value else None) == finding.value


def test_pages_are_chained_and_the_last_one_names_no_next() -> None:
    for path in NIGHTS:
        pages = [a for a in read_run(path) if a.payload.role == "page"]
        assert len(pages) > 1
        following = [json.loads(p.body()).get("links", {}).get("next") for p in pages]
        assert following == [*(p.payload.url for p in pages[1:]), None]


def test_releases_have_the_fields_of_the_portal(real: Path) -> None:
    def paths(value: Any, at: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for key, below in value.items():
                yield from paths(below, f"{at}/{key}")
        elif isinstance(value, list):
            for below in value:
                yield from paths(below, at)
        else:
            yield at

    source = real / "uk-contracts-finder-pcs-sell2wales" / "england-contracts-finder.jsonl"
    with source.open(encoding="utf-8") as lines:
        known = {path for line in lines for path in paths(json.loads(line))}
    assert {path for release in _raw() for path in paths(release)} <= known


def test_every_organisation_is_marked_fictional() -> None:
    for release in _raw():
        names = [p["name"] for p in release["parties"]] + [p["identifier"]["legalName"] for p in release["parties"]]
        assert all(name.startswith(("Fictional ", "Mr Fictional ")) for name in names)
    for path in (SAMPLE / "vendors").glob("*.yml"):
        vendor = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert vendor["fictional"] is True
        assert vendor["id"].startswith("fictional-")
        names = [vendor["name"], *(a["name"] for a in vendor.get("aliases", ()))]
        assert all(name.startswith("Fictional ") for name in names)


def _all_text() -> str:
    parts = [p.read_text(encoding="utf-8") for p in sorted(SAMPLE.glob("*.yml"))]
    parts += [p.read_text(encoding="utf-8") for p in sorted((SAMPLE / "vendors").glob("*.yml"))]
    parts += [(SAMPLE / "portfolio.csv").read_text(encoding="utf-8")]
    parts += [page.body().decode() for page in _answers("page")]
    return "\n".join(parts)


def test_no_real_company_is_named() -> None:
    text = _all_text()
    real_names = load_registry(DATA / "vendors").literals()
    found = [n for n in real_names if re.search(rf"(?<!\w){re.escape(n)}(?!\w)", text, re.IGNORECASE)]
    assert found == []


def test_no_host_but_the_portal_and_example_org() -> None:
    hosts = set(re.findall(r"https?://([\w.-]+)", "\n".join(json.dumps(r) for r in _raw())))
    assert {h for h in hosts if not h.endswith("example.org")} == {"www.contractsfinder.service.gov.uk"}
    assert set(re.findall(r"@([\w.-]+\w)", _all_text())) <= {
        f"{name}.example.org"
        for name in ("police", "samplevale", "exampletown", "sampleton", "market", "arena", "buses", "metro", "school",
                     "hospital", "county", "agency", "port")
    }  # fmt: skip


def test_telephone_numbers_are_those_kept_for_drama() -> None:
    numbers = re.findall(r'"telephone": "([^"]+)"', "\n".join(json.dumps(r) for r in _raw()))
    assert numbers
    assert all(re.fullmatch(r"020 7946 0\d{3}", number) for number in numbers)


def test_contact_data_of_the_notices_is_not_in_the_releases(releases: dict[str, Release]) -> None:
    archived = "\n".join(page.body().decode() for page in _answers("page"))
    kept = "\n".join(r.model_dump_json() for r in releases.values())
    for private in expected.PRIVATE:
        assert private in archived
        assert private not in kept


def test_documents_are_readable_annexes_of_two_to_six_pages() -> None:
    said = yaml.safe_load((SAMPLE / "annexes.yml").read_text(encoding="utf-8"))["contracts"]
    bodies = [a.body() for a in _answers("document") if a.payload.content_type == "application/pdf"]
    texts = [_pdf_text(body) for body in bodies]
    assert len(texts) == len(said)
    assert all(2 <= len(pages) <= 6 for pages in texts)
    whole = [" ".join(pages) for pages in texts]
    for contract in said.values():
        clauses = [clause for section in contract["sections"] for clause in section["clauses"]]
        assert any(all(clause in text for clause in clauses) for text in whole)


def test_some_documents_do_not_come() -> None:
    answers = {(a.payload.status, a.payload.content_type.partition(";")[0]) for a in _answers("document")}
    assert (404, "text/html") in answers
    assert (200, "text/html") in answers


def test_a_document_of_an_earlier_night_is_not_asked_for_again() -> None:
    asked = Counter(a.payload.url for a in _answers("document"))
    assert set(asked.values()) == {1}
    (known,) = _answers("error")
    digest = known.body().decode().removeprefix("known_document ")
    assert [a.payload.sha256 for a in _answers("document") if a.payload.url == known.payload.url] == [digest]


def test_holdings_match_as_expected() -> None:
    registry = load_registry(DATA / "vendors", SAMPLE / "vendors")
    matches = match_portfolio(read_portfolio(SAMPLE / "portfolio.csv"), registry)
    assert {m.line: (m.status, m.vendor_ids) for m in matches} == expected.HOLDINGS


def test_fictional_identifiers_are_well_formed() -> None:
    registry = load_registry(SAMPLE / "vendors")
    listed = [listing.isin for v in registry.vendors.values() for listing in v.listings if listing.isin]
    assert listed
    assert all(isin.is_valid(number) and number.startswith("XSFICT") for number in listed)
    leis = [v.lei.value for v in registry.vendors.values() if v.lei]
    assert all(lei.is_valid(number) and number.startswith("FICT") for number in leis)


def test_pdfs_are_the_same_bytes_each_time() -> None:
    script = _script()
    texts = yaml.safe_load((SAMPLE / "annexes.yml").read_text(encoding="utf-8"))
    contract = texts["contracts"]["buses-cctv-upgrade"]
    first, second = (script.annex_pdf(contract, texts["common"]) for _ in range(2))
    assert first == second
    assert BytesIO(first).read(5) == b"%PDF-"

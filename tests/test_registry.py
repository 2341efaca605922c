"""The shipped registry holds only sourced facts, and a bad file stops the loading with its place and reason."""

import re
import time
from pathlib import Path

import pytest
import yaml
from stdnum import isin as stdnum_isin
from stdnum import lei as stdnum_lei

from pipeline.names import has_legal_form, normalise, squash, without_legal_form
from pipeline.registry import Registry, RegistryError, load_registry

VENDORS = Path(__file__).parent.parent / "data" / "vendors"
PUBLIC = re.compile(r"^(?:https?://\S+\.\S+|github:[\w.-]+/[\w.-]+ .+@[0-9a-f]{40})$")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(VENDORS)


def write(folder: Path, vendor_id: str, **fields: object) -> Path:
    body = {"id": vendor_id, "name": "Exemplar Ltd", "sources": ["https://example.org/a"]} | fields
    path = folder / f"{vendor_id}.yml"
    path.write_text(yaml.safe_dump(body, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def sources_of(value: object) -> list[str]:
    if isinstance(value, dict):
        own = value.get("source")
        return ([own] if isinstance(own, str) else []) + [s for v in value.values() for s in sources_of(v)]
    if isinstance(value, list | tuple):
        return [s for item in value for s in sources_of(item)]
    return []


def test_every_shipped_file_loads_fast(registry: Registry) -> None:
    started = time.perf_counter()
    again = load_registry(VENDORS)
    assert time.perf_counter() - started < 0.6
    assert len(again.vendors) == len(list(VENDORS.glob("*.yml"))) == 361
    assert again.version == registry.version


def test_every_shipped_fact_has_a_public_source(registry: Registry) -> None:
    for vendor in registry.vendors.values():
        assert vendor.sources, vendor.id
        assert not vendor.fictional, vendor.id
        for source in [*vendor.sources, *sources_of(vendor.model_dump())]:
            assert "code index" not in source, vendor.id
            for part in source.split(" ; "):
                assert PUBLIC.match(part), (vendor.id, part)


def test_every_shipped_number_has_its_check_digit(registry: Registry) -> None:
    isins = [listing.isin for v in registry.vendors.values() for listing in v.listings if listing.isin]
    assert len(isins) == 102
    assert all(stdnum_isin.is_valid(isin) for isin in isins)
    assert all(stdnum_lei.is_valid(v.lei.value) for v in registry.vendors.values() if v.lei)


def test_only_clearview_is_of_sole_purpose(registry: Registry) -> None:
    assert [v.id for v in registry.vendors.values() if v.sole_purpose] == ["clearview"]
    fact = registry.sole_purpose("clearview")
    assert fact is not None
    assert fact.technology == "face_identification"
    assert "ICO-orders-facial-recognition-firm-Clearview-AI" in fact.source
    assert registry.sole_purpose("hikvision") is None
    assert registry.sole_purpose("nobody") is None


def test_what_has_no_public_source_is_left_out(registry: Registry) -> None:
    assert "flock" not in registry.vendors
    assert "genetec" not in registry.vendors
    clearview = registry.vendors["clearview"]
    assert clearview.registers == ()
    assert clearview.country is not None
    assert clearview.country.value == "US"
    slugs = {"bm", "f8", "anke", "twface", "ytu", "vion", "mobbl", "isap"}
    assert not slugs & {alias.name for v in registry.vendors.values() for alias in v.aliases}
    assert all("stamp" not in squash(name) for _, name, _, _ in registry.names())


def test_literals_leave_out_ambiguous_and_short_names(registry: Registry) -> None:
    literals = set(registry.literals())
    assert {"Clearview AI", "IDEMIA", "Hikvision", "FindFace", "NeoFace Watch", "大华股份"} <= literals
    for name in [
        "Clearview", "Valid", "Oi", "Aware", "CLEAR", "NEC", "Axon", "Morpho", "Microsoft", "Amazon.com", "FaceIt",
        "SARI", "Fingerprint Cards", "CloudWalk", "Dahua", "Canon", "Suspect Search", "NICE",
    ]:  # fmt: skip
        assert name not in literals, name
    assert all(len(squash(literal)) >= 5 for literal in literals)
    party = {literal.casefold() for literal in registry.party_literals()}
    assert {"clearview", "clearview ai", "valid", "oi", "aware", "nec", "axon enterprise"} <= party


def test_securities_and_subsidiaries(registry: Registry) -> None:
    assert registry.by_security(isin="CNE100000PM8") == ("hikvision",)
    assert registry.by_security(ticker="6701", mic="XTKS") == ("nec",)
    assert registry.by_security(ticker="6701", mic="XTAI") == ()
    assert registry.by_security(isin="US0000000000") == ()
    assert set(registry.subsidiaries("motorola-solutions")) == {
        "avigilon", "pelco", "vaas", "vigilant", "edesix", "watchguard-video",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"listings": [{"ticker": "X", "isin": "CNE100000PM9", "source": "https://a.example"}]}, "wrong check digit"),
        ({"lei": {"value": "ZXTILKJKG63JELOFO76", "source": "https://a.example"}}, "wrong check digits"),
        ({"parents": [{"vendor_id": "nobody", "source": "https://a.example"}]}, "'nobody' is not in the registry"),
        ({"country": {"value": "Norway", "source": "https://a.example"}}, "not two capital letters"),
        ({"colour": "red"}, "field colour: Extra inputs are not permitted"),
        ({"sources": []}, "no source is given"),
        ({"id": "other"}, "must be the file's name"),
    ],
)
def test_a_bad_file_stops_with_its_reason(tmp_path: Path, fields: dict[str, object], reason: str) -> None:
    path = write(tmp_path, "exemplar", **fields)
    with pytest.raises(RegistryError, match=re.escape(reason)) as caught:
        load_registry(tmp_path)
    assert caught.value.path == path


def test_the_line_of_a_mistake_is_named(tmp_path: Path) -> None:
    path = tmp_path / "exemplar.yml"
    path.write_text("id: exemplar\nname: Exemplar\ncountry: NO\nsources: [https://a.example]\n", encoding="utf-8")
    with pytest.raises(RegistryError, match=r"exemplar\.yml:3: field country"):
        load_registry(tmp_path)
    path.write_text("id: exemplar\nname: [\n", encoding="utf-8")
    with pytest.raises(RegistryError, match=r"exemplar\.yml:3: is not YAML"):
        load_registry(tmp_path)


def test_ids_and_numbers_are_unique_across_folders(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    write(one, "exemplar")
    write(two, "exemplar")
    with pytest.raises(RegistryError, match="already taken"):
        load_registry(one, two)
    (two / "exemplar.yml").unlink()
    listing = [{"ticker": "X", "isin": "CNE100000PM8", "source": "https://a.example"}]
    write(one, "exemplar", listings=listing)
    write(two, "second", name="Second Ltd", listings=listing)
    with pytest.raises(RegistryError, match="the ISIN CNE100000PM8 is also that of exemplar"):
        load_registry(one, two)
    with pytest.raises(RegistryError, match="is not a folder"):
        load_registry(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "key", "form"),
    [
        ("CLEARVIEW AI, INC.", "clearview ai", "inc"),
        ("The Clearview AI Incorporated", "clearview ai", "inc"),
        ("Hangzhou Hikvision Digital Technology Co.,Ltd", "hangzhou hikvision digital technology", "co ltd"),
        ("Videmo Intelligente Videoanalyse GmbH & Co. KG", "videmo intelligente videoanalyse", "gmbh and co kg"),
        ("ООО Технологии видеоанализа", "tekhnologii videoanaliza", "ooo"),
        ("杭州海康威视数字技术股份有限公司", "hangzhouhaikangweishishuzijishu", "股份有限公司"),
        ("Papilon Savunma A.Ş.", "papilon savunma", "as"),
        ("Leonardo S.p.A.", "leonardo", "spa"),
        ("TOOLS MAN, INC., THE", "tools man", "inc"),
        ("NEC Corporation of America", "nec corporation of america", "corp"),
        ("BitCenter UK", "bitcenter uk", ""),
        ("Smith & Sons L L C", "smith and sons", "llc"),
        ("LLC", "llc", ""),
        ("", "", ""),
    ],
)
def test_names_are_folded(name: str, key: str, form: str) -> None:
    assert normalise(name) == (key, form)
    assert has_legal_form(name) == bool(form)


def test_the_bare_name_keeps_its_script_and_case() -> None:
    assert without_legal_form("Clearview AI, Inc.") == "Clearview AI"
    assert without_legal_form("АО ‘Электронная Москва’") == "Электронная Москва"
    assert without_legal_form("Face++") == "Face++"

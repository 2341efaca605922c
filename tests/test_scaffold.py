"""A new source's files: what each platform gets, that their tests run at once, and that docs/new-source.md is true."""

import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from flows.scaffold import PLATFORMS, left_to_do, new_source
from models.codes import Lifecycle
from pipeline.cards import load_source_card
from pipeline.errors import WrongUse
from pipeline.xml_places import element_at, parse_xml, text_of
from tests.command import CHECKOUT

CARD, SPIDER, PARSER, ANSWERS = "data/sources/{}.yml", "spiders/{}.py", "pipeline/parse/{}.py", "tests/answers/{}.py"
# What is made for a source of each platform; a portal of OCDS pages or files needs no code of its own.
MADE = {
    "ocds_links": [CARD, ANSWERS],
    "bulk": [CARD, ANSWERS],
    "search": [CARD, SPIDER, PARSER, ANSWERS],
    "xml_notices": [CARD, SPIDER, PARSER, ANSWERS],
    "sql": [CARD, SPIDER, PARSER, ANSWERS],
}
# A platform is scaffolded from the day it has a class.
HERE = [name for name in PLATFORMS if (CHECKOUT / "spiders/platforms" / f"{name}.py").is_file()]
LIKE = ("uk_contracts_finder", "us_usaspending", "il_budgetkey", "eu_ted", "ocp_uk_fts")
NEEDED = ("tests/__init__.py", "tests/driver.py", "tests/portal.py", "tests/test_sources.py", "pyproject.toml")


@dataclass(frozen=True)
class Made:
    """A copy of the checkout with new sources in it. `results` has what each of their tests came to."""

    checkout: Path
    files: dict[str, list[str]]
    results: dict[str, str]


def copied(folder: Path) -> Path:
    """The code, the data and the tests of sources, as somebody who adds a source has them."""
    for room in ("models", "pipeline", "spiders", "flows", "data", "tests/answers"):
        shutil.copytree(CHECKOUT / room, folder / room, ignore=shutil.ignore_patterns("store", ".git*"))
    for name in NEEDED:
        shutil.copy2(CHECKOUT / name, folder / name)
    return folder


def ran(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in that checkout; its code, not this one's, is imported. stdout and stderr are one."""
    # Where CI is set pytest tells everything at full length; the page shows what a person at a terminal sees.
    env = {k: v for k, v in os.environ.items() if not k.startswith("UNVEIL_") and k not in ("CI", "BUILD_NUMBER")}
    return subprocess.run(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=checkout,
        env=env | {"PYTHONPATH": str(checkout), "UNVEIL_STORE": str(checkout / "store")},
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    checkout = copied(tmp_path_factory.mktemp("checkout"))
    sources = {f"xx_{platform}": {"platform": platform} for platform in HERE}
    sources |= {f"xx_like_{like}": {"like": like} for like in LIKE}
    sources["xx_found_ocds"] = {"platform": "search", "form": "ocds"}
    files = {
        source_id: [str(p.relative_to(checkout)) for p in new_source(source_id, **said, checkout=checkout)]
        for source_id, said in sources.items()
    }
    told = ran(checkout, "pytest", "-rA", "--tb=no", "-p", "no:cacheprovider", "tests/test_sources.py", "-k", "xx_")
    results = {name: word for word, name in re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\S+)", told.stdout, re.MULTILINE)}
    assert results, told.stdout
    return Made(checkout, files, results)


@pytest.mark.parametrize("platform", HERE)
def test_each_platform_gets_its_files(made: Made, platform: str) -> None:
    source_id = f"xx_{platform}"
    assert made.files[source_id] == [pattern.format(source_id) for pattern in MADE[platform]]
    card = load_source_card(made.checkout / "data/sources", source_id)
    assert (card.platform, card.verified_on, card.robots.policy) == (platform, None, "obey")
    # All publications of the registry are found in its one list; elsewhere nobody is asked by mistake.
    registry = "https://data.open-contracting.org/publications.json"
    assert card.start_url == (registry if platform == "bulk" else "https://todo.invalid/api")


def test_tests_of_new_sources_pass_and_only_what_is_left_to_do_fails(made: Made) -> None:
    assert {name for name, word in made.results.items() if word != "PASSED"} == {
        f"test_nothing_is_left_to_do[{source_id}]" for source_id in made.files
    }
    for source_id in made.files:
        situations = {
            name for name in made.results if name.startswith(f"test_an_answer_ends_as_it_should[{source_id}-")
        }
        assert len(situations) >= 6, source_id
        assert made.results[f"test_every_status_word_is_read[{source_id}]"] == "PASSED"


def test_what_is_made_is_formatted_and_clean(made: Made) -> None:
    code = [name for names in made.files.values() for name in names if name.endswith(".py")]
    for check in (("check",), ("format", "--check")):
        done = ran(made.checkout, "ruff", *check, "--no-cache", *code)
        assert done.returncode == 0, done.stdout


def test_a_source_like_another_keeps_its_settings_and_none_of_its_claims(made: Made) -> None:
    folder = made.checkout / "data/sources"
    like, new = load_source_card(folder, "il_budgetkey"), load_source_card(folder, "xx_like_il_budgetkey")
    assert (new.platform, new.format, new.lifecycle, new.documents) == (
        like.platform, like.format, like.lifecycle, like.documents,
    )  # fmt: skip
    assert (new.name, new.publisher, new.licence, new.countries, new.languages) == (
        "TODO", "TODO", "TODO", ("TODO",), ("TODO",),
    )  # fmt: skip
    assert (new.namespace, new.verified_on, new.robots.policy) == ("xx-like-il-budgetkey", None, "obey")
    # An ocid is the same wherever it is published, so an OCDS source keeps that namespace.
    assert load_source_card(folder, "xx_like_uk_contracts_finder").namespace == "ocds"
    policies = {load_source_card(folder, name).robots.policy for name in ("us_usaspending", "xx_like_us_usaspending")}
    assert policies == {"api_documented", "obey"}, "what one publisher allows is not taken to be another's word"


def test_an_unfinished_source_is_not_crawled(made: Made) -> None:
    done = ran(made.checkout, "flows.cli", "crawl", "xx_sql")
    assert (done.returncode, done.stdout.count("\n")) == (2, 1)
    assert done.stdout.startswith("unveil: xx_sql is not finished: data/sources/xx_sql.yml:1 # TODO one sentence")
    for name in made.files["xx_sql"]:
        path = made.checkout / name
        path.write_text(path.read_text(encoding="utf-8").replace("TODO", "XX"), encoding="utf-8")
    assert left_to_do("xx_sql", made.checkout) == []
    # Now it goes as far as every other source without a contact address.
    assert "UNVEIL_CONTACT" in ran(made.checkout, "flows.cli", "crawl", "xx_sql").stdout


@pytest.mark.parametrize(
    ("source_id", "said", "sentence"),
    [
        ("Xx-Portal", {"platform": "sql"}, r"`Xx-Portal` cannot be a source's id: small letters, digits and _ only"),
        ("../xx", {"platform": "sql"}, r"`\.\./xx` cannot be a source's id"),
        ("xx", {}, r"Say how the portal speaks: --platform ocds_links\|bulk\|search\|xml_notices\|sql, or --like"),
        ("xx", {"platform": "ftp"}, r"There is no platform `ftp`; known are ocds_links, bulk, "),
        ("xx", {"platform": "sql", "form": "ocds"}, r"`sql` begins with a format of its own, not with `ocds`"),
        ("xx", {"platform": "ocds_links", "form": "rows"}, r"`ocds_links` begins with the format `ocds`"),
        ("xx", {"platform": "sql", "form": "../x"}, r"`\.\./x` cannot be a format's name"),
        ("xx", {"platform": "sql", "form": "budgetkey"}, r"reads the format `budgetkey` already; name .* with --like"),
        ("xx", {"like": "nowhere"}, r"There is no source `nowhere`"),
        ("xx", {"like": "il_budgetkey", "platform": "search"}, r"il_budgetkey is of the platform `sql`"),
        ("il_budgetkey", {"platform": "sql"}, r"There is data/sources/il_budgetkey\.yml .* nothing is overwritten"),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_sentence(
    made: Made, source_id: str, said: dict[str, str], sentence: str
) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.checkout.rglob("*.y*")}
    with pytest.raises(WrongUse, match=sentence):
        new_source(source_id, **said, checkout=made.checkout)
    assert {path: path.stat().st_mtime_ns for path in made.checkout.rglob("*.y*")} == before


def test_a_platform_without_a_class_is_not_scaffolded(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"The platform `sql` has no class yet: there is no spiders/platforms/sql\.py"):
        new_source("xx", platform="sql", checkout=tmp_path)
    assert list(tmp_path.iterdir()) == []


def parser_of(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"made_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_new_format_reads_files_and_names_no_person(made: Made) -> None:
    parser = parser_of(made.checkout / "pipeline/parse/xx_search.py")
    common = {"id": "1", "changed": "2026-11-05", "title": "Cameras", "status": "awarded", "amount": 5}
    notices = [
        common | {"supplier": "Example Works Ltd", "buyer": "Borough of Exampleton", "currency": "EUR"},
        common | {"supplier": "Dr. Jane Exampleson", "currency": "euros", "colour": "blue", "closes": "soon"},
        common | {"changed": "yesterday"},
    ]
    data = b"".join(orjson.dumps(notice) + b"\n" for notice in notices)
    card = load_source_card(made.checkout / "data/sources", "xx_search")
    company, person, *notes, refused = parser.parse_file(lambda: io.BytesIO(data), card, "a" * 64, "", None)
    assert [p.name for p in company.release.parties] == ["Borough of Exampleton", "Example Works Ltd"]
    (award,) = company.release.children
    assert (award.status.lifecycle, str(award.value.amount), award.value.currency) == (Lifecycle.ACTIVE, "5", "EUR")
    assert "Exampleson" not in person.release.model_dump_json()
    assert sorted(note.kind for note in notes) == [
        "missing_field", "unknown_field", "unreadable_amount", "unreadable_date",
    ]  # fmt: skip
    assert (refused.kind, refused.severity, refused.pointer) == ("unreadable_date", "rejected", "line=3")


def test_a_new_format_of_xml_points_at_what_it_quotes(made: Made) -> None:
    parser = parser_of(made.checkout / "pipeline/parse/xx_xml_notices.py")
    card = load_source_card(made.checkout / "data/sources", "xx_xml_notices")
    said = "<id>1</id><changed>2026-11-05</changed><title>Cameras</title><status>open</status><buyer>B</buyer>"
    data = f"<notice>{said}<amount currency='EUR'>5</amount><description>Two &amp; more</description></notice>".encode()
    (parsed,) = parser.parse_page(data, card, "a" * 64, "")
    assert (parsed.place.pointer, parsed.release.value.currency, parsed.release.status.raw) == ("", "EUR", "open")
    root = parse_xml(data)
    for text, words in zip(parsed.release.texts, ("Cameras", "Two & more"), strict=True):
        element = element_at(root, text.pointer.removeprefix("xpath="))
        assert element is not None and text_of(element) == text.text == words
    hostile = b'<!DOCTYPE notice [<!ENTITY a "b">]>' + data
    assert [p.kind for p in parser.parse_page(hostile, card, "a" * 64, "")] == ["dtd_forbidden"]


def blocks() -> list[tuple[str, str, str]]:
    """Kind, argument and text of every fenced block of docs/new-source.md."""
    text = (CHECKOUT / "docs/new-source.md").read_text(encoding="utf-8")
    return re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def changed(checkout: Path, diff: str) -> None:
    """Applies a block of changes: a line `--- file`, then hunks without numbers between lines `@@`."""
    first, _, rest = diff.partition("\n")
    path = checkout / first.removeprefix("--- ")
    text = path.read_text(encoding="utf-8")
    for hunk in rest.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in marks) for marks in ("- ", "+ "))
        assert text.count(old) == 1, f"{path.name} has this {text.count(old)} times:\n{old}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def as_told(said: str, told: str) -> bool:
    """Whether the output is what the page says, `…` standing for whatever the page leaves out."""
    pattern = ".*".join(re.escape(part) for part in told.strip().split("…"))
    return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None


def test_the_page_on_new_sources_is_true(tmp_path: Path) -> None:
    checkout = copied(tmp_path / "checkout")
    done = []
    for kind, argument, text in blocks():
        if kind == "diff":
            changed(checkout, text)
        elif kind == "yaml":
            (checkout / argument).write_text(text, encoding="utf-8")
        elif kind == "console":
            command, _, told = text.removeprefix("$ ").partition("\n")
            program, *arguments = shlex.split(command)
            module = {"unveil": "flows.cli", "pytest": "pytest"}[program]
            said = ran(checkout, module, *arguments).stdout
            assert as_told(said, told), f"{command} says:\n{said}"
            done.append(command)
        else:
            assert kind == "sh"
    assert len(done) == 7
    assert left_to_do("xx_gazette", checkout) == []

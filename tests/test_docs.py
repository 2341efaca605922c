"""Generated pages say what the code says, and the README's words are true of the tree."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

from tests.command import CHECKOUT


def generator() -> object:
    spec = importlib.util.spec_from_file_location("docs_generate", CHECKOUT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_generate"] = module
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date() -> None:
    assert generator().differing() == []  # type: ignore[attr-defined]


def test_every_dependency_has_its_reason_and_no_other_has() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=]", name)[0] for name in project["dependencies"]}
    told = set(re.findall(r"^\| ([a-z0-9-]+) \|", (CHECKOUT / "docs/dependencies.md").read_text("utf-8"), re.MULTILINE))
    assert told - {"library"} == declared


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (CHECKOUT / link).exists()] == []


def test_rooms_import_only_what_their_floor_allows() -> None:
    banned = {
        "models": "pipeline|spiders|flows|prefect|scrapy",
        "pipeline": "spiders|flows|prefect|scrapy",
        "spiders": "flows|prefect",
    }
    climbing = [
        f"{path.relative_to(CHECKOUT)}: {line}"
        for room, names in banned.items()
        for path in sorted((CHECKOUT / room).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(rf"\s*(?:from|import)\s+(?:{names})\b", line)
    ]
    assert climbing == []
    prefect = [p.name for p in (CHECKOUT / "flows").glob("*.py") if re.search(r"^from prefect\b", p.read_text(), re.M)]
    assert prefect == ["nightly.py"]


def test_nobody_but_a_person_has_written_reviews() -> None:
    assert [p.name for p in Path(CHECKOUT / "data/reviews").iterdir() if p.name != ".gitkeep"] == []


def test_the_lock_names_no_index() -> None:
    lock = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    assert "--hash=sha256:" in lock
    assert "://" not in lock

"""Writes the files of a new source: card, spider, parser and answers to test them with, ready to run and to change.

What only the portal can tell is marked `TODO` and invented nowhere. A source with such a mark is never crawled live.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.source import SourceCard
from pipeline.cards import load_source_card
from pipeline.errors import WrongUse
from pipeline.store import CHECKOUT

PLATFORMS: Final[tuple[str, ...]] = get_args(SourceCard.model_fields["platform"].annotation)
_TEMPLATES: Final = Path(__file__).parent / "templates" / "source"
_MARK: Final = "TODO"
_LEFT: Final = re.compile(rf"\b{_MARK}\b")
_ID: Final = re.compile(r"[a-z][a-z0-9_]*")
_FORMAT: Final = re.compile(r"[a-z][a-z_]*")
# Of a card that a new one is like, these are said anew: they are one portal's own.
_OWN: Final = ("name", "publisher", "countries", "languages", "licence", "documentation", "robots", "notes")


@dataclass(frozen=True)
class _Platform:
    """What a platform's sources begin with. `formats` are the kinds of formats they can have, the usual one
    first: `ocds`, or one that is new."""

    group: str
    formats: tuple[str, ...]
    answers: str
    spider: str = ""
    parser: str = ""
    retrieval: str = "query"
    # An address that leads nowhere, unless all sources of the platform have the same.
    start_url: str = "https://todo.invalid/api"


_OCDS, _NEW = "ocds", "new"
_SHAPES: Final[Mapping[str, _Platform]] = {
    "ocds_links": _Platform("pages", (_OCDS,), "answers_ocds_links.py.j2", retrieval="full"),
    "bulk": _Platform(
        "bulk",
        (_OCDS,),
        "answers_bulk.py.j2",
        retrieval="full",
        start_url="https://data.open-contracting.org/publications.json",
    ),
    "search": _Platform("search", (_NEW, _OCDS), "answers_search.py.j2", "spider_search.py.j2", "parse_record.py.j2"),
    "xml_notices": _Platform("notices", (_NEW,), "answers_search.py.j2", "spider_search.py.j2", "parse_record.py.j2"),
    "sql": _Platform("sql", (_NEW,), "answers_sql.py.j2", "spider_sql.py.j2", "parse_record.py.j2"),
}


def new_source(
    source_id: str,
    *,
    platform: str | None = None,
    form: str | None = None,
    like: str | None = None,
    checkout: Path = CHECKOUT,
) -> list[Path]:
    """Writes a new source's files below `checkout` and returns their paths.

    Either `platform` says how the portal speaks, `form` being its format if not the platform's usual one; or `like` is
    a source whose platform, format and settings are taken. Raises WrongUse, and writes nothing, for an id or format
    that cannot be one, a platform without its class, or when one of the files exists.
    """
    if not _ID.fullmatch(source_id):
        raise WrongUse(
            f"`{source_id}` cannot be a source's id: small letters, digits and _ only, a letter first, "
            "best the country's code, as in xx_example."
        )
    files = dict(
        _files_like(source_id, like, platform, form, checkout)
        if like
        else _files_of(source_id, platform, form, checkout)
    )
    existing = [str(path) for path in files if (checkout / path).exists()]
    if existing:
        raise WrongUse(f"There is {' and '.join(existing)} already, and nothing is overwritten; choose another id.")
    for path, text in files.items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(text, encoding="utf-8")
    return [checkout / path for path in files]


def left_to_do(source_id: str, checkout: Path = CHECKOUT) -> list[str]:
    """Lines of a source's files that still say TODO, as `path:line text`; none for a source without a card."""
    card_path = Path("data/sources") / f"{source_id}.yml"
    if not (checkout / card_path).is_file():
        return []
    card = load_source_card(checkout / "data" / "sources", source_id)
    paths = [card_path, *_code_paths(source_id, card.format)]
    return [
        f"{path}:{number} {line.strip()}"
        for path in paths
        if (checkout / path).is_file()
        for number, line in enumerate((checkout / path).read_text(encoding="utf-8").splitlines(), 1)
        if _LEFT.search(line)
    ]


def refuse_unfinished(source_id: str) -> None:
    """Raises WrongUse for a source with something left to do: it would ask the wrong portal, or the wrong thing."""
    if left := left_to_do(source_id):
        raise WrongUse(
            f"{source_id} is not finished: {left[0]}{f' (and {len(left) - 1} more)' if len(left) > 1 else ''}; "
            "`unveil doctor` counts them for every source."
        )


def _code_paths(source_id: str, form: str) -> tuple[Path, Path, Path]:
    """Spider, parser and answers."""
    return (
        Path("spiders") / f"{source_id}.py",
        Path("pipeline/parse") / f"{form}.py",
        Path("tests/answers") / f"{source_id}.py",
    )


def _files_of(source_id: str, platform: str | None, form: str | None, checkout: Path) -> Iterator[tuple[Path, str]]:
    if platform is None:
        raise WrongUse(f"Say how the portal speaks: --platform {'|'.join(PLATFORMS)}, or --like SOURCE.")
    shape = _shape(platform, checkout)
    form = form or (_OCDS if shape.formats[0] == _OCDS else re.sub(r"[0-9_]+", "_", source_id).strip("_"))
    spider, parser, answers = _code_paths(source_id, form)
    _check_format(platform, shape, form, exists=(checkout / parser).exists())
    render = _renderer(
        id=source_id, cls=_class_name(source_id), platform=platform, format=form, group=shape.group,
        retrieval=shape.retrieval, start_url=shape.start_url,
        words=_words("ocds" if form == _OCDS else "record"),
    )  # fmt: skip
    yield Path("data/sources") / f"{source_id}.yml", render("card.yml.j2")
    if shape.spider:
        yield spider, render(shape.spider)
    if form != _OCDS:
        yield parser, render(shape.parser)
    yield answers, render(shape.answers)


def _shape(platform: str, checkout: Path) -> _Platform:
    if platform not in PLATFORMS:
        raise WrongUse(f"There is no platform `{platform}`; known are {', '.join(PLATFORMS)} (docs/architecture.md).")
    if not (checkout / "spiders" / "platforms" / f"{platform}.py").is_file():
        raise WrongUse(f"The platform `{platform}` has no class yet: there is no spiders/platforms/{platform}.py.")
    return _SHAPES[platform]


def _check_format(platform: str, shape: _Platform, form: str, *, exists: bool) -> None:
    if not _FORMAT.fullmatch(form):
        raise WrongUse(f"`{form}` cannot be a format's name: small letters and _ only, a letter first.")
    kind = _OCDS if form == _OCDS else _NEW
    if kind not in shape.formats:
        needed = "the format `ocds`" if kind == _NEW else "a format of its own, not with `ocds`"
        raise WrongUse(f"A source of the platform `{platform}` begins with {needed}.")
    if kind == _NEW and exists:
        raise WrongUse(
            f"pipeline/parse/{form}.py reads the format `{form}` already; "
            "name the source whose portal writes it with --like, or choose another --format."
        )


def _files_like(
    source_id: str, like: str, platform: str | None, form: str | None, checkout: Path
) -> Iterator[tuple[Path, str]]:
    card = load_source_card(checkout / "data" / "sources", like)
    if platform not in (None, card.platform) or form not in (None, card.format):
        raise WrongUse(
            f"{like} is of the platform `{card.platform}` and the format `{card.format}`, and a source like it is too; "
            "leave --platform and --format out."
        )
    path = Path("data/sources") / f"{like}.yml"
    yield path.with_stem(source_id), _card_like(source_id, card, (checkout / path).read_text(encoding="utf-8"))
    spider, _, answers = _code_paths(source_id, card.format)
    base = ""
    if (checkout / spider.with_stem(like)).is_file():
        from flows.crawl_one import spider_class

        base = spider_class(card).__name__
    render = _renderer(id=source_id, cls=_class_name(source_id), like=like, base=base)
    if base:
        yield spider, render("spider_like.py.j2")
    yield answers, render("answers_like.py.j2")


def _card_like(source_id: str, card: SourceCard, text: str) -> str:
    """The card with what is the other portal's own taken out. Comments stay where the line below them does."""
    parts = [f"# TODO one sentence on this portal; what is said below was taken from {card.id}: check each line.\n"]
    for key, block in _blocks(text):
        if key == "id":
            parts.append(f"id: {source_id}\n")
        elif key in ("countries", "languages"):
            parts.append(f"{key}: [{_MARK}]\n")
        elif key == "robots":
            parts.append(f"robots:\n  policy: obey\n  why: {_MARK} what robots.txt says and the publisher documents\n")
        elif key in _OWN:
            parts.append(f"{key}: {_MARK}\n")
        elif key == "namespace" and card.namespace != "ocds":
            parts.append(f"# TODO what a process id of this portal is.\nnamespace: {source_id.replace('_', '-')}\n")
        elif key == "start_url":
            parts.append(f"# TODO the address that is asked; this is that of {card.id}.\nstart_url: {card.start_url}\n")
        elif key == "bulk":
            parts.append(f"# TODO the registry's own name of the publication; this is that of {card.id}.\n{block}")
        elif key == "verified_on":
            parts.append("# The day somebody crawled it live with this card and looked at what came.\n")
            parts.append("verified_on: null\n")
        else:
            parts.append(block)
    return "".join(parts)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Top-level keys of a card with their lines, comments above a key included."""
    key, above, lines = "", "", ""
    for line in text.splitlines(keepends=True):
        found = re.match(r"([a-z_]+):", line)
        if found:
            if key:
                yield key, lines
            key, lines, above = found[1], above + line, ""
        elif line.startswith("#"):
            above += line
        else:
            lines += line
    yield key, lines


def _renderer(**facts: Any) -> Any:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        # What is rendered is Python and YAML; ids and formats are checked before.
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return lambda name: environment.get_template(name).render(facts)


def _words(kind: str) -> dict[str, str]:
    words: dict[str, dict[str, str]] = yaml.safe_load((_TEMPLATES / "words.yml").read_text(encoding="utf-8"))
    return words[kind]


def _class_name(source_id: str) -> str:
    return "".join(part.capitalize() for part in source_id.split("_") if part)

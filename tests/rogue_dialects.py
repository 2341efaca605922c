"""How each platform class is spoken when the portal behaves: for the portal of tests/rogue.py, from the same answers
that the sources' contract test uses."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

from models.source import BulkPolicy, DocumentPolicy, Politeness, Robots, SourceCard
from pipeline.cards import load_source_card
from pipeline.store import DATA
from tests.answers import eu_ted, il_budgetkey, us_usaspending
from tests.answers.registry import compiled, lines, publications
from tests.driver import Reply
from tests.portal import SEARCH, release
from tests.rogue import PDF, Rogue

_CF = "united_kingdom_contracts_finder_releases"
# Terms, and the records of each of their pages.
Finds = Mapping[str, Sequence[Sequence[int]]]
FACE: Finds = {"face": ((1, 2), (3, 4), (5,))}


def rogue_card(rogue: Rogue, source_id: str, path: str, **changes: Any) -> SourceCard:
    """A source's own card, pointed at the rogue portal: few retries, short waits, pages of two."""
    card = load_source_card(DATA / "sources", source_id)
    values: dict[str, Any] = {
        "start_url": f"{rogue.url}{path}",
        "page_size": 2,
        "private_addresses": True,
        "robots": Robots(policy="obey"),
        "politeness": Politeness(delay=0, timeout=15, retries=2, max_wait=5),
        "documents": DocumentPolicy(types=("application/pdf",), max_bytes=100_000),
    }
    if card.query is not None:
        values["query"] = card.query.model_copy(update={"supplier_names": False})
    return card.model_copy(update={**values, **changes})


@dataclass
class OcdsPages:
    """`index N` for pages from 1, `record NAME` for attachments; three pages of five releases, `documents` on the
    first."""

    source_id: ClassVar[str] = "uk_contracts_finder"
    path: ClassVar[str] = SEARCH
    documents: Sequence[str] = ()

    def target(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> str:
        if path == SEARCH:
            return f"index {query.get('cursor', ['1'])[0]}"
        return f"record {path.rpartition('/')[2]}" if path.startswith("/Notice/Attachment/") else ""

    def answer(self, target: str, url: str) -> Reply:
        word, _, which = target.partition(" ")
        if word == "record":
            return Reply(PDF, content_type="application/pdf")
        links = [{"url": f"{url}/Notice/Attachment/{d}", "format": "application/pdf"} for d in self.documents]
        pages = [[release(1, "Facial recognition", links), release(2)], [release(3), release(4)], [release(5)]]
        number = int(which)
        return self._package(pages[number - 1], number + 1 if number < len(pages) else None, url)

    def endless(self, target: str, url: str, *, same: bool) -> Reply:
        return self._package([release(9)] if same else [], int(target.partition(" ")[2]) + 1, url)

    def _package(self, releases: list[dict[str, Any]], following: int | None, url: str) -> Reply:
        value: dict[str, Any] = {"uri": f"{url}{SEARCH}", "version": "1.1", "releases": releases}
        if following is not None:
            value["links"] = {"next": f"{url}{SEARCH}?cursor={following}"}
        return Reply(json.dumps(value).encode())


@dataclass
class UsaSpending:
    """`index TERM/PAGE` of contracts, `vehicles TERM` (there are none), `record N`, `history N` of a candidate."""

    source_id: ClassVar[str] = "us_usaspending"
    path: ClassVar[str] = "/api/v2/search/spending_by_award/"
    finds: Finds = field(default_factory=lambda: FACE)

    def target(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> str:
        if path == self.path:
            said = json.loads(body)
            (term,) = said["filters"]["keywords"]
            vehicles = said["filters"]["award_type_codes"][0].startswith("IDV_")
            return f"vehicles {term}" if vehicles else f"index {term}/{said['page']}"
        if path.startswith("/api/v2/awards/"):
            return f"record {self._number(unquote(path.split('/')[4]))}"
        return f"history {self._number(json.loads(body)['award_id'])}" if path == "/api/v2/transactions/" else ""

    def answer(self, target: str, url: str) -> Reply:
        word, _, which = target.partition(" ")
        if word == "vehicles":
            return Reply(us_usaspending.found())
        if word == "index":
            term, _, page = which.partition("/")
            pages = self.finds[term]
            here = [us_usaspending.award_id(self._piid(n)) for n in pages[int(page) - 1]]
            return Reply(us_usaspending.found(*here, more=int(page) < len(pages)))
        number = int(which)
        if word == "history":
            return Reply(us_usaspending.history(us_usaspending.transaction(self._piid(number), "0", None)))
        title = "FACIAL RECOGNITION LICENCES" if number == 1 else "LICENCES"
        return Reply(json.dumps(us_usaspending.award(self._piid(number), description=title)).encode())

    def endless(self, target: str, url: str, *, same: bool) -> Reply:
        keys = [us_usaspending.award_id(self._piid(9))] if same else []
        return Reply(us_usaspending.found(*keys, more=True))

    def _piid(self, number: int) -> str:
        return f"97EXF{number:08d}"

    def _number(self, key: str) -> int:
        return int(key.split("_")[2].removeprefix("97EXF"))


@dataclass
class Ted:
    """`index TERM/PAGE`, the page being the token; `record N`."""

    source_id: ClassVar[str] = "eu_ted"
    path: ClassVar[str] = "/v3/notices/search"
    finds: Finds = field(default_factory=lambda: FACE)

    def target(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> str:
        if path == self.path:
            said = json.loads(body)
            term = said["query"].split('"')[1]
            return f"index {term}/{said.get('iterationNextToken', '1')}"
        found = re.fullmatch(r"/en/notice/(\d{8})-2026/xml", path)
        return f"record {int(found[1])}" if found else ""

    def answer(self, target: str, url: str) -> Reply:
        word, _, which = target.partition(" ")
        if word == "record":
            return eu_ted.xml(eu_ted.eforms(number=int(which)))
        term, _, page = which.partition("/")
        pages = self.finds[term]
        # A token comes with the last page too.
        return eu_ted.finds(*pages[int(page) - 1], total=sum(map(len, pages)), token=str(int(page) + 1))

    def endless(self, target: str, url: str, *, same: bool) -> Reply:
        page = int(target.rpartition("/")[2])
        return eu_ted.finds(*([9] if same else []), total=1000, token=str(page + 1))


@dataclass
class BudgetKey:
    """`index TERM/PAGE`: full pages of two rows until the last one, asked for by the last row before."""

    source_id: ClassVar[str] = "il_budgetkey"
    path: ClassVar[str] = "/api/query"
    finds: Finds = field(default_factory=lambda: FACE)

    def target(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> str:
        if path != self.path:
            return ""
        sql = query["query"][0]
        (term,) = set(re.findall(r"ILIKE '%(\w+)%'", sql))
        after = re.search(r"< \('[^']*', '(\d+)'", sql)
        if after is None:
            return f"index {term}/1"
        before = [n for n, page in enumerate(self.finds[term], 1) if page and page[-1] == int(after[1])]
        return f"index {term}/{before[0] + 1 if before else 99}"

    def answer(self, target: str, url: str) -> Reply:
        term, _, page = target.partition(" ")[2].partition("/")
        # Newest change first, and no attachments: they would lie elsewhere.
        rows = [il_budgetkey.row(n, last_update_date=f"2026-11-{20 - n:02d}") for n in self.finds[term][int(page) - 1]]
        return Reply(il_budgetkey.body(*rows))

    def endless(self, target: str, url: str, *, same: bool) -> Reply:
        # Without rows nothing names a further page: the rows themselves do, a full page of them.
        return Reply(il_budgetkey.body(*([il_budgetkey.row(8), il_budgetkey.row(9)] if same else [])))


@dataclass
class Registry:
    """`index list`, `download NAME` (a redirect), `record NAME` for the files, each of five processes."""

    source_id: ClassVar[str] = "ocp_uk_contracts_finder"
    path: ClassVar[str] = "/publications.json"

    def target(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> str:
        if path == self.path:
            return "index list"
        if path.endswith("/download"):
            return f"download {query['name'][0]}"
        return f"record {path.removeprefix('/cdn/')}" if path.startswith("/cdn/") else ""

    def answer(self, target: str, url: str) -> Reply:
        word, _, which = target.partition(" ")
        if word == "index":
            return Reply(json.dumps(publications(_CF)).encode())
        if word == "download":
            return Reply(b"", 302, "text/html", {"Location": f"{url}/cdn/{which}"})
        return Reply(lines(*(compiled(n) for n in range(1, 6))), content_type="application/gzip")

    def endless(self, target: str, url: str, *, same: bool) -> Reply:
        raise AssertionError("a list of files has no pages")


def card_of(rogue: Rogue, **changes: Any) -> SourceCard:
    """The card of the source whose dialect the rogue portal speaks."""
    dialect: Any = rogue.dialect
    if isinstance(dialect, Registry):
        changes = {"bulk": BulkPolicy(publication=_CF, max_bytes=50_000_000), **changes}
    return rogue_card(rogue, dialect.source_id, dialect.path, **changes)

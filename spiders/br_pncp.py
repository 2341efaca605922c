"""Brazil's PNCP: the site's full-text search, then each purchase's record, items, results, contracts and documents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from models.codes import Candidacy, Outcome
from models.ids import contract_id
from models.procurement import Release
from models.run import Query
from pipeline.outcome import BLOCKING, Page, as_utf8
from pipeline.parse import format_of
from pipeline.parse.common import Misfit, required, text_of
from pipeline.parse.pncp import kind_at
from pipeline.parse.pncp_fields import ControlNumber, brasilia, read_number
from spiders.context import CrawlContext
from spiders.failures import kind_of
from spiders.platforms.base import ATTEMPT, PAGE_PRIORITY, said
from spiders.platforms.search import Hit, SearchAnswer, SearchSpider
from spiders.pncp_parts import BASE, Part, has_next, judge_part, link_of, rows_of

# Purchases, contracts and price registrations are searched apart: each list is sorted and capped on its own.
GROUPS: Final = ("edital", "contrato", "ata")
_MOST_PAGES: Final = 200
# Items and contracts of one purchase that are followed further; large price registrations have thousands.
_MOST_FOLLOWED: Final = 200
_GONE: Final = "record_gone"
# So many withdrawn records without one that came are no withdrawals.
_MANY_GONE: Final = 3
_STRENGTH: Final = (Candidacy.TEXT, Candidacy.VENDOR, Candidacy.PROBE)


@dataclass(frozen=True)
class _At:
    """Where a query has got: its list, page, finds of the list so far, total of the lists before, none left out."""

    group: int = 0
    page: int = 1
    came: int = 0
    before: int = 0
    whole: bool = True


@dataclass
class _Purchase:
    """What is known of a purchase on its way: items with results, contracts that came, was the rest asked for."""

    number: ControlNumber
    hit: Hit
    items: list[int] = field(default_factory=list)
    items_came: bool = False
    contracts: int = 0
    followed: bool = False


class PncpSpider(SearchSpider):
    """Walks each term's lists by the day of their last change, newest first, and stops at the query's first day.

    Every find's purchase is asked for with its items, since a purchase's own title is often vague; results, contracts,
    amendments and documents only of purchases that are candidates by then. Items, results or contracts that do not
    come make the queries that found the purchase partial; lists of documents and amendments are only noted.
    """

    def __init__(self, context: CrawlContext) -> None:
        super().__init__(context)
        self._candidates: dict[str, tuple[Release, Candidacy]] = {}
        self._purchases: dict[str, _Purchase] = {}
        self._contracts: set[str] = set()
        self._hits_of: dict[str, dict[str, None]] = {}
        self._gone = 0

    def search_request(self, query: Query, position: Any) -> tuple[str, str, bytes]:
        at = position or _At()
        asked = {
            "q": '"{}"'.format(query.term.replace('"', " ")),
            "tipos_documento": GROUPS[at.group],
            "ordenacao": "-data",
            "pagina": at.page,
            "tam_pagina": self.context.card.page_size,
            "status": "todos",
        }
        return "GET", f"{self.context.card.start_url}?{urlencode(asked)}", b""

    def read_search(self, value: Any, query: Query, position: Any) -> SearchAnswer:
        at = position or _At()
        items = value.get("items") if isinstance(value, dict) else None
        total = value.get("total") if isinstance(value, dict) else None
        if not isinstance(items, list) or not isinstance(total, int):
            raise Misfit("missing_field", "the answer has no list `items` with its `total`")
        fresh = [item for item in items if self._is_fresh(item, query)]
        at = replace(at, came=at.came + len(items), whole=at.whole and len(fresh) == len(items))
        hits = tuple(hit for item in fresh if (hit := self._hit(item)) is not None)
        if items and not fresh:
            return self._next_list(hits, at, total)
        if not items or at.came >= total:
            return self._next_list(hits, at, total)
        cap = self.context.card.query.max_results if self.context.card.query else None
        if cap is not None and at.came >= cap:
            detail = f"`{query.term}`: the portal shows {cap} of {total} finds of kind {GROUPS[at.group]}"
            self.fail("result_cap", detail)
            self._close(query, Outcome.PARTIAL, detail)
            return self._next_list(hits, replace(at, whole=False), total)
        return SearchAnswer(hits, replace(at, page=at.page + 1))

    def _next_list(self, hits: Sequence[Hit], at: _At, total: int) -> SearchAnswer:
        before = at.before + total
        if at.group + 1 < len(GROUPS):
            return SearchAnswer(hits, _At(group=at.group + 1, before=before, whole=at.whole))
        # Totals count what lies before the query's first day too: they say something only where all of it was walked.
        return SearchAnswer(hits, None, before if at.whole else None)

    def _is_fresh(self, item: Any, query: Query) -> bool:
        """Whether a find was published or changed since the query's first day; one without a day always is."""
        days = []
        for key in ("data_atualizacao_pncp", "data_publicacao_pncp"):
            if raw := text_of(item, key):
                try:
                    days.append(brasilia(raw))
                except ValueError as error:
                    self.note("unreadable_date", f"`{key}` of a find: {error}")
        return not days or max(days) >= query.since

    def _hit(self, item: Any) -> Hit | None:
        raw = required(item, "numero_controle_pncp")
        try:
            number = read_number(raw)
        except Misfit as misfit:
            self.note(misfit.kind, f"a find was left out: `{raw}` is {misfit.detail}")
            return None
        key = str(number)
        if number.segment == "2":
            return Hit(key, f"{BASE}/api/pncp/v1/orgaos/{number.cnpj}/contratos/{number.year}/{number.sequence}")
        purchase = str(number.purchase)
        self._hits_of.setdefault(purchase, {})[key] = None
        if not number.ata:
            return Hit(key, _purchase_url(number))
        # A price registration leads to its purchase, which another find may have led to already.
        if purchase in self._asked:
            return Hit(key)
        self._asked.add(purchase)
        return Hit(key, _purchase_url(number.purchase))

    def plan(self, release: Release, candidacy: Candidacy) -> None:
        known = self._candidates.get(release.contract_id)
        if known is None or _STRENGTH.index(candidacy) < _STRENGTH.index(known[1]):
            self._candidates[release.contract_id] = (release, candidacy)
        super().plan(release, candidacy)

    def _candidate(self, number: ControlNumber) -> tuple[Release, Candidacy] | None:
        return self._candidates.get(contract_id(self.context.card.namespace, str(number)))

    def judge_detail(self, response: Response) -> Page:
        page = super().judge_detail(response)
        # The index goes on naming what a body has withdrawn; the API itself says so in JSON.
        gone = page.kind == "http_404" and not response.body.lstrip().startswith(b"<")
        return replace(page, kind=_GONE) if gone else page

    def more(
        self,
        hit: Hit,
        releases: list[Release],  # noqa: ARG002 (`plan` has kept them)
        response: Response,
    ) -> Iterator[Request]:
        if kind_at(response.url).name == "purchase":
            number = read_number(str(kind_at(response.url).process))
            self._purchases[str(number)] = _Purchase(number, hit)
            yield self._part(Part("itens", number, f"{_path(number)}/itens", number, hit))
            return
        contract = read_number(hit.key)
        record = orjson.loads(as_utf8(response.body)[0])
        stated = text_of(record, "numeroControlePncpCompra") or text_of(record, "numeroControlePNCPCompra")
        try:
            number = read_number(stated) if stated else contract
        except Misfit as misfit:
            # The parser rejects the record for it.
            self.note(misfit.kind, f"{hit.key}: its purchase is {misfit.detail}")
            return
        if number == contract:
            if self._candidate(contract):
                yield from self._contract_parts(contract, contract, hit)
            return
        key = str(number)
        self._hits_of.setdefault(key, {})[hit.key] = None
        if key in self._purchases:
            yield from self._follow(self._purchases[key])
        elif key not in self._asked:
            self._asked.add(key)
            yield self.detail_request(Hit(key, _purchase_url(number)))

    def _follow(self, purchase: _Purchase) -> Iterator[Request]:
        """Asks for the rest of a purchase, once, as soon as something of it is a candidate."""
        number, hit = purchase.number, purchase.hit
        if purchase.followed or not purchase.items_came or not self._candidate(number):
            return
        if self.blocked:
            self._close_all(hit, Outcome.BLOCKED, f"{number} was not followed, since the portal blocked the crawl")
            return
        purchase.followed = True
        if len(purchase.items) > _MOST_FOLLOWED:
            self.note("not_followed", f"{number}: results of {_MOST_FOLLOWED} of {len(purchase.items)} items asked for")
        for item in purchase.items[:_MOST_FOLLOWED]:
            path = f"{_path(number)}/itens/{item}/resultados"
            yield self._part(Part("resultados", number, path, number, hit))
        contracts = f"contratos/contratacao/{number.year}/{number.sequence}"
        yield self._part(Part("contratos", number, contracts, number, hit))
        yield self._part(Part("arquivos", number, f"{_path(number)}/arquivos", number, hit))

    def _contract_parts(self, contract: ControlNumber, owner: ControlNumber, hit: Hit) -> Iterator[Request]:
        if str(contract) in self._contracts:
            return
        self._contracts.add(str(contract))
        path = f"contratos/{contract.year}/{contract.sequence}"
        for kind in ("termos", "arquivos"):
            yield self._part(Part(kind, contract, f"{path}/{kind}", owner, hit))

    def _part(self, part: Part, attempt: int = 1) -> Request:
        return self.ask(
            part.url,
            self.parse_part,
            errback=self.part_failed,
            role=part.role,
            attempt=attempt,
            priority=PAGE_PRIORITY - 2,
            cb_kwargs={"part": part},
        )

    def parse_part(self, response: Response, part: Part) -> Iterator[Request]:
        """Judges and reads a page of items, results, contracts, amendments or documents, and asks for what follows."""
        page = judge_part(response)
        digest = sha256(response.body).hexdigest()
        if page.kind == "malformed_json" and response.meta[ATTEMPT] == 1:
            self.note(page.kind, f"{page.detail}; asked again", digest)
            yield self._sent(self._part(part, attempt=2))
        elif page.kind:
            yield from self._part_lost(part, page.kind, f"{page.detail} ({response.url})", digest)
        else:
            for request in self._read_part(part, page, digest, response.url):
                yield self._sent(request)
        yield from self.more_came()

    def part_failed(self, failure: Failure) -> Iterator[Request]:
        yield from self._part_lost(failure.request.cb_kwargs["part"], kind_of(failure.value), said(failure))
        yield from self.more_came()

    def _part_lost(self, part: Part, kind: str, detail: str, digest: str = "") -> Iterator[Request]:
        where = f"{part.kind} of {part.number}: {detail}"
        if part.kind in ("arquivos", "termos") and kind not in BLOCKING and kind != "not_in_archive":
            self.note("part_lost", f"{kind}: {where}", digest)
        else:
            self._lost(part.hit, kind, where, digest)
        for request in self._after(part):
            yield self._sent(request)

    def _read_part(self, part: Part, page: Page, digest: str, url: str) -> Iterator[Request]:
        value = orjson.loads(page.data)
        rows = rows_of(value)
        if part.role == "page":
            card = self.context.card
            for _ in self.read(format_of(card).parse_page(page.data, card, digest, url)):
                pass
        self._take(part, rows)
        if part.kind == "contratos":
            yield from self._contracts_of(part, rows)
        if digest == part.before:
            self.note("pages_repeat", f"{url} holds what the page before held: it is not paged")
        elif not has_next(part, value, rows):
            pass
        elif part.page >= _MOST_PAGES:
            self._lost(
                part.hit, "pagination_loop", f"{part.kind} of {part.number} has over {_MOST_PAGES} pages", digest
            )
        else:
            yield self._part(replace(part, page=part.page + 1, before=digest))
            return
        yield from self._after(part)

    def _take(self, part: Part, rows: Sequence[Any]) -> None:
        if part.kind == "itens":
            purchase = self._purchases[str(part.number)]
            numbers = (row["numeroItem"] for row in rows if isinstance(row, dict) and row.get("temResultado") is True)
            purchase.items.extend(n for n in numbers if isinstance(n, int) and n not in purchase.items)
        elif part.kind == "arquivos" and (candidate := self._candidate(part.owner)):
            release, candidacy = candidate
            links = tuple(link for row in rows if (link := link_of(row)) is not None)
            self.plan(release.model_copy(update={"documents": links}), candidacy)

    def _contracts_of(self, part: Part, rows: Sequence[Any]) -> Iterator[Request]:
        purchase = self._purchases[str(part.number)]
        for row in rows:
            try:
                contract = read_number(text_of(row, "numeroControlePNCP"))
            except Misfit:
                # Counted as rejected by the parser.
                continue
            purchase.contracts += 1
            if purchase.contracts == _MOST_FOLLOWED + 1:
                self.note("not_followed", f"{part.number}: amendments and documents of contracts from {contract} on")
            if purchase.contracts <= _MOST_FOLLOWED:
                yield from self._contract_parts(contract, part.owner, part.hit)

    def _after(self, part: Part) -> Iterator[Request]:
        """What a part's last page was waited for with; also when it never came."""
        if part.kind == "itens":
            purchase = self._purchases[str(part.number)]
            purchase.items_came = True
            yield from self._follow(purchase)

    def _lost(self, hit: Hit, kind: str, detail: str, digest: str = "") -> None:
        if kind == _GONE:
            # To ask for it night by night would hold the window back for ever.
            self._gone += 1
            self.note(kind, f"{hit.key}: {detail}", digest)
            return
        super()._lost(hit, kind, detail, digest)
        self._close_all(hit, Outcome.PARTIAL, f"{hit.key}: {kind}")

    def _close_all(self, hit: Hit, outcome: Outcome, detail: str) -> None:
        """Closes the queries of every find that leads to the same purchase."""
        keys = {hit.key, *self._hits_of.get(str(read_number(hit.key).purchase), ())}
        for query_id in sorted({q for key in keys for q in self._found_by.get(key, ())}):
            self._close(self._walks[query_id].query, outcome, detail)

    def _judged(self, walk: Any) -> tuple[Outcome, str]:
        if self._gone >= _MANY_GONE and not self.records:
            detail = f"none of the records came, {self._gone} are said to be gone: the API may have moved"
            self.fail("all_gone", detail)
            return Outcome.PARTIAL, detail
        return super()._judged(walk)


def _purchase_url(number: ControlNumber) -> str:
    return f"{BASE}/api/consulta/v1/orgaos/{number.cnpj}/{_path(number)}"


def _path(number: ControlNumber) -> str:
    return f"compras/{number.year}/{number.sequence}"

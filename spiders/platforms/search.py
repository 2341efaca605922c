"""Portals that are searched: one question a term, answers page by page, then each hit's own record."""

from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from models.codes import Outcome
from models.procurement import Release
from models.run import Query, QueryResult
from pipeline.outcome import Page, judge_json
from pipeline.parse import format_of
from pipeline.parse.common import Misfit
from spiders.context import CrawlContext
from spiders.failures import kind_of
from spiders.platforms.base import ATTEMPT, PAGE_PRIORITY, PortalSpider, content_type_of, outcome_of, said

# Beyond any search a portal answers; one that goes on is one that never ends.
_MAX_PAGES = 5_000
# A portal that gave no answer to so many searches in a row, each tried again as often as its card says, is down.
_MOST_SILENT = 3


@dataclass(frozen=True)
class Hit:
    """One find. `key` is the portal's own id of the record; `url` is where its record is had, None if it came along."""

    key: str
    url: str | None = None


@dataclass(frozen=True)
class SearchAnswer:
    """One page of finds. `following` is where the next page is, in the portal's own terms; None on the last page.

    `expected` is the portal's total for the query, where it names one.
    """

    hits: Sequence[Hit]
    following: Any = None
    expected: int | None = None


@dataclass
class _Walk:
    """How far a query has got."""

    query: Query
    received: int = 0
    expected: int | None = None
    pages: int = 0
    ended: bool = False
    outcome: Outcome | None = None
    detail: str = ""
    contents: set[str] = field(default_factory=set)


class SearchSpider(PortalSpider):
    """Asks every query of the context in turn and fetches each hit's record once, whichever queries found it.

    A platform's source says how a page of finds is asked for (`search_request`) and read (`read_search`). When
    `records_in_answers` is true the answers hold the releases themselves and are archived as pages, not as an index.
    A query whose last page came and whose records all came is complete; its watermark moves then only.
    """

    records_in_answers = False
    # Kinds of answers that are asked for once more before they count as a failure.
    asked_again = frozenset({"malformed_json", "malformed_xml"})

    def __init__(self, context: CrawlContext) -> None:
        super().__init__(context)
        self._walks = {q.query_id: _Walk(q) for q in context.queries}
        self._waiting = deque(context.queries)
        self._asked: set[str] = set()
        self._found_by: dict[str, set[str]] = {}
        self._missed: dict[str, str] = {}
        self._open = 0
        self._silent = 0

    @abstractmethod
    def search_request(self, query: Query, position: Any) -> tuple[str, str, bytes]:
        """Method, URL and JSON body of a page of finds; `position` is None on the first page, else `following`."""

    @abstractmethod
    def read_search(self, value: Any, query: Query, position: Any) -> SearchAnswer:
        """Reads a page of finds from its JSON. Raises Misfit when it is none."""

    def detail_request(self, hit: Hit) -> Request:
        """The request of a hit's record."""
        assert hit.url is not None
        return self.ask(
            hit.url, self.parse_detail, errback=self.detail_failed, priority=PAGE_PRIORITY - 1, cb_kwargs={"hit": hit}
        )

    def judge_detail(self, response: Response) -> Page:
        """Tells a hit's record from what came instead."""
        return judge_json(response.status, content_type_of(response), response.body)

    def judge_search(self, response: Response) -> Page:
        """Tells a page of finds from what came instead."""
        return judge_json(response.status, content_type_of(response), response.body)

    def more(
        self,
        hit: Hit,  # noqa: ARG002 (for a platform that asks for more)
        releases: list[Release],  # noqa: ARG002
        response: Response,  # noqa: ARG002
    ) -> Iterator[Request]:
        """Further requests that a record calls for, when it held candidates (`releases`). None by default."""
        yield from ()

    async def start(self) -> AsyncIterator[Request]:
        if not self._walks:
            self.chain_ended = True
            self.note("no_queries", "there is no term to search for in the languages of this source")
        for request in self._go_on():
            yield request

    def _search(self, query: Query, position: Any, attempt: int = 1) -> Request:
        method, url, body = self.search_request(query, position)
        return self.ask(
            url,
            self.parse_search,
            errback=self.search_failed,
            role="page" if self.records_in_answers else "index",
            method=method,
            body=body,
            attempt=attempt,
            cb_kwargs={"query": query, "position": position},
        )

    def _go_on(self) -> Iterator[Request]:
        """The next query when nothing is on its way; after the last one the documents."""
        if self._open:
            return
        if self.blocked:
            while self._waiting:
                self._close(self._waiting.popleft(), Outcome.BLOCKED, "not asked, since the portal blocked the crawl")
        elif self._silent >= _MOST_SILENT:
            while self._waiting:
                self._close(self._waiting.popleft(), Outcome.FAILED, "not asked, since the portal did not answer")
        if self._waiting:
            yield self._sent(self._search(self._waiting.popleft(), None))
            return
        for walk in self._walks.values():
            if walk.ended and walk.outcome is None:
                walk.outcome, walk.detail = self._judged(walk)
        self.chain_ended = not any(w.outcome is not Outcome.COMPLETE for w in self._walks.values())
        known = [w.expected for w in self._walks.values() if w.expected is not None]
        # Terms overlap, so their totals do not add up to the number of records; see `query_results` for each.
        self.state = {"hits": len(self._asked), "expected_by_query": sum(known)}
        yield from self.document_requests()

    def _judged(self, walk: _Walk) -> tuple[Outcome, str]:
        if walk.expected is not None and walk.received < walk.expected:
            self.fail("short_of_total", f"`{walk.query.term}`: {walk.received} of {walk.expected} finds came")
            return Outcome.PARTIAL, f"{walk.received} of {walk.expected} finds came"
        return Outcome.COMPLETE, ""

    def _sent(self, request: Request) -> Request:
        self._open += 1
        return request

    def _close(self, query: Query, outcome: Outcome, detail: str) -> None:
        walk = self._walks[query.query_id]
        if walk.outcome is None:
            walk.outcome, walk.detail = outcome, detail

    def parse_search(self, response: Response, query: Query, position: Any) -> Iterator[Request]:
        """Judges a page of finds, asks for the records of new hits and for the next page."""
        self._open -= 1
        self._silent = 0
        page = self.judge_search(response)
        digest = sha256(response.body).hexdigest()
        if page.note:
            self.note("encoding", page.note, digest)
        if page.kind in self.asked_again and response.meta[ATTEMPT] == 1:
            self.note(page.kind, f"{page.detail}; asked again", digest)
            yield self._sent(self._search(query, position, attempt=2))
            return
        try:
            if page.kind:
                raise Misfit(page.kind, page.detail)
            answer = self.read_search(orjson.loads(page.data), query, position)
        except Misfit as misfit:
            self._broken(query, misfit.kind, f"{misfit.detail} (`{query.term}`, {response.url})", digest)
        else:
            yield from self._found(answer, query, page, response, digest)
        yield from self._go_on()

    def _found(
        self, answer: SearchAnswer, query: Query, page: Page, response: Response, digest: str
    ) -> Iterator[Request]:
        walk = self._walks[query.query_id]
        content = sha256(repr([h.key for h in answer.hits]).encode()).hexdigest()
        if answer.hits and content in walk.contents:
            self._broken(
                query, "pagination_loop", f"a page of `{query.term}` holds the finds of an earlier one", digest
            )
            return
        if walk.pages >= _MAX_PAGES:
            self._broken(query, "pagination_loop", f"`{query.term}` has more than {_MAX_PAGES} pages", digest)
            return
        walk.contents.add(content)
        walk.pages += 1
        walk.received += len(answer.hits)
        walk.expected = answer.expected if answer.expected is not None else walk.expected
        self.pages += 1
        if self.records_in_answers:
            card = self.context.card
            for _ in self.read(format_of(card).parse_page(page.data, card, digest, response.url)):
                pass
        self.logger.info("page %d of %s for %s: %d finds", walk.pages, self.name, query.term, walk.received)
        for hit in answer.hits:
            self._found_by.setdefault(hit.key, set()).add(query.query_id)
            if kind := self._missed.get(hit.key):
                # Another query found it before, and its record did not come.
                self._close(query, Outcome.PARTIAL, f"{hit.key}: {kind}")
            if hit.url is not None and hit.key not in self._asked:
                self._asked.add(hit.key)
                yield self._sent(self.detail_request(hit))
        if answer.following is None:
            walk.ended = True
        else:
            yield self._sent(self._search(query, answer.following))

    def parse_detail(self, response: Response, hit: Hit) -> Iterator[Request]:
        """Judges and reads one record, and plans the documents of a candidate."""
        self._open -= 1
        page = self.judge_detail(response)
        digest = sha256(response.body).hexdigest()
        if page.note:
            self.note("encoding", page.note, digest)
        if page.kind in self.asked_again and response.meta[ATTEMPT] == 1:
            self.note(page.kind, f"{page.detail}; asked again", digest)
            again = self.detail_request(hit)
            again.meta[ATTEMPT] = 2
            yield self._sent(again)
            return
        if page.kind:
            self._lost(hit, page.kind, f"{page.detail} ({response.url})", digest)
        else:
            card = self.context.card
            releases = list(self.read(format_of(card).parse_page(page.data, card, digest, response.url)))
            for request in self.more(hit, releases, response):
                yield self._sent(request)
        yield from self._go_on()

    def more_came(self) -> Iterator[Request]:
        """To be yielded from at the end of every callback of a request that `more` gave."""
        self._open -= 1
        yield from self._go_on()

    def search_failed(self, failure: Failure) -> Iterator[Request]:
        self._open -= 1
        self._silent += 1
        query = failure.request.cb_kwargs["query"]
        self._broken(query, kind_of(failure.value), said(failure))
        yield from self._go_on()

    def detail_failed(self, failure: Failure) -> Iterator[Request]:
        self._open -= 1
        self._lost(failure.request.cb_kwargs["hit"], kind_of(failure.value), said(failure))
        yield from self._go_on()

    def _broken(self, query: Query, kind: str, detail: str, digest: str = "") -> None:
        """The walk of a query broke off."""
        walk = self._walks[query.query_id]
        self.fail(kind, detail, digest)
        outcome = outcome_of(kind)
        self._close(query, Outcome.PARTIAL if walk.pages and outcome is Outcome.FAILED else outcome, detail)

    def _lost(self, hit: Hit, kind: str, detail: str, digest: str = "") -> None:
        """A record did not come: every query that found it is to be asked again."""
        self.fail(kind, f"{hit.key}: {detail}", digest)
        self._missed[hit.key] = kind
        for query_id in self._found_by.get(hit.key, ()):
            self._close(self._walks[query_id].query, Outcome.PARTIAL, f"{hit.key}: {kind}")

    def query_results(self) -> list[QueryResult]:
        return [
            QueryResult(
                query_id=w.query.query_id,
                term=w.query.term,
                since=w.query.since,
                until=w.query.until,
                outcome=w.outcome or Outcome.FAILED,
                expected=w.expected,
                received=w.received,
                detail=w.detail or ("" if w.outcome else "the crawl ended before it was answered"),
            )
            for w in self._walks.values()
        ]

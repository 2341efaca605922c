"""OCDS release packages linked by `links.next`, with the documents of candidates."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

import orjson
from scrapy import Request, Spider
from scrapy.http import Response
from twisted.python.failure import Failure

from models.evidence import Document
from models.run import Problem
from pipeline.errors import UnveilError
from pipeline.ocds import parse_package
from pipeline.outcome import BLOCKING, Page, judge_page
from spiders.context import ROLE, CrawlContext
from spiders.documents import DocumentDesk, normalised
from spiders.failures import kind_of
from spiders.robots import FREE
from spiders.tape import known_mark

_ATTEMPT = "unveil_attempt"
_PAGE_PRIORITY = 100
# Beyond any window a portal could fill in a night; a chain that goes on is a chain that never ends.
_MAX_PAGES = 20_000
_MAX_EMPTY_IN_A_ROW = 3


class OcdsLinksSpider(Spider):
    """Follows a chain of release packages from the window's first page to the one without `links.next`.

    `chain_ended` is true only when that page came. `failures` broke the chain, `notes` did not.
    """

    name = "ocds_links"

    def __init__(self, context: CrawlContext) -> None:
        super().__init__(name=context.card.id)
        self.context = context
        self.desk = DocumentDesk(context.card.documents, context.known_documents)
        self.chain_ended = False
        self.pages = 0
        self.records = 0
        self.rejected = 0
        self.failures: list[Problem] = []
        self.notes: list[Problem] = []
        self.fatal: UnveilError | None = None
        self._visited: set[str] = set()
        self._contents: set[str] = set()
        self._empty_in_a_row = 0
        self._planned: list[str] = []
        # A resumed run has marked these already; a replay writes its own archive from the start.
        self._marked = set() if context.offline else set(context.tape.known_documents)
        self._closing: asyncio.Task[None] | None = None

    async def start(self) -> AsyncIterator[Request]:
        yield self.page_request(self.first_url())

    def first_url(self) -> str:
        """The window's first page: `<start_url>?<from>=…&<to>=…&limit=…`, moments in UTC without an offset.

        That is how the publisher's own `uri` and `links.next` write them. Override for a portal with other words.
        """
        card = self.context.card
        query: dict[str, str] = {}
        if card.window_param:
            query[card.window_param[0]] = _moment(self.context.since)
            query[card.window_param[1]] = _moment(self.context.until)
        query["limit"] = str(card.page_size)
        return f"{card.start_url}?{urlencode(query, safe=':')}"

    def page_request(self, url: str, attempt: int = 1) -> Request:
        request = Request(
            url,
            callback=self.parse_page,
            errback=self.page_failed,
            headers={"Accept": "application/json"},
            priority=_PAGE_PRIORITY,
            dont_filter=True,
            meta={
                ROLE: "page",
                _ATTEMPT: attempt,
                # The publisher's documentation of the API stands above rules that guard the web pages.
                FREE: self.context.card.robots.policy == "api_documented",
            },
        )
        self._visited.add(request.url)
        return request

    def parse_page(self, response: Response) -> Iterator[Request]:
        """Judges an answer, reads its releases, plans their documents and goes on to the next page."""
        content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
        page = judge_page(response.status, content_type, response.body)
        digest = sha256(response.body).hexdigest()
        if page.note:
            self._note("encoding", page.note, digest)
        if page.kind == "malformed_json" and response.meta[_ATTEMPT] == 1:
            # A connection cut in the middle and a broken page look alike; only the second stays.
            self._note(page.kind, f"{page.detail}; asked again", digest)
            yield self.page_request(response.request.url, attempt=2)
            return
        following = None
        if page.kind:
            self.fail(page.kind, f"{page.detail} ({response.url})", digest)
        elif not self._repeats(page, response.url, digest):
            self.pages += 1
            self._read(page, digest)
            self.logger.info("page %d of %s: %d records so far", self.pages, self.name, self.records)
            following = self._next(page, response, digest)
        yield from [following] if following else self._documents()

    def _repeats(self, page: Page, url: str, digest: str) -> bool:
        releases = page.releases
        self._empty_in_a_row = 0 if releases else self._empty_in_a_row + 1
        content = sha256(orjson.dumps(releases)).hexdigest()
        repeated = bool(releases) and content in self._contents
        self._contents.add(content)
        if repeated:
            self.fail("pagination_loop", f"{url} holds the releases of an earlier page", digest)
        elif self._empty_in_a_row > _MAX_EMPTY_IN_A_ROW:
            self.fail("pagination_loop", f"{self._empty_in_a_row} empty pages in a row, up to {url}", digest)
        elif self.pages >= _MAX_PAGES:
            self.fail("pagination_loop", f"more than {_MAX_PAGES} pages, up to {url}", digest)
        else:
            return False
        return True

    def _read(self, page: Page, digest: str) -> None:
        for item in parse_package(page.data, self.context.card, digest):
            if isinstance(item, Problem):
                # Counted only: the problem itself is told when the archived page is parsed for the lake.
                if item.severity == "rejected":
                    self.records += 1
                    self.rejected += 1
                continue
            self.records += 1
            candidacy, _ = self.context.decide(item.release)
            if candidacy is not None:
                self._planned.extend(self.desk.plan(item.release, candidacy))
                for row in self.desk.known_of(item.release.contract_id):
                    self._mark_known(row)

    def _documents(self) -> Iterator[Request]:
        """Requests of every planned document, once the chain of pages has come to its end.

        Cursors of a chain run out, documents do not; and their order is then the same in a replay. A portal that
        blocks us is asked for nothing more: the next crawl has the same window again.
        """
        if any(f.kind in BLOCKING for f in self.failures):
            for url in self._planned:
                self.desk.settle(url, "failed", "not asked for, since the portal blocked the crawl")
            return
        for number, url in enumerate(self._planned):
            try:
                request = self.document_request(url, -number)
            except ValueError as error:
                self.desk.settle(url, "failed", f"not a URL: {error}")
                continue
            yield request

    def _mark_known(self, row: Document) -> None:
        """Archives that a document was not asked for, so that a replay of the archive does not ask either."""
        url = normalised(row.url)
        if url in self._marked or row.sha256 is None:
            return
        self._marked.add(url)
        try:
            self.context.writer.write_error(
                url=url,
                method="GET",
                request_body=b"",
                error=known_mark(row.sha256),
                fetched_at=self.context.writer.info.started_at,
            )
        except UnveilError as error:
            self.stop(error)

    def document_request(self, url: str, priority: int) -> Request:
        return Request(
            url,
            priority=priority,
            callback=self.parse_document,
            errback=self.document_failed,
            dont_filter=True,
            meta={ROLE: "document", "download_maxsize": self.context.card.documents.max_bytes},
            cb_kwargs={"url": url},
        )

    def parse_document(self, response: Response, url: str) -> None:
        """Settles a document by what came. It is archived already and is read later, from there."""
        content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
        digest = sha256(response.body).hexdigest()
        outcome = self.desk.judge(url, response.status, content_type, response.body, digest)
        self.logger.info("document %s: %s", url, outcome)

    def document_failed(self, failure: Failure) -> None:
        kind = kind_of(failure.value)
        outcome = kind if kind in ("blocked_address", "too_large") else "failed"
        url = failure.request.cb_kwargs["url"]
        self.desk.settle(url, outcome, f"{kind}: {failure.value}")
        if kind == "not_in_archive":
            self.fail(kind, str(failure.value))

    def _next(self, page: Page, response: Response, digest: str) -> Request | None:
        if page.next_url is None:
            self.chain_ended = True
            return None
        url = Request(response.urljoin(page.next_url)).url
        if url in self._visited:
            if not page.releases and url == response.request.url:
                # An empty page that names itself as the next has nothing behind it.
                self._note("empty_last_page", f"{url} is empty and links to itself", digest)
                self.chain_ended = True
            else:
                self.fail("pagination_loop", f"the next page is one that came before: {url}", digest)
            return None
        if urlsplit(url)[:2] != urlsplit(response.url)[:2]:
            self.fail("foreign_next_link", f"the next page is on another host or scheme: {url}", digest)
            return None
        return self.page_request(url)

    def page_failed(self, failure: Failure) -> Iterator[Request]:
        self.fail(kind_of(failure.value), str(failure.value) or type(failure.value).__name__)
        yield from self._documents()

    def fail(self, kind: str, detail: str, digest: str = "") -> None:
        """Names what broke the chain of pages."""
        self.logger.warning("%s: %s", kind, detail)
        self.failures.append(Problem(kind=kind, detail=detail, payload_sha256=digest))

    def _note(self, kind: str, detail: str, digest: str) -> None:
        self.notes.append(Problem(kind=kind, detail=detail, severity="note", payload_sha256=digest))

    def stop(self, error: UnveilError) -> None:
        """Ends the crawl without sealing it; used when the archive cannot be written."""
        if self.fatal is None:
            self.fatal = error
            self._closing = asyncio.ensure_future(self.crawler.engine.close_spider_async(reason="archive_failed"))


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")

"""What every platform class shares: the account of a crawl, its documents, and requests that say what they bring."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from scrapy import Request, Spider
from scrapy.http import Response
from twisted.python.failure import Failure

from models.codes import Candidacy, Outcome
from models.evidence import Document
from models.procurement import Parsed, Release
from models.run import Problem, QueryResult
from pipeline.errors import UnveilError
from pipeline.outcome import BLOCKING
from pipeline.parse import Item
from spiders.context import ROLE, CrawlContext
from spiders.documents import DocumentDesk, normalised
from spiders.failures import kind_of
from spiders.robots import FREE
from spiders.tape import known_mark

ATTEMPT = "unveil_attempt"
PAGE_PRIORITY = 100


class PortalSpider(Spider):
    """Keeps the account of one crawl. A platform adds how its portal is walked.

    `chain_ended` is true only when the portal said that nothing further follows. `failures` broke the walk, `notes`
    did not. `expected` is the portal's own total, where it names one. `state` is what the next crawl should know of
    this one; it gets it as `context.previous`. `why_empty` says in words why no record was due, where the portal told.
    """

    name = "portal"

    def __init__(self, context: CrawlContext) -> None:
        super().__init__(name=context.card.id)
        self.context = context
        self.desk = DocumentDesk(context.card.documents, context.known_documents)
        self.chain_ended = False
        self.pages = 0
        self.records = 0
        self.rejected = 0
        self.expected: int | None = None
        self.failures: list[Problem] = []
        self.notes: list[Problem] = []
        self.fatal: UnveilError | None = None
        self.state: dict[str, Any] = {}
        self.why_empty = ""
        self._planned: list[str] = []
        # A resumed run has marked these already; a replay writes its own archive from the start.
        self._marked = set() if context.offline else set(context.tape.known_documents)
        self._closing: asyncio.Task[None] | None = None

    def query_results(self) -> list[QueryResult]:
        """How each query of a searched portal ended; none for a portal that is walked whole."""
        return []

    @property
    def blocked(self) -> bool:
        """True once the portal has said that it will not serve us now: nothing more is asked of it."""
        return any(f.kind in BLOCKING for f in self.failures)

    def ask(
        self,
        url: str,
        callback: Any,
        *,
        role: str = "page",
        method: str = "GET",
        body: bytes = b"",
        accept: str = "application/json",
        attempt: int = 1,
        priority: int = PAGE_PRIORITY,
        errback: Any = None,
        meta: Mapping[str, Any] | None = None,
        cb_kwargs: Mapping[str, Any] | None = None,
    ) -> Request:
        """A request of the portal itself. `role` is that of `models.evidence.Payload`; a body is JSON."""
        headers = {"Accept": accept}
        if body:
            headers["Content-Type"] = "application/json"
        return Request(
            url,
            callback=callback,
            errback=errback or self.page_failed,
            method=method,
            headers=headers,
            body=body,
            priority=priority,
            dont_filter=True,
            meta={
                ROLE: role,
                ATTEMPT: attempt,
                # The publisher's documentation of the API stands above rules that guard the web pages.
                FREE: self.context.card.robots.policy == "api_documented",
                **(meta or {}),
            },
            cb_kwargs=dict(cb_kwargs or {}),
        )

    def read(self, items: Iterable[Item]) -> Iterator[Release]:
        """Counts what an answer held, plans the documents of candidates, and gives back the candidates' releases.

        Problems are counted only: they are told when the archived answer is parsed for the lake.
        """
        for item in items:
            if isinstance(item, Problem):
                if item.severity == "rejected":
                    self.records += 1
                    self.rejected += 1
                continue
            self.records += 1
            if not isinstance(item, Parsed):
                continue
            if self.consider(item.release):
                yield item.release

    def consider(self, release: Release) -> bool:
        """Plans the documents of a release that is a candidate; says whether it is one."""
        candidacy, _ = self.context.decide(release)
        if candidacy is None:
            return False
        self.plan(release, candidacy)
        return True

    def plan(self, release: Release, candidacy: Candidacy) -> None:
        """Plans the documents that a candidate links to; they are asked for when the walk has come to its end."""
        self._planned.extend(self.desk.plan(release, candidacy))
        for row in self.desk.known_of(release.contract_id):
            self._mark_known(row)

    def document_requests(self) -> Iterator[Request]:
        """Requests of every planned document, once the walk has come to its end.

        Cursors of a chain run out, documents do not; and their order is then the same in a replay. A portal that
        blocks us is asked for nothing more: the next crawl has the same window again.
        """
        planned, self._planned = self._planned, []
        if self.blocked:
            for url in planned:
                self.desk.settle(url, "failed", "not asked for, since the portal blocked the crawl")
            return
        for number, url in enumerate(planned):
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
        digest = sha256(response.body).hexdigest()
        outcome = self.desk.judge(url, response.status, content_type_of(response), response.body, digest)
        self.logger.info("document %s: %s", url, outcome)

    def document_failed(self, failure: Failure) -> None:
        kind = kind_of(failure.value)
        outcome = kind if kind in ("blocked_address", "too_large") else "failed"
        url = failure.request.cb_kwargs["url"]
        self.desk.settle(url, outcome, f"{kind}: {failure.value}")
        if kind == "not_in_archive":
            self.fail(kind, str(failure.value))

    def page_failed(self, failure: Failure) -> Iterator[Request]:
        """An answer of the portal's own never came: the walk is broken, the documents planned so far are fetched."""
        self.fail(kind_of(failure.value), said(failure))
        yield from self.document_requests()

    def fail(self, kind: str, detail: str, digest: str = "") -> None:
        """Names what broke the walk."""
        self.logger.warning("%s: %s", kind, detail)
        self.failures.append(Problem(kind=kind, detail=detail, payload_sha256=digest))

    def note(self, kind: str, detail: str, digest: str = "") -> None:
        """Names what was odd and broke nothing."""
        self.notes.append(Problem(kind=kind, detail=detail, severity="note", payload_sha256=digest))

    def stop(self, error: UnveilError) -> None:
        """Ends the crawl without sealing it; used when the archive cannot be written."""
        if self.fatal is None:
            self.fatal = error
            self._closing = asyncio.ensure_future(self.crawler.engine.close_spider_async(reason="archive_failed"))


def content_type_of(response: Response) -> str:
    return (response.headers.get("Content-Type") or b"").decode("latin-1")


def said(failure: Failure) -> str:
    return str(failure.value) or type(failure.value).__name__


def outcome_of(kind: str) -> Outcome:
    """What a failure of that kind makes of a query."""
    return Outcome.BLOCKED if kind in BLOCKING else Outcome.FAILED

"""OCDS release packages linked by `links.next`, with the documents of candidates."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

import orjson
from scrapy import Request
from scrapy.http import Response

from pipeline.outcome import Page, judge_page
from pipeline.parse import format_of
from spiders.context import CrawlContext
from spiders.platforms.base import ATTEMPT, PortalSpider, content_type_of

# Beyond any window a portal could fill in a night; a chain that goes on is a chain that never ends.
_MAX_PAGES = 20_000
_MAX_EMPTY_IN_A_ROW = 3


class OcdsLinksSpider(PortalSpider):
    """Follows a chain of release packages from the window's first page to the one without `links.next`.

    `chain_ended` is true only when that page came. `failures` broke the chain, `notes` did not.
    """

    name = "ocds_links"

    def __init__(self, context: CrawlContext) -> None:
        super().__init__(context)
        self._visited: set[str] = set()
        self._contents: set[str] = set()
        self._empty_in_a_row = 0

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
        request = self.ask(url, self.parse_page, attempt=attempt)
        self._visited.add(request.url)
        return request

    def parse_page(self, response: Response) -> Iterator[Request]:
        """Judges an answer, reads its releases, plans their documents and goes on to the next page."""
        content_type = content_type_of(response)
        page = judge_page(response.status, content_type, response.body)
        digest = sha256(response.body).hexdigest()
        if page.note:
            self.note("encoding", page.note, digest)
        if page.kind == "malformed_json" and response.meta[ATTEMPT] == 1:
            # A connection cut in the middle and a broken page look alike; only the second stays.
            self.note(page.kind, f"{page.detail}; asked again", digest)
            yield self.page_request(response.request.url, attempt=2)
            return
        following = None
        if page.kind:
            self.fail(page.kind, f"{page.detail} ({response.url})", digest)
        elif not self._repeats(page, response.url, digest):
            self.pages += 1
            self._read(page, digest, response.url)
            self.logger.info("page %d of %s: %d records so far", self.pages, self.name, self.records)
            following = self._next(page, response, digest)
        yield from [following] if following else self.document_requests()

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

    def _read(self, page: Page, digest: str, url: str) -> None:
        for _ in self.read(format_of(self.context.card).parse_page(page.data, self.context.card, digest, url)):
            pass

    def _next(self, page: Page, response: Response, digest: str) -> Request | None:
        if page.next_url is None:
            self.chain_ended = True
            return None
        url = Request(response.urljoin(page.next_url)).url
        if url in self._visited:
            if not page.releases and url == response.request.url:
                # An empty page that names itself as the next has nothing behind it.
                self.note("empty_last_page", f"{url} is empty and links to itself", digest)
                self.chain_ended = True
            else:
                self.fail("pagination_loop", f"the next page is one that came before: {url}", digest)
            return None
        if urlsplit(url)[:2] != urlsplit(response.url)[:2]:
            self.fail("foreign_next_link", f"the next page is on another host or scheme: {url}", digest)
            return None
        return self.page_request(url)


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")

"""The download handler of a replay: answers from the archive, never from a network, never after a wait."""

from typing import TYPE_CHECKING

from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.http import Response

from spiders.context import FETCHED_AT
from spiders.failures import NotInArchive, from_text
from spiders.tape import to_response

if TYPE_CHECKING:
    from spiders.context import CrawlContext


class ReplayHandler(BaseDownloadHandler):
    """Serves the nth archived answer to the nth request; an archived failure fails again.

    A request that was never made raises NotInArchive, so that a replay cannot look more whole than it is.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._context: CrawlContext = crawler.spider.context

    async def download_request(self, request: Request) -> Response:
        archived = self._context.tape.take(request)
        if archived is None:
            raise NotInArchive(f"{request.method} {request.url} is not in the archive, or not as often as asked")
        request.meta[FETCHED_AT] = archived.payload.fetched_at
        if archived.payload.role == "error":
            raise from_text(archived.body().decode("utf-8", "replace"))
        return to_response(archived, request).replace(flags=[])

"""robots.txt, fetched through the archive like everything else and obeyed as RFC 9309 says."""

import asyncio

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.robotstxt import ProtegoRobotParser
from scrapy.utils.httpobj import urlparse_cached

from spiders.context import ROLE
from spiders.failures import BlockedAddress, NotInArchive, RobotsForbidden, RobotsUnreachable, to_text

AGENT = "Unveil"
FREE = "unveil_robots_free"
# Ten times the 500 kB that RFC 9309, 2.5, has a crawler read at least; with more, there are no rules to be had.
_MOST_BYTES = 5_000_000
# Seconds between requests that are kept at most: with more, a night would not do for one crawl.
MAX_CRAWL_DELAY = 60.0


class RobotsMiddleware:
    """Order 100. One request a host and crawl; requests marked `unveil_robots_free` pass.

    4xx means that there are no rules, anything else that is not 200 that everything is disallowed (RFC 9309, 2.3.1).
    `Crawl-delay`, which is no part of RFC 9309 but widely written, is kept where it is longer than the card's delay, up
    to MAX_CRAWL_DELAY seconds; that a longer one was asked for is told.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._rules: dict[str, asyncio.Task[ProtegoRobotParser | None]] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "RobotsMiddleware":
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        if request.meta.get(FREE):
            return
        parts = urlparse_cached(request)
        root = f"{parts.scheme}://{parts.netloc}"
        if root not in self._rules:
            self._rules[root] = asyncio.ensure_future(self._fetch(root))
        # Shielded: many requests wait for the same rules, and one that is cancelled must not take them along.
        rules = await asyncio.shield(self._rules[root])
        if rules is not None and not rules.allowed(request.url, AGENT):
            raise RobotsForbidden(f"robots.txt of {parts.netloc} disallows {request.url}")

    async def _fetch(self, root: str) -> ProtegoRobotParser | None:
        meta = {ROLE: "robots", FREE: True, "download_maxsize": _MOST_BYTES}
        request = Request(f"{root}/robots.txt", meta=meta, dont_filter=True, priority=1000)
        try:
            response = await self._crawler.engine.download_async(request)
        except (BlockedAddress, NotInArchive):
            raise
        except IgnoreRequest as error:
            raise RobotsUnreachable(f"{request.url}: {error}") from error
        except Exception as error:
            raise RobotsUnreachable(f"{request.url}: {to_text(error)}") from error
        if response.status == 200:
            rules = ProtegoRobotParser.from_crawler(self._crawler, response.body)
            self._slow_down(request, rules.crawl_delay(AGENT))
            return rules
        if 400 <= response.status < 500 and response.status != 429:
            return None
        raise RobotsUnreachable(f"{request.url} answered HTTP {response.status}")

    def _slow_down(self, request: Request, wished: float | None) -> None:
        """Keeps the host's requests so many seconds apart from now on; a replay waits for nothing."""
        context = self._crawler.spider.context
        if wished is None:
            return
        delay = min(wished, MAX_CRAWL_DELAY)
        if delay < wished:
            self._crawler.spider.note(
                "crawl_delay", f"{request.url} asks for {wished:g} s between requests; {delay:g} s are kept"
            )
        if delay <= context.card.politeness.delay or context.offline:
            return
        downloader = self._crawler.engine.downloader
        key = downloader.get_slot_key(request)
        # An idle slot is thrown away and made anew from these settings, so both are told.
        settings = downloader.per_slot_settings.setdefault(key, {})
        settings["delay"] = max(delay, settings.get("delay", 0.0))
        if key in downloader.slots:
            downloader.slots[key].delay = settings["delay"]

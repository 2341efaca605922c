"""Waits as long as a portal asks, retries what may pass, and gives up in the open."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.utils.httpobj import urlparse_cached

from pipeline.store import utc_now
from spiders.context import FETCHED_AT
from spiders.failures import RETRIED

_TRANSIENT = frozenset({408, 500, 502, 504, 522, 524})
_BUSY = frozenset({429, 503})
# Seconds between looks whether the crawl is being stopped.
_NAP = 0.5
_TRIES = "unveil_tries"
_BUSY_WAITS = "unveil_busy_waits"


class Patience:
    """Stands in for Scrapy's retry middleware, at its order 550.

    429 and 503: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), else a doubling pause. A status in the
    card's `busy_wait` without Retry-After: that pause, once a request. A wait beyond `max_wait` is not begun. While a
    host asks for patience no other request to it goes out. A replay decides the same and waits for nothing.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._politeness = crawler.spider.context.card.politeness
        self._offline = crawler.spider.context.offline
        self._until: dict[str, float] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Patience":
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        while (rest := self._until.get(urlparse_cached(request).netloc, 0.0) - monotonic()) > 0:
            if not self._crawler.engine.running:
                # Told to stop: a wait of minutes would only be ended by a kill.
                raise IgnoreRequest("the crawl is being stopped")
            await asyncio.sleep(min(rest, _NAP))

    def process_response(self, request: Request, response: Response) -> Request | Response:
        status = response.status
        tries = request.meta.get(_TRIES, 0)
        asked = _retry_after(response, request.meta.get(FETCHED_AT) or utc_now()) if status in _BUSY else None
        busy_wait = self._politeness.busy_wait.get(status)
        if asked is None and busy_wait is not None:
            if request.meta.get(_BUSY_WAITS, 0):
                return response
            return self._again(request, busy_wait, f"HTTP {status}", busy=True) or response
        if status in _BUSY or status in _TRANSIENT:
            pause = asked if asked is not None else self._backoff(tries)
            return self._again(request, pause, f"HTTP {status}") or response
        return response

    def process_exception(self, request: Request, exception: Exception) -> Request | None:
        if isinstance(exception, RETRIED):
            return self._again(request, self._backoff(request.meta.get(_TRIES, 0)), type(exception).__name__)
        return None

    def _backoff(self, tries: int) -> float:
        return min(self._politeness.max_wait, self._politeness.delay * 2.0 ** (tries + 1))

    def _again(self, request: Request, pause: float, why: str, *, busy: bool = False) -> Request | None:
        tries = request.meta.get(_TRIES, 0)
        if tries >= self._politeness.retries or pause > self._politeness.max_wait:
            return None
        self._crawler.spider.logger.info("%s from %s; again after %.1f s", why, request.url, pause)
        self._crawler.stats.inc_value("unveil/retries")
        if not self._offline:
            host = urlparse_cached(request).netloc
            self._until[host] = max(self._until.get(host, 0.0), monotonic() + pause)
        again = request.replace(dont_filter=True)
        again.meta[_TRIES] = tries + 1
        again.meta[_BUSY_WAITS] = request.meta.get(_BUSY_WAITS, 0) + int(busy)
        return again


def _retry_after(response: Response, moment: datetime) -> float | None:
    """Seconds the answer asks to wait, counted from `moment` for a date; None when it says nothing readable."""
    raw = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    if raw.isdecimal():
        return float(raw)
    try:
        when = parsedate_to_datetime(raw)
    except (ValueError, OverflowError):
        # Years and offsets beyond any calendar are no ValueError.
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - moment).total_seconds())

"""The middleware nearest the network: every answer is in the archive before anything reads it."""

import asyncio
import zlib
from collections.abc import Awaitable
from datetime import datetime
from functools import partial
from pathlib import Path

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError
from scrapy.http import Headers, Response

from models.evidence import Payload
from pipeline.archive import Archived, Opener
from pipeline.errors import UnveilError
from pipeline.store import utc_now
from spiders.context import FETCHED_AT, ROLE, SENT
from spiders.failures import NotInArchive, to_text
from spiders.tape import SPOOLED, forget, open_spooled, to_response

_CHUNK = 1 << 20


class ArchiveMiddleware:
    """Archives answers, redirects, retries and robots.txt alike, and failures of requests that got no answer.

    Runs at order 990. Requests whose answer a killed process had archived already are served from there.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._context = crawler.spider.context
        self._maxsize = crawler.settings.getint("DOWNLOAD_MAXSIZE")

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "ArchiveMiddleware":
        return cls(crawler)

    def process_request(self, request: Request) -> Response | None:
        if not self._context.offline:
            archived = self._context.tape.take(request)
            if archived is not None:
                request.meta[FETCHED_AT] = archived.payload.fetched_at
                self._crawler.stats.inc_value("unveil/from_archive")
                return to_response(archived, request)
            request.meta.pop(FETCHED_AT, None)
        request.meta[SENT] = True
        self._crawler.stats.inc_value("unveil/requests")
        return None

    def process_response(self, request: Request, response: Response) -> Response | Awaitable[Response]:
        if "archived" in response.flags:
            return response
        request.meta.pop(SENT, None)
        moment = self._moment(request)
        if SPOOLED in request.meta:
            return self._file(request, response, moment)
        try:
            response = self._decoded(request, response)
            self._write(request, response, moment, response.body)
        except DownloadCancelledError as error:
            self._write_error(request, error, moment)
            raise
        except UnveilError as error:
            self._stop(error)
            raise
        return response

    async def _file(self, request: Request, response: Response, moment: datetime) -> Response:
        """Archives a file in a thread: to hash and pack gigabytes takes minutes, in which the network and a signal to
        stop must be heard."""
        spooled = request.meta[SPOOLED]
        try:
            payload = await asyncio.to_thread(
                self._write, request, response, moment, partial(open_spooled, spooled)
            )  # fmt: skip
        except UnveilError as error:
            self._stop(error)
            raise
        request.meta[SPOOLED] = Archived(payload, (), self._context.writer.path)
        if isinstance(spooled, Path):
            forget(spooled)
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        # Middlewares further from the network raise too; only what was on its way out is a fact about the portal.
        if request.meta.pop(SENT, False) and not isinstance(exception, NotInArchive):
            self._write_error(request, exception, self._moment(request))

    def _moment(self, request: Request) -> datetime:
        moment: datetime = request.meta.setdefault(FETCHED_AT, utc_now())
        return moment

    def _write(self, request: Request, response: Response, moment: datetime, body: bytes | Opener) -> Payload:
        redirected = request.meta.get("redirect_urls")
        payload = self._context.writer.write_response(
            url=response.url,
            requested_url=redirected[0] if redirected else request.url,
            role=self._role(request),
            method=request.method,
            request_headers=_pairs(request.headers),
            request_body=request.body,
            status=response.status,
            headers=_pairs(response.headers),
            body=body,
            fetched_at=moment,
        )
        self._crawler.stats.inc_value("unveil/responses")
        return payload

    def _role(self, request: Request) -> str:
        """As asked; what came instead of a file, a redirect or an error, is no file."""
        role: str = request.meta.get(ROLE, "page")
        return "index" if role == "file" and SPOOLED not in request.meta else role

    def _write_error(self, request: Request, exception: Exception, moment: datetime) -> None:
        try:
            self._context.writer.write_error(
                url=request.url,
                method=request.method,
                request_body=request.body,
                error=to_text(exception),
                fetched_at=moment,
            )
        except UnveilError as error:
            self._stop(error)
            raise

    def _stop(self, error: UnveilError) -> None:
        """An archive that cannot be written to ends the crawl: nothing may be read that is not archived."""
        self._crawler.spider.stop(error)

    def _decoded(self, request: Request, response: Response) -> Response:
        """The response with its body unpacked, as payloads are archived, within the size limit."""
        coding = (response.headers.get("Content-Encoding") or b"").decode("latin-1").strip().lower()
        if coding not in ("gzip", "x-gzip", "deflate") or not response.body:
            return response
        limit = request.meta.get("download_maxsize", self._maxsize)
        try:
            body = _unpack(response.body, coding, limit)
        except zlib.error:
            # Said to be packed and is not, or is cut: kept as it came, for the body checks to judge.
            return response
        if body is None:
            raise DownloadCancelledError(f"{request.url} unpacks to more than {limit} bytes")
        headers = Headers(response.headers)
        headers.pop("Content-Encoding", None)
        return response.replace(body=body, headers=headers)


def _unpack(data: bytes, coding: str, limit: int) -> bytes | None:
    """The unpacked body, or None when it grows beyond `limit` bytes. Raises zlib.error on a damaged one."""
    # Servers send `deflate` with and without a zlib header (RFC 9110, 8.4.1.2).
    bits = 31 if coding != "deflate" else (15 if data[0] & 0x0F == 8 else -15)
    machine = zlib.decompressobj(wbits=bits)
    body = bytearray()
    while data and not machine.eof:
        body += machine.decompress(data, _CHUNK)
        data = machine.unconsumed_tail
        if len(body) > limit:
            return None
    if not machine.eof:
        raise zlib.error("the packed body is cut")
    return bytes(body)


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name in headers for value in headers.getlist(name)]

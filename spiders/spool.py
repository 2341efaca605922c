"""Files of any size, from the socket to the disk: bodies are spooled, never held, and a broken download goes on.

Scrapy collects a body in memory before anyone sees it. For requests whose role is `file` this handler writes the bytes
as they come; the archive's middleware then streams them into the WARC.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, DownloadTimeoutError, ResponseDataLossError
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.utils._download_handlers import wrap_twisted_exceptions
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers as TxHeaders
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from pipeline.errors import UnveilError
from pipeline.store import disk_guard, write_json_atomic
from spiders.context import ROLE
from spiders.tape import SPOOLED, forget

if TYPE_CHECKING:
    from spiders.context import CrawlContext

# What is not the file (an error, a redirect, a page for humans) is small and read as any answer.
_MOST_OTHER: Final = 10_000_000
_SPOOL: Final = "spool"


class SpoolHandler(HTTP11DownloadHandler):
    """The handler of http and https: as Scrapy's own, but for files.

    A download that broke off is asked to go on (`Range`, RFC 9110, 14.2) when the server gave it a strong validator,
    and only then (`If-Range`, 13.1.5); otherwise it begins anew. `download_timeout` counts from the last byte. A file
    beyond `download_maxsize` is refused. The response of a file has no body: `meta[SPOOLED]` is the path of the bytes.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        # To import it is to install it, which is Scrapy's to do.
        from twisted.internet import reactor

        self._reactor: Any = reactor
        self._context: CrawlContext = crawler.spider.context
        self._files = HTTPConnectionPool(reactor, persistent=False)

    async def download_request(self, request: Request) -> Response:
        if request.meta.get(ROLE) != "file":
            return await super().download_request(request)
        try:
            with wrap_twisted_exceptions():
                return await self._download(request)
        except UnveilError as error:
            # A disk that is full ends the crawl; what came stays for the next one.
            self.crawler.spider.stop(error)
            raise

    async def _download(self, request: Request) -> Response:
        timeout: float = request.meta.get("download_timeout") or self._context.card.politeness.timeout
        spool = Spool(self._context.writer.folder / _SPOOL, request.url)
        headers = Headers(request.headers)
        # The bytes are archived as the server has them: it must not pack them for the way.
        headers["Accept-Encoding"] = "identity"
        begun = spool.begun()
        if begun is not None:
            headers["Range"], headers["If-Range"] = f"bytes={begun.size}-", begun.validator
        agent = Agent(self._reactor, self._contextFactory, connectTimeout=timeout, pool=self._files)
        asked = agent.request(request.method.encode(), request.url.encode("ascii"), TxHeaders(dict(headers)))
        asked.addTimeout(timeout, self._reactor, lambda *_: _late(request, timeout))
        answer: IResponse = await maybe_deferred_to_future(asked)
        said = _headers(answer)
        status = int(answer.code)
        if status == 416:
            # What is here is not the beginning of what is there.
            spool.drop()
            raise ResponseDataLossError(f"{request.url} has no such range any more; it is fetched from its beginning")
        if status not in (200, 206) or b"html" in (said.get("Content-Type") or b"").lower():
            reader: _Reader = _Small(answer, _MOST_OTHER, timeout, self._reactor)
        else:
            size = spool.start(status, said, begun)
            limit = request.meta.get("download_maxsize", self._default_maxsize)
            due = None if answer.length is UNKNOWN_LENGTH else size + int(answer.length)
            if due is not None and limit and due > limit:
                _abort(answer)
                raise DownloadCancelledError(f"{request.url} has {due} bytes, more than {limit}")
            reader = _ToDisk(answer, limit, timeout, self._reactor, spool, size)
        answer.deliverBody(reader)
        await maybe_deferred_to_future(reader.done)
        if isinstance(reader, _ToDisk):
            request.meta[SPOOLED] = spool.path
            said.pop("Content-Range", None)
            return Response(request.url, status=200, headers=said, request=request)
        body = reader.body if isinstance(reader, _Small) else b""
        kind = responsetypes.from_args(headers=said, url=request.url, body=body)
        return kind(request.url, status=status, headers=said, body=body, request=request)


class Begun:
    """A download that broke off: how many bytes are here, and what the server said to know the file again by."""

    def __init__(self, size: int, validator: str) -> None:
        self.size = size
        self.validator = validator


class Spool:
    """The bytes of one file on their way, and beside them what says whether they may be gone on with."""

    def __init__(self, folder: Path, url: str) -> None:
        name = sha256(url.encode()).hexdigest()[:24]
        self.path = folder / f"{name}.part"
        self._beside = folder / f"{name}.json"

    def begun(self) -> Begun | None:
        """What is here of the file, when the server can be asked for the rest; None otherwise."""
        if not self.path.is_file() or not self._beside.is_file():
            return None
        validator = json.loads(self._beside.read_text(encoding="utf-8"))["validator"]
        size = self.path.stat().st_size
        return Begun(size, validator) if validator and size else None

    def start(self, status: int, headers: Headers, begun: Begun | None) -> int:
        """Makes ready for the bytes of an answer; returns how many are here already. Raises ResponseDataLossError
        for a range that was not asked for."""
        with disk_guard(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if status == 206:
                told = (headers.get("Content-Range") or b"").decode("latin-1")
                if begun is None or not told.startswith(f"bytes {begun.size}-"):
                    self.drop()
                    raise ResponseDataLossError(f"a range was sent that was not asked for: {told!r}")
                return begun.size
            self.path.write_bytes(b"")
            write_json_atomic(self._beside, {"validator": _validator(headers)})
        return 0

    def open(self) -> IO[bytes]:
        return self.path.open("ab")

    def drop(self) -> None:
        forget(self.path)


def _validator(headers: Headers) -> str:
    """A strong ETag, else the day of change; empty when the server gave neither (RFC 9110, 8.8)."""
    etag = (headers.get("ETag") or b"").decode("latin-1")
    if etag and not etag.startswith("W/"):
        return etag
    return (headers.get("Last-Modified") or b"").decode("latin-1")


def _headers(answer: IResponse) -> Headers:
    return Headers({name: list(values) for name, values in answer.headers.getAllRawHeaders()})


def _abort(answer: IResponse) -> None:
    # Twisted has no public way to leave a body unread.
    answer._transport.abortConnection()


def _late(request: Request, timeout: float) -> None:
    raise DownloadTimeoutError(f"{request.url} said nothing for {timeout} seconds")


class _Reader(Protocol):
    """Takes a body as it comes; `done` fires when it is whole, or with why it is not."""

    def __init__(self, answer: IResponse, limit: int, timeout: float, reactor: Any) -> None:
        self.done: Deferred[None] = Deferred()
        self._limit = limit
        self._timeout = timeout
        self._due = None if answer.length is UNKNOWN_LENGTH else int(answer.length)
        self._came = 0
        self._silence = reactor.callLater(timeout, self._fail, _silent(timeout))

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._silence.reset(self._timeout)
        self._came += len(data)
        self._guarded(lambda: self._take(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        whole = self._due is None or self._came == self._due
        if reason.check(ResponseDone) or (reason.check(PotentialDataLoss) and whole):
            self._guarded(self._close)
            self._end(lambda: self.done.callback(None))
        else:
            due = "" if self._due is None else f" of {self._due}"
            self._fail(ResponseDataLossError(f"the connection ended after {self._came}{due} bytes"))

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self.done.called:
            return
        self._close()
        if self.transport is not None:
            self.transport.abortConnection()
        self._end(lambda: self.done.errback(Failure(error)))

    def _end(self, fire: Callable[[], None]) -> None:
        if self._silence.active():
            self._silence.cancel()
        if not self.done.called:
            fire()

    def _take(self, data: bytes) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        """Nothing is open by default."""


class _Small(_Reader):
    """A body that is no file, held in memory."""

    def __init__(self, answer: IResponse, limit: int, timeout: float, reactor: Any) -> None:
        super().__init__(answer, limit, timeout, reactor)
        self._parts: list[bytes] = []

    def _take(self, data: bytes) -> None:
        if self._came > self._limit:
            raise DownloadCancelledError(f"an answer that is no file has more than {self._limit} bytes")
        self._parts.append(data)

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)


class _ToDisk(_Reader):
    """The body of a file, written as it comes."""

    def __init__(self, answer: IResponse, limit: int, timeout: float, reactor: Any, spool: Spool, here: int) -> None:
        super().__init__(answer, limit, timeout, reactor)
        self._spool = spool
        self._here = here
        self._file = spool.open()

    def _take(self, data: bytes) -> None:
        if self._limit and self._here + self._came > self._limit:
            raise DownloadCancelledError(f"a file has more than {self._limit} bytes")
        with disk_guard(self._spool.path.parent):
            self._file.write(data)

    def _close(self) -> None:
        if not self._file.closed:
            with disk_guard(self._spool.path.parent):
                self._file.flush()
                self._file.close()


def _silent(timeout: float) -> DownloadTimeoutError:
    return DownloadTimeoutError(f"nothing came for {timeout} seconds")

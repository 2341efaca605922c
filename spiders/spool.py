"""Files of any size, from the socket to the disk: bodies are spooled, never held, and a broken download goes on.

Scrapy collects a body in memory before anyone sees it. For requests whose role is `file` this handler writes the bytes
as they come; the archive's middleware then streams them into the WARC.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, DownloadTimeoutError, IgnoreRequest, ResponseDataLossError
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
# Bytes that must come within each `download_timeout`, or it counts as silence: a byte now and then would never end.
_LEAST: Final = 64 << 10
SPOOL: Final = "spool"
_CONTENT_RANGE: Final = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<length>\d+|\*)$")


class SpoolHandler(HTTP11DownloadHandler):
    """The handler of http and https: as Scrapy's own, but for files.

    A download that broke off is asked to go on (`Range`, RFC 9110, 14.2) when the server gave it a strong validator,
    and only then (`If-Range`, 13.1.5); otherwise it begins anew. `download_timeout` counts from the last 64 KiB. A file
    beyond `download_maxsize` is refused. The response of a file has status 200 and no body: `meta[SPOOLED]` is the path
    of the bytes, and the header `Unveil-Assembled-From` says of how many ranges they were put together, if of several.
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

    def _stopping(self) -> bool:
        return not self.crawler.engine.running

    async def _download(self, request: Request) -> Response:
        timeout: float = request.meta.get("download_timeout") or self._context.card.politeness.timeout
        spool = Spool(self._context.writer.folder / SPOOL, request.url)
        begun = spool.begun()
        if begun is not None and begun.whole:
            # Killed between its last byte and the archive.
            return _of_file(request, spool, begun)
        headers = Headers(request.headers)
        # The bytes are archived as the server has them: it must not pack them for the way.
        headers["Accept-Encoding"] = "identity"
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
            _abort(answer)
            raise ResponseDataLossError(f"{request.url} has no such range any more; it is fetched from its beginning")
        if status not in (200, 206) or b"html" in (said.get("Content-Type") or b"").lower():
            small = _Small(answer, _MOST_OTHER, timeout, self._reactor)
            await _delivered(answer, small)
            kind = responsetypes.from_args(headers=said, url=request.url, body=small.body)
            return kind(request.url, status=status, headers=said, body=small.body, request=request)
        try:
            here = spool.start(status, said, None if answer.length is UNKNOWN_LENGTH else int(answer.length))
            limit = request.meta.get("download_maxsize", self._default_maxsize)
            if limit and here.length is not None and here.length > limit:
                raise DownloadCancelledError(f"{request.url} has {here.length} bytes, more than {limit}")
        except Exception:
            _abort(answer)
            raise
        await _delivered(answer, _ToDisk(answer, limit, timeout, self._reactor, spool, here.size, self._stopping))
        return _of_file(request, spool, here)


def _of_file(request: Request, spool: "Spool", here: "Begun") -> Response:
    request.meta[SPOOLED] = spool.path
    headers = Headers(here.headers)
    if here.ranges > 1:
        headers["Unveil-Assembled-From"] = f"{here.ranges} ranges"
    return Response(request.url, status=200, headers=headers, request=request)


async def _delivered(answer: IResponse, reader: "_Reader") -> None:
    answer.deliverBody(reader)
    await maybe_deferred_to_future(reader.done)


@dataclass(frozen=True)
class Begun:
    """What is here of a file: `size` bytes of `length` (None when the server did not say), come in so many `ranges`.

    `validator` is what the server knows the file again by, or empty; `headers` are those of its first answer.
    """

    size: int
    length: int | None
    validator: str
    ranges: int
    headers: dict[str, list[str]]

    @property
    def whole(self) -> bool:
        return self.length is not None and self.size == self.length


class Spool:
    """The bytes of one file on their way, and beside them what says whether they may be gone on with."""

    def __init__(self, folder: Path, url: str) -> None:
        name = sha256(url.encode()).hexdigest()[:24]
        self._url = url
        self.path = folder / f"{name}.part"
        self._beside = folder / f"{name}.json"

    def begun(self) -> Begun | None:
        """What is here of the file, when the server can be asked for the rest or no rest is due; None otherwise."""
        if not self.path.is_file() or not self._beside.is_file():
            return None
        said = json.loads(self._beside.read_text(encoding="utf-8"))
        here = Begun(
            self.path.stat().st_size, said["length"], said["validator"], said["ranges"], said["headers"]
        )  # fmt: skip
        if said["url"] != self._url or not here.size or not (here.validator or here.whole):
            return None
        return here

    def start(self, status: int, headers: Headers, coming: int | None) -> Begun:
        """Makes ready for the `coming` bytes of an answer with status 200 or 206; returns what is here already.

        Raises ResponseDataLossError for a range that was not asked for.
        """
        with disk_guard(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if status == 206:
                here = self.begun()
                here = None if here is None else _joined(here, headers)
                if here is None:
                    self.drop()
                    raise ResponseDataLossError(f"{self._url}: what was sent is not the rest of what is here")
            else:
                self.path.write_bytes(b"")
                plain = {name.decode("latin-1"): _latin(headers.getlist(name)) for name in headers}
                here = Begun(0, coming, _validator(headers), 1, plain)
            beside = {"url": self._url, **asdict(here)}
            del beside["size"]
            write_json_atomic(self._beside, beside)
        return here

    def open(self) -> IO[bytes]:
        return self.path.open("ab")

    def drop(self) -> None:
        forget(self.path)


def _joined(here: Begun, headers: Headers) -> Begun | None:
    """What is here together with the range an answer brings; None when that does not join it or is of another file.

    Servers are known to serve ranges and to pass over `If-Range`, so what they say of the file is compared.
    """
    told = _CONTENT_RANGE.match((headers.get("Content-Range") or b"").decode("latin-1"))
    if told is None or int(told["first"]) != here.size:
        return None
    length = here.length if told["length"] == "*" else int(told["length"])
    etags = [values for name, values in here.headers.items() if name.lower() == "etag"]
    if here.length not in (None, length) or (etags and etags[0] != _latin(headers.getlist("ETag"))):
        return None
    return replace(here, length=length, ranges=here.ranges + 1)


def _validator(headers: Headers) -> str:
    """A strong ETag; without any ETag the day of change, when it lies before that of the answer (RFC 9110, 13.1.5).

    Empty when the server gave neither.
    """
    etag = (headers.get("ETag") or b"").decode("latin-1")
    if etag:
        return "" if etag.startswith("W/") else etag
    changed, answered = (_moment(headers.get(name)) for name in ("Last-Modified", "Date"))
    if changed is None or answered is None or changed >= answered:
        return ""
    return (headers.get("Last-Modified") or b"").decode("latin-1")


def _moment(value: bytes | None) -> datetime | None:
    try:
        when = parsedate_to_datetime((value or b"").decode("latin-1"))
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _latin(values: list[bytes]) -> list[str]:
    return [value.decode("latin-1") for value in values]


def _headers(answer: IResponse) -> Headers:
    return Headers({name: list(values) for name, values in answer.headers.getAllRawHeaders()})


def _abort(answer: IResponse) -> None:
    # Twisted has no public way to leave a body unread; Scrapy's own handler does the same.
    producer = answer._transport._producer
    if producer is not None:
        producer.abortConnection()


def _late(request: Request, timeout: float) -> None:
    raise DownloadTimeoutError(f"{request.url} said nothing for {timeout} seconds")


class _Reader(Protocol, ABC):
    """Takes a body as it comes; `done` fires when it is whole, or with why it is not."""

    def __init__(self, answer: IResponse, limit: int, timeout: float, reactor: Any) -> None:
        self.done: Deferred[None] = Deferred()
        self._answer = answer
        self._limit = limit
        self._timeout = timeout
        self._due = None if answer.length is UNKNOWN_LENGTH else int(answer.length)
        self._came = 0
        self._counted = 0
        self._silence = reactor.callLater(timeout, self._fail, _silent(timeout))

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._came += len(data)
        if self._came - self._counted >= _LEAST:
            self._counted = self._came
            self._silence.reset(self._timeout)
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
        self._end(lambda: self.done.errback(Failure(error)))
        _abort(self._answer)
        self._close()

    def _end(self, fire: Callable[[], None]) -> None:
        if self._silence.active():
            self._silence.cancel()
        if not self.done.called:
            fire()

    @abstractmethod
    def _take(self, data: bytes) -> None:
        """Takes a piece of the body. What it raises ends the download."""

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
    """The body of a file, written as it comes. A crawl that is told to stop leaves what is here, to be gone on with."""

    def __init__(
        self,
        answer: IResponse,
        limit: int,
        timeout: float,
        reactor: Any,
        spool: Spool,
        here: int,
        stopping: Callable[[], bool],
    ) -> None:
        super().__init__(answer, limit, timeout, reactor)
        self._spool = spool
        self._here = here
        self._stopping = stopping
        self._file = spool.open()

    def _take(self, data: bytes) -> None:
        if self._limit and self._here + self._came > self._limit:
            raise DownloadCancelledError(f"a file has more than {self._limit} bytes")
        with disk_guard(self._spool.path.parent):
            self._file.write(data)
        if self._stopping():
            raise IgnoreRequest("the crawl is being stopped")

    def _close(self) -> None:
        if not self._file.closed:
            with disk_guard(self._spool.path.parent):
                self._file.flush()
                self._file.close()


def _silent(timeout: float) -> DownloadTimeoutError:
    return DownloadTimeoutError(f"next to nothing came for {timeout} seconds")

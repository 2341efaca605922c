"""A portal on the loopback interface that speaks like any platform class and misbehaves on demand.

What a portal says when it behaves is a dialect's (tests/rogue_dialects.py). A fault is what happens on the wire
instead; `bad` puts faults before the ordinary answer to a target, `bad_for_ever` in its place. The log tells what was
asked when, and how many requests were open at once, so that manners can be read off the server's side.
"""

import socket
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import parse_qs, urlsplit

from tests.driver import Reply

CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>cf-challenge</body></html>"
PDF = b"%PDF-1.4\n1 0 obj\n<< >>\nendobj\n%%EOF\n"
_CIRCLE = "/rogue/circle"


@dataclass(frozen=True)
class Ask:
    """One request as it came: `target` is the dialect's name for what it asks; `at` seconds of a monotonic clock."""

    method: str
    path: str
    body: bytes
    agent: str
    target: str
    at: float


class Dialect(Protocol):
    """How one kind of portal speaks when it behaves."""

    def target(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> str:
        """What is asked: `index …`, `record …`, or empty for what the portal does not know."""

    def answer(self, target: str, url: str) -> Reply:
        """The ordinary answer; `url` is the portal's own root."""

    def endless(self, target: str, url: str, *, same: bool) -> Reply:
        """A page that names a further one, whatever page was asked: without content, or with the same each time."""


class Wire:
    """One connection with a request on it, for a fault to do with as it likes."""

    def __init__(self, handler: BaseHTTPRequestHandler, ask: Ask, happy: Callable[[], Reply], url: str) -> None:
        self._handler = handler
        self.ask = ask
        self.happy = happy
        self.url = url

    def reply(self, reply: Reply) -> None:
        self.head(reply.status, len(reply.body or b""), {"Content-Type": reply.content_type, **reply.headers})
        self.send(reply.body or b"")

    def head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self._handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(length), "Connection": "close"}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def send(self, data: bytes) -> None:
        self._handler.wfile.write(data)

    def reset(self) -> None:
        """Ends the connection with a RST: lingering for no time drops what was not sent."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.connection.close()
        # The socket itself is let go once the handler stops reading from it.
        self._handler.close_connection = True


Fault = Callable[[Wire], None]


def reset(wire: Wire) -> None:
    """Hangs up without a word."""
    wire.reset()


def cut(wire: Wire) -> None:
    """Hangs up in the middle of the body."""
    body = wire.happy().body or b""
    wire.head(200, len(body), {"Content-Type": "application/json"})
    wire.send(body[: len(body) // 2])
    wire.reset()


def truncated(wire: Wire) -> None:
    """Promises more bytes than come, and ends in good order."""
    happy = wire.happy()
    body = happy.body or b""
    wire.head(200, len(body) + 100, {"Content-Type": happy.content_type})
    wire.send(body)


def drip(wire: Wire) -> None:
    """A byte ten times a second, of a body that would take an hour."""
    wire.head(200, 36_000, {"Content-Type": "application/json"})
    while True:
        wire.send(b" ")
        sleep(0.1)


def stall(wire: Wire) -> None:
    """The first half of the body, then silence."""
    happy = wire.happy()
    body = happy.body or b""
    wire.head(200, len(body), {"Content-Type": happy.content_type})
    wire.send(body[: len(body) // 2])
    sleep(30)


def busy(status: int, seconds: int, *, dated: bool = False) -> Fault:
    """Asks for patience, in seconds or with a date."""

    def fault(wire: Wire) -> None:
        until = (datetime.now(UTC) + timedelta(seconds=seconds + 1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        wire.reply(Reply(b"", status, "text/plain", {"Retry-After": until if dated else str(seconds)}))

    return fault


def instead(body: bytes, content_type: str = "application/json", status: int = 200) -> Fault:
    """Something else than what was asked for."""
    return lambda wire: wire.reply(Reply(body, status, content_type))


def circle(wire: Wire) -> None:
    """Sends the crawler round and round."""
    wire.reply(Reply(b"", 302, "text/plain", {"Location": f"{wire.url}{_CIRCLE}?n=1"}))


def bomb(wire: Wire) -> None:
    """Some hundred kilobytes that unpack to 256 MiB."""
    wire.reply(Reply(zeros(256), 200, "application/json", {"Content-Encoding": "gzip"}))


@cache
def zeros(mebibytes: int) -> bytes:
    """So many MiB of nothing, gzipped."""
    machine = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = [machine.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join((*packed, machine.flush()))


def altered(change: Callable[[Reply], Reply]) -> Fault:
    """The ordinary answer, with something about it changed."""
    return lambda wire: wire.reply(change(wire.happy()))


def latin(reply: Reply) -> Reply:
    """A text more in JSON, at the end of every name in XML, that says to be UTF-8 and is ISO-8859-1."""
    body = reply.body or b""
    if body.startswith(b"<"):
        return Reply(body.replace(b"</cbc:Name>", b" caf\xe9</cbc:Name>"), content_type=reply.content_type)
    return Reply(body.replace(b"{", b'{"rogue": "caf\xe9", ', 1), content_type=reply.content_type)


class Rogue:
    """Serves a dialect, misbehaving as told. A context manager.

    `log` holds every request in the order they came, `most` how many were open at one time. `pause` seconds pass before
    each answer.
    """

    def __init__(self, dialect: Dialect, robots: str | None = None, pause: float = 0.0) -> None:
        self.dialect = dialect
        self.robots = robots
        self.pause = pause
        self.log: list[Ask] = []
        self.most = 0
        self._open = 0
        self._once: dict[str, deque[Fault]] = {}
        self._ever: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def bad(self, target: str, *faults: Fault) -> None:
        """Faults before the ordinary answer, one a request."""
        self._once.setdefault(target, deque()).extend(faults)

    def bad_for_ever(self, target: str, fault: Fault) -> None:
        """A fault in place of the ordinary answer. A target of one word is every target that begins with it."""
        self._ever[target] = fault

    def endless(self, target: str, *, same: bool) -> None:
        """Every page of an index names a further one."""
        self.bad_for_ever(target, lambda wire: wire.reply(self.dialect.endless(wire.ask.target, self.url, same=same)))

    def asked(self, target: str) -> list[Ask]:
        return [ask for ask in self.log if ask.target.startswith(target)]

    def _begin(self, handler: BaseHTTPRequestHandler) -> Wire:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        parts = urlsplit(handler.path)
        if parts.path == "/robots.txt":
            target = "robots"
        elif parts.path == _CIRCLE:
            target = "circle"
        else:
            target = self.dialect.target(handler.command, parts.path, parse_qs(parts.query), body)
        agent = handler.headers.get("User-Agent", "")
        ask = Ask(handler.command, handler.path, body, agent, target, monotonic())
        with self._lock:
            self.log.append(ask)
            self._open += 1
            self.most = max(self.most, self._open)
        return Wire(handler, ask, lambda: self._happy(ask), self.url)

    def _happy(self, ask: Ask) -> Reply:
        if ask.target == "robots":
            return Reply(b"", 404) if self.robots is None else Reply(self.robots.encode(), 200, "text/plain")
        if ask.target == "circle":
            number = int(parse_qs(urlsplit(ask.path).query)["n"][0])
            return Reply(b"", 302, "text/plain", {"Location": f"{self.url}{_CIRCLE}?n={number + 1}"})
        return self.dialect.answer(ask.target, self.url) if ask.target else Reply(b"no such page", 404, "text/plain")

    def _fault(self, target: str) -> Fault | None:
        with self._lock:
            if waiting := self._once.get(target):
                return waiting.popleft()
        return self._ever.get(target) or self._ever.get(target.partition(" ")[0])

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        wire = self._begin(handler)
        try:
            sleep(self.pause)
            fault = self._fault(wire.ask.target)
            if fault is None:
                wire.reply(wire.happy())
            else:
                fault(wire)
        except OSError:
            # The crawler hung up, which is what some faults are about.
            handler.close_connection = True
        finally:
            with self._lock:
                self._open -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        rogue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                rogue._serve(self)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: `Rogue.log` keeps the account."""

        return Handler

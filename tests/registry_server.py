"""The OCP Data Registry on the loopback interface: a list, redirects to files on disk, ranges, and cut connections."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from models.source import BulkPolicy, Politeness, Robots, SourceCard
from pipeline.cards import load_source_card
from pipeline.store import DATA
from tests.answers.registry import publications

SOURCE_ID = "united_kingdom_contracts_finder_releases"
_CHUNK = 1 << 16


@dataclass
class Served:
    """A file of the registry. `cuts` are bytes after which the connection ends, one an answer; `etag` its validator.

    `pause` seconds are waited for before each further piece once `pause_after` bytes were sent. A `careless` server
    sends ranges without a look at `If-Range`. `then` is what is served after the first answer.
    """

    path: Path
    etag: str = '"v1"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    pause_after: int | None = None
    pause: float = 0.0
    careless: bool = False
    then: "Served | None" = None


class RegistryServer:
    """Serves `files` by name. `log` holds (path, Range header or '', bytes sent) of every request, as it ends."""

    def __init__(self, files: dict[str, Served], last_retrieved: str = "2026-10-30") -> None:
        self.files = files
        self.last_retrieved = last_retrieved
        self.log: list[tuple[str, str, int]] = []
        self.sending = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def asked(self, start: str) -> list[tuple[str, str, int]]:
        return [one for one in self.log if one[0].startswith(start)]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/publications.json":
                    self._whole(json.dumps(publications(SOURCE_ID, last_retrieved=registry.last_retrieved)).encode())
                elif parts.path.endswith("/download"):
                    name = parse_qs(parts.query)["name"][0]
                    if name in registry.files:
                        self._whole(b"", 302, {"Location": f"{registry.url}/cdn/{name}"})
                    else:
                        self._whole(b"<h1>Not Found</h1>", 404, {"Content-Type": "text/html"})
                elif parts.path.startswith("/cdn/"):
                    self._file(registry.files[parts.path.removeprefix("/cdn/")])
                else:
                    self._whole(b"", 404)

            def _whole(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                registry.log.append((self.path, self.headers.get("Range", ""), len(body)))

            def _file(self, served: Served) -> None:
                size = served.path.stat().st_size
                asked = self.headers.get("Range", "")
                start = 0
                if asked and served.ranges and (served.careless or self.headers.get("If-Range") == served.etag):
                    start = int(asked.removeprefix("bytes=").partition("-")[0])
                if served.then is not None:
                    registry.files = {
                        name: served.then if one is served else one for name, one in registry.files.items()
                    }
                if start >= size:
                    self._whole(b"", 416)
                    return
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
                self.send_header("Content-Type", "application/gzip")
                self.send_header("Content-Length", str(size - start))
                if served.etag:
                    self.send_header("ETag", served.etag)
                self.end_headers()
                cut = served.cuts.pop(0) if served.cuts else None
                sent = self._send(served, start, size if cut is None else min(size, start + cut))
                registry.log.append((self.path, asked, sent))
                if cut is not None:
                    self.close_connection = True
                    self.connection.close()

            def _send(self, served: Served, start: int, end: int) -> int:
                sent = 0
                with served.path.open("rb") as stream:
                    stream.seek(start)
                    while start + sent < end:
                        piece = stream.read(min(_CHUNK, end - start - sent))
                        try:
                            self.wfile.write(piece)
                        except (BrokenPipeError, ConnectionResetError):
                            self.close_connection = True
                            return sent
                        sent += len(piece)
                        if served.pause_after is not None and start + sent >= served.pause_after:
                            registry.sending.set()
                            sleep(served.pause)
                return sent

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet: `RegistryServer.log` keeps the account."""

        return Handler


def registry_card(server: RegistryServer, **changes: Any) -> SourceCard:
    """The card of the registry's Contracts Finder, pointed at the loopback interface, without pauses."""
    card = load_source_card(DATA / "sources", "ocp_uk_contracts_finder")
    values: dict[str, Any] = {
        "start_url": f"{server.url}/publications.json",
        "private_addresses": True,
        "robots": Robots(policy="api_documented", why="a test"),
        "politeness": Politeness(delay=0, timeout=5, retries=3, max_wait=5),
        "bulk": BulkPolicy(publication=SOURCE_ID, max_bytes=2_000_000_000),
        **changes,
    }
    return card.model_copy(update=values)

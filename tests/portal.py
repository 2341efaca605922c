"""A portal on the loopback interface that speaks like Contracts Finder and misbehaves on demand."""

import json
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from models.codes import Candidacy, Lifecycle
from models.procurement import Release
from models.source import DocumentPolicy, Politeness, Robots, SourceCard

SEARCH = "/Published/Notices/OCDS/Search"
PDF = b"%PDF-1.4\n1 0 obj\n<< >>\nendobj\n%%EOF\n"
SINCE = datetime(2025, 1, 20, tzinfo=UTC)
UNTIL = datetime(2025, 1, 23, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """One answer: bytes to send after `after` seconds, or a connection cut when `reset` is true."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    reset: bool = False


@dataclass(frozen=True)
class Asked:
    path: str
    at: float
    agent: str


class Portal:
    """Serves `pages` (lists of releases) linked by cursors, and what `say` put first.

    Use as a context manager. `log` holds every request in order.
    """

    def __init__(self, pages: Sequence[Sequence[dict[str, Any]]] = (), robots: str | None = None) -> None:
        self.pages = pages
        self.robots = robots
        self.log: list[Asked] = []
        self.files: dict[str, Answer] = {}
        self._said: dict[str, deque[Answer]] = {}
        self._lock = threading.Lock()
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

    def say(self, page: int | str, *answers: Answer) -> None:
        """Answers to give first, before the ordinary one, to a page number from 1 or to a path."""
        self._said.setdefault(str(page), deque()).extend(answers)

    def asked(self, start: str = SEARCH) -> list[Asked]:
        return [a for a in self.log if a.path.startswith(start)]

    def answer(self, path: str, agent: str) -> Answer:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        page = int(query["cursor"][0]) if "cursor" in query else 1
        with self._lock:
            self.log.append(Asked(path, monotonic(), agent))
            said = self._said.get(str(page) if parts.path == SEARCH else parts.path)
            if said:
                return said.popleft()
        if parts.path == "/robots.txt":
            missing = Answer(b"", 404, "text/plain")
            return missing if self.robots is None else Answer(self.robots.encode(), 200, "text/plain")
        if parts.path == SEARCH:
            return Answer(self.package(page, query))
        return self.files.get(parts.path, Answer(b"no such page", 404, "text/plain"))

    def package(self, page: int, query: dict[str, list[str]]) -> bytes:
        keep = {k: v[0] for k, v in query.items() if k != "cursor"}
        value: dict[str, Any] = {
            "uri": f"{self.url}{SEARCH}?{urlencode(keep, safe=':')}",
            "version": "1.1",
            "publisher": {"name": "Cabinet Office"},
            "releases": self.pages[page - 1] if page <= len(self.pages) else [],
        }
        if page < len(self.pages):
            value["links"] = {"next": self.next_url(page + 1, keep)}
        return json.dumps(value, ensure_ascii=False).encode()

    def next_url(self, page: int, query: dict[str, str] | None = None) -> str:
        return f"{self.url}{SEARCH}?{urlencode({**(query or {}), 'cursor': str(page)}, safe=':')}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = portal.answer(self.path, self.headers.get("User-Agent", ""))
                if answer.after:
                    sleep(answer.after)
                if answer.reset:
                    self.connection.close()
                    return
                try:
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.content_type)
                    self.send_header("Content-Length", str(len(answer.body)))
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer.body)
                except (BrokenPipeError, ConnectionResetError):
                    # The crawler hung up, which is what some tests are about.
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet: `Portal.log` keeps the account."""

        return Handler


def release(
    number: int, title: str = "Grounds maintenance", documents: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """A release as Contracts Finder writes them, with a fictional buyer and supplier."""
    return {
        "ocid": f"ocds-b5fd17-{number:08d}",
        "id": f"{number:08d}-1",
        "language": "en",
        "date": "2025-01-22T10:00:00Z",
        "tag": ["award"],
        "initiationType": "tender",
        "tender": {"id": f"T{number}", "title": title, "description": f"Lot {number}", "status": "complete"},
        "parties": [
            {"id": "GB-CFS-1", "name": "Borough of Exampleton", "roles": ["buyer"]},
            {"id": "GB-CFS-2", "name": "Example Works Ltd", "roles": ["supplier"]},
        ],
        "buyer": {"id": "GB-CFS-1", "name": "Borough of Exampleton"},
        "awards": [
            {
                "id": f"{number:08d}-a",
                "status": "active",
                "value": {"amount": 1000, "currency": "GBP"},
                "suppliers": [{"id": "GB-CFS-2", "name": "Example Works Ltd"}],
                "documents": list(documents),
            }
        ],
    }


def three_pages() -> list[list[dict[str, Any]]]:
    return [[release(1), release(2)], [release(3), release(4)], [release(5)]]


def portal_card(portal: Portal, **changes: Any) -> SourceCard:
    """The card of the loopback portal: no delay, few retries, documents of two types."""
    values: dict[str, Any] = {
        "id": "test_portal",
        "name": "Test portal",
        "publisher": "Nobody",
        "namespace": "ocds",
        "countries": ("GB",),
        "languages": ("en",),
        "rank": "A",
        "retrieval": "full",
        "platform": "ocds_links",
        "start_url": f"{portal.url}{SEARCH}",
        "licence": "none",
        "documentation": "none",
        "window_param": ("publishedFrom", "publishedTo"),
        "lifecycle": {"tender:complete": Lifecycle.COMPLETE, "award:active": Lifecycle.ACTIVE},
        "robots": Robots(policy="api_documented", why="a test"),
        "politeness": Politeness(delay=0, timeout=5, retries=2, busy_wait={403: 0.2}, max_wait=5),
        "documents": DocumentPolicy(types=("application/pdf", "application/zip"), max_bytes=10_000),
        "private_addresses": True,
    }
    return SourceCard(**{**values, **changes})


class FakeCandidates:
    """Facial recognition is a candidate, CCTV a probe, everything else neither."""

    def decide(self, release: Release) -> tuple[Candidacy | None, tuple[str, ...]]:
        if "facial" in release.title.lower():
            return Candidacy.TEXT, ("facial",)
        if "CCTV" in release.title:
            return Candidacy.PROBE, ("cctv",)
        return None, ()

    def glance(self, record: bytes) -> bool:
        return b"acial" in record or b"CCTV" in record


def fake_candidates(vendor_folders: Sequence[Path]) -> FakeCandidates:
    return FakeCandidates()

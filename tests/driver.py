"""Walks a spider over answers given by a function: no network, no archive, no waiting. For what a spider decides."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scrapy import Request
from scrapy.exceptions import DownloadFailedError
from scrapy.http import Headers
from scrapy.responsetypes import responsetypes
from twisted.python.failure import Failure

from flows.crawl_one import spider_class
from models.codes import Lifecycle, Outcome
from models.run import Query
from models.source import SourceCard
from pipeline.archive import RunInfo
from pipeline.archive_writer import RunWriter
from pipeline.outcome import decide_outcome
from pipeline.store import Store
from spiders.context import CrawlContext
from spiders.platforms.base import PortalSpider
from spiders.tape import Tape
from tests.portal import FakeCandidates

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
# Beyond what any test asks; a spider that goes on has lost its way.
_MOST = 500


@dataclass(frozen=True)
class Reply:
    """One answer; None as body is a connection cut."""

    body: bytes | None
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


Portal = Callable[[Request], Reply]


@dataclass(frozen=True)
class Walk:
    """What a source's portal answers in one situation, and how the crawl is to end.

    `kinds` are kinds of problems that must be told, as failures or notes; `records` counts what was read.
    """

    answer: Portal
    outcome: Outcome
    records: int = 0
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StatusWord:
    """A record carrying one of the portal's own status words: `page` as the parser is given it, and what to read.

    `key` is the key of the card's lifecycle map; `url` is where the record came from, for a parser that reads it.
    """

    key: str
    page: bytes
    lifecycle: Lifecycle
    url: str = "https://portal.example/record"


@dataclass(frozen=True)
class Answers:
    """What a source's test module holds as `ANSWERS`.

    `walks` has the situations `pages` (first, next and last page), `empty`, `malformed`, `error_in_200`, `challenge`,
    `changed_field` and whatever else a portal is known for; `statuses` has every key of the card's lifecycle map.
    """

    walks: dict[str, Walk]
    statuses: Iterable[StatusWord]
    queries: tuple[Query, ...] = ()


def query(term: str = "facial recognition", language: str = "en", kind: str = "text") -> Query:
    return Query.model_validate(
        {"query_id": f"q-{term}", "kind": kind, "term": term, "language": language, "since": SINCE, "until": NOW}
    )


def make_spider(folder: Path, card: SourceCard, queries: tuple[Query, ...] = (), **changes: Any) -> PortalSpider:
    """A spider of the card's source with a context of its own."""
    info = RunInfo("r1", card.id, "crawl", NOW, {})
    values: dict[str, Any] = {
        "card": card, "writer": RunWriter(Store(folder), info), "since": SINCE, "until": NOW,
        "decide": FakeCandidates().decide, "known_documents": {}, "tape": Tape(), "queries": queries,
    }  # fmt: skip
    return spider_class(card)(context=CrawlContext(**{**values, **changes}))


def drive(spider: PortalSpider, answer: Portal) -> list[Request]:
    """Runs the spider until it asks for nothing more; returns its requests in the order they were made."""

    async def begun() -> list[Request]:
        started: AsyncIterator[Any] = spider.start()
        return [request async for request in started]

    waiting = deque(asyncio.run(begun()))
    asked: list[Request] = []
    while waiting:
        request = waiting.popleft()
        asked.append(request)
        assert len(asked) <= _MOST, "the spider asks without end"
        waiting.extend(_called(request, answer(request)))
    return asked


def _called(request: Request, reply: Reply) -> list[Request]:
    if reply.body is None:
        failure = Failure(DownloadFailedError("the connection was cut"))
        failure.request = request  # type: ignore[attr-defined]
        return list(request.errback(failure) or ())
    headers = Headers({"Content-Type": reply.content_type, **reply.headers})
    kind = responsetypes.from_args(headers=headers, url=request.url, body=reply.body)
    response = kind(url=request.url, status=reply.status, headers=headers, body=reply.body, request=request)
    called = request.callback(response, **request.cb_kwargs)
    if isinstance(called, AsyncIterator):
        return asyncio.run(_gathered(called))
    return list(called or ())


async def _gathered(requests: AsyncIterator[Request]) -> list[Request]:
    return [request async for request in requests]


def ended(spider: PortalSpider) -> tuple[Outcome, str]:
    """How such a crawl ends, as its account would say."""
    return decide_outcome(
        finish_reason="finished",
        chain_ended=spider.chain_ended,
        failures=spider.failures,
        pages=spider.pages,
        records=spider.records,
        rejected=spider.rejected,
        expected=spider.expected,
        documents_expected=spider.desk.expected,
        documents_received=spider.desk.received,
        why_empty=spider.why_empty,
    )

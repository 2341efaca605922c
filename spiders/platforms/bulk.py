"""Registries of bulk files: a list of publications, and of each a file of lines a year and one of all years."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import IO, Any, Final
from urllib.parse import urljoin

import orjson
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from models.codes import Candidacy
from models.procurement import Parsed, Release
from models.run import Problem
from pipeline.outcome import judge_json
from pipeline.parse import Item, format_of
from pipeline.parse.common import Misfit
from spiders.context import CrawlContext
from spiders.failures import kind_of
from spiders.platforms.base import PortalSpider, content_type_of, said
from spiders.tape import SPOOLED, open_spooled

_WHOLE: Final = "full.jsonl.gz"
_BATCH: Final = 5_000
_GZIP: Final = b"\x1f\x8b"


@dataclass
class _Batch:
    """What some items of a file come to. `broken` is what ended the reading before the file's end."""

    read: int = 0
    records: int = 0
    rejected: int = 0
    kept: list[tuple[Release, Candidacy]] = field(default_factory=list)
    broken: Problem | None = None


class BulkSpider(PortalSpider):
    """The OCP Data Registry: `publications.json`, then `/en/publication/<id>/download?name=<year>.jsonl.gz`.

    The publication is found by its `source_id`; numbers are the registry's own and may change. A first crawl takes the
    file of all years, a later one those of this year and the last, and none when `last_retrieved` is what it was. A
    changed process may move from one year's file to the next. Files are read in batches in a thread, which touches
    nothing but the file: the network goes on, and the archive has one writer.
    """

    name = "bulk"

    def __init__(self, context: CrawlContext) -> None:
        super().__init__(context)
        if context.card.bulk is None:
            raise ValueError(f"the card {context.card.id} does not say which publication it is")
        self._policy = context.card.bulk
        self._open: list[str] = []
        self._missing: list[str] = []
        self._came: set[str] = set()
        self._found: dict[str, Any] = {}
        self._first_year: int | None = None

    async def start(self) -> AsyncIterator[Request]:
        yield self.ask(self.context.card.start_url, self.parse_publications, role="index")

    def parse_publications(self, response: Response) -> Iterator[Request]:
        """Finds the publication and asks for its files, when they have changed."""
        page = judge_json(response.status, content_type_of(response), response.body)
        digest = sha256(response.body).hexdigest()
        try:
            if page.kind:
                raise Misfit(page.kind, page.detail)
            entry = self._publication(orjson.loads(page.data))
        except Misfit as misfit:
            self.fail(misfit.kind, f"{misfit.detail} ({response.url})", digest)
            return
        self.pages += 1
        if entry.get("frozen"):
            self.note("frozen", f"the registry no longer retrieves `{self._policy.publication}`", digest)
        before = self.context.previous
        retrieved = entry["last_retrieved"]
        if retrieved is None or before.get("last_retrieved") == retrieved:
            # Neither is a gap: the state stays what the last file left.
            kind = "never_retrieved" if retrieved is None else "unchanged"
            said = "never yet" if retrieved is None else f"last on {retrieved}, as before"
            self.why_empty = f"{kind}: the registry retrieved `{self._policy.publication}` {said}; no file was due"
            self.note(kind, self.why_empty, digest)
            self.state = dict(before)
            self.chain_ended = True
            return
        self._found = {"last_retrieved": retrieved, "publication_id": entry["id"]}
        self._first_year = _year(entry.get("date_from"))
        year = self.context.until.year
        names = [f"{year}.jsonl.gz", f"{year - 1}.jsonl.gz"] if before else [_WHOLE]
        self._open = list(names)
        for name in names:
            yield self._file_request(entry["id"], name, response)

    def _publication(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise Misfit("missing_field", "the answer is no list of publications")
        found = [entry for entry in value if entry.get("source_id") == self._policy.publication]
        if len(found) != 1:
            raise Misfit(
                "missing_publication",
                f"{len(found)} of {len(value)} publications have the source_id `{self._policy.publication}`",
            )
        (entry,) = found
        if not isinstance(entry.get("id"), int):
            raise Misfit("missing_field", "the publication has no number `id`")
        if "last_retrieved" not in entry or not isinstance(entry["last_retrieved"], str | None):
            raise Misfit("missing_field", "the publication does not say when it was retrieved (`last_retrieved`)")
        return entry

    def _file_request(self, number: int, name: str, response: Response) -> Request:
        url = urljoin(response.url, f"/en/publication/{number}/download?name={name}")
        return self.ask(
            url,
            self.parse_file,
            role="file",
            accept="*/*",
            errback=self.file_failed,
            meta={"download_maxsize": self._policy.max_bytes},
            cb_kwargs={"name": name},
        )

    async def parse_file(self, response: Response, name: str) -> AsyncIterator[Request]:
        """Reads a file's lines from the archive, away from the network's thread, and plans documents."""
        spooled = response.meta.get(SPOOLED)
        # An answer that is no file has its body with it, and so has a file where there is no archive.
        opener = partial(io.BytesIO, response.body) if spooled is None else partial(open_spooled, spooled)
        if response.status == 404 and name != _WHOLE:
            self._missing.append(name)
        elif response.status != 200 or _head(opener) != _GZIP:
            page = judge_json(response.status, content_type_of(response), response.body)
            kind = page.kind if page.kind and page.kind != "malformed_json" else "wrong_content"
            self.fail(kind, f"{name} did not come: {page.detail or 'no gzipped lines'} ({response.url})")
        else:
            digest = sha256(response.body).hexdigest() if spooled is None else spooled.payload.sha256
            self.logger.info("page %s of %s: reading", name, self.name)
            await self._read_file(name, opener, digest, response.url)
        for request in self._settled(name):
            yield request

    async def _read_file(self, name: str, opener: Callable[[], IO[bytes]], digest: str, url: str) -> None:
        card = self.context.card
        items = format_of(card).parse_file(opener, card, digest, url, self.context.glance)
        self.pages += 1
        while (batch := await asyncio.to_thread(self._batch, items)).read:
            self.records += batch.records
            self.rejected += batch.rejected
            for release, candidacy in batch.kept:
                self.plan(release, candidacy)
            if batch.broken is not None:
                self.fail("unreadable_file", f"{name}: {batch.broken.kind}: {batch.broken.detail}", digest)
                return
            if self._stopping():
                self.fail("interrupted", f"{name} was not read to its end", digest)
                return
        self._came.add(name)

    def _batch(self, items: Iterator[Item]) -> _Batch:
        """The next items of a file, in a thread: no word of what is counted is shared until it is handed over."""
        batch = _Batch()
        for item in islice(items, _BATCH):
            batch.read += 1
            if isinstance(item, Problem):
                if item.severity == "rejected":
                    batch.records += 1
                    batch.rejected += 1
                    if not item.pointer:
                        batch.broken = item
                continue
            batch.records += 1
            candidacy = self.context.decide(item.release)[0] if isinstance(item, Parsed) else None
            if isinstance(item, Parsed) and candidacy is not None:
                batch.kept.append((item.release, candidacy))
        return batch

    def _stopping(self) -> bool:
        """Whether the crawl was told to stop; a driven spider has no crawler."""
        crawler = getattr(self, "crawler", None)
        return crawler is not None and not crawler.engine.running

    def file_failed(self, failure: Failure) -> Iterator[Request]:
        name = failure.request.cb_kwargs["name"]
        self.fail(kind_of(failure.value), f"{name}: {said(failure)}")
        yield from self._settled(name)

    def _settled(self, name: str) -> Iterator[Request]:
        self._open.remove(name)
        if self._open:
            return
        for missing in self._missing:
            if self._may_lack(missing):
                self.note("missing_file", f"the registry has no {missing} yet")
            else:
                self.fail("missing_file", f"the registry has no {missing}")
        self.chain_ended = bool(self._came) and not self.failures
        if self.chain_ended:
            self.state = self._found
        yield from self.document_requests()

    def _may_lack(self, name: str) -> bool:
        """In January the new year has no file yet; of the year before a publication has its first file or none."""
        year = self.context.until.year
        if name == f"{year}.jsonl.gz":
            return f"{year - 1}.jsonl.gz" in self._came
        return self._first_year == year and bool(self._came)


def _head(opener: Callable[[], IO[bytes]]) -> bytes:
    with opener() as stream:
        return stream.read(len(_GZIP))


def _year(day: Any) -> int | None:
    """The year of `date_from`, an ISO 8601 date."""
    return int(day[:4]) if isinstance(day, str) and day[:4].isdecimal() else None

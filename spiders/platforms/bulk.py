"""Registries of bulk files: a list of publications, and of each a file of lines a year and one of all years."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from hashlib import sha256
from typing import IO, Any
from urllib.parse import urljoin

import orjson
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from pipeline.outcome import judge_json
from pipeline.parse import format_of
from pipeline.parse.common import Misfit
from spiders.context import CrawlContext
from spiders.failures import kind_of
from spiders.platforms.base import PortalSpider, content_type_of, said
from spiders.tape import SPOOLED, open_spooled

_WHOLE = "full.jsonl.gz"


class BulkSpider(PortalSpider):
    """The OCP Data Registry: `publications.json`, then `/en/publication/<id>/download?name=<year>.jsonl.gz`.

    The publication is found by its `source_id`; numbers are the registry's own and may change. A first crawl takes the
    file of all years, a later one those of this year and the last, and none when `last_retrieved` is what it was. A
    changed process may move from one year's file to the next.
    """

    name = "bulk"

    def __init__(self, context: CrawlContext) -> None:
        super().__init__(context)
        if context.card.bulk is None:
            raise ValueError(f"the card {context.card.id} does not say which publication it is")
        self._policy = context.card.bulk
        self._open: list[str] = []
        self._missing: list[str] = []
        self._came = 0
        self._found: dict[str, Any] = {}

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
        self._found = {"last_retrieved": entry["last_retrieved"], "publication_id": entry["id"]}
        before = self.context.previous
        if before.get("last_retrieved") == entry["last_retrieved"]:
            self.note("unchanged", f"the registry retrieved it last on {entry['last_retrieved']}, as before", digest)
            self.state = dict(before)
            self.chain_ended = True
            return
        year = self.context.until.year
        names = [_WHOLE] if not before else [f"{year}.jsonl.gz", f"{year - 1}.jsonl.gz"]
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
        if not isinstance(entry.get("id"), int) or not isinstance(entry.get("last_retrieved"), str):
            raise Misfit("missing_field", "the publication has no `id` or was never retrieved (`last_retrieved`)")
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
        if response.status == 404 and name != _WHOLE:
            # In January the new year has no file yet; a publication may have come to its end before the last one.
            self._missing.append(name)
        elif spooled is None and not _packed(response):
            page = judge_json(response.status, content_type_of(response), response.body)
            kind = page.kind if page.kind and page.kind != "malformed_json" else "wrong_content"
            self.fail(kind, f"{name} did not come: {page.detail or 'no gzipped lines'} ({response.url})")
        else:
            # In a test an answer has its body with it.
            opener = partial(io.BytesIO, response.body) if spooled is None else partial(open_spooled, spooled)
            digest = sha256(response.body).hexdigest() if spooled is None else spooled.payload.sha256
            self.logger.info("page %s of %s: reading", name, self.name)
            await asyncio.to_thread(self._read_file, opener, digest, response.url)
            self.pages += 1
            self._came += 1
        for request in self._settled(name):
            yield request

    def _read_file(self, opener: Callable[[], IO[bytes]], digest: str, url: str) -> None:
        card = self.context.card
        for _ in self.read(format_of(card).parse_file(opener, card, digest, url, self.context.glance)):
            pass

    def file_failed(self, failure: Failure) -> Iterator[Request]:
        name = failure.request.cb_kwargs["name"]
        self.fail(kind_of(failure.value), f"{name}: {said(failure)}")
        yield from self._settled(name)

    def _settled(self, name: str) -> Iterator[Request]:
        self._open.remove(name)
        if self._open:
            return
        if self._missing and not self._came and not self.failures:
            self.fail("missing_file", f"the registry has none of {', '.join(self._missing)}")
        elif self._missing:
            self.note("missing_file", f"the registry has no {', '.join(self._missing)}")
        self.chain_ended = self._came > 0 and not self.failures
        if self.chain_ended:
            self.state = self._found
        yield from self.document_requests()


def _packed(response: Response) -> bool:
    return response.status == 200 and response.body[:2] == b"\x1f\x8b"

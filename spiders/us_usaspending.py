"""USAspending.gov: federal contracts of the United States, searched by our terms and by suppliers' names.

Parameters and limits are those of the publisher's API contracts: github.com/fedspendingtransparency/usaspending-api,
usaspending_api/api_contracts/contracts/v2 (search/spending_by_award.md, awards/award_id.md, transactions.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urljoin

import orjson
from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from models.procurement import Parsed, Release
from models.run import Query
from pipeline.outcome import Page, judge_json
from pipeline.parse import format_of
from pipeline.parse.common import Misfit, required
from pipeline.parse.usaspending import error_said
from spiders.failures import kind_of
from spiders.platforms.base import PAGE_PRIORITY, content_type_of, said
from spiders.platforms.search import Hit, SearchAnswer, SearchSpider

# Beside the card's `start_url`, /api/v2/search/spending_by_award/.
_AWARDS = "../../awards/"
_TRANSACTIONS = "../../transactions/"
# The API refuses a question for types of two groups.
_GROUPS = (
    ("A", "B", "C", "D"),
    ("IDV_A", "IDV_B", "IDV_B_A", "IDV_B_B", "IDV_B_C", "IDV_C", "IDV_D", "IDV_E"),
)
# Beyond so many finds a page number is refused; from there on the last find's own place is named instead.
_WINDOW = 50_000
# The search knows nothing earlier.
_EARLIEST = "2007-10-01"
_MOST_TRANSACTIONS = 5_000


@dataclass(frozen=True)
class _Position:
    """Where a query's walk is: a group of award types, a page of it and, past the window, the last find's place."""

    group: int = 0
    page: int = 1
    last_id: int | None = None
    last_value: str | None = None


class UsUsaspending(SearchSpider):
    """POST /api/v2/search/spending_by_award/, then GET /api/v2/awards/<id>/ of each find.

    The transactions of a candidate are asked for too (POST /api/v2/transactions/): only they tell of terminations.
    """

    name = "us_usaspending"

    def search_request(self, query: Query, position: _Position | None) -> tuple[str, str, bytes]:
        at = position or _Position()
        # A keyword is looked for as a phrase already, and quotation marks are stripped from it (es_sanitize there).
        looked_for = "recipient_search_text" if query.kind == "supplier" else "keywords"
        body: dict[str, Any] = {
            "filters": {
                looked_for: [query.term],
                "award_type_codes": _GROUPS[at.group],
                "time_period": [
                    {
                        "start_date": max(query.since.date().isoformat(), _EARLIEST),
                        "end_date": query.until.date().isoformat(),
                        "date_type": "last_modified_date",
                    }
                ],
            },
            # What is sorted by must be among the fields.
            "fields": ["Award ID", "Recipient Name", "Last Modified Date"],
            "limit": self.context.card.page_size,
            "page": at.page,
            "sort": "Last Modified Date",
            "order": "desc",
            "subawards": False,
        }
        if at.last_id is not None:
            body["last_record_unique_id"] = at.last_id
            body["last_record_sort_value"] = at.last_value
        return "POST", self.context.card.start_url, orjson.dumps(body)

    def read_search(self, value: Any, query: Query, position: _Position | None) -> SearchAnswer:  # noqa: ARG002
        at = position or _Position()
        results = value.get("results") if isinstance(value, dict) else None
        if not isinstance(results, list):
            raise Misfit("missing_field", "the page of finds has no list `results`")
        hits = []
        for one in results:
            key = required(one, "generated_internal_id")
            hits.append(Hit(key, urljoin(self.context.card.start_url, f"{_AWARDS}{quote(key, safe='')}/")))
        return SearchAnswer(hits, self._following(value.get("page_metadata"), at, empty=not hits))

    def _following(self, metadata: Any, at: _Position, *, empty: bool) -> _Position | None:
        more = metadata.get("hasNext") if isinstance(metadata, dict) else None
        if not isinstance(more, bool):
            raise Misfit("missing_field", "`page_metadata` does not say whether a page follows (`hasNext`)")
        if not more:
            return _Position(at.group + 1) if at.group + 1 < len(_GROUPS) else None
        if empty:
            raise Misfit("pagination_loop", "a page without finds says that another one follows")
        page = at.page + 1
        if page * self.context.card.page_size <= _WINDOW:
            return _Position(at.group, page)
        last_id, last_value = metadata.get("last_record_unique_id"), metadata.get("last_record_sort_value")
        if not isinstance(last_id, int) or last_value is None:
            raise Misfit("missing_field", "`page_metadata` does not name the last record, by which to go on")
        return _Position(at.group, page, last_id, str(last_value))

    def judge_search(self, response: Response) -> Page:
        return _judged(response)

    def judge_detail(self, response: Response) -> Page:
        return _judged(response)

    def more(self, hit: Hit, releases: list[Release], response: Response) -> Iterator[Request]:  # noqa: ARG002
        if releases:
            yield self._history(hit, 1)

    def _history(self, hit: Hit, page: int) -> Request:
        # Oldest first, so that of one day's transactions the later one is the newer one.
        body = {
            "award_id": hit.key, "page": page, "limit": _MOST_TRANSACTIONS, "sort": "action_date", "order": "asc",
        }  # fmt: skip
        return self.ask(
            urljoin(self.context.card.start_url, _TRANSACTIONS),
            self.parse_history,
            errback=self.history_failed,
            method="POST",
            body=orjson.dumps(body),
            priority=PAGE_PRIORITY - 1,
            cb_kwargs={"hit": hit, "page": page},
        )

    def parse_history(self, response: Response, hit: Hit, page: int) -> Iterator[Request]:
        """Reads the transactions of one award, page by page."""
        judged = _judged(response)
        digest = sha256(response.body).hexdigest()
        try:
            if judged.kind:
                raise Misfit(judged.kind, judged.detail)
            items = list(format_of(self.context.card).parse_page(judged.data, self.context.card, digest, response.url))
            strange = {i.release.native_id for i in items if isinstance(i, Parsed)} - {hit.key}
            if strange:
                raise Misfit("wrong_record", f"the transactions belong to {', '.join(sorted(strange))}")
            metadata = orjson.loads(judged.data).get("page_metadata")
            more = metadata.get("hasNext") if isinstance(metadata, dict) else None
            if not isinstance(more, bool):
                raise Misfit("missing_field", "`page_metadata` does not say whether a page follows (`hasNext`)")
        except Misfit as misfit:
            self._lost(hit, misfit.kind, f"{misfit.detail} ({response.url})", digest)
        else:
            for _ in self.read(items):
                pass
            if more and items:
                yield self._sent(self._history(hit, page + 1))
        yield from self.more_came()

    def history_failed(self, failure: Failure) -> Iterator[Request]:
        self._lost(failure.request.cb_kwargs["hit"], kind_of(failure.value), said(failure))
        yield from self.more_came()


def _judged(response: Response) -> Page:
    """As `judge_json`, with the API's own words: it says what it refuses in `detail` or `messages`.

    `messages` also stands in good answers, so it makes an error only of one that holds nothing else.
    """
    page = judge_json(response.status, content_type_of(response), response.body)
    if page.kind in ("http_400", "http_422"):
        words = error_said(response.body)
        return Page(page.kind, f"{page.detail}: {words}" if words else page.detail, page.data, note=page.note)
    if not page.kind and (words := error_said(page.data)):
        return Page("error_in_200", f"HTTP 200 with an error: {words}", page.data, note=page.note)
    return page

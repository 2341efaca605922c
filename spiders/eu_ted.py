"""Tenders Electronic Daily: notices of the European Union and its neighbours, searched by full text.

Body, answer and query language: docs.ted.europa.eu/api (Search API v3, POST /v3/notices/search); addresses of notices
in XML: docs.ted.europa.eu/home/eu/direct-links.
"""

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from scrapy.http import Response

from models.run import Query
from pipeline.outcome import Page, judge_json
from pipeline.parse.common import Misfit
from spiders.platforms.base import content_type_of
from spiders.platforms.search import Hit, SearchAnswer
from spiders.platforms.xml_notices import XmlNoticesSpider

# An unknown name among them has the API refuse the whole question.
FIELDS: Final = ("publication-number", "notice-type", "publication-date", "links")
_NOTICE: Final = "/en/notice/{}/xml"
_NUMBER: Final = re.compile(r"\d{1,8}-\d{4}")
# A page holds no more.
_LARGEST_PAGE: Final = 250


@dataclass(frozen=True)
class _Position:
    """Where a query's walk is: the token of the page to come, and how many finds came before it."""

    token: str
    received: int


class EuTed(XmlNoticesSpider):
    """POST /v3/notices/search, walked by `iterationNextToken`; then GET /en/notice/<number>/xml of each find.

    A token still comes with the page after the last, so the walk ends when as many finds came as the answer counts,
    or none. No finds and no count is the search failing, not an empty answer; so is one that timed out.
    """

    name = "eu_ted"
    asked_again = XmlNoticesSpider.asked_again | {"no_total", "timed_out"}

    def search_request(self, query: Query, position: _Position | None) -> tuple[str, str, bytes]:
        # The language of the API has no way to write a quotation mark inside a quoted term.
        term = " ".join(re.sub(r'["\\]', " ", query.term).split())
        body: dict[str, Any] = {
            "query": f'FT ~ "{term}" AND publication-date >= {query.since:%Y%m%d}'
            f" AND publication-date <= {query.until:%Y%m%d}",
            "fields": FIELDS,
            "limit": min(self.context.card.page_size, _LARGEST_PAGE),
            "scope": "ALL",
            "paginationMode": "ITERATION",
            "checkQuerySyntax": False,
            "onlyLatestVersions": False,
        }
        if position is not None:
            body["iterationNextToken"] = position.token
        return "POST", self.context.card.start_url, orjson.dumps(body)

    def judge_search(self, response: Response) -> Page:
        """As `judge_json`, with what the API says of a refused question, `no_total` and `timed_out`."""
        page = judge_json(response.status, content_type_of(response), response.body)
        if page.kind == f"http_{response.status}":
            return Page(page.kind, f"{page.detail}{_message(response.body)}")
        if page.kind:
            return page
        value = orjson.loads(page.data)
        if not isinstance(value, dict):
            return page
        if value.get("timedOut") is True:
            return Page("timed_out", "the search timed out", page.data)
        if value.get("notices") == [] and value.get("totalNoticeCount") is None:
            return Page("no_total", "the answer has neither notices nor their number", page.data)
        return page

    def read_search(self, value: Any, query: Query, position: _Position | None) -> SearchAnswer:  # noqa: ARG002
        notices = value.get("notices") if isinstance(value, dict) else None
        if not isinstance(notices, list):
            raise Misfit("missing_field", "the page of finds has no list `notices`")
        total, token = value.get("totalNoticeCount"), value.get("iterationNextToken")
        if total is not None and (isinstance(total, bool) or not isinstance(total, int)):
            raise Misfit("wrong_type", "`totalNoticeCount` is no number", total)
        hits = [Hit(number, self._notice_url(number)) for number in map(_number, notices)]
        received = (position.received if position else 0) + len(hits)
        ended = not hits or not token or (total is not None and received >= total)
        return SearchAnswer(hits, None if ended else _Position(str(token), received), total)

    def _notice_url(self, number: str) -> str:
        """api.ted.europa.eu answers searches, ted.europa.eu gives notices."""
        parts = urlsplit(self.context.card.start_url)
        return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}{_NOTICE.format(number)}"


def _number(notice: Any) -> str:
    raw = notice.get("publication-number") if isinstance(notice, dict) else None
    # Fields that can repeat come as lists, and some clients saw this one come so.
    raw = raw[0] if isinstance(raw, list) and len(raw) == 1 else raw
    if not isinstance(raw, str) or not raw:
        raise Misfit("missing_field", "a find has no `publication-number`")
    if not _NUMBER.fullmatch(raw):
        raise Misfit("wrong_type", "a find's `publication-number` is no number of a notice", raw)
    return raw


def _message(body: bytes) -> str:
    """What an answer of the API says went wrong, as the end of a sentence."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    said = value.get("message") if isinstance(value, dict) else None
    return f": {said[:300]}" if isinstance(said, str) and said else ""

"""Portals that answer a query of ours in SQL over HTTP: the answer holds the rows themselves."""

from abc import abstractmethod
from typing import Any
from urllib.parse import urlencode

import orjson
from scrapy.http import Response

from models.run import Query
from pipeline.outcome import Page
from pipeline.parse.common import Misfit
from spiders.platforms.search import Hit, SearchAnswer, SearchSpider


class SqlSpider(SearchSpider):
    """Asks `GET <start_url>?query=<SQL>` a term, `{"rows": […]}` or `{"error": …}` being the answer.

    A portal caps an answer at so many rows (`page_size` of the card) whatever LIMIT says. The next rows are asked for
    by the last row's key, not by an offset: rows that come or go meanwhile then neither repeat nor hide others.
    """

    records_in_answers = True

    @abstractmethod
    def statement(self, query: Query, after: dict[str, Any] | None) -> str:
        """The SQL of a page of rows in a strict order; `after` is the last row of the page before, None at first."""

    @abstractmethod
    def key(self, row: dict[str, Any]) -> str:
        """The row's own id, for counting rows once. Raises Misfit when it has none."""

    def search_request(self, query: Query, position: Any) -> tuple[str, str, bytes]:
        return "GET", f"{self.context.card.start_url}?{urlencode({'query': self.statement(query, position)})}", b""

    def judge_search(self, response: Response) -> Page:
        """As for any JSON; an `error` that says nothing, beside rows, is no error."""
        page = super().judge_search(response)
        if page.kind == "error_in_200":
            value = orjson.loads(page.data)
            if isinstance(value.get("rows"), list) and not value.get("error"):
                return Page(data=page.data, note=page.note)
        return page

    def read_search(self, value: Any, query: Query, position: Any) -> SearchAnswer:  # noqa: ARG002
        rows = value.get("rows") if isinstance(value, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Misfit("missing_field", "the answer has no list `rows` of rows")
        hits = [Hit(self.key(row)) for row in rows]
        full = len(rows) >= self.context.card.page_size
        return SearchAnswer(hits, following=rows[-1] if full else None)


def literal(text: str) -> str:
    """The text as a string literal of SQL. PostgreSQL takes backslashes in it as they are."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def containing(text: str) -> str:
    """A literal for ILIKE that matches any text with `text` in it, letter by letter."""
    plain = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return literal(f"%{plain}%")

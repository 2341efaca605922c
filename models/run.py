"""What was asked, answered, expected, received and blocked."""

from datetime import datetime
from typing import Literal

from models.base import Record
from models.codes import Outcome, Retrieval


class Problem(Record):
    """A record or answer that did not fit, with its reason. `pointer` says where in which payload.

    `severity` is `rejected` (the record is not in the data) or `note` (it is, and something about it is new).
    """

    kind: str
    detail: str
    severity: Literal["rejected", "note"] = "rejected"
    payload_sha256: str = ""
    pointer: str = ""
    raw: str = ""


class Crawl(Record):
    """One line of the crawl log: a crawl or an ingest of one source, and how it ended."""

    run_id: str
    source_id: str
    kind: Literal["crawl", "ingest", "replay"]
    retrieval: Retrieval
    started_at: datetime
    ended_at: datetime
    since: datetime | None = None
    until: datetime | None = None
    outcome: Outcome
    reason: str
    requests: int = 0
    responses: int = 0
    expected: int | None = None
    records: int = 0
    parsed: int = 0
    rejected: int = 0
    repeated: int = 0
    documents_expected: int = 0
    documents_received: int = 0


class Query(Record):
    """One question to a searched portal: notices with `term` that it published or changed from `since` to `until`.

    `kind` says whether the term is looked for in texts or is a supplier's name. Moments are UTC.
    """

    query_id: str
    kind: Literal["text", "supplier"] = "text"
    term: str
    language: str | None = None
    since: datetime
    until: datetime


class QueryResult(Record):
    """How a query ended. Its watermark moves to `until` only when `complete`."""

    query_id: str
    term: str
    since: datetime
    until: datetime
    outcome: Outcome
    expected: int | None = None
    received: int = 0
    detail: str = ""

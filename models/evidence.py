"""Archived bytes and places in them."""

from datetime import datetime
from typing import Literal

from models.base import Record
from models.codes import PageClass, ReadOutcome


class Payload(Record):
    """The body of one archived response or file. `requested_url` differs from `url` after a redirect.

    Roles: `page` holds releases; `index` only leads to them (search answers, lists of files); `file` is a file of any
    size, ingested or crawled; `record` is a candidate cut out of a file; `document`, `robots`, `error` say themselves.

    `warc_offset` is the byte offset of the record's gzip member in `warc_file`, a path relative to the store.
    """

    sha256: str
    size: int
    url: str
    requested_url: str
    role: Literal["page", "index", "document", "robots", "file", "record", "error"]
    method: str = "GET"
    request_sha256: str = ""
    status: int = 200
    content_type: str = ""
    fetched_at: datetime
    warc_file: str
    warc_offset: int
    source_id: str
    run_id: str


class Evidence(Record):
    """A place in a payload. `pointer` is a JSON pointer, `row=N`, `page=N`, or `xpath=…` of local names with positions,
    the latter behind `member=NAME;` in a package, each with `;chars=A-B` for a span of text."""

    evidence_id: str
    payload_sha256: str
    pointer: str
    quote: str


class Document(Record):
    """A candidate's document: where it was linked, what came, how it was read."""

    contract_id: str
    release_id: str
    url: str
    title: str
    sha256: str | None
    outcome: str
    detail: str = ""


class Word(Record):
    """A word's box in points, origin top-left."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float


class Page(Record):
    """One page of a document, by content hash. Sizes in points, of the page as shown; `number` counts from 1.

    `tables` holds tables of rows of cells; `note` says in a sentence what a reader of the text should know.
    """

    sha256: str
    number: int
    label: str = ""
    width: float = 0.0
    height: float = 0.0
    rotation: int = 0
    page_class: PageClass = PageClass.EMPTY
    outcome: ReadOutcome = ReadOutcome.OK
    text_source: str = ""
    extractor: str = ""
    text: str = ""
    tables: tuple[tuple[tuple[str, ...], ...], ...] = ()
    note: str = ""

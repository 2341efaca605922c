"""Cards: what a person may want to change about a source, as data."""

from datetime import date
from typing import Literal

from pydantic import Field

from models.base import Record
from models.codes import Lifecycle, Retrieval, Role, ValueKind


class Robots(Record):
    """`obey`, or `api_documented` where the publisher documents the API and robots.txt guards only the pages."""

    policy: Literal["obey", "api_documented"] = "obey"
    why: str = ""


class Politeness(Record):
    """Seconds and counts a crawl keeps to."""

    delay: float = Field(default=2.0, ge=0)
    concurrency: int = Field(default=1, ge=1, le=8)
    timeout: float = Field(default=120.0, gt=0)
    retries: int = Field(default=4, ge=0)
    busy_wait: dict[int, float] = {}
    max_wait: float = 900.0


class DocumentPolicy(Record):
    """Which documents of candidates are fetched, and how many a night."""

    types: tuple[str, ...] = ("application/pdf",)
    max_bytes: int = 30_000_000
    per_contract: int = 20
    probe_budget: int = 200


class QueryPolicy(Record):
    """How a searched source is asked: days a new term goes back, and results the portal stops at.

    `supplier_names` also asks for the companies of the registry with one purpose, where the portal can.
    """

    backfill_days: int = Field(default=365, ge=1)
    max_results: int | None = None
    supplier_names: bool = False


class BulkPolicy(Record):
    """Which publication of a registry of bulk files a source is; `publication` is the registry's own stable name."""

    publication: str
    max_bytes: int = 50_000_000_000


class SourceCard(Record):
    """One source: one file of `data/sources/`.

    `platform` names the spider's class in `spiders/platforms/`, `format` the parser in `pipeline/parse/`, `group` the
    nightly deployment it runs in.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    name: str
    publisher: str
    namespace: str
    countries: tuple[str, ...]
    languages: tuple[str, ...]
    rank: Literal["A", "B", "C", "D"]
    retrieval: Retrieval
    platform: Literal["ocds_links", "bulk", "search", "xml_notices", "sql"]
    format: str = Field(default="ocds", pattern=r"^[a-z_]+$")
    group: str = Field(default="pages", pattern=r"^[a-z]+$")
    start_url: str
    licence: str
    documentation: str
    verified_on: date | None = None
    window_param: tuple[str, str] | None = None
    page_size: int = 100
    first_since_days: int = Field(default=7, ge=1)
    overlap_days: int = Field(default=3, ge=0)
    lifecycle: dict[str, Lifecycle]
    robots: Robots = Robots()
    politeness: Politeness = Politeness()
    documents: DocumentPolicy = DocumentPolicy()
    query: QueryPolicy | None = None
    bulk: BulkPolicy | None = None
    private_addresses: bool = False
    notes: str = ""


class ColumnsCard(Record):
    """How a spreadsheet's columns map to a release: one file of `data/columns/`.

    `columns` maps a field to a column header. `constants` holds what every row shares.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    name: str
    publisher: str
    namespace: str
    countries: tuple[str, ...]
    languages: tuple[str, ...]
    retrieval: Retrieval = Retrieval.FULL
    licence: str
    obtained: str
    delimiter: str = ","
    encoding: str = "utf-8"
    date_format: Literal["iso", "dmy", "mdy"] = "iso"
    columns: dict[str, str]
    text_columns: tuple[str, ...] = ()
    buyers: dict[str, str] = {}
    constants: dict[str, str] = {}
    value_kind: ValueKind
    child_kind: Literal["award", "contract"] = "contract"
    supplier_role: Role = Role.SUPPLIER
    lifecycle: dict[str, Lifecycle] = {}
    required: tuple[str, ...] = ()
    notes: str = ""

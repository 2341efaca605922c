"""What one crawl is given: built once by the child process and handed to the spider and its middlewares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from models.codes import Candidacy
from models.procurement import Release
from models.run import Query
from models.source import SourceCard
from pipeline.archive_writer import RunWriter
from spiders.tape import Tape

Decide = Callable[[Release], tuple[Candidacy | None, tuple[str, ...]]]
# Marks of `Request.meta` that our middlewares and spiders share.
ROLE = "unveil_role"
FETCHED_AT = "unveil_fetched_at"
SENT = "unveil_sent"


@dataclass(frozen=True)
class CrawlContext:
    """Arguments of one crawl. `since` and `until` are UTC; `known_documents` maps a URL to a SHA-256.

    `tape` holds answers to serve instead of asking: all of them when `offline`, those a killed process had
    received already when a run is resumed, none otherwise. `queries` are what a searched portal is asked, each in its
    own window. `previous` is the `state` that the last crawl that was walked to its end left behind. `glance` says of a
    record's raw JSON whether it must be read whole.
    """

    card: SourceCard
    writer: RunWriter
    since: datetime
    until: datetime
    decide: Decide
    known_documents: Mapping[str, str]
    tape: Tape
    offline: bool = False
    queries: tuple[Query, ...] = ()
    previous: Mapping[str, Any] = field(default_factory=dict)
    glance: Callable[[bytes], bool] | None = None

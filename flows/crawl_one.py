"""The child process of one crawl: `python -m flows.crawl_one --spec FILE`. It seals its run only when it ended itself.

Never imports Prefect: Scrapy's logging set-up and Prefect's handlers deadlock in one process.
"""

import argparse
import importlib
import importlib.util
import json
import logging
import shutil
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from scrapy.crawler import AsyncCrawlerProcess

from models.run import Problem, Query
from models.source import SourceCard
from pipeline.archive import RunInfo, read_run
from pipeline.archive_writer import RunWriter, open_run
from pipeline.derive import Decides
from pipeline.errors import ATTENTION, BadData, UnveilError
from pipeline.outcome import decide_outcome
from pipeline.store import DATA, Store, utc_now, write_json_atomic
from spiders.context import CrawlContext
from spiders.platforms.base import PortalSpider
from spiders.settings import build_settings
from spiders.spool import SPOOL
from spiders.tape import settled_tape, whole_tape

_LOG = logging.getLogger("unveil.crawl")
_INTERRUPTED = 4


def main(arguments: list[str] | None = None) -> int:
    """Runs the crawl a spec asks for. Exit codes: 0 sealed, 4 interrupted and resumable, else an error's own."""
    parser = argparse.ArgumentParser(prog="python -m flows.crawl_one", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="JSON file written by flows.crawl")
    spec = json.loads(parser.parse_args(arguments).spec.read_text(encoding="utf-8"))
    try:
        return run(spec)
    except UnveilError as error:
        write_json_atomic(Path(spec["failure"]), {"reason": str(error), "exit_code": error.exit_code})
        print(error, file=sys.stderr)  # noqa: T201 (a child's log is its standard error)
        return error.exit_code


def run(spec: Mapping[str, Any]) -> int:
    """Crawls or replays as the spec says, writes `crawl.json` into the run's folder and seals it.

    Spec: `store`, `card` (a source card), `run_id`, `kind`, `started_at`, `since`, `until` (ISO 8601), `arguments`
    (what the archive says of them), `replay` (path or null), `known_documents` (path of a JSON object from URL to
    SHA-256), `vendor_folders`, `candidates` (`module:function` that makes what decides over releases from the vendor
    folders), `account` (the name of `crawl.json`), `failure` (where to leave a reason). Raises UnveilError when the
    run cannot be opened, written or sealed; it then stays open.
    """
    card = SourceCard.model_validate(spec["card"])
    store = Store(Path(spec["store"]))
    offline = spec["replay"] is not None
    settings = build_settings(card, offline=offline)
    info = RunInfo(
        run_id=spec["run_id"],
        source_id=card.id,
        kind=spec["kind"],
        started_at=datetime.fromisoformat(spec["started_at"]),
        arguments=spec["arguments"],
    )
    candidates = _candidates(spec["candidates"], [Path(p) for p in spec["vendor_folders"]])
    # Before the tape: opening a run mends the file that a kill cut off.
    writer = open_run(store, info)
    tape = whole_tape(Path(spec["replay"])) if offline else settled_tape(writer.folder)
    known = json.loads(Path(spec["known_documents"]).read_text(encoding="utf-8")) if not offline else {}
    context = CrawlContext(
        card=card,
        writer=writer,
        since=datetime.fromisoformat(spec["since"]),
        until=datetime.fromisoformat(spec["until"]),
        decide=candidates.decide,
        glance=candidates.glance,
        known_documents={**known, **tape.known_documents},
        tape=tape,
        offline=offline,
        queries=tuple(Query.model_validate(q) for q in info.arguments.get("queries", ())),
        previous=info.arguments.get("previous", {}),
    )
    try:
        spider, stats = _crawl(settings, context)
        reason = stats.get("finish_reason")
        if spider is None or spider.fatal or reason in (None, "shutdown", "archive_failed"):
            if spider is not None and spider.fatal:
                raise spider.fatal
            _LOG.warning("the crawl was stopped (%s); the run stays open and the next crawl goes on with it", reason)
            return _INTERRUPTED if reason == "shutdown" else ATTENTION
        write_json_atomic(
            writer.folder / spec["account"], _account(spider, stats, info, writer.folder, offline=offline)
        )
        # What came of files that did not come whole is of no use to a later run, which asks for them anew.
        shutil.rmtree(writer.folder / SPOOL, ignore_errors=True)
        writer.seal()
    finally:
        _close(writer)
    return 0


def _close(writer: RunWriter) -> None:
    try:
        writer.close()
    except OSError as error:
        # On a full disk the last buffer cannot be written; the next crawl mends the file, and the reason is told above.
        _LOG.warning("the archive could not be closed in order: %s", error)


def _crawl(settings: dict[str, Any], context: CrawlContext) -> tuple[PortalSpider | None, Mapping[str, Any]]:
    process = AsyncCrawlerProcess(settings)
    crawler = process.create_crawler(spider_class(context.card))
    process.crawl(crawler, context=context)
    process.start()
    spider = crawler.spider if isinstance(crawler.spider, PortalSpider) else None
    return spider, crawler.stats.get_stats() if crawler.stats else {}


def spider_class(card: SourceCard) -> type[PortalSpider]:
    """The class of `spiders/<source id>.py` where there is one, else that of `spiders/platforms/<platform>.py`."""
    for name in (f"spiders.{card.id}", f"spiders.platforms.{card.platform}"):
        if importlib.util.find_spec(name) is not None:
            for value in vars(importlib.import_module(name)).values():
                if isinstance(value, type) and issubclass(value, PortalSpider) and value.__module__ == name:
                    return value
    raise BadData(
        f"There is neither spiders/{card.id}.py nor spiders/platforms/{card.platform}.py with a spider class."
    )


def _candidates(factory: str, vendor_folders: list[Path]) -> Decides:
    module, _, function = factory.partition(":")
    # Our own registry is always loaded; to name it once more would load every vendor twice.
    further = tuple(p for p in vendor_folders if p.resolve() != (DATA / "vendors").resolve())
    candidates: Decides = getattr(importlib.import_module(module), function)(further)
    return candidates


def _account(
    spider: PortalSpider, stats: Mapping[str, Any], info: RunInfo, folder: Path, *, offline: bool
) -> dict[str, Any]:
    """The content of `crawl.json`: what was asked, what came, and how it ended."""
    failures = list(spider.failures)
    if broken := stats.get("spider_exceptions/count"):
        failures.append(Problem(kind="spider_error", detail=f"{broken} exceptions in the spider; the log holds them"))
    desk = spider.desk
    outcome, reason = decide_outcome(
        finish_reason=str(stats.get("finish_reason")),
        chain_ended=spider.chain_ended,
        failures=failures,
        pages=spider.pages,
        records=spider.records,
        rejected=spider.rejected,
        expected=spider.expected,
        documents_expected=desk.expected,
        documents_received=desk.received,
        why_empty=spider.why_empty,
    )
    ended_at = utc_now()
    if offline:
        ended_at = max((a.payload.fetched_at for a in read_run(folder)), default=info.started_at)
    problems = [*failures, *spider.notes]
    return {
        "run": info.run_id,
        "kind": info.kind,
        "source": info.source_id,
        "finish_reason": stats.get("finish_reason"),
        "outcome": outcome.value,
        "reason": reason,
        "walked": spider.chain_ended and not failures,
        "started_at": info.started_at.isoformat(),
        "ended_at": ended_at.isoformat(),
        "since": spider.context.since.isoformat(),
        "until": spider.context.until.isoformat(),
        "expected": spider.expected,
        "state": spider.state,
        "queries": [q.model_dump(mode="json") for q in spider.query_results()],
        "counts": {
            "requests": stats.get("unveil/requests", 0),
            "responses": stats.get("unveil/responses", 0),
            "from_archive": stats.get("unveil/from_archive", 0),
            "retries": stats.get("unveil/retries", 0),
            "pages": spider.pages,
            "records": spider.records,
            "rejected": spider.rejected,
            "problems": len(problems),
        },
        "problems": [p.model_dump(mode="json") for p in problems],
        "documents": [d.model_dump(mode="json") for d in desk.rows()],
        "documents_expected": desk.expected,
        "documents_received": desk.received,
    }


if __name__ == "__main__":
    sys.exit(main())

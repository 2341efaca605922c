"""Crawls one source in a process of its own and says how it ended. Resumes what a killed crawl left behind.

Never imports Prefect; a flow calls this as a plain function.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import IO, Any

from models.codes import Outcome
from models.source import SourceCard
from pipeline.archive import RunInfo, read_run, run_info
from pipeline.archive_writer import open_runs
from pipeline.derive import CRAWL_FILE, crawl_file
from pipeline.errors import BadData, UnveilError, WrongUse
from pipeline.lake import read_rows
from pipeline.queries import plan_queries, watermarks
from pipeline.store import CHECKOUT, Store, utc_now, write_json_atomic
from spiders.settings import contact_or_refuse

CANDIDATES = "pipeline.candidate:load_candidates"
# A night's crawl of a busy portal takes hours; beyond this something hangs.
TIME_LIMIT = 12 * 3600.0
_GRACE = 30.0
_POLL = 0.2
# Fields of a card that decide which requests a run makes; and those that decide how. A resumed run keeps today's
# manners, which a publisher may have asked for since.
_REQUESTED = ("start_url", "window_param", "page_size", "documents", "query", "bulk")
_MANNERS = ("politeness", "robots", "private_addresses")
_DONE = (Outcome.COMPLETE.value, Outcome.EMPTY.value)
_PROGRESS_MARKS = (": page ", ": document ", "; again after ")


def crawl(
    store: Store,
    card: SourceCard,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    replay: Path | None = None,
    now: datetime | None = None,
    time_limit: float = TIME_LIMIT,
    vendor_folders: Sequence[Path] = (),
    candidates: str = CANDIDATES,
    terms: Mapping[str, Sequence[str]] | None = None,
    suppliers: Sequence[str] = (),
    log: Path,
    on_progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Crawls a source, or replays an archived run of it; returns what `crawl.json` says, and the run's `folder`.

    `since` and `until` are UTC moments. Without them the window begins `overlap_days` before the end of the last
    complete one, or `first_since_days` ago, and ends now. A run that was begun and not sealed is gone on with, in its
    own window. `terms` by language and `suppliers` are what a searched portal is asked for.
    `time_limit` is in seconds. When the child process dies the outcome is `failed`, the folder ends in
    `.open` and the next call resumes it. Raises WrongUse (no contact, a window turned round, another source's
    archive), BadData (a replay that differs from what is sealed) and UnveilError (the source is being crawled).
    """
    if replay is not None:
        return _replay(store, card, replay, time_limit, vendor_folders, candidates, log, on_progress)
    contact_or_refuse()
    with _locked(store, card.id) as lock:
        plan = _resumed(store, card)
        if plan is None:
            plan = _fresh(store, card, since, until, now or utc_now(), terms or {}, suppliers)
        else:
            card = _archived_card(card, plan.info, _REQUESTED)
            if on_progress is not None:
                on_progress(f"going on with {plan.info.run_id}, from {plan.since:%Y-%m-%d} to {plan.until:%Y-%m-%d}")
        child = _Child(store, card, plan, None, vendor_folders, candidates, log, lock)
        return child.run(time_limit, on_progress)


@dataclass(frozen=True)
class Plan:
    """A run to be begun or gone on with, and its window in UTC."""

    info: RunInfo
    since: datetime
    until: datetime


def window(
    store: Store, card: SourceCard, since: datetime | None, until: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """The moments from which and up to which notices are asked for, UTC. Raises WrongUse when turned round."""
    end = (until or now).astimezone(UTC)
    if since is None:
        ends = [
            row["until"]
            for row in read_rows(store, "crawl", card.id)
            if row["outcome"] in _DONE and row["until"] is not None
        ]
        days = card.overlap_days if ends else card.first_since_days
        since = max(ends, default=end) - timedelta(days=days)
    begin = since.astimezone(UTC)
    if begin >= end:
        raise WrongUse(f"The window is empty: it begins at {begin:%Y-%m-%d %H:%M} and ends at {end:%Y-%m-%d %H:%M}.")
    return begin, end


def _fresh(
    store: Store,
    card: SourceCard,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
    terms: Mapping[str, Sequence[str]],
    suppliers: Sequence[str],
) -> Plan:
    begin, end = window(store, card, since, until, now)
    oldest = end - timedelta(days=card.query.backfill_days if card.query else 0)
    marks = watermarks(store, card.id, oldest)
    queries = plan_queries(card, terms, suppliers, marks, since=since, until=end)
    if queries:
        begin = min(query.since for query in queries)
    arguments: dict[str, Any] = {
        "since": begin.isoformat(),
        "until": end.isoformat(),
        "card": card.model_dump(mode="json"),
    }
    # The requests a run makes follow from its arguments, so a replay goes by them and not by a later card or lake.
    if queries:
        arguments["queries"] = [query.model_dump(mode="json") for query in queries]
    if state := last_state(store, card.id):
        arguments["previous"] = state
    info = RunInfo(
        run_id=_new_id(store, card.id, now),
        source_id=card.id,
        kind="crawl",
        started_at=now.astimezone(UTC),
        arguments=arguments,
    )
    return Plan(info, begin, end)


def last_state(store: Store, source_id: str) -> dict[str, Any]:
    """What the newest crawl that was walked to its end left for the next one to know; empty when there is none.

    Records that did not fit make such a crawl partial; to walk it again would bring the same ones.
    """
    for folder in reversed(store.runs(source_id)):
        said = crawl_file(folder)
        if said.get("walked", said.get("outcome") in _DONE):
            state: dict[str, Any] = said.get("state") or {}
            return state
    return {}


def _new_id(store: Store, source_id: str, now: datetime) -> str:
    base = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    folder = store.archive / source_id
    number = 1
    while True:
        run_id = base if number == 1 else f"{base}-{number}"
        if not (folder / run_id).exists() and not (folder / f"{run_id}.open").exists():
            return run_id
        number += 1


def _resumed(store: Store, card: SourceCard) -> Plan | None:
    """The oldest crawl that was begun and not sealed, with its own clock and window."""
    for folder in open_runs(store, card.id):
        try:
            info = run_info(folder)
        except BadData:
            # Killed before its first record was on disk: there is nothing in it to go on with.
            shutil.rmtree(folder)
            continue
        if info.kind == "crawl":
            return _plan_of(info)
    return None


def _plan_of(info: RunInfo) -> Plan:
    try:
        since = datetime.fromisoformat(info.arguments["since"])
        until = datetime.fromisoformat(info.arguments["until"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadData(f"The archived run {info.run_id} does not say which window it asked for.") from error
    return Plan(info, since, until)


def _replay(
    store: Store,
    card: SourceCard,
    archive: Path,
    time_limit: float,
    vendor_folders: Sequence[Path],
    candidates: str,
    log: Path,
    on_progress: Callable[[str], None] | None,
) -> dict[str, Any]:
    plan = _plan_of(run_info(archive))
    info = plan.info
    if info.source_id != card.id:
        raise WrongUse(f"{archive} holds a run of `{info.source_id}`, not of `{card.id}`.")
    if archive.name.endswith(".open"):
        raise WrongUse(f"{archive} was not sealed; crawl `{card.id}` again and it goes on with it.")
    as_it_was = _archived_card(card, info, (*_REQUESTED, *_MANNERS))
    sealed = store.archive / card.id / info.run_id
    with _locked(store, card.id) as lock, tempfile.TemporaryDirectory(prefix=".replay-", dir=_made(store.root)) as room:
        # In a room of its own, so that neither an open run of that name nor a failed replay stands in the way.
        aside = Store(Path(room))
        child = _Child(aside, as_it_was, plan, archive, vendor_folders, candidates, log, lock)
        result = child.run(time_limit, on_progress)
        made = Path(result["folder"])
        if made.name.endswith(".open"):
            return {**result, "folder": str(sealed.with_name(f"{info.run_id}.open"))}
        if sealed.is_dir():
            _compare(sealed, made)
        else:
            sealed.parent.mkdir(parents=True, exist_ok=True)
            made.rename(sealed)
    return {**result, "folder": str(sealed)}


def _archived_card(card: SourceCard, info: RunInfo, fields: Sequence[str]) -> SourceCard:
    """Today's card with some fields as they were when the run began, so that the same requests are made."""
    then = info.arguments.get("card")
    if not isinstance(then, Mapping):
        return card
    try:
        old = SourceCard.model_validate(then)
    except ValueError:
        # An archive of another version whose card no longer fits: today's has to do, and a miss has a name.
        return card
    return card.model_copy(update={name: getattr(old, name) for name in fields})


def _compare(sealed: Path, made: Path) -> None:
    there, here = _trace(sealed), _trace(made)
    if there != here:
        lost, new = sum((there - here).values()), sum((here - there).values())
        raise BadData(
            f"The replay of {sealed.name} differs from the sealed archive: {lost} of its answers were not asked for "
            f"or differ, {new} are new; the sealed run was kept."
        )


def _trace(folder: Path) -> Counter[tuple[str, str, str, int, str]]:
    """What was asked and what came: method, URL, hash of the request body, status, hash of the payload.

    Without their order, since several requests may be on their way at once. Failures count by their own hash.
    """
    return Counter(
        (p.method, p.url, p.request_sha256, p.status, p.sha256)
        for p in (archived.payload for archived in read_run(folder))
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _locked(store: Store, source_id: str) -> Iterator[IO[str]]:
    """Holds the source for this crawl. The child inherits the lock, and keeps it should this process be killed."""
    folder = _made(store.archive / source_id)
    with (folder / ".crawl.lock").open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnveilError(f"`{source_id}` is being crawled into this store already; wait for its end.") from error
        yield handle


class _Child:
    """One child process: its spec, its log, and how it ended."""

    def __init__(
        self,
        store: Store,
        card: SourceCard,
        plan: Plan,
        replay: Path | None,
        vendor_folders: Sequence[Path],
        candidates: str,
        log: Path,
        lock: IO[str],
    ) -> None:
        self._store = store
        self._plan = plan
        self._log = log
        self._lock = lock
        self._final = store.archive / card.id / plan.info.run_id
        self._spec = {
            "store": str(store.root),
            "source": card.id,
            "card": card.model_dump(mode="json"),
            "run_id": plan.info.run_id,
            "kind": plan.info.kind,
            "started_at": plan.info.started_at.isoformat(),
            "arguments": dict(plan.info.arguments),
            "since": plan.since.isoformat(),
            "until": plan.until.isoformat(),
            "replay": str(replay.resolve()) if replay else None,
            "vendor_folders": [str(p.resolve()) for p in vendor_folders],
            "candidates": candidates,
            "account": CRAWL_FILE,
        }
        self._known = {} if replay else known_documents(store, card.id)

    def run(self, time_limit: float, on_progress: Callable[[str], None] | None) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="unveil-crawl-") as room:
            failure = Path(room) / "failure.json"
            known = Path(room) / "known.json"
            spec = Path(room) / "spec.json"
            write_json_atomic(known, self._known)
            write_json_atomic(spec, {**self._spec, "failure": str(failure), "known_documents": str(known)})
            _made(self._log.parent)
            with self._log.open("ab") as log:
                told = log.tell()
                # A new session: a Ctrl-C in the terminal reaches this process, which then ends the child in order.
                process = subprocess.Popen(
                    [sys.executable, "-m", "flows.crawl_one", "--spec", str(spec)],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    cwd=CHECKOUT,
                    start_new_session=True,
                    pass_fds=(self._lock.fileno(),),
                )
                timed_out = self._wait(process, time_limit, told, on_progress)
            return self._result(process.returncode, failure, timed_out)

    def _wait(
        self, process: subprocess.Popen[bytes], time_limit: float, told: int, on_progress: Callable[[str], None] | None
    ) -> bool:
        """Waits for the child, passing on its progress; ends it when time is up or this process is told to stop."""
        end = monotonic() + time_limit
        try:
            while True:
                try:
                    process.wait(_POLL)
                except subprocess.TimeoutExpired:
                    if monotonic() > end:
                        _end(process)
                        return True
                else:
                    return False
                finally:
                    told = _tell(self._log, told, on_progress)
        except BaseException:
            _end(process)
            raise

    def _result(self, code: int, failure: Path, timed_out: bool) -> dict[str, Any]:
        said = crawl_file(self._final)
        if said:
            return {**said, "folder": str(self._final)}
        if failure.is_file():
            why = json.loads(failure.read_text(encoding="utf-8"))["reason"]
        elif timed_out:
            why = "the crawl took longer than its time limit and was stopped"
        elif code < 0:
            why = f"the crawl process was killed by {signal.Signals(-code).name}"
        else:
            why = f"the crawl process ended with exit code {code} before it was done"
        next_time = (
            "nothing was kept of the replay" if self._spec["replay"] else "the next crawl goes on where it stopped"
        )
        return {
            "run": self._plan.info.run_id,
            "kind": self._plan.info.kind,
            "source": self._plan.info.source_id,
            "finish_reason": None,
            "outcome": Outcome.FAILED.value,
            "reason": f"{why}; {next_time}. The log is {self._log}.",
            "since": self._plan.since.isoformat(),
            "until": self._plan.until.isoformat(),
            "expected": None,
            "counts": {},
            "problems": [],
            "documents": [],
            "documents_expected": 0,
            "documents_received": 0,
            "folder": str(self._final.with_name(f"{self._final.name}.open")),
        }


def known_documents(store: Store, source_id: str) -> dict[str, str]:
    """URLs of documents that earlier runs of the source archived, with their SHA-256."""
    return {
        row["url"]: row["sha256"]
        for row in read_rows(store, "document", source_id)
        if row["sha256"] and row["outcome"] in ("ok", "known")
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, on which Scrapy finishes what is on its way; after half a minute SIGKILL to the whole group."""
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tell(log: Path, told: int, on_progress: Callable[[str], None] | None) -> int:
    """Passes on the log's new lines that tell of pages, documents and waits; returns how far it has read."""
    if on_progress is None:
        return told
    with log.open("rb") as handle:
        handle.seek(told)
        new = handle.read()
    whole = new.rfind(b"\n") + 1
    for line in new[:whole].decode("utf-8", "replace").splitlines():
        if any(mark in line for mark in _PROGRESS_MARKS):
            on_progress(line.partition("INFO: ")[2] or line)
    return told + whole

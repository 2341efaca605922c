"""Portals that misbehave, in each platform class's dialect: every fault ends in a word, nothing fetched is lost."""

import asyncio
import gzip
import json
import logging
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from math import inf
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scrapy import Request
from scrapy.http import Response

from flows.crawl import crawl
from models.source import BulkPolicy, Politeness
from pipeline.archive import RunInfo, read_run, verify_manifest
from pipeline.archive_writer import RunWriter
from pipeline.cards import load_source_card
from pipeline.queries import plan_queries
from pipeline.store import DATA, Store
from spiders.context import ROLE
from spiders.patience import Patience
from spiders.robots import RobotsMiddleware
from tests import rogue as faults
from tests.answers.registry import compiled
from tests.answers.us_usaspending import award_id
from tests.driver import Reply, drive, make_spider
from tests.driver import ended as ended_driven
from tests.portal import release
from tests.rogue import CHALLENGE, PDF, Dialect, Fault, Rogue, altered, busy, instead, latin, zeros
from tests.rogue_dialects import BudgetKey, OcdsPages, Registry, Ted, UsaSpending, card_of

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
DIALECTS: dict[str, Callable[[], Dialect]] = {
    "ocds_links": lambda: OcdsPages(documents=("a.pdf",)),
    "search": UsaSpending,
    "xml_notices": Ted,
    "sql": BudgetKey,
    "bulk": Registry,
}
SEARCHED = ("search", "xml_notices", "sql")
CRAWLER: Any = SimpleNamespace(
    spider=SimpleNamespace(
        context=SimpleNamespace(card=SimpleNamespace(politeness=Politeness(max_wait=900)), offline=False),
        logger=logging.getLogger("test"),
    ),
    stats=SimpleNamespace(inc_value=lambda name: None),
)
# Scrapy's own set-up takes some fifty; the limit of a page is 200 MB, which is held packed, unpacked and once moved.
MOST_MEMORY = 600 << 20


@pytest.fixture(autouse=True)
def contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNVEIL_CONTACT", "mailto:tests@example.org")


def terms_of(dialect: Dialect) -> dict[str, list[str]]:
    finds = getattr(dialect, "finds", {})
    return {"he" if isinstance(dialect, BudgetKey) else "en": list(finds)}


def run(tmp_path: Path, portal: Rogue, **changes: Any) -> dict[str, Any]:
    store = Store(tmp_path / "store")
    result = crawl(
        store, card_of(portal, **changes), since=SINCE, now=NOW, log=store.logs / "crawl.log",
        candidates="tests.portal:fake_candidates", terms=terms_of(portal.dialect), time_limit=40,
    )  # fmt: skip
    # However it ended: sealed, and nothing that was fetched is lost.
    assert verify_manifest(Path(result["folder"])) == []
    return result


def polite(**changes: Any) -> Politeness:
    return Politeness(**{"delay": 0, "timeout": 15, "retries": 2, "max_wait": 5, **changes})


def kinds(result: dict[str, Any]) -> list[str]:
    return [p["kind"] for p in result["problems"]]


def ended(result: dict[str, Any]) -> tuple[str, list[str], int]:
    return result["outcome"], kinds(result), result["counts"]["records"]


def archived(result: dict[str, Any], role: str) -> list[int]:
    """Statuses of the archived answers of a role."""
    return [a.payload.status for a in read_run(Path(result["folder"])) if a.payload.role == role]


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Bytes of memory that the crawl's process had at most, as the system counts them while it runs."""
    peaks: list[int] = []
    over = threading.Event()

    class Watched(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            threading.Thread(target=self.look, daemon=True).start()

        def look(self) -> None:
            status = Path(f"/proc/{self.pid}/status")
            while not over.is_set():
                try:
                    said = status.read_text()
                except OSError:
                    return
                for line in said.splitlines():
                    if line.startswith("VmHWM:"):
                        peaks.append(int(line.split()[1]) << 10)
                sleep(0.02)

    monkeypatch.setattr("flows.crawl.subprocess.Popen", Watched)
    yield peaks
    over.set()


# What passes

FIRST = {"ocds_links": "index 1", "search": "index face/1", "xml_notices": "index face/1", "sql": "index face/1",
         "bulk": "index list"}  # fmt: skip
SECOND = {"ocds_links": "record a.pdf", "search": "record 2", "xml_notices": "record 2", "sql": "index face/2",
          "bulk": "record full.jsonl.gz"}  # fmt: skip


@pytest.fixture(scope="module")
def waited_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[tuple[Rogue, dict[str, Any]]]]]:
    """A crawl of each class whose portal is busy, hangs up and cuts answers short; together, since all of them wait."""

    # Made here: pytest's factory is not for several threads at once.
    folders = {platform: tmp_path_factory.mktemp(platform) for platform in DIALECTS}

    def one(platform: str) -> tuple[Rogue, dict[str, Any]]:
        with Rogue(DIALECTS[platform]()) as portal:
            portal.bad(FIRST[platform], busy(429, 1), busy(503, 1, dated=True), faults.reset, faults.cut)
            portal.bad(SECOND[platform], faults.truncated, faults.reset)
            return portal, run(folders[platform], portal, politeness=polite(retries=4))

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(5) as pool:
        patch.setenv("UNVEIL_CONTACT", "mailto:tests@example.org")
        yield {platform: pool.submit(one, platform) for platform in DIALECTS}


@pytest.mark.parametrize("platform", DIALECTS)
def test_what_passes_is_waited_out(waited_out: dict[str, Future[tuple[Rogue, dict[str, Any]]]], platform: str) -> None:
    portal, result = waited_out[platform].result()
    # A candidate's history is a record too.
    assert ended(result) == ("complete", [], 6 if platform == "search" else 5), result["reason"]
    assert result["counts"]["retries"] == 6
    first = [ask.at for ask in portal.asked(FIRST[platform])]
    assert len(first) == 5 and first[1] - first[0] >= 1 and first[2] - first[1] >= 1
    assert len(portal.asked(SECOND[platform])) == 3
    # While the portal asks for patience nothing else is asked of it, and the rules come first.
    assert [ask.target for ask in portal.log[:6]] == ["robots", *[FIRST[platform]] * 5]
    assert len(portal.asked("robots")) == 1
    assert all(ask.agent.startswith("Unveil/") and "(+mailto:tests@example.org)" in ask.agent for ask in portal.log)
    received = [a.payload.status for a in read_run(Path(result["folder"])) if a.payload.role != "error"]
    assert [s for s in received if s >= 400] == [404, 429, 503]
    assert len(archived(result, "error")) == 4


# What does not


@pytest.mark.parametrize("platform", DIALECTS)
def test_a_portal_that_stays_busy_blocks(tmp_path: Path, platform: str) -> None:
    dialect: Any = DIALECTS[platform]()
    if platform in SEARCHED:
        dialect.finds = {"face": ((1, 2), (3,)), "gait": ((4,),)}
    second = {"ocds_links": "index 2", "bulk": "record full.jsonl.gz"}.get(platform, "index face/2")
    with Rogue(dialect) as portal:
        portal.bad_for_ever(second, busy(429, 0))
        result = run(tmp_path, portal, politeness=polite(retries=1))
    assert (result["outcome"], kinds(result)) == ("blocked", ["http_429"])
    assert len(portal.asked(second)) == 2
    # What came before is kept; nothing more is asked, neither the next term nor a document.
    came = {"ocds_links": 2, "search": 3, "xml_notices": 2, "sql": 2, "bulk": 0}[platform]
    assert result["counts"]["records"] == came
    assert portal.asked("index gait") == [] and (platform != "ocds_links" or portal.asked("record") == [])
    if platform in SEARCHED:
        assert [(q["term"], q["outcome"]) for q in result["queries"]] == [("face", "blocked"), ("gait", "blocked")]


@pytest.mark.parametrize(
    ("fault", "outcome", "told", "records"),
    [
        (faults.drip, "partial", ["timeout"], 2),
        (faults.circle, "partial", ["too_many_redirects"], 2),
        (faults.bomb, "partial", ["too_large"], 2),
        (instead(CHALLENGE, "text/html"), "blocked", ["challenge_page"], 2),
        (instead(PDF), "partial", ["malformed_json", "malformed_json"], 2),
        (instead(b""), "partial", ["malformed_json", "malformed_json"], 2),
        ("empty", "partial", ["pagination_loop"], 2),
        ("same", "partial", ["pagination_loop"], 3),
        (altered(latin), "complete", ["encoding"], 5),
        (altered(lambda r: Reply(r.body, content_type="text/plain")), "complete", [], 5),
    ],
    ids=["drip", "circle", "bomb", "challenge", "pdf", "nothing", "empty", "same", "latin", "plain"],
)
def test_a_chain_that_breaks_on_its_second_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault | str, outcome: str, told: list[str], records: int
) -> None:
    with Rogue(OcdsPages(documents=("a.pdf",))) as portal, watched(monkeypatch) as peaks:
        if isinstance(fault, str):
            for page in range(2, 9):
                portal.endless(f"index {page}", same=fault == "same")
        else:
            portal.bad_for_ever("index 2", fault)
        timeout = 1 if fault is faults.drip else 15
        result = run(tmp_path, portal, politeness=polite(retries=0, timeout=timeout))
    assert ended(result) == (outcome, told, records), result["reason"]
    # Documents of what came before are fetched all the same, unless the portal keeps us out.
    assert len(portal.asked("record")) == (0 if outcome == "blocked" else 1)
    assert archived(result, "page")[0] == 200
    assert max(peaks) < MOST_MEMORY


def test_documents_that_do_not_come_are_rows_and_change_nothing(tmp_path: Path) -> None:
    bad: dict[str, tuple[Fault, str, str]] = {
        "drip": (faults.drip, "failed", "timeout"),
        "reset": (faults.reset, "failed", "download_failed"),
        "circle": (faults.circle, "failed", "too_many_redirects"),
        "bomb": (faults.bomb, "too_large", "too_large"),
        "short": (faults.truncated, "failed", "download_failed"),
        "empty": (instead(b"", "application/pdf"), "wrong_type", ""),
        "login": (instead(b"<html>Please log in", "application/pdf"), "wrong_type", ""),
    }
    with Rogue(OcdsPages(documents=(*bad, "good"))) as portal:
        for name, (fault, _, _) in bad.items():
            portal.bad_for_ever(f"record {name}", fault)
        result = run(tmp_path, portal, politeness=polite(retries=0, timeout=2))
    assert ended(result) == ("complete", [], 5)
    rows = {d["url"].rpartition("/")[2]: (d["outcome"], d["detail"].partition(":")[0]) for d in result["documents"]}
    assert {name: row[0] for name, row in rows.items()} == {
        **{name: outcome for name, (_, outcome, _) in bad.items()}, "good": "ok",
    }  # fmt: skip
    assert {name: row[1] for name, row in rows.items() if bad.get(name, ("", "", ""))[2]} == {
        name: kind for name, (_, _, kind) in bad.items() if kind
    }
    assert result["documents_received"] == 1


BAD_TERMS: dict[str, tuple[Fault, str]] = {
    "drip": (faults.drip, "timeout"),
    "reset": (faults.reset, "download_failed"),
    "short": (faults.truncated, "download_failed"),
    "circle": (faults.circle, "too_many_redirects"),
    "bomb": (faults.bomb, "too_large"),
    "pdf": (instead(PDF), "malformed_json"),
    "nothing": (instead(b""), "malformed_json"),
}


@pytest.mark.parametrize("platform", SEARCHED)
def test_each_term_that_breaks_off_is_partial_and_the_others_are_whole(tmp_path: Path, platform: str) -> None:
    dialect: Any = DIALECTS[platform]()
    terms = [*BAD_TERMS, "same", "hollow", "latin", "plain"]
    dialect.finds = {term: ((n * 10, n * 10 - 1), (n * 10 - 2,)) for n, term in enumerate(terms, 1)}
    if platform == "sql":
        # Days of change fall with the number of the row, so all of them must lie in a month.
        dialect.finds = {term: ((n, n + 1), (n + 2,)) for n, term in enumerate(terms, 1)}
    with Rogue(dialect) as portal:
        for term, (fault, _) in BAD_TERMS.items():
            portal.bad_for_ever(f"index {term}/2", fault)
        for page in (2, 3, 99):
            portal.endless(f"index same/{page}", same=True)
            portal.endless(f"index hollow/{page}", same=False)
        portal.bad_for_ever("index latin/2", altered(latin))
        portal.bad_for_ever("index plain/2", altered(lambda r: Reply(r.body, content_type="text/plain")))
        result = run(tmp_path, portal, politeness=polite(retries=0, timeout=2))
    got = {q["term"]: (q["outcome"], q["received"]) for q in result["queries"]}
    assert got == {
        **dict.fromkeys(BAD_TERMS, ("partial", 2)),
        "same": ("partial", {"search": 3, "xml_notices": 3, "sql": 4}[platform]),
        # No rows are the end of rows.
        "hollow": ("complete" if platform == "sql" else "partial", 2),
        "latin": ("complete", 3),
        "plain": ("complete", 3),
    }
    assert result["outcome"] == "partial"
    # What is not JSON is noted, asked for once more, and then a failure.
    failed = [kind for _, kind in BAD_TERMS.values()] + ["pagination_loop"]
    failed += {"search": ["pagination_loop"], "xml_notices": ["short_of_total"], "sql": []}[platform]
    noted = ["malformed_json", "malformed_json", "encoding"]
    assert sorted(kinds(result)) == sorted([*failed, *noted])


@pytest.mark.parametrize("platform", ["search", "xml_notices"])
def test_each_record_that_does_not_come_is_told_and_the_others_are_kept(tmp_path: Path, platform: str) -> None:
    broken = "malformed_xml" if platform == "xml_notices" else "malformed_json"
    bad: dict[int, tuple[Fault, str]] = {
        11: (faults.drip, "timeout"),
        12: (faults.reset, "download_failed"),
        13: (faults.truncated, "download_failed"),
        14: (faults.circle, "too_many_redirects"),
        15: (faults.bomb, "too_large"),
        16: (instead(PDF), broken),
        17: (instead(b""), broken),
        18: (instead(b"gone", status=410), "http_410"),
    }
    dialect: Any = DIALECTS[platform]()
    dialect.finds = {"face": (tuple(bad), (21, 22)), "gait": ((22, 23), ())}
    with Rogue(dialect) as portal:
        for number, (fault, _) in bad.items():
            portal.bad_for_ever(f"record {number}", fault)
        portal.bad("record 21", altered(lambda r: Reply(r.body, content_type="text/plain")))
        portal.bad("record 23", altered(latin))
        result = run(tmp_path, portal, politeness=polite(retries=0, timeout=2))
    # JSON is read as ISO-8859-1 with a note; of XML that is not what it says nothing is guessed.
    rejected = 1 if platform == "xml_notices" else 0
    counts = result["counts"]
    assert (result["outcome"], counts["records"], counts["rejected"]) == ("partial", 3, rejected)
    assert kinds(result).count("encoding") == 1 - rejected
    assert [(q["term"], q["outcome"]) for q in result["queries"]] == [("face", "partial"), ("gait", "complete")]
    failures = {p["detail"].partition(":")[0]: p["kind"] for p in result["problems"] if p["severity"] != "note"}
    assert len(failures) == len(bad) and sorted(failures.values()) == sorted(kind for _, kind in bad.values())


def lines_with(*middle: bytes) -> bytes:
    """A gzipped file of two processes with something between them."""
    return b"".join(
        (gzip.compress(json.dumps(compiled(1)).encode() + b"\n"), *middle, gzip.compress(b"\n"),
         gzip.compress(json.dumps(compiled(2)).encode() + b"\n"))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "outcome", "told", "records"),
    [
        (faults.drip, "partial", ["timeout"], 0),
        (faults.stall, "partial", ["timeout"], 0),
        (faults.circle, "partial", ["too_many_redirects"], 0),
        (instead(CHALLENGE, "text/html"), "blocked", ["challenge_page"], 0),
        (instead(PDF, "application/gzip"), "partial", ["wrong_content"], 0),
        (instead(b"", "application/gzip"), "partial", ["wrong_content"], 0),
        # Cut before its checksum: every line is there, and so is the end that is missing.
        (altered(lambda r: Reply((r.body or b"")[:-8], 200, "application/gzip")), "partial", ["unreadable_file"], 6),
        # One line of half a gigabyte between two good ones; and a file of nothing else.
        (instead(lines_with(*[zeros(64)] * 8), "application/gzip"), "partial", [], 3),
        (instead(zeros(64) * 8, "application/gzip"), "partial", ["unreadable_file"], 1),
        (instead(zeros(64) * 40, "application/gzip"), "partial", ["too_large"], 0),
    ],
    ids=["drip", "stall", "circle", "challenge", "pdf", "nothing", "cut", "line", "zeros", "large"],
)  # fmt: skip
def test_a_file_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, outcome: str, told: list[str], records: int
) -> None:
    with Rogue(Registry()) as portal, watched(monkeypatch) as peaks:
        portal.bad_for_ever("record full.jsonl.gz", fault)
        bulk = BulkPolicy(publication=card_of(portal).bulk.publication, max_bytes=len(zeros(64)) * 20)  # type: ignore[union-attr]
        result = run(tmp_path, portal, politeness=polite(retries=0, timeout=2), bulk=bulk)
    assert ended(result) == (outcome, told, records), result["reason"]
    # The list of publications, from which the next crawl would go on.
    assert archived(result, "index")[0] == 200
    assert max(peaks) < MOST_MEMORY


# Where it leads


@pytest.mark.parametrize("platform", DIALECTS)
def test_a_redirect_into_our_own_network_is_refused(tmp_path: Path, platform: str) -> None:
    """The loopback portal is in our own network itself, so a portal with a public name is played from an archive."""
    dialect: Any = DIALECTS[platform]()
    away = {**SECOND, "bulk": "download full.jsonl.gz"}[platform]
    site = "https://portal.example"
    with Rogue(dialect) as portal:
        card = card_of(portal, private_addresses=False, start_url=f"{site}{dialect.path}")
    queries = plan_queries(card, terms_of(dialect), (), {}, since=SINCE, until=NOW)
    arguments = {
        "since": SINCE.isoformat(), "until": NOW.isoformat(), "queries": [q.model_dump(mode="json") for q in queries],
    }  # fmt: skip
    writer = RunWriter(Store(tmp_path / "made"), RunInfo("r1", card.id, "crawl", NOW, arguments))

    def answer(request: Request) -> Reply:
        parts = urlsplit(request.url)
        target = dialect.target(request.method, parts.path, parse_qs(parts.query), request.body)
        private = Reply(b"", 302, "text/plain", {"Location": "http://169.254.169.254/latest/meta-data"})
        reply = private if target == away else dialect.answer(target, site)
        keep(request.url, reply, request.meta[ROLE], request.method, request.body)
        return reply

    def keep(url: str, reply: Reply, role: str, method: str = "GET", body: bytes = b"") -> None:
        writer.write_response(
            url=url, requested_url=url, role=role, method=method, request_headers=[], request_body=body,
            status=reply.status, headers=[("Content-Type", reply.content_type), *reply.headers.items()],
            body=reply.body or b"", fetched_at=NOW,
        )  # fmt: skip

    keep(f"{site}/robots.txt", Reply(b"", 404), "robots")
    drive(make_spider(tmp_path / "driven", card, queries), answer)
    store = Store(tmp_path / "store")
    result = crawl(
        store, card, replay=writer.seal(), log=store.logs / "replay.log", candidates="tests.portal:fake_candidates",
        time_limit=40,
    )  # fmt: skip
    if platform == "ocds_links":
        assert (result["outcome"], [d["outcome"] for d in result["documents"]]) == ("complete", ["blocked_address"])
    else:
        assert (result["outcome"], kinds(result)) == ("partial", ["blocked_address"])
        assert "169.254.169.254" in result["reason"]


@pytest.mark.parametrize("platform", ["ocds_links", "search"])
def test_pages_that_are_new_for_ever_have_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(f"spiders.platforms.{platform}._MAX_PAGES", 7)
    dialect: Any = DIALECTS[platform]()
    if platform == "search":
        dialect.finds = {"face": [(n,) for n in range(1, 100)]}
    with Rogue(dialect) as portal:
        card = card_of(portal)
    queries = plan_queries(card, terms_of(dialect), (), {}, since=SINCE, until=NOW)
    spider = make_spider(tmp_path, card, queries)

    def answer(request: Request) -> Reply:
        parts = urlsplit(request.url)
        target = dialect.target(request.method, parts.path, parse_qs(parts.query), request.body)
        if platform == "search":
            return dialect.answer(target, card.start_url)
        number = int(target.partition(" ")[2])
        value = {"releases": [release(number)], "links": {"next": f"{card.start_url}?cursor={number + 1}"}}
        return Reply(json.dumps(value).encode())

    drive(spider, answer)
    assert ([f.kind for f in spider.failures], spider.pages) == (["pagination_loop"], 7)
    assert ended_driven(spider)[0] == "partial"


# Manners


def test_the_portals_own_log_shows_that_rules_and_rates_were_kept(tmp_path: Path) -> None:
    dialect = UsaSpending(finds={"face": (tuple(range(2, 9)),)})
    closed = quote(award_id("97EXF00000005"))
    rules = f"User-agent: *\nDisallow: /api/v2/awards/{closed}\nCrawl-delay: 0.25\n"
    with Rogue(dialect, robots=rules, pause=0.9) as portal:
        result = run(tmp_path, portal, politeness=polite(delay=0.05, concurrency=3))
    assert (result["outcome"], kinds(result)) == ("blocked", ["robots_disallow"])
    targets = [ask.target for ask in portal.log]
    assert targets[:2] == ["robots", "index face/1"] and targets.count("robots") == 1
    assert sorted(portal_records(targets)) == [2, 3, 4, 6, 7, 8]
    # Answers take longer than three pauses, so that more would be open at once if only the pauses were kept.
    assert portal.most == 3
    times = [ask.at for ask in portal.log]
    # One request may be seen late and the next one in time; over all of them that does not add up.
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.15
    assert times[-1] - times[0] >= 0.25 * (len(times) - 1) - 0.1


def portal_records(targets: list[str]) -> list[int]:
    return [int(target.partition(" ")[2]) for target in targets if target.startswith("record")]


@pytest.mark.parametrize(
    ("fault", "asked"), [(busy(503, 0), 2), (faults.bomb, 1), (faults.circle, 1)], ids=["busy", "bomb", "circle"]
)
def test_rules_that_cannot_be_had_keep_us_out(tmp_path: Path, fault: Fault, asked: int) -> None:
    with Rogue(OcdsPages()) as portal:
        portal.bad_for_ever("robots", fault)
        result = run(tmp_path, portal, politeness=polite(retries=1))
    assert ended(result) == ("failed", ["robots_unreachable"], 0)
    assert len(portal.asked("robots")) == asked
    assert portal.asked("index") == []


@given(
    st.text(alphabet="0123456789 ,:+-JanMonGMT.e\u00b2\u0663\0", max_size=60)
    | st.builds(
        "Mon, {} Jan {} {}:00:00 {}".format,
        st.integers(-5, 99),
        st.integers(-1, 10**12),
        st.integers(0, 10**6),
        st.sampled_from(["GMT", "+99999999999999999", "-9999", "Z"]),
    )
    | st.integers(0, 10**400).map(str)
)
@example("Mon, 1 Jan 999999999999 0:00:00 GMT")
@example("Mon, 1 Jan 2025 0:00:00 +99999999999999999")
def test_no_wish_for_patience_breaks_the_crawl(wish: str) -> None:
    patience = Patience(CRAWLER)
    request = Request("https://portal.example/")
    answer = Response(request.url, status=429, headers={"Retry-After": wish.encode()})
    assert patience.process_response(request, answer) is answer or 0 <= patience._until["portal.example"] < inf


@pytest.mark.parametrize(
    ("rules", "offline", "kept", "notes"),
    [
        ("User-agent: *\nCrawl-delay: 7\n", False, {"portal.example": {"delay": 7.0}}, []),
        ("User-agent: *\nCrawl-delay: 7\n", True, {}, []),
        # The card of Contracts Finder waits 1.5 seconds of its own.
        ("User-agent: *\nCrawl-delay: 1\n", False, {}, []),
        ("User-agent: *\nCrawl-delay: soon\n", False, {}, []),
        ("User-agent: *\nCrawl-delay: 7\n\nUser-agent: Unveil\nCrawl-delay: 2\n", False,
         {"portal.example": {"delay": 2.0}}, []),
        ("User-agent: *\nCrawl-delay: 3600\n", False, {"portal.example": {"delay": 60.0}}, ["crawl_delay"]),
    ],
)  # fmt: skip
def test_the_longer_of_two_delays_is_kept(
    tmp_path: Path, rules: str, offline: bool, kept: dict[str, Any], notes: list[str]
) -> None:
    spider = make_spider(tmp_path, load_source_card(DATA / "sources", "uk_contracts_finder"), offline=offline)
    slot = SimpleNamespace(delay=1.5)

    async def download(request: Request) -> Response:
        return Response(request.url, body=rules.encode())

    downloader = SimpleNamespace(
        get_slot_key=lambda request: "portal.example", per_slot_settings={}, slots={"portal.example": slot}
    )
    crawler: Any = SimpleNamespace(
        spider=spider, engine=SimpleNamespace(download_async=download, downloader=downloader)
    )
    asyncio.run(RobotsMiddleware(crawler).process_request(Request("https://portal.example/page")))
    assert downloader.per_slot_settings == kept
    assert slot.delay == kept.get("portal.example", {"delay": 1.5})["delay"]
    assert [n.kind for n in spider.notes] == notes

"""The spider's parts without a network: answers judged, waits read, addresses refused, documents accounted for."""

import asyncio
import gzip
import subprocess
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy import Request
from scrapy.exceptions import DownloadCancelledError, DownloadTimeoutError
from scrapy.http import Headers, HtmlResponse, Response

from flows.crawl_one import spider_class
from models.codes import Candidacy, Outcome
from models.procurement import DocumentLink, Release
from models.run import Problem
from models.source import DocumentPolicy, Politeness
from pipeline.archive import RunInfo, read_run
from pipeline.archive_writer import RunWriter
from pipeline.cards import load_source_card
from pipeline.errors import UnveilError, WrongUse
from pipeline.outcome import BLOCKING, as_utf8, decide_outcome, judge_page
from pipeline.store import CHECKOUT, DATA, Store
from spiders.address_guard import AddressGuard, GuardedResolver, RefusedAddress, is_public
from spiders.archive_middleware import ArchiveMiddleware
from spiders.context import CrawlContext
from spiders.documents import DocumentDesk, actual_type, expected_type
from spiders.failures import BlockedAddress, NotInArchive, RobotsForbidden, from_text, kind_of, to_text
from spiders.patience import Patience
from spiders.platforms.ocds_links import OcdsLinksSpider
from spiders.settings import build_settings
from spiders.tape import Tape, settled_tape, whole_tape
from spiders.uk_contracts_finder import UkContractsFinder
from tests.portal import PDF, SINCE, UNTIL, FakeCandidates, release

NOW = datetime(2025, 1, 23, 12, tzinfo=UTC)
CARD = load_source_card(DATA / "sources", "uk_contracts_finder")
INFO = RunInfo("r1", CARD.id, "crawl", NOW, {"since": SINCE.isoformat(), "until": UNTIL.isoformat()})


def context(tmp_path: Path, **changes: Any) -> CrawlContext:
    values: dict[str, Any] = {
        "card": CARD, "writer": RunWriter(Store(tmp_path), INFO), "since": SINCE, "until": UNTIL,
        "decide": FakeCandidates().decide, "known_documents": {}, "tape": Tape(),
    }  # fmt: skip
    return CrawlContext(**{**values, **changes})


class Stats(dict[str, int]):
    def inc_value(self, name: str) -> None:
        self[name] = self.get(name, 0) + 1


def crawler(spider_context: CrawlContext, **settings: Any) -> Any:
    """What middlewares need of a crawler."""
    log = SimpleNamespace(info=lambda *a: None)
    spider = SimpleNamespace(context=spider_context, logger=log, stop=lambda error: None)
    return SimpleNamespace(
        spider=spider, stats=Stats(), engine=SimpleNamespace(running=True),
        settings=SimpleNamespace(getint=lambda name: settings.get(name, 10_000)),
    )  # fmt: skip


# Pages


@pytest.mark.parametrize(
    ("status", "content_type", "body", "kind"),
    [
        (200, "application/json", b'{"releases": []}', ""),
        (200, "text/plain", b'\xef\xbb\xbf{"releases": []}', ""),
        (200, "text/html", b"<!DOCTYPE html><p>Welcome", "html_instead_of_json"),
        (200, "application/json", b"  \n<html>maintenance</html>", "html_instead_of_json"),
        (200, "text/html", b"<html>Please complete the CAPTCHA", "challenge_page"),
        (403, "text/html", b"<html>Attention Required! | Example", "challenge_page"),
        (403, "text/plain", b"busy", "http_403"),
        (500, "text/html", b"<html>oops", "http_500"),
        (200, "application/json", b'{"releases": [', "malformed_json"),
        (200, "application/json", b"", "malformed_json"),
        (200, "application/json", b'{"error": {"code": 7}}', "error_in_200"),
        (200, "application/json", b'{"message": "An error has occurred."}', "error_in_200"),
        (200, "application/json", b'{"links": {}}', "missing_field"),
        (200, "application/json", b'{"releases": null, "error": "x"}', "missing_field"),
        (200, "application/json", b"[]", "missing_field"),
        (200, "application/json", b"null", "missing_field"),
    ],
)
def test_judges_what_came_instead_of_a_page(status: int, content_type: str, body: bytes, kind: str) -> None:
    assert judge_page(status, content_type, body).kind == kind


def test_reads_iso_8859_1_declared_as_utf_8() -> None:
    page = judge_page(200, "application/json; charset=utf-8", '{"releases": [{"t": "Café £5"}]}'.encode("iso-8859-1"))
    assert page.kind == "" and "ISO-8859-1" in page.note
    assert page.releases == [{"t": "Café £5"}]
    assert judge_page(200, "", '{"releases": ["Café"]}'.encode()).note == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(body: bytes) -> None:
    page = judge_page(200, "application/json", body)
    # Random bytes are no package: whatever they are, they are named as a problem and never taken for a page.
    assert page.kind
    text = as_utf8(body)[0].decode()
    assert body.removeprefix(b"\xef\xbb\xbf") in (text.encode(), text.encode("iso-8859-1", "replace"))


def test_the_real_wire_shape_is_read(real: Path) -> None:
    folder = real / "uk-contracts-finder-pcs-sell2wales"
    page = judge_page(200, "application/json", (folder / "england-contracts-finder-package-100.json").read_bytes())
    assert page.kind == "" and page.next_url is not None and "&cursor=" in page.next_url


def test_the_first_address_is_written_as_the_portal_writes_it(tmp_path: Path) -> None:
    assert spider_class(CARD) is UkContractsFinder
    assert spider_class(CARD.model_copy(update={"id": "elsewhere"})) is OcdsLinksSpider
    first = UkContractsFinder(context(tmp_path)).page_request(UkContractsFinder(context(tmp_path)).first_url())
    assert first.url == (
        "https://www.contractsfinder.service.gov.uk/Published/Notices/OCDS/Search"
        "?publishedFrom=2025-01-20T00:00:00&publishedTo=2025-01-23T00:00:00&limit=100"
    )


def answer(spider: OcdsLinksSpider, url: str, body: bytes) -> list[Request]:
    request = spider.page_request(url)
    response = Response(request.url, body=body, request=request, headers={"Content-Type": "application/json"})
    return list(spider.parse_page(response))


def test_chains_that_turn_in_circles_or_lead_away(tmp_path: Path) -> None:
    start = "https://portal.example/s?p=1"
    loop = UkContractsFinder(context(tmp_path))
    assert answer(loop, start, b'{"releases": [{"ocid": 1}], "links": {"next": "/s?p=1"}}') == []
    assert [f.kind for f in loop.failures] == ["pagination_loop"] and not loop.chain_ended
    away = UkContractsFinder(context(tmp_path))
    answer(away, start, b'{"releases": [], "links": {"next": "https://elsewhere.example/"}}')
    assert [f.kind for f in away.failures] == ["foreign_next_link"]
    last = UkContractsFinder(context(tmp_path))
    answer(last, start, b'{"releases": [], "links": {"next": "https://portal.example/s?p=1"}}')
    assert last.chain_ended and [n.kind for n in last.notes] == ["empty_last_page"]
    empty = UkContractsFinder(context(tmp_path))
    for number in range(1, 5):
        answer(empty, f"https://portal.example/s?p={number}", b'{"releases": [], "links": {"next": "/s?p=%d"}}' % (
            number + 1))  # fmt: skip
    assert [f.kind for f in empty.failures] == ["pagination_loop"]


def test_an_empty_window_ends_its_chain_without_records(tmp_path: Path) -> None:
    spider = UkContractsFinder(context(tmp_path))
    assert answer(spider, "https://portal.example/s", b'{"releases": []}') == []
    assert (spider.chain_ended, spider.pages, spider.records, spider.failures) == (True, 1, 0, [])


def test_pages_that_say_the_same_under_new_cursors_are_a_named_failure(tmp_path: Path) -> None:
    spider = UkContractsFinder(context(tmp_path))
    url = "https://portal.example/s"
    for cursor in (1, 2):
        body = b'{"releases": [{"ocid": "x"}], "links": {"next": "/s?cursor=%d"}}' % cursor
        found = answer(spider, url, body)
        url = found[0].url if found else url
    assert [f.kind for f in spider.failures] == ["pagination_loop"] and not spider.chain_ended


def test_a_broken_page_is_asked_for_once_more(tmp_path: Path) -> None:
    spider = UkContractsFinder(context(tmp_path))
    (retry,) = answer(spider, "https://portal.example/s", b'{"releases": [')
    assert retry.url == "https://portal.example/s" and retry.dont_filter
    assert list(spider.parse_page(Response(retry.url, body=b'{"rel', request=retry))) == []
    assert [f.kind for f in spider.failures] == ["malformed_json"]
    assert [n.kind for n in spider.notes] == ["malformed_json"]


def test_a_portal_that_blocks_is_asked_for_nothing_more(tmp_path: Path) -> None:
    site = "https://portal.example"
    attachment = {"url": f"{site}/a.pdf", "format": "application/pdf"}
    body = orjson.dumps(
        {
            "releases": [release(1, "Facial recognition", [attachment])],
            "links": {"next": "/s?cursor=2"},
        }
    )
    spider = UkContractsFinder(context(tmp_path))
    (following,) = answer(spider, f"{site}/s", body)
    page = HtmlResponse(following.url, body=b"<html>Just a moment...", request=following)
    assert list(spider.parse_page(page)) == []
    assert [f.kind for f in spider.failures] == ["challenge_page"]
    assert [(d.outcome, d.detail) for d in spider.desk.rows()] == [
        ("failed", "not asked for, since the portal blocked the crawl")
    ]
    # A chain that merely broke leaves the documents of the pages before to be had.
    broken = UkContractsFinder(context(tmp_path))
    (following,) = answer(broken, f"{site}/s", body)
    error = Response(following.url, body=b'{"error": "x"}', request=following)
    assert [r.url for r in broken.parse_page(error)] == [f"{site}/a.pdf"]


def test_spiders_share_nothing(tmp_path: Path) -> None:
    one, two = UkContractsFinder(context(tmp_path)), UkContractsFinder(context(tmp_path))
    one.fail("x", "y")
    assert two.failures == []
    mutable = [n for cls in (UkContractsFinder, OcdsLinksSpider) for n, v in vars(cls).items()
               if isinstance(v, list | dict | set) and not n.startswith("__")]  # fmt: skip
    assert mutable == []


# Outcomes


def outcome(**changes: Any) -> tuple[Outcome, str]:
    usual: dict[str, Any] = {"finish_reason": "finished", "chain_ended": True, "failures": (), "pages": 2}
    return decide_outcome(**{**usual, "records": 9, **changes})


def problem(kind: str) -> Problem:
    return Problem(kind=kind, detail="why")


def test_every_outcome_says_why() -> None:
    assert outcome() == (Outcome.COMPLETE, "all of 2 pages with 9 records came")
    assert outcome(records=0)[0] is Outcome.EMPTY
    assert outcome(finish_reason="shutdown") == (
        Outcome.FAILED, "the crawl was broken off (shutdown); 2 pages with 9 records came before",
    )  # fmt: skip
    assert outcome(chain_ended=False)[0] is Outcome.PARTIAL
    assert outcome(chain_ended=False, pages=0, records=0)[0] is Outcome.FAILED
    assert outcome(expected=12) == (Outcome.PARTIAL, "the portal names 12 records, 9 came")
    assert outcome(rejected=1)[0] is Outcome.PARTIAL
    assert outcome(failures=[problem("timeout")])[0] is Outcome.PARTIAL
    assert outcome(failures=[problem("timeout")], pages=0)[0] is Outcome.FAILED
    for kind in BLOCKING:
        assert outcome(failures=[problem("timeout"), problem(kind)])[0] is Outcome.BLOCKED
    assert outcome(documents_expected=3, documents_received=1) == (
        Outcome.COMPLETE, "all of 2 pages with 9 records came; 2 of 3 documents did not come",
    )  # fmt: skip


# Addresses


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.0.0.1", False),
        ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False),
        ("0.0.0.0", False), ("224.0.0.1", False), ("240.0.0.1", False), ("255.255.255.255", False), ("::1", False),
        ("fe80::1", False), ("fd00::1", False), ("::ffff:10.0.0.1", False), ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False), ("2002:a00:1::", False), ("ff02::1", False), ("::", False),
    ],
)  # fmt: skip
def test_knows_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://[::1]:8080/", "http://169.254.169.254/latest", "ftp://93.184.216.34/x"]
)
def test_the_guard_refuses(tmp_path: Path, url: str) -> None:
    guard = AddressGuard(crawler(context(tmp_path, offline=True)))
    with pytest.raises(BlockedAddress):
        asyncio.run(guard.process_request(Request(url)))
    asyncio.run(guard.process_request(Request("http://93.184.216.34/")))


@pytest.mark.parametrize(("said", "refused"), [("10.0.0.1", True), ("127.0.0.1", True), ("93.184.216.34", False)])
def test_the_resolver_refuses_private_answers(monkeypatch: pytest.MonkeyPatch, said: str, refused: bool) -> None:
    from twisted.internet.defer import succeed

    monkeypatch.setattr(
        "spiders.address_guard.CachingThreadedResolver.getHostByName", lambda self, name, timeout=(): succeed(said)
    )
    resolver = GuardedResolver(None, 0, 1.0)
    got: list[Any] = []
    resolver.getHostByName("portal.example").addBoth(got.append)
    if refused:
        assert got[0].check(RefusedAddress)
    else:
        assert got == [said]


# Waiting


def again(patience: Patience, status: int, request: Request, **headers: str) -> Request | Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return patience.process_response(request, Response(request.url, status=status, headers=named))


def test_waits_are_read_from_answer_and_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("spiders.patience.monotonic", lambda: clock)
    polite = Politeness(delay=1.5, retries=3, busy_wait={403: 300}, max_wait=900)
    patience = Patience(crawler(context(tmp_path, card=CARD.model_copy(update={"politeness": polite}))))

    def wait(host: str) -> float:
        return patience._until.get(host, clock) - clock

    assert isinstance(again(patience, 429, Request("https://a.example/"), Retry_After="7"), Request)
    assert wait("a.example") == 7
    dated = Request("https://b.example/", meta={"unveil_fetched_at": datetime(2025, 1, 1, tzinfo=UTC)})
    again(patience, 503, dated, Retry_After="Wed, 01 Jan 2025 00:02:00 GMT")
    assert wait("b.example") == 120
    once = again(patience, 403, Request("https://c.example/"))
    assert isinstance(once, Request) and wait("c.example") == 300
    assert isinstance(again(patience, 403, once), Response)
    assert isinstance(again(patience, 429, Request("https://d.example/"), Retry_After="901"), Response)
    first = again(patience, 500, Request("https://e.example/"))
    assert isinstance(first, Request) and wait("e.example") == 3
    second = patience.process_exception(first, DownloadTimeoutError("slow"))
    assert second is not None and wait("e.example") == 6
    third = again(patience, 502, second)
    assert isinstance(third, Request) and wait("e.example") == 12
    assert isinstance(again(patience, 502, third), Response)
    assert isinstance(again(patience, 404, Request("https://f.example/")), Response)
    assert patience.process_exception(Request("https://g.example/"), RobotsForbidden()) is None


def test_a_replay_waits_for_nothing(tmp_path: Path) -> None:
    patience = Patience(crawler(context(tmp_path, offline=True)))
    assert isinstance(again(patience, 403, Request("https://a.example/")), Request)
    asyncio.run(asyncio.wait_for(patience.process_request(Request("https://a.example/")), 1))


# Archive


def archived(tmp_path: Path, response: Response, **meta: Any) -> tuple[Response, RunWriter]:
    ctx = context(tmp_path)
    middleware = ArchiveMiddleware(crawler(ctx))
    request = Request(response.url, meta=meta)
    assert middleware.process_request(request) is None
    return middleware.process_response(request, response), ctx.writer


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw"])
def test_packed_bodies_are_archived_unpacked(tmp_path: Path, coding: str) -> None:
    machine = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(b"payload"), "deflate": zlib.compress(b"payload"),
        "raw": machine.compress(b"payload") + machine.flush(),
    }[coding]  # fmt: skip
    headers = Headers({"Content-Encoding": "deflate" if coding == "raw" else coding})
    response, writer = archived(tmp_path, Response("https://a.example/", body=packed, headers=headers))
    writer.close()
    assert response.body == b"payload" and "Content-Encoding" not in response.headers
    assert [a.body() for a in read_run(writer.folder)] == [b"payload"]


def test_a_packed_bomb_is_refused_and_told(tmp_path: Path) -> None:
    bomb = Response("https://a.example/", body=gzip.compress(bytes(5_000_000)), headers={"Content-Encoding": "gzip"})
    ctx = context(tmp_path)
    middleware = ArchiveMiddleware(crawler(ctx))
    request = Request(bomb.url)
    middleware.process_request(request)
    with pytest.raises(DownloadCancelledError):
        middleware.process_response(request, bomb)
    ctx.writer.close()
    assert [a.payload.role for a in read_run(ctx.writer.folder)] == ["error"]


def test_redirects_keep_where_they_began(tmp_path: Path) -> None:
    response = Response("https://a.example/new", body=b"x")
    _, writer = archived(tmp_path, response, redirect_urls=["https://a.example/old"])
    writer.close()
    (there,) = read_run(writer.folder)
    assert (there.payload.url, there.payload.requested_url) == ("https://a.example/new", "https://a.example/old")


def test_only_failures_on_the_wire_are_archived(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    middleware = ArchiveMiddleware(crawler(ctx))
    asked, unasked = Request("https://a.example/"), Request("https://a.example/kept-back")
    middleware.process_request(asked)
    middleware.process_exception(asked, DownloadTimeoutError("too slow"))
    middleware.process_exception(unasked, RobotsForbidden("no"))
    ctx.writer.close()
    assert [a.payload.url for a in read_run(ctx.writer.folder)] == [asked.url]
    tape = whole_tape(ctx.writer.folder)
    played = tape.take(asked)
    assert played is not None and isinstance(from_text(played.body().decode()), DownloadTimeoutError)
    assert tape.take(asked) is None
    assert settled_tape(ctx.writer.folder).take(asked) is None


def test_failures_keep_their_names() -> None:
    for error in (BlockedAddress("a"), DownloadTimeoutError("b"), DownloadCancelledError("c")):
        back = from_text(to_text(error))
        assert type(back) is type(error) and str(back) == str(error)
    assert kind_of(from_text("Strange: x")) == "download_failed"
    assert kind_of(NotInArchive("x")) == "not_in_archive"


def test_an_archive_that_cannot_be_written_stops_the_crawl(tmp_path: Path) -> None:
    def full(**_: Any) -> None:
        raise UnveilError("The disk is full")

    stub = SimpleNamespace(write_response=full)
    fake = crawler(context(tmp_path, writer=stub))
    stopped: list[UnveilError] = []
    fake.spider.stop = stopped.append
    middleware = ArchiveMiddleware(fake)
    request = Request("https://a.example/")
    middleware.process_request(request)
    with pytest.raises(UnveilError):
        middleware.process_response(request, Response(request.url, body=b"x"))
    assert [str(e) for e in stopped] == ["The disk is full"]


# Documents


def candidate(number: int, *links: DocumentLink) -> Release:
    return Release(
        release_id=f"r-{number}", contract_id=f"c-{number}", source_id="s", native_id=str(number), title="t",
        documents=links,
    )  # fmt: skip


def link(name: str, media_type: str = "application/pdf") -> DocumentLink:
    return DocumentLink(url=f"https://a.example/{name}", format=media_type)


def test_links_are_chosen_by_format_then_extension() -> None:
    docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert expected_type(link("x", "Application/PDF; q=1")) == "application/pdf"
    assert expected_type(link("x.PDF", "")) == "application/pdf"
    assert expected_type(link("x", "pdf")) == "application/pdf"
    assert expected_type(link("x.docx?y=1", "")) == docx
    assert expected_type(link("view.aspx", "")) == ""
    assert actual_type(PDF, "text/html", "") == "application/pdf"
    assert actual_type(b"PK\x03\x04...", "application/octet-stream", docx) == docx
    assert actual_type(b"\xef\xbb\xbf <!DOCTYPE html>", "application/pdf", "") == "text/html"
    assert actual_type(b"\x00\x01", "text/plain", "") == ""


def test_budgets_are_kept_and_shown() -> None:
    desk = DocumentDesk(DocumentPolicy(per_contract=2, probe_budget=1), {"https://a.example/k": "f" * 64})
    broken = DocumentLink(url="http://Contract Finder", format="application/pdf")
    one = candidate(1, link("a"), link("k"), link("b"), broken)
    assert list(desk.plan(one, Candidacy.TEXT)) == ["https://a.example/a"]
    assert list(desk.plan(candidate(2, link("p"), link("q")), Candidacy.PROBE)) == ["https://a.example/p"]
    # The same link from another contract is not asked for again; its row gets the same outcome.
    assert list(desk.plan(candidate(3, link("a")), Candidacy.TEXT)) == []
    assert list(desk.plan(one, Candidacy.TEXT)) == []
    desk.judge("https://a.example/a", 200, "application/pdf", PDF, "a" * 64)
    desk.settle("https://a.example/p", "blocked_address", "why")
    assert [(r.contract_id, r.url[-2:], r.outcome) for r in desk.rows()] == [
        ("c-1", "/a", "ok"), ("c-1", "/k", "known"), ("c-1", "/b", "over_budget"), ("c-1", "er", "failed"),
        ("c-2", "/p", "blocked_address"), ("c-2", "/q", "over_budget"), ("c-3", "/a", "ok"),
    ]  # fmt: skip
    assert (desk.expected, desk.received) == (5, 2)


# Settings


def test_a_live_crawl_names_a_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNVEIL_CONTACT", raising=False)
    with pytest.raises(WrongUse, match="export UNVEIL_CONTACT="):
        build_settings(CARD, offline=False)
    assert build_settings(CARD, offline=True)["DOWNLOAD_HANDLERS"]["https"] == "spiders.replay.ReplayHandler"
    monkeypatch.setenv("UNVEIL_CONTACT", "mailto:a@example.org")
    live = build_settings(CARD, offline=False)
    assert live["USER_AGENT"].endswith(" (+mailto:a@example.org)")
    assert (live["DOWNLOAD_DELAY"], live["DOWNLOAD_DELAY_JITTER"], live["CONCURRENT_REQUESTS"]) == (1.5, 0.0, 1)
    assert live["DNS_RESOLVER"] == "spiders.address_guard.GuardedResolver"


def test_neither_prefect_nor_scrapy_is_loaded_where_it_must_not_be() -> None:
    # Scrapy's logging set-up in a process that runs a flow never returns; it belongs in the child alone.
    script = (
        "import sys, flows.crawl; assert not {'scrapy', 'twisted', 'prefect'} & set(sys.modules);"
        "import flows.crawl_one; assert 'prefect' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")

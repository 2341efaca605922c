"""Crawls of the loopback portal in their own process: pages, misbehaviour, documents, kills, resumes and replays."""

import gzip
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from flows.crawl import _locked, crawl, window
from models.source import DocumentPolicy, Politeness, Robots
from pipeline.archive import RunInfo, read_run, run_info, verify_manifest
from pipeline.archive_writer import RunWriter
from pipeline.errors import BadData, UnveilError, WrongUse
from pipeline.lake import write_partition
from pipeline.store import Store
from tests.portal import PDF, SEARCH, SINCE, UNTIL, Answer, Portal, portal_card, release, three_pages

NOW = datetime(2025, 1, 23, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNVEIL_CONTACT", "mailto:tests@example.org")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal(three_pages()) as running:
        yield running


def run(
    store: Store,
    portal: Portal,
    *,
    now: datetime = NOW,
    on_progress: Callable[[str], None] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    return crawl(
        store, portal_card(portal, **changes), since=SINCE, until=UNTIL, now=now, log=store.logs / "crawl.log",
        candidates="tests.portal:fake_candidates", time_limit=50, on_progress=on_progress,
    )  # fmt: skip


def replay(store: Store, portal: Portal, archive: Path, **changes: Any) -> dict[str, Any]:
    return crawl(
        store, portal_card(portal, **changes), replay=archive, log=store.logs / "replay.log",
        candidates="tests.portal:fake_candidates", time_limit=50,
    )  # fmt: skip


def kinds(result: dict[str, Any]) -> list[str]:
    return [p["kind"] for p in result["problems"]]


def digests(folder: Path | str) -> list[tuple[str, str]]:
    return [(a.payload.url, a.payload.sha256) for a in read_run(Path(folder))]


def test_follows_the_chain_to_its_end_and_seals(store: Store, portal: Portal) -> None:
    told: list[str] = []
    result = crawl(
        store, portal_card(portal), since=SINCE, until=UNTIL, now=NOW, log=store.logs / "crawl.log",
        candidates="tests.portal:fake_candidates", on_progress=told.append,
    )  # fmt: skip
    assert (result["outcome"], result["counts"]["pages"], result["counts"]["records"]) == ("complete", 3, 5)
    folder = Path(result["folder"])
    assert folder.name == "20250123T120000Z"
    assert verify_manifest(folder) == []
    assert json.loads((folder / "crawl.json").read_text())["outcome"] == "complete"
    asked = portal.asked("")
    assert asked[0].path == f"{SEARCH}?publishedFrom=2025-01-20T00:00:00&publishedTo=2025-01-23T00:00:00&limit=100"
    assert [a.path.count("cursor") for a in asked] == [0, 1, 1]
    assert asked[0].agent.startswith("Unveil/") and asked[0].agent.endswith("(+mailto:tests@example.org)")
    assert [t for t in told if t.startswith("page ")][-1] == "page 3 of test_portal: 5 records so far"
    roles = {a.payload.role for a in read_run(folder)}
    assert roles == {"page"}


@pytest.mark.parametrize(
    ("answers", "outcome", "kind"),
    [
        ([Answer(b'{"releases": [')] * 2, "partial", "malformed_json"),
        ([Answer(b"<html><title>Just a moment...</title></html>", 200, "text/html")], "blocked", "challenge_page"),
        ([Answer(b"busy", 403, "text/plain")] * 2, "blocked", "http_403"),
        ([Answer(reset=True)] * 3, "partial", "download_failed"),
    ],
)
def test_a_chain_broken_on_its_second_page_is_never_complete(
    store: Store, portal: Portal, answers: list[Answer], outcome: str, kind: str
) -> None:
    portal.say(2, *answers)
    result = run(store, portal)
    assert (result["outcome"], kinds(result)[0]) == (outcome, kind)
    assert result["counts"]["records"] == 2
    assert len(portal.asked()) == 1 + len(answers)


def test_waits_as_long_as_asked_and_comes_back(store: Store, portal: Portal) -> None:
    portal.say(
        2,
        Answer(b"", 429, headers={"Retry-After": "1"}),
        Answer(b"", 503, headers={"Retry-After": (datetime.now(UTC) + timedelta(seconds=2)).strftime(
            "%a, %d %b %Y %H:%M:%S GMT")}),
    )  # fmt: skip
    result = run(store, portal)
    assert result["outcome"] == "complete"
    times = [a.at for a in portal.asked()]
    assert times[2] - times[1] >= 1.0
    assert result["counts"]["retries"] == 2


def test_a_wait_longer_than_we_have_ends_as_blocked(store: Store, portal: Portal) -> None:
    portal.say(1, Answer(b"", 429, headers={"Retry-After": "3600"}))
    started = monotonic()
    result = run(store, portal)
    assert (result["outcome"], kinds(result)) == ("blocked", ["http_429"])
    assert len(portal.asked()) == 1
    assert monotonic() - started < 30


def test_obeys_robots_without_asking_for_the_page(store: Store, portal: Portal) -> None:
    portal.robots = "User-agent: *\nDisallow: /Published\n"
    result = run(store, portal, robots=Robots(policy="obey"))
    assert (result["outcome"], kinds(result)) == ("blocked", ["robots_disallow"])
    assert [a.path for a in portal.log] == ["/robots.txt"]
    assert [a.payload.role for a in read_run(Path(result["folder"]))] == ["robots"]


def test_refuses_a_name_of_a_private_address(store: Store, portal: Portal) -> None:
    start = f"{portal.url}{SEARCH}".replace("127.0.0.1", "localhost")
    result = run(store, portal, private_addresses=False, start_url=start)
    assert (result["outcome"], kinds(result)) == ("failed", ["blocked_address"])
    assert portal.log == []


def document(portal: Portal, path: str, media_type: str = "application/pdf") -> dict[str, Any]:
    return {"id": path, "title": path, "url": f"{portal.url}{path}", "format": media_type}


def test_documents_of_candidates_each_end_in_a_row_and_are_fetched_once(store: Store, portal: Portal) -> None:
    links = [
        document(portal, "/Notice/Attachment/good"),
        document(portal, "/Notice/page", "text/html"),
        document(portal, "/Notice/Attachment/gone"),
        document(portal, "/Notice/Attachment/big"),
        document(portal, "/Notice/Attachment/lie"),
    ]
    portal.pages = [
        [
            release(1, "Live facial recognition", links),
            release(2, "Playground", [document(portal, "/Notice/Attachment/other")]),
            release(3, "CCTV upgrade", [document(portal, f"/Notice/Attachment/probe{n}") for n in range(2)]),
        ]
    ]
    portal.files = {
        "/Notice/Attachment/good": Answer(PDF, 200, "application/octet-stream"),
        "/Notice/Attachment/probe0": Answer(PDF, 200, "application/pdf"),
        "/Notice/Attachment/big": Answer(PDF + b"x" * 20_000, 200, "application/pdf"),
        "/Notice/Attachment/lie": Answer(b"<!doctype html><p>Please log in", 200, "application/pdf"),
    }
    policy = DocumentPolicy(types=("application/pdf",), max_bytes=10_000, probe_budget=1)
    result = run(store, portal, documents=policy)
    assert result["outcome"] == "complete" and "did not come" in result["reason"]
    assert [(d["url"].rpartition("/")[2], d["outcome"]) for d in result["documents"]] == [
        ("good", "ok"), ("page", "wrong_type"), ("gone", "http_404"), ("big", "too_large"), ("lie", "wrong_type"),
        ("probe0", "ok"), ("probe1", "over_budget"),
    ]  # fmt: skip
    assert (result["documents_expected"], result["documents_received"]) == (6, 2)
    assert not portal.asked("/Notice/page") and not portal.asked("/Notice/Attachment/other")
    assert len(portal.asked("/robots.txt")) == 1

    source = "test_portal"
    rows = [{**d, "source_id": source} for d in result["documents"]]
    write_partition(store, "document", source, result["run"], rows)
    portal.log.clear()
    later = run(store, portal, documents=policy, now=NOW + timedelta(days=1))
    assert [d["outcome"] for d in later["documents"]][:2] == ["known", "wrong_type"]
    assert later["documents"][0]["sha256"] == result["documents"][0]["sha256"]
    assert not portal.asked("/Notice/Attachment/good")
    # A replay of the second night does not ask for it either.
    again = replay(Store(store.root / "again"), portal, Path(later["folder"]), documents=policy)
    assert [d["outcome"] for d in again["documents"]] == [d["outcome"] for d in later["documents"]]
    assert "not_in_archive" not in kinds(again)


def test_a_stopped_and_then_killed_crawl_is_resumed_without_asking_twice(
    store: Store, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.pages = [[release(n)] for n in range(1, 7)]
    portal.say(3, Answer(portal.package(3, {}), after=1))
    portal.say(5, Answer(portal.package(5, {}), after=30))
    children: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            children.append(self)

    monkeypatch.setattr("flows.crawl.subprocess.Popen", Watched)

    def stop(line: str) -> None:
        if line.startswith("page 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(store, portal, on_progress=stop)
    # Ended in order: what was on its way came and was archived, and nothing was sealed.
    assert children[0].returncode == 4
    (left,) = (store.archive / "test_portal").glob("*Z*")
    assert left.name == "20250123T120000Z.open"

    outcome: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: outcome.append(run(store, portal)))
    thread.start()
    while len(portal.asked()) < 5:
        sleep(0.02)
    os.kill(children[1].pid, signal.SIGKILL)
    thread.join(20)
    assert outcome[0]["outcome"] == "failed" and "SIGKILL" in outcome[0]["reason"]
    assert outcome[0]["folder"].endswith(".open")

    # The kill may have cut a record in two.
    with next(Path(outcome[0]["folder"]).glob("part-0002*")).open("ab") as part:
        part.write(gzip.compress(b"WARC/1.0\r\nWARC-Type: response\r\n")[:-12])
    # Asked for no window and at another time, it still goes on with the one that was begun.
    result = crawl(
        store, portal_card(portal), now=NOW + timedelta(days=3), log=store.logs / "crawl.log",
        candidates="tests.portal:fake_candidates",
    )  # fmt: skip
    assert (result["outcome"], result["counts"]["records"]) == ("complete", 6)
    assert (result["run"], result["since"]) == ("20250123T120000Z", SINCE.isoformat())
    cursors = [a.path.rpartition("cursor=")[2] if "cursor" in a.path else "1" for a in portal.asked()]
    # Page 5 was being sent when the process was killed.
    assert cursors == ["1", "2", "3", "4", "5", "5", "6"]
    pages = [a.payload.url for a in read_run(Path(result["folder"])) if a.payload.status == 200]
    assert len(pages) == len(set(pages)) == 6


def test_a_replay_gives_the_same_bytes_with_the_portal_off(store: Store, tmp_path: Path) -> None:
    with Portal([[release(1, "Facial recognition", [])], [release(2)]]) as portal:
        portal.pages[0][0]["awards"][0]["documents"] = [document(portal, "/Notice/Attachment/a")]
        portal.files["/Notice/Attachment/a"] = Answer(PDF, 200, "application/pdf")
        latin = portal.package(1, {}).replace(b"Grounds", "Café".encode("iso-8859-1"))
        portal.say(2, Answer(b"", 503), Answer(reset=True), Answer(b'{"releases": [{"title": "Caf\xe9"}]}'))
        moved = Answer(b"", 302, headers={"Location": f"{portal.url}{SEARCH}?moved=1"})
        portal.say(1, moved, Answer(latin))
        live = run(store, portal, politeness=Politeness(delay=0, retries=4))
        url = portal.url
    assert "encoding" in kinds(live)
    with Portal() as off:
        card = {"start_url": f"{url}{SEARCH}"}
        other = Store(tmp_path / "other")
        again = replay(other, off, Path(live["folder"]), **card)
        assert digests(again["folder"]) == digests(live["folder"])
        same = ("outcome", "reason", "documents", "problems", "since", "until", "run", "started_at", "counts")
        assert {k: again[k] for k in same} == {k: live[k] for k in same}
        # Into the store that holds it: compared, and the sealed copy kept.
        before = (Path(live["folder"]) / "part-0001.warc.gz").stat().st_mtime_ns
        kept = replay(store, off, Path(live["folder"]), **card)
        assert kept["folder"] == live["folder"]
        assert (Path(live["folder"]) / "part-0001.warc.gz").stat().st_mtime_ns == before
        assert off.log == []
        assert run_info(Path(again["folder"])) == run_info(Path(live["folder"]))


def test_what_is_not_in_the_archive_is_a_named_failure(store: Store, portal: Portal) -> None:
    info = RunInfo("r1", "test_portal", "crawl", NOW, {"since": SINCE.isoformat(), "until": UNTIL.isoformat()})
    writer = RunWriter(Store(store.root / "made"), info)
    first = f"{portal.url}{SEARCH}?publishedFrom=2025-01-20T00:00:00&publishedTo=2025-01-23T00:00:00&limit=100"
    writer.write_response(
        url=first, requested_url=first, role="page", method="GET", request_headers=[], request_body=b"", status=200,
        headers=[("Content-Type", "application/json")], body=portal.package(1, {}), fetched_at=NOW,
    )  # fmt: skip
    folder = writer.seal()
    result = replay(store, portal, folder)
    assert (result["outcome"], kinds(result)) == ("partial", ["not_in_archive"])
    assert portal.log == []


def test_a_redirect_to_a_private_address_is_refused(store: Store, portal: Portal) -> None:
    info = RunInfo("r1", "test_portal", "crawl", NOW, {"since": SINCE.isoformat(), "until": UNTIL.isoformat()})
    writer = RunWriter(Store(store.root / "made"), info)
    start = "https://portal.example/search"
    first = f"{start}?publishedFrom=2025-01-20T00:00:00&publishedTo=2025-01-23T00:00:00&limit=100"
    writer.write_response(
        url=first, requested_url=first, role="page", method="GET", request_headers=[], request_body=b"", status=302,
        headers=[("Location", "http://10.1.2.3/latest/meta-data")], body=b"", fetched_at=NOW,
    )  # fmt: skip
    result = replay(store, portal, writer.seal(), start_url=start, private_addresses=False)
    assert (result["outcome"], kinds(result)) == ("failed", ["blocked_address"])
    assert "10.1.2.3" in result["reason"]


def test_refuses_before_it_starts(store: Store, portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongUse, match="window is empty"):
        crawl(store, portal_card(portal), since=UNTIL, until=SINCE, log=store.logs / "x.log")
    monkeypatch.delenv("UNVEIL_CONTACT")
    with pytest.raises(WrongUse, match="UNVEIL_CONTACT"):
        run(store, portal)
    assert portal.log == []
    with pytest.raises(BadData):
        replay(store, portal, store.root / "nothing")


def test_one_crawl_of_a_source_at_a_time(store: Store, portal: Portal) -> None:
    with _locked(store, "test_portal"), pytest.raises(UnveilError, match="already"):
        run(store, portal)


def test_the_window_goes_on_from_the_last_complete_crawl(store: Store, portal: Portal) -> None:
    card = portal_card(portal)
    assert window(store, card, None, None, NOW) == (NOW - timedelta(days=7), NOW)
    for outcome, day in (("complete", 20), ("partial", 22)):
        until = datetime(2025, 1, day, tzinfo=UTC)
        row = {"run_id": outcome, "source_id": card.id, "outcome": outcome, "until": until}
        write_partition(store, "crawl", card.id, outcome, [row])
    assert window(store, card, None, None, NOW) == (datetime(2025, 1, 17, tzinfo=UTC), NOW)

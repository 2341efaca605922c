"""Bulk files: spooled, resumed, archived as they are, read line by line, and candidates cut out of them."""

import gzip
import io
import json
import os
import signal
import subprocess
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.crawl import crawl
from flows.house import House
from flows.steps import build_database, derive_crawl, process
from models.procurement import Parsed, Place, Seen
from models.run import Problem
from models.source import Politeness
from pipeline.archive import hash_file, read_run, verify_manifest
from pipeline.candidate import load_candidates
from pipeline.cards import load_source_card
from pipeline.evidence import find_evidence, show, verify
from pipeline.glance import records_of
from pipeline.ingest import ingest
from pipeline.parse.ocds import parse_file
from pipeline.parse.ocds_release import parse_release
from pipeline.query import connect
from pipeline.store import DATA, Store
from tests.answers.registry import compiled, lines, registry
from tests.driver import Reply, drive, ended, make_spider
from tests.portal import FakeCandidates
from tests.registry_server import SOURCE_ID, RegistryServer, Served, registry_card

NOW = datetime(2026, 11, 7, 6, tzinfo=UTC)
CARD = load_source_card(DATA / "sources", "ocp_uk_contracts_finder")


@pytest.fixture(autouse=True)
def contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNVEIL_CONTACT", "mailto:tests@example.org")


def written(folder: Path, name: str = "full.jsonl.gz", count: int = 50, padding: int = 0) -> Served:
    """A file of so many processes, one of them a purchase of facial recognition. Padding hardly packs."""
    path = folder / name
    found = [compiled(n) for n in range(count)]
    for number, one in enumerate(found):
        one["tender"]["description"] += os.urandom(padding).hex() if padding else f" {number}"
    found[count // 2]["tender"]["title"] = "Facial recognition for the city police"
    path.write_bytes(lines(*found))
    return Served(path)


def run(store: Store, server: RegistryServer, now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    return crawl(
        store, registry_card(server, **changes), now=now, log=store.logs / "crawl.log",
        candidates="tests.portal:fake_candidates", time_limit=50,
    )  # fmt: skip


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = monotonic() + seconds
    while not true():
        assert monotonic() < end, "it never came about"
        sleep(0.02)


def files(result: dict[str, Any]) -> list[tuple[str, int]]:
    found = [a.payload for a in read_run(Path(result["folder"])) if a.payload.role == "file"]
    return [(p.sha256, p.size) for p in found]


def test_a_file_is_archived_byte_for_byte_and_a_second_night_asks_for_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    served = written(tmp_path)
    with RegistryServer({"full.jsonl.gz": served}) as server:
        result = run(store, server)
        assert (result["outcome"], result["counts"]["records"]) == ("complete", 50), result["reason"]
        (archived,) = [a for a in read_run(Path(result["folder"])) if a.payload.role == "file"]
        assert archived.body() == served.path.read_bytes()
        assert result["state"] == {"last_retrieved": "2026-10-30", "publication_id": 128}
        assert not (Path(result["folder"]) / "spool").exists()
        assert verify_manifest(Path(result["folder"])) == []
        again = run(store, server, now=datetime(2026, 11, 14, 6, tzinfo=UTC))
        assert (again["outcome"], [p["kind"] for p in again["problems"]]) == ("empty", ["unchanged"])
        assert len(server.asked("/cdn/")) == 1
        # Changed since: this year's file and the last one's, and no longer the whole.
        server.last_retrieved = "2026-11-30"
        server.files |= {"2026.jsonl.gz": served, "2025.jsonl.gz": served}
        later = run(store, server, now=datetime(2026, 12, 5, 6, tzinfo=UTC))
        assert {path for path, _, _ in server.asked("/cdn/")[1:]} == {"/cdn/2026.jsonl.gz", "/cdn/2025.jsonl.gz"}
        assert (later["outcome"], later["state"]["last_retrieved"]) == ("complete", "2026-11-30")


def test_a_cut_connection_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    served = written(tmp_path, padding=3000)
    size = served.path.stat().st_size
    served.cuts = [100_000, 30_000]
    with RegistryServer({"full.jsonl.gz": served}) as server:
        result = run(store, server)
        assert (result["outcome"], result["counts"]["retries"]) == ("complete", 2), result["reason"]
        ranges = [(asked, sent) for _, asked, sent in server.asked("/cdn/")]
        assert ranges == [("", 100_000), ("bytes=100000-", 30_000), ("bytes=130000-", size - 130_000)]
        (archived,) = [a for a in read_run(Path(result["folder"])) if a.payload.role == "file"]
        assert archived.body() == served.path.read_bytes()
        assert (archived.payload.status, dict(archived.headers)["Unveil-Assembled-From"]) == (200, "3 ranges")


@pytest.mark.parametrize(
    ("careless", "padding", "ranges"),
    [
        # The server sees that the file is another one, and sends it whole.
        (False, 3000, ["", "bytes=100000-"]),
        # It does not, but what it says of the file tells.
        (True, 3000, ["", "bytes=100000-", ""]),
        # It has no such range, since the other one is shorter.
        (True, 10, ["", "bytes=100000-", ""]),
    ],
)
def test_two_files_are_never_put_together(tmp_path: Path, careless: bool, padding: int, ranges: list[str]) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "new").mkdir()
    served, new = written(tmp_path, padding=3000), written(tmp_path / "new", padding=padding)
    new.etag, new.careless = '"v2"', careless
    served.cuts, served.then = [100_000], new
    with RegistryServer({"full.jsonl.gz": served}) as server:
        result = run(store, server)
        assert result["outcome"] == "complete", result["reason"]
        assert files(result) == [hash_file(new.path)]
        assert [asked for _, asked, _ in server.asked("/cdn/")] == ranges


def test_a_slow_file_is_waited_for_and_a_silent_one_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    manners = Politeness(delay=0, timeout=1, retries=3, max_wait=5)
    slow = written(tmp_path, padding=16_000)
    slow.pause_after, slow.pause = 0, 0.25
    with RegistryServer({"full.jsonl.gz": slow}) as server:
        result = run(store, server, politeness=manners)
        assert (result["outcome"], result["counts"]["retries"]) == ("complete", 0), result["reason"]
    silent = Served(slow.path, pause_after=100_000, pause=2.5, then=Served(slow.path))
    with RegistryServer({"full.jsonl.gz": silent}, last_retrieved="2026-11-01") as server:
        server.files = {"2026.jsonl.gz": silent, "2025.jsonl.gz": Served(slow.path)}
        again = run(store, server, now=datetime(2026, 11, 8, 6, tzinfo=UTC), politeness=manners)
        assert (again["outcome"], again["counts"]["retries"]) == ("complete", 1), again["reason"]
        assert any(asked.startswith("bytes=") for _, asked, _ in server.asked("/cdn/2026"))


@pytest.mark.parametrize(("etag", "ranges"), [("", True), ('W/"weak"', True), ('"v1"', False)])
def test_without_a_validator_or_ranges_a_download_begins_anew(tmp_path: Path, etag: str, ranges: bool) -> None:
    store = Store(tmp_path / "store")
    served = written(tmp_path, padding=3000)
    served.etag, served.ranges, served.cuts = etag, ranges, [100_000]
    with RegistryServer({"full.jsonl.gz": served}) as server:
        result = run(store, server)
        assert result["outcome"] == "complete", result["reason"]
        assert [sent for _, _, sent in server.asked("/cdn/")] == [100_000, served.path.stat().st_size]
        (archived,) = [a for a in read_run(Path(result["folder"])) if a.payload.role == "file"]
        assert archived.body() == served.path.read_bytes()


def test_a_connection_that_is_always_cut_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    served = written(tmp_path, padding=3000)
    served.cuts = [1000] * 4
    with RegistryServer({"full.jsonl.gz": served}) as server:
        result = run(store, server)
        assert (result["outcome"], result["problems"][0]["kind"]) == ("partial", "download_failed")
        assert "after 1000 of" in result["problems"][0]["detail"]
        assert result["state"] == {}
        assert sorted(p.name for p in Path(result["folder"]).iterdir()) == [
            "crawl.json", "manifest.json", "part-0001.warc.gz",
        ]  # fmt: skip
        # Nothing is known of a file that did not come: it is asked for again, whole.
        again = run(store, server, now=datetime(2026, 11, 8, 6, tzinfo=UTC))
        assert (again["outcome"], server.asked("/cdn/")[-1][1:]) == ("complete", ("", served.path.stat().st_size))


def test_a_file_beyond_the_limit_is_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    served = written(tmp_path, padding=300)
    with RegistryServer({"full.jsonl.gz": served}) as server:
        result = run(store, server, bulk=registry_card(server).bulk.model_copy(update={"max_bytes": 10_000}))  # type: ignore[union-attr]
        assert (result["outcome"], result["problems"][0]["kind"]) == ("partial", "too_large")
        assert server.asked("/cdn/")[0][2] <= served.path.stat().st_size


@pytest.fixture
def killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[tuple[Store, RegistryServer, Served, dict[str, Any]]]:
    """A crawl whose process was killed, or told to stop, when half of its file was here."""
    store = Store(tmp_path / "store")
    served = written(tmp_path, padding=20_000)
    served.pause_after, served.pause = served.path.stat().st_size // 2, 0.5
    children: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            children.append(self)

    monkeypatch.setattr("flows.crawl.subprocess.Popen", Watched)
    with RegistryServer({"full.jsonl.gz": served}) as server:
        ended: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: ended.append(run(store, server)))
        thread.start()
        assert server.sending.wait(20)
        until(lambda: any(part.stat().st_size for part in store.archive.glob("*/*.open/spool/*.part")))
        os.kill(children[0].pid, getattr(request, "param", signal.SIGKILL))
        thread.join(20)
        until(lambda: len(server.asked("/cdn/")) == 1)
        served.pause_after = None
        yield store, server, served, ended[0]


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGTERM], indirect=True)
def test_a_killed_download_is_gone_on_with(killed: tuple[Store, RegistryServer, Served, dict[str, Any]]) -> None:
    store, server, served, broken = killed
    assert broken["outcome"] == "failed"
    size = served.path.stat().st_size
    result = run(store, server)
    assert (result["run"], result["outcome"]) == (broken["run"], "complete"), result["reason"]
    first, second = server.asked("/cdn/")
    here = int(second[1].removeprefix("bytes=").removesuffix("-"))
    # Only the rest was sent again, and the list and the redirect were not asked for twice.
    assert 0 < here <= first[2] < size
    assert second[2] == size - here
    assert len(server.asked("/publications.json")) == len(server.asked("/en/publication/")) == 1
    assert files(result) == [hash_file(served.path)]


def test_a_file_that_had_come_whole_before_the_kill_is_not_asked_for_again(
    killed: tuple[Store, RegistryServer, Served, dict[str, Any]],
) -> None:
    store, server, served, _ = killed
    (part,) = store.archive.glob("*/*.open/spool/*.part")
    part.write_bytes(served.path.read_bytes())
    result = run(store, server)
    assert result["outcome"] == "complete", result["reason"]
    assert len(server.asked("/cdn/")) == 1
    assert files(result) == [hash_file(served.path)]


def test_lines_that_do_not_fit_are_told_and_the_file_is_not_fetched_again_for_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    path = tmp_path / "full.jsonl.gz"
    path.write_bytes(lines(compiled(1), {**compiled(2), "date": "yesterday"}, compiled(3)))
    with RegistryServer({path.name: Served(path)}) as server:
        first = run(store, server)
        assert (first["outcome"], first["counts"]["records"], first["counts"]["rejected"]) == ("partial", 3, 1)
        again = run(store, server, now=datetime(2026, 11, 14, 6, tzinfo=UTC))
        assert (again["outcome"], again["reason"].partition(":")[0]) == ("empty", "unchanged")


@pytest.mark.parametrize(
    ("names", "date_from", "outcome", "kinds"),
    [
        ({"2026", "2025"}, "2016-11-01", "complete", []),
        ({"2025"}, "2016-11-01", "complete", ["missing_file"]),
        ({"2026"}, "2026-02-01", "complete", ["missing_file"]),
        ({"2026"}, "2016-11-01", "partial", ["missing_file"]),
        (set(), "2016-11-01", "partial", ["missing_file", "missing_file"]),
    ],
)
def test_a_year_without_a_file(tmp_path: Path, names: set[str], date_from: str, outcome: str, kinds: list[str]) -> None:
    before = {"last_retrieved": "2026-09-30", "publication_id": 128}
    spider = make_spider(tmp_path, CARD, previous=before)
    held = {f"{name}.jsonl.gz": Reply(lines(compiled(1)), content_type="application/gzip") for name in names}
    asked = drive(spider, registry(SOURCE_ID, held, date_from=date_from))
    assert [request.url.partition("name=")[2] for request in asked] == ["", "2026.jsonl.gz", "2025.jsonl.gz"]
    assert (ended(spider)[0], [p.kind for p in (*spider.failures, *spider.notes)]) == (outcome, kinds)
    whole = {"last_retrieved": "2026-10-30", "publication_id": 128}
    assert spider.state == (whole if outcome == "complete" else {})


def test_a_replay_streams_the_file_from_one_archive_to_the_other(tmp_path: Path) -> None:
    store, other = Store(tmp_path / "store"), Store(tmp_path / "other")
    with RegistryServer({"full.jsonl.gz": written(tmp_path)}) as server:
        live = run(store, server)
        card = registry_card(server)
    again = crawl(
        other, card, replay=Path(live["folder"]), log=other.logs / "replay.log",
        candidates="tests.portal:fake_candidates", time_limit=50,
    )  # fmt: skip
    assert files(again) == files(live)
    assert (again["outcome"], again["counts"]["records"]) == ("complete", 50)


@pytest.fixture
def derived(tmp_path: Path) -> House:
    """A store into which one file of the registry was crawled and derived with the real rules."""
    house = House(Store(tmp_path / "store"))
    with RegistryServer({"full.jsonl.gz": written(tmp_path)}) as server:
        result = crawl(house.store, registry_card(server), now=NOW, log=house.store.logs / "crawl.log", time_limit=50)
        derive_crawl(house, CARD, Path(result["folder"]), kind="crawl")
    return house


def test_a_candidate_is_a_record_of_its_own_and_the_rest_is_seen(derived: House) -> None:
    process(derived)
    with connect(derived.store) as database:
        rows = database.execute("SELECT title, evidence_id FROM biometric_contract").fetchall()
        assert [title for title, _ in rows] == ["Facial recognition for the city police"]
        assert database.execute("SELECT records, contracts FROM screened_total").fetchall() == [(50, 50)]
    record = find_evidence(derived.store, rows[0][1])
    assert record.pointer.startswith("/tender/title;chars=0-18")
    assert "/cuts-" in str(record)
    assert verify(derived.store, record).ok
    (run_folder,) = derived.store.runs(CARD.id)
    (cuts,) = run_folder.glob("cuts-*.warc.gz")
    before = cuts.read_bytes()
    assert cuts.stat().st_size < 2000
    # Deriving again gives the same cut under the same name.
    derive_crawl(derived, CARD, run_folder, kind="crawl")
    assert [p.name for p in run_folder.glob("cuts-*")] == [cuts.name]
    assert cuts.read_bytes() == before
    assert verify_manifest(run_folder) == []
    shown = show(derived.store, record)
    assert (shown.exact, shown.text) == ("Facial recognition", "Facial recognition for the city police")
    cuts.write_bytes(before[:-1])
    assert ["is not what its name says" in told for told in verify_manifest(run_folder)] == [True]


def test_one_process_live_and_in_the_registry_is_one_contract_with_two_evidences(
    derived: House, tmp_path: Path
) -> None:
    live = json.loads(gzip.decompress((tmp_path / "full.jsonl.gz").read_bytes()).splitlines()[25])
    page = tmp_path / "page.json"
    page.write_text(json.dumps({"releases": [{**live, "id": f"{live['id']}-live", "tag": ["award"]}]}))
    ingest(derived.store, [page], derived.source_card("uk_contracts_finder"), derived.candidates)
    process(derived)
    with connect(derived.store) as database:
        assert database.execute("SELECT count(*) FROM contract").fetchall() == [(1,)]
        sources = database.execute(
            "SELECT s.source_id, releases, warc_file LIKE '%/cuts-%' FROM contract_source AS s "
            "JOIN evidence USING (evidence_id) ORDER BY ALL"
        ).fetchall()
        assert database.execute("SELECT count(*) FROM same_contract").fetchall() == [(0,)]
    assert sources in ([("ocp_uk_contracts_finder", 1, True), ("uk_contracts_finder", 1, False)],)


def test_the_rest_of_a_candidates_process_is_read_from_the_file(tmp_path: Path) -> None:
    house = House(Store(tmp_path / "store"))
    first = compiled(1, id="1-a", date="2025-01-01T00:00:00Z")
    second = compiled(1, id="1-b", date="2025-02-01T00:00:00Z")
    first["tender"]["title"] = "Facial recognition"
    second["tender"]["title"] = "Correction of the closing date"
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in (compiled(2), first, second, compiled(3))))
    ingest(house.store, [path], CARD, house.candidates)
    build_database(house)
    with connect(house.store) as database:
        rows = database.execute("SELECT portal_release_id, pointer FROM release JOIN evidence USING (evidence_id)")
        assert sorted(rows.fetchall()) == [("1-a", ""), ("1-b", "")]


def test_lines_no_memory_should_hold_are_named_and_read_past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.parse.ocds_file.MAX_LINE", 100_000)
    good = orjson.dumps(compiled(1))
    bomb = b'{"a": "' + b"0" * 20_000_000 + b'"}'
    deep = good[:-1] + b',"bids":' + b'{"bids":' * 900 + b"1" + b"}" * 901
    packed = gzip.compress(b"\n".join([bomb, good, deep, b"{damaged", good]), mtime=0)
    tracemalloc.start()
    found = list(parse_file(lambda: io.BytesIO(packed), CARD, "a" * 64, "", None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(i.kind, i.pointer) if isinstance(i, Problem) else i.place.pointer for i in found] == [
        ("line_too_long", "line=1"), "line=2", ("nested_too_deep", "line=3"), ("malformed_json", "line=4"), "line=5",
    ]  # fmt: skip
    assert peak < 5_000_000


def test_one_line_in_a_thousand_is_read_whatever_the_glance_says() -> None:
    data = orjson.dumps(compiled(1)) + b"\n"
    found = list(parse_file(lambda: io.BytesIO(data * 2001), CARD, "a" * 64, "", lambda line: False))
    assert [i.place.pointer for i in found if isinstance(i, Parsed)] == ["line=1000", "line=2000"]
    assert len(found) == 2001


def test_lines_that_cannot_matter_are_seen_under_the_ids_they_would_have() -> None:
    data = b"".join(orjson.dumps(compiled(n)) + b"\n" for n in range(1, 4)) + b'{"ocid": "x"}\nnot json\n'

    def items(glance: Any) -> list[Any]:
        return list(parse_file(lambda: io.BytesIO(data), CARD, "a" * 64, "", glance))

    whole, seen = items(None), items(lambda line: False)
    assert [type(i).__name__ for i in seen] == ["Seen", "Seen", "Seen", "Problem", "Problem"]
    for one, other in zip(whole[:3], seen[:3], strict=True):
        assert isinstance(one, Parsed) and isinstance(other, Seen)
        assert (one.release.release_id, one.release.contract_id, one.release.native_id, one.release.published_on) == (
            other.release_id, other.contract_id, other.native_id, other.published_on,
        )  # fmt: skip
    assert [i.kind for i in seen[3:]] == ["missing_field", "malformed_json"]
    assert len(items(FakeCandidates().glance)) == 5


CANDIDATES = load_candidates()
RECORDS = records_of(CANDIDATES.screen, CANDIDATES.registry)
WORDS = st.sampled_from(
    ["facial recognition", "FACIAL\u00adRECOGNITION", "reconocimiento\nfacial", "CCTV", "Clearview AI, Inc.", "roads",
     "live facial-\nrecognition", "gait", "AFIS", "café", "\u200bbiometric\u200b", "ＣＣＴＶ", "Cleaning (10%)",
     "FRT202-555-0100", "jo@example.org", "распознавание лиц", "人脸识别", "reconnaissance\u00a0faciale", "(ANPR/ALPR)"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    title=st.lists(WORDS, min_size=1, max_size=3).map(" ".join),
    description=st.lists(WORDS, max_size=3).map("\n".join),
    supplier=WORDS,
    code=st.sampled_from(["32323500", "45233140", "35125300", 35125300]),
    escaped=st.booleans(),
)
def test_whatever_would_be_kept_is_not_passed_over(
    title: str, description: str, supplier: str, code: str | int, escaped: bool
) -> None:
    raw = compiled(1)
    raw["tender"] |= {"title": title, "description": description, "classification": {"scheme": "CPV", "id": code}}
    raw["parties"][1]["name"] = raw["awards"][0]["suppliers"][0]["name"] = supplier
    line = json.dumps(raw, ensure_ascii=escaped).replace("/", "\\/" if escaped else "/").encode()
    parsed = next(parse_release(orjson.loads(line), CARD, Place(payload_sha256="a" * 64, pointer="line=1")))
    assert isinstance(parsed, Parsed)
    kept, _ = CANDIDATES.decide(parsed.release)
    assert kept is None or CANDIDATES.glance(line)
    assert kept is None or 1 in RECORDS.of_lines([b'{"title": "Chairs"}', line, b'{"title": "Tables"}'])

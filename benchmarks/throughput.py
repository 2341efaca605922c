"""Measures what the archive costs: the same crawl of loopback pages with it and with a writer that writes nothing.

Usage: python benchmarks/throughput.py [--repeat 5] [--pages 300] [--records 2000] [--profile FILE]
Each crawl is a process of its own, as in a night, with the rules and companies of data/; with and without take turns.
`pages` is a chain of OCDS release packages of some 200 KB, asked one after the other; `records` a search whose finds
are fetched eight at a time. Seconds count from the spider's start to the sealed run; those of the processor are told
too, since they hold on a busy machine. `--profile` writes cProfile's figures of one crawl of each kind with the
archive. Ends with exit code 1 when a ratio is below 0.8.
"""

import argparse
import cProfile
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, process_time
from typing import Any

from flows import crawl_one
from models.evidence import Payload
from models.run import Query
from models.source import Politeness, Robots, SourceCard
from pipeline.archive import RunInfo
from pipeline.archive_writer import RunWriter
from pipeline.cards import load_source_card
from pipeline.store import CHECKOUT, DATA, Store
from tests.answers import us_usaspending
from tests.portal import release

LEAST = 0.8
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
_PER_PAGE = 100
_WORDS = (
    "supply installation maintenance of and for the a to in with services works framework lot council borough county "
    "district hospital trust school academy university highway bridge drainage resurfacing roof boiler heating light "
    "electrical mechanical consultancy design survey inspection software licence support hosting network hardware "
    "catering cleaning waste collection recycling transport vehicle lease hire plant equipment furniture stationery "
    "printing training recruitment agency care home domiciliary children adult mental health advice legal audit "
    "insurance pension banking grounds tree playground leisure library museum fire police ambulance vaccine test "
    "contract value extension option period months years tender evaluation quality price weighting bidder response "
    "requirement specification schedule delivery site access hours notice award supplier authority region england"
)


class Nothing(RunWriter):
    """Writes nothing of what is fetched; the run's own record and its seal stay as they are."""

    def write_response(self, **said: Any) -> Payload:
        return self._payload("0" * 64, 0, said["url"], said["requested_url"], said["role"], said["method"], "",
                             said["status"], "", said["fetched_at"], 0)  # fmt: skip

    def write_error(self, **said: Any) -> None:
        """Nothing either."""


Answers = Callable[[str, bytes], bytes]


def pages(count: int) -> Answers:
    """Release packages by cursor. Each page's releases are the same but for their ids."""
    chance = random.Random(7)
    releases = [_release(number, chance) for number in range(_PER_PAGE)]
    made = []
    for number in range(count):
        value: dict[str, Any] = {"version": "1.1", "releases": [_renumbered(r, number, chance) for r in releases]}
        if number + 1 < count:
            value["links"] = {"next": f"/search?cursor={number + 1}"}
        made.append(json.dumps(value, ensure_ascii=False).encode())
    return lambda path, _: made[int(path.partition("cursor=")[2] or 0)]


def _text(words: int, chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS.split(), k=words)) + f" {chance.randrange(10**6)}"


def _release(number: int, chance: random.Random) -> dict[str, Any]:
    made = release(number, _text(8, chance))
    made["tender"] |= {
        "description": _text(120, chance),
        "classification": {"scheme": "CPV", "id": f"{chance.randrange(10**7, 10**8)}", "description": _text(4, chance)},
        "tenderPeriod": {"endDate": "2025-02-01T12:00:00Z"},
    }
    made["parties"][0] |= {
        "address": {"streetAddress": "1 Example Street", "locality": "Exampleton", "postalCode": "EX1 1EX"},
        "details": {"url": f"https://example.org/{chance.randrange(10**9)}"},
    }
    return made


def _renumbered(raw: dict[str, Any], page: int, chance: random.Random) -> dict[str, Any]:
    return {**raw, "ocid": f"{raw['ocid']}-{page}", "id": f"{chance.getrandbits(128):032x}"}


def records(count: int) -> Answers:
    """A search that finds so many awards, a hundred a page, and each award's own record."""
    chance = random.Random(7)
    keys = [us_usaspending.award_id(f"97EXF{number:08d}") for number in range(count)]
    made = {
        key: json.dumps(us_usaspending.award(key.split("_")[2], description=_text(30, chance))).encode() for key in keys
    }

    def answer(path: str, body: bytes) -> bytes:
        if not path.startswith("/api/v2/search"):
            return made[path.split("/")[4]]
        said = json.loads(body)
        if said["filters"]["award_type_codes"][0].startswith("IDV_"):
            return us_usaspending.found()
        first = (said["page"] - 1) * _PER_PAGE
        return us_usaspending.found(*keys[first : first + _PER_PAGE], more=first + _PER_PAGE < count)

    return answer


@contextmanager
def served(answers: Answers) -> Iterator[str]:
    """Serves answers on the loopback interface, connections kept open; gives its root."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave in two pieces, which Nagle's algorithm would hold back for the other side's word.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = answers(self.path, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def card(kind: str, root: str) -> SourceCard:
    """The source's own card, pointed at the loopback interface and told to hurry."""
    source, path, concurrency = {
        "pages": ("uk_contracts_finder", "/search", 1),
        "records": ("us_usaspending", "/api/v2/search/spending_by_award/", 8),
    }[kind]
    return load_source_card(DATA / "sources", source).model_copy(
        update={
            "start_url": f"{root}{path}",
            "private_addresses": True,
            "robots": Robots(policy="api_documented", why="a benchmark"),
            "politeness": Politeness(delay=0, concurrency=concurrency, timeout=60, retries=0),
        }
    )


def crawled(kind: str, root: str, *, archive: bool, profile: str = "") -> dict[str, Any]:
    """Crawls in a child process; returns `seconds`, seconds of the `processor`, `outcome` and `bytes` archived."""
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        (room / "known.json").write_text("{}")
        one = card(kind, root)
        query = Query(query_id="q-1", term="example", language="en", since=SINCE, until=NOW)
        arguments = {"queries": [query.model_dump(mode="json")]} if kind == "records" else {}
        spec = {
            "store": str(room / "store"), "card": one.model_dump(mode="json"), "run_id": "r1", "kind": "crawl",
            "started_at": NOW.isoformat(), "since": SINCE.isoformat(), "until": NOW.isoformat(),
            "arguments": arguments, "replay": None, "known_documents": str(room / "known.json"), "vendor_folders": [],
            "candidates": "pipeline.candidate:load_candidates", "account": "crawl.json",
            "failure": str(room / "failure.json"), "archive": archive, "profile": profile,
            "result": str(room / "result.json"),
        }  # fmt: skip
        (room / "spec.json").write_text(json.dumps(spec))
        subprocess.run(
            [sys.executable, __file__, "--child", str(room / "spec.json")],
            cwd=CHECKOUT, check=True, stderr=subprocess.DEVNULL,
            env={**os.environ, "UNVEIL_CONTACT": "mailto:benchmark@example.org", "PYTHONPATH": str(CHECKOUT)},
        )  # fmt: skip
        result: dict[str, Any] = json.loads((room / "result.json").read_text())
    return result


def child(spec_file: Path) -> None:
    """One crawl, timed from the spider's start to the sealed run."""
    spec = json.loads(spec_file.read_text())
    began: list[tuple[float, float]] = []
    real_crawl, real_open = crawl_one._crawl, crawl_one.open_run

    def timed(*arguments: Any) -> Any:
        began.append((monotonic(), process_time()))
        return real_crawl(*arguments)

    def nothing(store: Store, info: RunInfo) -> RunWriter:
        return Nothing(store, info)

    crawl_one._crawl = timed
    crawl_one.open_run = real_open if spec["archive"] else nothing
    if spec["profile"]:
        with cProfile.Profile() as profile:
            crawl_one.run(spec)
        profile.dump_stats(spec["profile"])
    else:
        crawl_one.run(spec)
    seconds, worked = monotonic() - began[0][0], process_time() - began[0][1]
    (account,) = Path(spec["store"]).rglob("crawl.json")
    said = json.loads(account.read_text())
    size = sum(part.stat().st_size for part in account.parent.glob("*.warc.gz"))
    counted = {"seconds": seconds, "processor": worked, "outcome": said["outcome"], "bytes": size}
    Path(spec["result"]).write_text(json.dumps(counted))


def compared(kind: str, asked: int, took: dict[bool, list[dict[str, Any]]]) -> float:
    """Prints the medians with and without the archive; returns their ratio in answers a second."""
    rate = {on: asked / statistics.median(one["seconds"] for one in took[on]) for on in took}
    work = {on: 1000 * statistics.median(one["processor"] for one in took[on]) / asked for on in took}
    print(
        f"{kind}: {rate[True]:.1f} a second with the archive, {rate[False]:.1f} without: "
        f"{rate[True] / rate[False]:.2f}; {work[True]:.2f} and {work[False]:.2f} ms of the processor each: "
        f"{work[False] / work[True]:.2f}"
    )
    return rate[True] / rate[False]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--profile", default="")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return 0
    worst = 1.0
    for kind, answers, asked in (
        ("pages", pages(arguments.pages), arguments.pages),
        ("records", records(arguments.records), arguments.records),
    ):
        with served(answers) as root:
            if arguments.profile:
                crawled(kind, root, archive=True, profile=f"{arguments.profile}.{kind}")
                continue
            took: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
            for number in range(arguments.repeat):
                for archive in (True, False) if number % 2 else (False, True):
                    result = crawled(kind, root, archive=archive)
                    if result["outcome"] != "complete":
                        raise SystemExit(f"the crawl of {kind} ended as {result['outcome']}")
                    took[archive].append(result)
                    print(
                        f"{kind} {'with' if archive else 'without'} archive: {asked / result['seconds']:.1f} a second, "
                        f"{1000 * result['processor'] / asked:.2f} ms of the processor each, {result['bytes']} bytes",
                        flush=True,
                    )
        if not arguments.profile:
            worst = min(worst, compared(kind, asked, took))
    return 1 if worst < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())

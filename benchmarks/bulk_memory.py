"""Crawls, derives, ingests and replays a bulk file of any size, each in a process of its own, and says what they took.

Usage: python benchmarks/bulk_memory.py [--small 10] [--large 1000] [--seed 1] [--keep FOLDER]
Sizes are megabytes of gzipped lines. The large file's download is killed half way and gone on with. Needs about five
times the large file on disk. Ends with exit code 1 when the large file takes more than twice the memory of the small
one, when more than the rest is fetched after the kill, or when an archive differs from what was served.
"""

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from flows.crawl import crawl
from flows.house import House
from flows.steps import derive_crawl
from models.source import SourceCard
from pipeline.archive import hash_file, read_run
from pipeline.ingest import ingest
from pipeline.store import CHECKOUT, Store
from tests.registry_server import RegistryServer, Served, registry_card

NOW = datetime(2026, 11, 7, 6, tzinfo=UTC)
SOURCE = "ocp_uk_contracts_finder"
_FULL = "full.jsonl.gz"
_MB = 1_000_000
_POLL = 0.05
# One process in so many is a purchase of facial recognition, and one a probe, as far as notices of a country go.
_ONE_CANDIDATE = 5_000
_ONE_PROBE = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10)
    parser.add_argument("--large", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="make the stores here, and leave them")
    parser.add_argument("--step", nargs=2, metavar=("NAME", "SPEC"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(_step(arguments.step[0], json.loads(arguments.step[1]))))
        return 0
    os.environ.setdefault("UNVEIL_CONTACT", "mailto:benchmark@example.org")
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="unveil-bulk-"))
    try:
        return _compare(folder, arguments.small, arguments.large, arguments.seed)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _compare(folder: Path, small: int, large: int, seed: int) -> int:
    peaks: dict[tuple[str, str], int] = {}
    wrong: list[str] = []
    for name, size in (("small", small), ("large", large)):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        file = place / _FULL
        started = time.monotonic()
        count, plain = write_lines(file, size * _MB, seed)
        packed = file.stat().st_size
        print(
            f"\n{name}: {count:,} lines, {plain / _MB:,.0f} MB, packed {packed / _MB:,.0f} MB "
            f"(made in {time.monotonic() - started:.0f} s)",
            flush=True,
        )
        served = Served(file)
        with RegistryServer({_FULL: served}) as server:
            spec = {"store": str(place / "store"), "card": registry_card(server).model_dump(mode="json")}
            if name == "large":
                wrong += _killed(served, server, spec, packed)
            steps: list[tuple[str, dict[str, Any]]] = [
                ("crawl", spec),
                ("derive", spec),
                ("ingest", {**spec, "store": str(place / "ingested"), "file": str(file)}),
                ("replay", {**spec, "store": str(place / "replayed"), "from": str(place / "store")}),
            ]
            for step, its in steps:
                said = _run(step, its)
                peaks[step, name] = said["peak"]
                rate = f", {said['records'] / said['seconds']:,.0f} lines/s" if said["records"] else ""
                print(
                    f"  {step:7} {said['outcome']:9} peak {said['peak'] / 1024:,.0f} MiB, {said['seconds']:.1f} s{rate}"
                    f", {said['records']:,} records",
                    flush=True,
                )
                if said["outcome"] != "complete" or said["records"] != count:
                    wrong.append(f"{step} of the {name} file: {said}")
            if name == "large":
                _, asked, sent = server.asked("/cdn/")[-1]
                print(f"  after the kill the server was asked for `{asked}` and sent {sent:,} of {packed:,} bytes")
                if not asked or sent >= packed:
                    wrong.append("more than the rest was fetched after the kill")
        wrong += _differing(place, hash_file(file)[0])
    print("\npeak of the large file by that of the small one:")
    for step in ("crawl", "derive", "ingest", "replay"):
        ratio = peaks[step, "large"] / peaks[step, "small"]
        print(f"  {step:7} {ratio:.2f}")
        if ratio > 2:
            wrong.append(f"{step}: the large file takes {ratio:.1f} times the memory of the small one")
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    return 1 if wrong else 0


def write_lines(path: Path, size: int, seed: int) -> tuple[int, int]:
    """Writes lines until `size` packed bytes are reached; returns how many, and their bytes unpacked."""
    plain = count = 0
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0, filename="") as packed:
        for line in _lines(random.Random(seed)):
            packed.write(line)
            plain += len(line)
            count += 1
            if raw.tell() >= size:
                break
    return count, plain


def _lines(chance: random.Random) -> Iterator[bytes]:
    """Compiled releases as the registry has them of Contracts Finder; every name is made up."""
    syllables = [a + b for a in "bcdfghjklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "is", "on")]
    vocabulary = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(4_000)]

    def words(least: int, most: int) -> str:
        return " ".join(chance.choices(vocabulary, k=chance.randint(least, most)))

    def number() -> str:
        return str(UUID(int=chance.getrandbits(128), version=4))

    for count in range(sys.maxsize):
        title = words(4, 12).capitalize()
        if count % _ONE_CANDIDATE == _ONE_CANDIDATE // 2:
            title = f"Live facial recognition for {title}"
        elif count % _ONE_PROBE == _ONE_PROBE // 2:
            title = f"Upgrade of CCTV: {title}"
        yield orjson.dumps(_release(chance, title, words, number)) + b"\n"


def _release(
    chance: random.Random, title: str, words: Callable[[int, int], str], number: Callable[[], str]
) -> dict[str, Any]:
    ocid = f"ocds-b5fd17-{number()}"
    day = f"20{chance.randint(17, 26)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
    buyer = {"id": f"GB-CFS-{chance.randint(1, 40_000)}", "name": f"Borough of Example {words(1, 2)}"}
    suppliers = [
        {"id": f"GB-CFS-{chance.randint(40_001, 400_000)}", "name": f"Example {words(1, 3)} Ltd"}
        for _ in range(chance.randint(1, 3))
    ]
    value = {"amount": chance.randint(5_000, 9_000_000), "currency": "GBP"}
    code = {"scheme": "CPV", "id": f"{chance.randint(45_000_000, 45_990_000)}", "description": words(2, 5)}
    return {
        "ocid": ocid,
        "id": f"{ocid}-{day}T00:00:00Z",
        "language": "en",
        "date": f"{day}T{chance.randint(0, 23):02d}:{chance.randint(0, 59):02d}:00Z",
        "tag": ["compiled"],
        "initiationType": "tender",
        "tender": {
            "id": number(),
            "title": title,
            "description": f"{words(60, 160).capitalize()}. £ and “quoted” – {words(5, 20)}.",
            "status": "complete",
            "classification": code,
            "items": [{"id": number(), "description": words(3, 9)} for _ in range(chance.randint(1, 4))],
            "value": value,
            "procurementMethod": "open",
            "tenderPeriod": {"endDate": f"{day}T12:00:00Z"},
            "contractPeriod": {"startDate": f"{day}T00:00:00Z", "endDate": f"{day}T23:59:59Z"},
            "mainProcurementCategory": "services",
        },
        "parties": [
            {**buyer, "roles": ["buyer"], "address": {"countryName": "England", "locality": words(1, 1)}},
            *({**s, "roles": ["supplier"], "details": {"scale": "large", "vcse": False}} for s in suppliers),
        ],
        "buyer": buyer,
        "awards": [
            {
                "id": f"{ocid}-1",
                "status": "active",
                "date": f"{day}T00:00:00Z",
                "value": value,
                "suppliers": suppliers,
                "documents": [
                    {"id": number(), "url": f"https://portal.example/Notice/{number()}", "format": "text/html"}
                ],
            }
        ],
    }


def _killed(served: Served, server: RegistryServer, spec: dict[str, Any], size: int) -> list[str]:
    """Begins the crawl and kills it with all its children when half of the file was sent."""
    served.pause_after, served.pause = size // 2, 0.2
    process = subprocess.Popen(
        [sys.executable, __file__, "--step", "crawl", json.dumps(spec)],
        cwd=CHECKOUT, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    if not server.sending.wait(600):
        process.kill()
        return ["half of the file was never sent"]
    for child in _children(process.pid):
        os.kill(child, signal.SIGKILL)
    process.wait()
    served.pause_after = None
    (part,) = Path(spec["store"]).glob("archive/*/*.open/spool/*.part")
    print(f"  killed with SIGKILL when {part.stat().st_size:,} of {size:,} bytes were on disk", flush=True)
    return []


def _run(step: str, spec: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, json.dumps(spec)],
        cwd=CHECKOUT, env=_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{step} failed:\n{done.stderr}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}


def _step(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """One step in this process; peak is in KiB, of this process or, for a crawl, of its child."""
    house = House(Store(Path(spec["store"])))
    card = SourceCard.model_validate(spec["card"])
    log = house.store.logs / "crawl.log"
    started = time.monotonic()
    if name in ("crawl", "replay"):
        replay = Store(Path(spec["from"])).runs(card.id)[-1] if name == "replay" else None
        with _Watch() as watch:
            result = crawl(house.store, card, now=NOW, replay=replay, log=log, time_limit=7200)
        outcome, records, peak = result["outcome"], result["counts"].get("records", 0), watch.peak
    elif name == "derive":
        summary = derive_crawl(house, card, house.store.runs(card.id)[-1], kind="crawl")
        outcome, records, peak = summary.outcome.value, summary.records, _peak(os.getpid())
    else:
        summary = ingest(house.store, [Path(spec["file"])], card, house.candidates)
        outcome, records, peak = summary.outcome.value, summary.records, _peak(os.getpid())
    return {"outcome": outcome, "records": records, "peak": peak, "seconds": time.monotonic() - started}


class _Watch:
    """Keeps the highest memory that any child of this process has reached, looked at twenty times a second."""

    def __init__(self) -> None:
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_POLL):
            for child in _children(os.getpid()):
                self.peak = max(self.peak, _peak(child))


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []


def _peak(pid: int) -> int:
    """The highest resident size of a process since it began its program, in KiB (proc(5), VmHWM)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def _differing(place: Path, digest: str) -> list[str]:
    """Archives whose file is not what was served, by the SHA-256 in their records."""
    found = {}
    for name in ("store", "ingested", "replayed"):
        for run in Store(place / name).runs(SOURCE):
            found[name] = [a.payload.sha256 for a in read_run(run) if a.payload.role == "file"]
    return [f"the archive of {name} holds {held}" for name, held in found.items() if held != [digest]]


if __name__ == "__main__":
    sys.exit(main())

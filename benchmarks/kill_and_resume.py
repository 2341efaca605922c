"""Kills a night of ingest and build at random moments, runs it again, and compares with a night nobody killed.

Usage: python benchmarks/kill_and_resume.py FILES… --columns CARD [--kills 10] [--seed 1]
Prints one line a kill and ends with exit code 1 when the databases differ in more than the crawl log.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.build.checks import database_fingerprint

CHECKOUT = Path(__file__).resolve().parent.parent


def night(store: Path, commands: list[list[str]], kill_after: float | None = None) -> tuple[bool, float]:
    """Runs the commands one after the other; True when all ended by themselves, and the seconds they took."""
    started = time.monotonic()
    for command in commands:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *command],
            env={**os.environ, "UNVEIL_STORE": str(store)},
            cwd=CHECKOUT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        left = None if kill_after is None else max(0.01, kill_after - (time.monotonic() - started))
        try:
            process.wait(timeout=left)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False, time.monotonic() - started
    return True, time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--columns", required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    commands = [["ingest", *map(str, arguments.files), "--columns", arguments.columns], ["build"]]
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        _, lasted = night(whole, commands)
        print(f"a night nobody kills: {lasted:.1f} s")
        wanted = database_fingerprint(whole / "unveil.duckdb")
        different = 0
        for number in range(arguments.kills):
            # A store of its own for each kill: in one store the second night would have little left to be killed in.
            broken = Path(folder, f"broken-{number}")
            moment = chance.uniform(0.2, lasted)
            ended, _ = night(broken, commands, kill_after=moment)
            night(broken, commands)
            same = database_fingerprint(broken / "unveil.duckdb") == wanted
            different += not same
            said = "same database" if same else "DIFFERENT database"
            print(f"kill {number + 1} after {moment:.1f} s{' (it had ended)' if ended else ''}: {said}", flush=True)
        return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

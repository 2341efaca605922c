"""Runs the command line as a person would: a process of its own, its exit code and both of its streams."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def unveil(*arguments: str | Path, store: Path | None = None, timeout: float = 120, **environment: str) -> Ran:
    """One call of `unveil`; UNVEIL_STORE points at `store`."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("UNVEIL_", "PREFECT_"))} | environment
    if store is not None:
        env["UNVEIL_STORE"] = str(store)
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=env,
        cwd=CHECKOUT,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)

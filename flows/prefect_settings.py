"""Settings that must stand in the environment before Prefect is imported."""

import os
from pathlib import Path

# Measured: DO_NOT_TRACK alone still lets the temporary server look up its own statistics host.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_CLI_COLORS": "false",
}


def prepare(store_root: Path) -> None:
    """Nothing phones home, and Prefect's own files go into the store; what the operator set stays set."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if "PREFECT_API_URL" not in os.environ:
        home = Path(os.environ.setdefault("PREFECT_HOME", str(store_root / "prefect")))
        # The temporary server does not start, and does not say why, when its folder's parent is missing.
        home.mkdir(parents=True, exist_ok=True)

"""What takes seconds to make from rule files is kept between runs, by the hash of all it was made from."""

import hashlib
import os
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

# Files of other rules are of no use any more; of these, so many are kept for those who change rules to and fro.
_KEPT = 8


def cached(name: str, made_from: Iterable[bytes], make: Callable[[], bytes]) -> bytes:
    """The bytes that `make` makes, from the cache if they were made before from the same by the same code.

    The cache lies in `UNVEIL_CACHE`, else in the user's cache folder. Where nothing can be written, or what lies there
    was damaged, it is made anew.
    """
    digest = hashlib.sha256(f"{version('unveil')}/{version('spacy')}/{name}".encode())
    code = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    for part in (*code, *made_from):
        digest.update(len(part).to_bytes(8, "little") + part)
    folder = Path(os.environ.get("UNVEIL_CACHE") or user_cache_path("unveil"))
    path = folder / f"{name}-{digest.hexdigest()[:32]}.bin"
    found = _read(path)
    if found is None:
        found = make()
        _write(path, found)
    return found


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body, checksum = data[:-32], data[-32:]
    return body if hashlib.sha256(body).digest() == checksum else None


def _write(path: Path, body: bytes) -> bool:
    """Whether it could be written; a machine without room or right for a cache works without one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(body + hashlib.sha256(body).digest())
        temporary.replace(path)
        name = path.name.rpartition("-")[0]
        for old in sorted(path.parent.glob(f"{name}-*.bin"), key=lambda p: p.stat().st_mtime)[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return False
    return True

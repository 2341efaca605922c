"""The archive as it is read: runs, their answers in order, payloads as streams, and what a manifest promises.

A run in progress lives in `archive/<source>/<run>.open`; a sealed one in `archive/<source>/<run>`.
The WARC holds payloads as received after transfer decoding; the original header block stands beside them.
The manifest names what came from outside. Cuts (`pipeline.cuts`) are derived from it, lie beside it under the digest
of their own content, and are not in the manifest: each record carries its digest and that of the file it is from.
"""

import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from models.evidence import Payload
from pipeline.errors import BadData
from pipeline.store import Store

MANIFEST = "manifest.json"
CUTS = "cuts-"
Opener = Callable[[], IO[bytes]]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RunInfo:
    """What a run was asked to do; stands in each WARC's warcinfo record, so that a lone file can be replayed."""

    run_id: str
    source_id: str
    kind: str
    started_at: datetime
    arguments: Mapping[str, Any]

    def to_json(self) -> str:
        return json.dumps(
            {
                "run_id": self.run_id,
                "source_id": self.source_id,
                "kind": self.kind,
                "started_at": self.started_at.isoformat(),
                "arguments": dict(self.arguments),
            },
            sort_keys=True,
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "RunInfo":
        value = json.loads(text)
        return cls(
            run_id=value["run_id"],
            source_id=value["source_id"],
            kind=value["kind"],
            started_at=datetime.fromisoformat(value["started_at"]),
            arguments=value["arguments"],
        )


@dataclass(frozen=True)
class Archived:
    """One archived answer: its index entry, response headers, and the place of its bytes."""

    payload: Payload
    headers: tuple[tuple[str, str], ...]
    path: Path
    record_id: str = ""

    def body(self) -> bytes:
        """The payload, whole. For files that may be large use `open`."""
        with self.open() as stream:
            return stream.read()

    def open(self) -> IO[bytes]:
        """The payload as a stream."""
        return open_payload_at(self.path, self.payload.warc_offset)


def good_length(path: Path) -> int:
    """Length in bytes of the complete gzip members at the start of `path`.

    warcio passes over a cut tail in silence, so it is looked for here. What unpacks is dropped piece by piece, since a
    few packed bytes may be gigabytes.
    """
    good = 0
    with path.open("rb") as handle:
        machine = zlib.decompressobj(wbits=31)
        position = 0
        while chunk := handle.read(_CHUNK):
            position += len(chunk)
            try:
                while chunk:
                    machine.decompress(chunk, _CHUNK)
                    chunk = machine.unconsumed_tail
                    if machine.eof:
                        chunk = machine.unused_data
                        good = position - len(chunk)
                        machine = zlib.decompressobj(wbits=31)
            except zlib.error:
                return good
    return good


def read_run(folder_or_file: Path, store: Store | None = None) -> Iterator[Archived]:
    """Archived answers of a run folder or of one WARC file, in the order they came; not what was cut out of them.

    Raises BadData when a file is cut or is no WARC.
    """
    for path in warc_files(folder_or_file):
        info = run_info(path)
        try:
            with path.open("rb") as handle:
                iterator = ArchiveIterator(handle)
                for record in iterator:
                    if record.rec_type in ("response", "resource", "metadata"):
                        yield _archived(record, iterator.get_record_offset(), path, info, store)
        except ArchiveLoadFailed as error:
            raise BadData(f"{path} is not a readable WARC file: {error}.") from error


def warc_files(folder_or_file: Path) -> list[Path]:
    if folder_or_file.is_dir():
        files = sorted(path for path in folder_or_file.glob("*.warc.gz") if not path.name.startswith(CUTS))
    elif folder_or_file.is_file():
        files = [folder_or_file]
    else:
        files = []
    if not files:
        raise BadData(f"There is no WARC file at {folder_or_file}; name a run's folder or a .warc.gz file.")
    return files


def _archived(record: Any, offset: int, path: Path, info: RunInfo, store: Store | None) -> Archived:
    headers = record.rec_headers
    http = record.http_headers
    status = int(http.get_statuscode()) if http else 200
    digest = (headers.get_header("WARC-Payload-Digest") or "").removeprefix("sha256:")
    pairs = tuple(http.headers) if http else ()
    content_type = header(list(pairs), "content-type") if http else (headers.get_header("Content-Type") or "")
    size = int(headers.get_header("Content-Length") or 0)
    if http:
        size = int(header(list(pairs), "content-length") or 0)
    where = str(path.relative_to(store.root)) if store and path.is_relative_to(store.root) else str(path)
    return Archived(
        payload=Payload(
            sha256=digest,
            size=size,
            url=headers.get_header("WARC-Target-URI"),
            requested_url=headers.get_header("Unveil-Requested-URL") or headers.get_header("WARC-Target-URI"),
            role=headers.get_header("Unveil-Role") or "page",
            method=headers.get_header("Unveil-Method") or "GET",
            request_sha256=headers.get_header("Unveil-Request-Digest") or "",
            status=status,
            content_type=content_type,
            fetched_at=datetime.fromisoformat(headers.get_header("WARC-Date").replace("Z", "+00:00")),
            warc_file=where,
            warc_offset=offset,
            source_id=info.source_id,
            run_id=info.run_id,
        ),
        headers=pairs,
        path=path,
        record_id=headers.get_header("WARC-Record-ID") or "",
    )


def run_info(folder_or_file: Path) -> RunInfo:
    """What the run was asked to do, from the warcinfo record. Raises BadData when it is no run of ours."""
    path = warc_files(folder_or_file)[0]
    try:
        with path.open("rb") as handle:
            for record in ArchiveIterator(handle):
                text = record.content_stream().read().decode("utf-8", "replace")
                for line in text.splitlines():
                    if line.startswith("unveil-run: "):
                        return RunInfo.from_json(line.removeprefix("unveil-run: "))
                break
    except ArchiveLoadFailed as error:
        raise BadData(f"{path} is not a readable WARC file: {error}.") from error
    raise BadData(f"{path} does not say which run it holds (no unveil-run line in its warcinfo record).")


class _Owned(io.RawIOBase):
    """A record's payload stream that closes the file under it."""

    def __init__(self, stream: Any, handle: IO[bytes]) -> None:
        self._stream = stream
        self._handle = handle

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._handle.close()
        super().close()


def open_payload_at(path: Path, offset: int) -> io.BufferedReader:
    """The payload of the record at a byte offset, as a stream. Raises BadData when there is none."""
    try:
        handle = path.open("rb")
    except FileNotFoundError as error:
        raise BadData(f"The archive file {path} is missing; the evidence in it cannot be shown.") from error
    handle.seek(offset)
    try:
        record = next(iter(ArchiveIterator(handle)))
    except (StopIteration, ArchiveLoadFailed) as error:
        handle.close()
        raise BadData(f"There is no WARC record at byte {offset} of {path}.") from error
    return io.BufferedReader(_Owned(record.content_stream(), handle), buffer_size=1 << 16)


def verify_manifest(folder: Path) -> list[str]:
    """Compares a sealed run with its manifest; returns one sentence for every file that does not fit.

    Cuts are looked at too: their name tells the digest of their content.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return [f"{folder} has no manifest: it was not sealed."]
    problems = []
    for name, said in json.loads(manifest.read_text(encoding="utf-8"))["files"].items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{path} is missing.")
        elif hash_file(path)[0] != said["sha256"]:
            problems.append(f"{path} differs from its manifest: it was changed or cut after sealing.")
    for path in sorted(folder.glob(f"{CUTS}*.warc.gz")):
        if not hash_file(path)[0].startswith(path.name.removeprefix(CUTS).partition(".")[0]):
            problems.append(f"{path} is not what its name says: it was changed or cut after it was derived.")
    return problems


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 (hex) and size in bytes of a file, read in pieces."""
    return hash_stream(path.open("rb"))


def hash_stream(stream: IO[bytes], before: bytes = b"") -> tuple[str, int]:
    """SHA-256 (hex) of `before` and a stream, and the stream's size; closes it."""
    digest = sha256(before)
    size = 0
    with stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def warc_date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def header(headers: list[tuple[str, str]], name: str) -> str:
    """The first header of that name, in any case; empty without one."""
    return next((v for k, v in headers if k.lower() == name), "")

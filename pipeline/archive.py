"""The archive: every answer goes into WARC before it is parsed; a run is sealed with a manifest by rename.

A run in progress lives in `archive/<source>/<run>.open`; a sealed one in `archive/<source>/<run>`.
The WARC holds payloads as received after transfer decoding; the original header block stands beside them.
The manifest names what came from outside. Cuts (`pipeline.cuts`) are derived from it, lie beside it under the digest
of their own content, and are not in the manifest: each record carries its digest and that of the file it is from.
"""

import io
import json
import os
import shutil
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from models.evidence import Payload
from pipeline.errors import BadData
from pipeline.store import Store, disk_guard, write_json_atomic

MANIFEST = "manifest.json"
CUTS = "cuts-"
Opener = Callable[[], IO[bytes]]
_CHUNK = 1 << 20
# Of pages of JSON, zlib's 9 makes files 3 % smaller than 4 does and takes three times as long.
_LEVEL = 4
# Transfer headers that no longer describe the stored body, and secrets that have no place in evidence.
_DROPPED_RESPONSE = {"transfer-encoding", "content-encoding", "content-length", "set-cookie", "connection"}
_DROPPED_REQUEST = {"cookie", "authorization", "proxy-authorization"}


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


class _Members:
    """A file of gzip members for warcio, which flushes after each record: what comes until then is one member."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._machine = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)

    def write(self, data: bytes) -> None:
        self._pass_on(self._machine.compress(data))

    def flush(self) -> None:
        packed, self._machine = self._machine.flush(), zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
        self._pass_on(packed)

    def _pass_on(self, packed: bytes) -> None:
        try:
            self._file.write(packed)
        except OSError:
            # On a full disk a member is left unfinished, for mending to cut off; the next one does not go on with it.
            self._machine = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
            raise


class RunWriter:
    """Writes one run's WARC. `close` keeps it open for a later resume, `seal` ends it.

    Records may be written from several threads, one at a time: a large file is archived beside the network's thread.
    """

    def __init__(self, store: Store, info: RunInfo) -> None:
        self.info = info
        self._store = store
        self._lock = threading.Lock()
        self._final = store.archive / info.source_id / info.run_id
        self.folder = self._final.with_name(f"{info.run_id}.open")
        with disk_guard(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            part = len(list(self.folder.glob("part-*.warc.gz"))) + 1
            self.path = self.folder / f"part-{part:04d}.warc.gz"
            self._file = self.path.open("xb")
            self._writer = WARCWriter(_Members(self._file), gzip=False)
            self._count = 0
            self._write_info()

    def _record_id(self) -> str:
        # Derived, not random: the same run replayed gives the same bytes.
        self._count += 1
        name = f"{self.info.source_id}/{self.info.run_id}/{self.path.name}/{self._count}"
        return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}>"

    def _write_info(self) -> None:
        fields = {
            "software": "Unveil",
            "format": "WARC File Format 1.1",
            "description": "payloads are stored as received after transfer and content decoding",
            "unveil-run": self.info.to_json(),
        }
        body = "".join(f"{key}: {value}\r\n" for key, value in fields.items()).encode()
        record = self._writer.create_warc_record(
            "urn:unveil:run",
            "warcinfo",
            payload=io.BytesIO(body),
            warc_content_type="application/warc-fields",
            warc_headers_dict={
                "WARC-Record-ID": self._record_id(),
                "WARC-Date": warc_date(self.info.started_at),
            },
        )
        self._writer.write_record(record)
        self._file.flush()

    def write_response(
        self,
        *,
        url: str,
        requested_url: str,
        role: str,
        method: str,
        request_headers: list[tuple[str, str]],
        request_body: bytes,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes | Opener,
        fetched_at: datetime,
    ) -> Payload:
        """Archives one answer and its request; returns its index entry. The bytes are on disk when it returns.

        A body that may be large is given as what opens it; it is read three times, in pieces of at most 1 MiB.
        """
        opened = partial(io.BytesIO, body) if isinstance(body, bytes) else body
        digest, size = _hash_stream(opened())
        request_digest = sha256(request_body).hexdigest() if request_body else ""
        kept = [(k, v) for k, v in headers if k.lower() not in _DROPPED_RESPONSE]
        kept.append(("Content-Length", str(size)))
        http = StatusAndHeaders(str(status), kept, protocol="HTTP/1.1")
        http.compute_headers_buffer()
        large = {}
        if not isinstance(body, bytes):
            # Without a digest of the block warcio would copy the body aside to take one.
            large["WARC-Block-Digest"] = f"sha256:{_hash_stream(opened(), http.headers_buff)[0]}"
        with self._lock, disk_guard(self.folder):
            offset = self._file.tell()
            response_id = self._record_id()
            with opened() as stream:
                record = self._writer.create_warc_record(
                    url,
                    "response",
                    payload=stream,
                    length=size,
                    http_headers=http,
                    warc_headers_dict={
                        "WARC-Record-ID": response_id,
                        "WARC-Date": warc_date(fetched_at),
                        "WARC-Payload-Digest": f"sha256:{digest}",
                        "Unveil-Role": role,
                        "Unveil-Requested-URL": requested_url,
                        "Unveil-Method": method,
                        "Unveil-Request-Digest": request_digest,
                        **large,
                    },
                )
                self._writer.write_record(record)
            # After a redirect `requested_url` is where the chain began; what was asked here is `url`.
            request = self._writer.create_warc_record(
                url,
                "request",
                payload=io.BytesIO(request_body),
                length=len(request_body),
                http_headers=StatusAndHeaders(
                    f"{method} {url} HTTP/1.1",
                    [(k, v) for k, v in request_headers if k.lower() not in _DROPPED_REQUEST],
                    is_http_request=True,
                ),
                warc_headers_dict={
                    "WARC-Record-ID": self._record_id(),
                    "WARC-Date": warc_date(fetched_at),
                    "WARC-Concurrent-To": response_id,
                },
            )
            self._writer.write_record(request)
            self._file.flush()
        return self._payload(digest, size, url, requested_url, role, method, request_digest, status,
                             _header(kept, "content-type"), fetched_at, offset)  # fmt: skip

    def write_file(self, path: Path, *, url: str, content_type: str, fetched_at: datetime) -> Payload:
        """Archives a file on disk as a resource record, read in pieces of 1 MiB, never held whole."""
        with self._lock, disk_guard(self.folder):
            offset = self._file.tell()
            digest, size = hash_file(path)
            with path.open("rb") as stream:
                record = self._writer.create_warc_record(
                    url,
                    "resource",
                    payload=stream,
                    length=size,
                    warc_content_type=content_type,
                    warc_headers_dict={
                        "WARC-Record-ID": self._record_id(),
                        "WARC-Date": warc_date(fetched_at),
                        "WARC-Payload-Digest": f"sha256:{digest}",
                        "WARC-Block-Digest": f"sha256:{digest}",
                        "Unveil-Role": "file",
                        "Unveil-Requested-URL": url,
                    },
                )
                self._writer.write_record(record)
            self._file.flush()
        return self._payload(digest, size, url, url, "file", "GET", "", 200, content_type, fetched_at, offset)

    def write_error(self, *, url: str, method: str, request_body: bytes, error: str, fetched_at: datetime) -> None:
        """Archives a request that got no answer (DNS, timeout, reset), so that a replay fails the same way."""
        with self._lock, disk_guard(self.folder):
            record = self._writer.create_warc_record(
                url,
                "metadata",
                payload=io.BytesIO(error.encode("utf-8", "replace")),
                warc_content_type="text/plain",
                warc_headers_dict={
                    "WARC-Record-ID": self._record_id(),
                    "WARC-Date": warc_date(fetched_at),
                    "Unveil-Role": "error",
                    "Unveil-Requested-URL": url,
                    "Unveil-Method": method,
                    "Unveil-Request-Digest": sha256(request_body).hexdigest() if request_body else "",
                },
            )
            self._writer.write_record(record)
            self._file.flush()

    def _payload(
        self, digest: str, size: int, url: str, requested_url: str, role: Any, method: str, request_digest: str,
        status: int, content_type: str, fetched_at: datetime, offset: int,
    ) -> Payload:  # fmt: skip
        return Payload(
            sha256=digest,
            size=size,
            url=url,
            requested_url=requested_url,
            role=role,
            method=method,
            request_sha256=request_digest,
            status=status,
            content_type=content_type,
            fetched_at=fetched_at,
            warc_file=str((self._final / self.path.name).relative_to(self._store.root)),
            warc_offset=offset,
            source_id=self.info.source_id,
            run_id=self.info.run_id,
        )

    def close(self) -> None:
        """Closes the file without sealing; the run can be resumed."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def seal(self, extra: Mapping[str, Any] | None = None) -> Path:
        """Closes, writes the manifest and renames the run to its final name. Returns the sealed folder."""
        self.close()
        return seal_folder(self.folder, self._final, self.info, extra)


def seal_folder(folder: Path, final: Path, info: RunInfo, extra: Mapping[str, Any] | None = None) -> Path:
    files = {}
    for path in sorted(folder.glob("part-*.warc.gz")):
        good = good_length(path)
        dropped = path.stat().st_size - good
        if dropped:
            with path.open("r+b") as handle:
                handle.truncate(good)
        digest, size = hash_file(path)
        files[path.name] = {"sha256": digest, "size": size, "cut_tail": dropped}
    write_json_atomic(folder / MANIFEST, {"run": json.loads(info.to_json()), "files": files, **dict(extra or {})})
    if final.exists():
        # A run of that name was sealed before: what it holds is kept, the newer copy goes.
        shutil.rmtree(folder)
        return final
    folder.rename(final)
    return final


def open_run(store: Store, info: RunInfo) -> RunWriter:
    """A writer for the run; an open folder that a killed run left behind is mended and gone on with."""
    folder = store.archive / info.source_id / f"{info.run_id}.open"
    for path in sorted(folder.glob("part-*.warc.gz")) if folder.is_dir() else []:
        good = good_length(path)
        if good < path.stat().st_size:
            with path.open("r+b") as handle:
                handle.truncate(good)
        if good == 0:
            path.unlink()
    return RunWriter(store, info)


def open_runs(store: Store, source_id: str) -> list[Path]:
    """Folders of runs that were begun and not sealed."""
    folder = store.archive / source_id
    return sorted(folder.glob("*.open")) if folder.is_dir() else []


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
    content_type = _header(list(pairs), "content-type") if http else (headers.get_header("Content-Type") or "")
    size = int(headers.get_header("Content-Length") or 0)
    if http:
        size = int(_header(list(pairs), "content-length") or 0)
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
    return _hash_stream(path.open("rb"))


def _hash_stream(stream: IO[bytes], before: bytes = b"") -> tuple[str, int]:
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


def _header(headers: list[tuple[str, str]], name: str) -> str:
    return next((v for k, v in headers if k.lower() == name), "")

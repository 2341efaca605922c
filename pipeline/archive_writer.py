"""Writes the archive: every answer goes into WARC before it is parsed; a run is sealed with a manifest by rename."""

import io
import json
import os
import shutil
import threading
import uuid
import zlib
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from models.evidence import Payload
from pipeline.archive import MANIFEST, Opener, RunInfo, good_length, hash_file, hash_stream, header, warc_date
from pipeline.store import Store, disk_guard, write_json_atomic

# Of pages of JSON, zlib's 9 makes files 3 % smaller than 4 does and takes three times as long.
_LEVEL = 4
# Transfer headers that no longer describe the stored body, and secrets that have no place in evidence.
_DROPPED_RESPONSE = {"transfer-encoding", "content-encoding", "content-length", "set-cookie", "connection"}
_DROPPED_REQUEST = {"cookie", "authorization", "proxy-authorization"}


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
        digest, size = hash_stream(opened())
        request_digest = sha256(request_body).hexdigest() if request_body else ""
        kept = [(k, v) for k, v in headers if k.lower() not in _DROPPED_RESPONSE]
        kept.append(("Content-Length", str(size)))
        http = StatusAndHeaders(str(status), kept, protocol="HTTP/1.1")
        http.compute_headers_buffer()
        large = {}
        if not isinstance(body, bytes):
            # Without a digest of the block warcio would copy the body aside to take one.
            large["WARC-Block-Digest"] = f"sha256:{hash_stream(opened(), http.headers_buff)[0]}"
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
                             header(kept, "content-type"), fetched_at, offset)  # fmt: skip

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

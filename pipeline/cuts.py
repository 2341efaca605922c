"""Candidates cut out of large files: each line is a WARC record of its own, so that evidence need not read the file."""

import io
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from uuid import NAMESPACE_URL, uuid5

from warcio.warcwriter import WARCWriter

from models.evidence import Payload
from pipeline.archive import CUTS, Archived, hash_file, warc_date
from pipeline.store import Store, disk_guard

_MARKUP: Final[Mapping[bytes, str]] = {b"{": "application/json", b"[": "application/json", b"<": "application/xml"}


class CutWriter:
    """Writes the cuts of one run beside its other files. Use as a context manager.

    The file is written under another name and renamed when it is whole. Its name holds the digest of its content: cuts
    made by other rules lie beside it, and evidence in a database built with those is still found. The bytes follow from
    the run and the lines alone.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._aside = folder / f".cuts.{os.getpid()}.tmp"
        self._file: IO[bytes] | None = None
        self._writer: WARCWriter | None = None
        self._made: dict[str, Payload] = {}
        self._final: Path | None = None

    def __enter__(self) -> Self:
        return self

    def cut(self, line: bytes, origin: Archived, pointer: str) -> Payload:
        """Archives a line of an archived file, once a run. The payload's `warc_file` is set when the writer is left."""
        digest = sha256(line).hexdigest()
        if digest in self._made:
            return self._made[digest]
        with disk_guard(self._folder):
            if self._file is None or self._writer is None:
                self._file = self._aside.open("wb")
                self._writer = WARCWriter(self._file, gzip=True)
            offset = self._file.tell()
            content_type = _MARKUP.get(line[:1], "application/octet-stream")
            whole = origin.payload
            name = f"{whole.source_id}/{whole.run_id}/{whole.sha256}/{pointer}"
            record = self._writer.create_warc_record(
                whole.url,
                "resource",
                payload=io.BytesIO(line),
                length=len(line),
                warc_content_type=content_type,
                warc_headers_dict={
                    "WARC-Record-ID": f"<urn:uuid:{uuid5(NAMESPACE_URL, name)}>",
                    "WARC-Date": warc_date(whole.fetched_at),
                    "WARC-Refers-To": origin.record_id,
                    "WARC-Payload-Digest": f"sha256:{digest}",
                    "WARC-Block-Digest": f"sha256:{digest}",
                    "Unveil-Role": "record",
                    "Unveil-Cut-From": f"sha256:{whole.sha256}",
                    "Unveil-Cut": pointer,
                },
            )
            self._writer.write_record(record)
        self._made[digest] = whole.model_copy(
            update={
                "sha256": digest, "size": len(line), "role": "record", "content_type": content_type,
                "warc_offset": offset,
            }
        )  # fmt: skip
        return self._made[digest]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if kind is not None:
            self._aside.unlink()
            return
        final = self._folder / f"{CUTS}{hash_file(self._aside)[0][:12]}.warc.gz"
        self._aside.rename(final)
        self._final = final

    def payloads(self) -> list[Payload]:
        """The cuts' index entries; to be asked for once the writer was left."""
        if self._final is None:
            return []
        place = str(self._final.relative_to(self._store.root))
        return [payload.model_copy(update={"warc_file": place}) for payload in self._made.values()]

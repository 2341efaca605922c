"""Archived answers in the order they came, for replays and resumed runs. Bodies stay on disk until asked for."""

from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO

from scrapy import Request
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes

from models.evidence import Payload
from pipeline.archive import Archived, read_run

# A resumed run takes these as said; anything else (busy, errors) is worth asking again.
_SETTLED = frozenset({200, 301, 302, 303, 307, 308, 404, 410})
# Mark of `Request.meta`: where the body of an answer lies that was too large to be held, an Archived or a Path.
SPOOLED = "unveil_spooled"
_KNOWN = "known_document "
Key = tuple[str, str, str]


class Tape:
    """A queue of archived answers for each (method, URL, hash of the request body).

    The nth request of a key gets the nth answer, so that retries replay as they went.
    """

    def __init__(self, answers: Iterable[Archived] = ()) -> None:
        self._answers: dict[Key, deque[Archived]] = {}
        self._known: dict[str, str] = {}
        for archived in answers:
            said = archived.body().decode("utf-8", "replace") if archived.payload.role == "error" else ""
            if said.startswith(_KNOWN):
                self._known[archived.payload.url] = said.removeprefix(_KNOWN)
                continue
            self._answers.setdefault(_key_of(archived.payload), deque()).append(archived)

    @property
    def known_documents(self) -> Mapping[str, str]:
        """URLs the run did not ask for because an earlier run held them, with their SHA-256."""
        return dict(self._known)

    def take(self, request: Request) -> Archived | None:
        """The next answer to that request, or None when there is no further one."""
        queue = self._answers.get(key(request))
        return queue.popleft() if queue else None


def whole_tape(folder_or_file: Path) -> Tape:
    """Everything a run archived, failures included. Raises BadData when it is no run of ours."""
    return Tape(read_run(folder_or_file))


def settled_tape(folder: Path) -> Tape:
    """Answers a killed run need not ask for again."""
    return Tape(a for a in read_run(folder) if a.payload.status in _SETTLED and not _failed(a))


def _failed(archived: Archived) -> bool:
    return archived.payload.role == "error" and not archived.body().startswith(_KNOWN.encode())


def key(request: Request) -> Key:
    body = sha256(request.body).hexdigest() if request.body else ""
    return request.method, request.url, body


def _key_of(payload: Payload) -> Key:
    # Requests carry normalised URLs; archives written by other means may not.
    return payload.method, Request(payload.url).url, payload.request_sha256


def to_response(archived: Archived, request: Request) -> Response:
    """The archived answer as Scrapy would have handed it over, flagged `archived`."""
    headers = Headers()
    for name, value in archived.headers:
        headers.appendlist(name, value)
    if archived.payload.role == "file":
        # Of any size: it stays where it is, and whoever reads it reads it from there.
        request.meta[SPOOLED] = archived
    body = b"" if archived.payload.role == "file" else archived.body()
    kind = responsetypes.from_args(headers=headers, url=request.url, body=body)
    return kind(url=request.url, status=archived.payload.status, headers=headers, body=body, flags=["archived"])


def open_spooled(spooled: Path | Archived) -> IO[bytes]:
    """The bytes of a file that was downloaded, or of one in an archive."""
    return spooled.open("rb") if isinstance(spooled, Path) else spooled.open()


def forget(path: Path) -> None:
    """Removes a spooled file and what stands beside it, and the folder when it was the last."""
    path.unlink(missing_ok=True)
    path.with_suffix(".json").unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def known_mark(digest: str) -> str:
    """What is archived in place of a document that an earlier run holds, so that a replay does not ask for it."""
    return f"{_KNOWN}{digest}"

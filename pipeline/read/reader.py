"""Reading documents, whatever they hold: the parent's side."""

import base64
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from models.codes import PageClass, ReadOutcome
from models.evidence import Page, Word
from pipeline.read.child import Child, WorkerDied
from pipeline.read.gate import Kind, Refused, gate, too_large
from pipeline.read.result import EXTRACTOR_VERSION, PlaceError, ReadLimits, ReadPathError, ReadResult
from pipeline.read.text import agreement, clean

_AGREES: Final = 0.9
_RULINGS: Final = 4
# A process that has parsed many strangers' files is worth replacing: PDFium's memory fragments.
_DOCUMENTS_A_WORKER: Final = 500
# What a document's outcome is when pages differ: the first of these that befell one.
_GRAVEST: Final = (
    ReadOutcome.CRASHED,
    ReadOutcome.OUT_OF_MEMORY,
    ReadOutcome.TIMEOUT,
    ReadOutcome.TOO_LARGE,
    ReadOutcome.TRUNCATED,
    ReadOutcome.NEEDS_OCR,
)
# Says of a page's text whether it is worth a second reading.
Matters = Callable[[str], bool]


@dataclass(slots=True)
class _Reading:
    """One document on its way through the worker."""

    data: bytes
    sha256: str
    deadline: float
    count: int = 0
    cut: bool = False
    restarts: int = 0
    pages: list[Page] = field(default_factory=list)
    # Pages whose rulings or forms may make a table.
    ruled: set[int] = field(default_factory=set)
    # Why it ended before its last page, if it did.
    stopped: tuple[ReadOutcome, str] | None = None


class Reader:
    """Reads documents through one worker process, started when first needed and replaced when it dies.

    A context manager: leaving it ends the worker. Threads may share one; they take turns.
    """

    def __init__(self, limits: ReadLimits | None = None) -> None:
        self.limits = limits or ReadLimits()
        self._child: Child | None = None
        self._held = ""
        self._opened: dict[str, Any] = {}
        self._served = 0
        self._turn = threading.Lock()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id, if one runs."""
        return self._child.pid if self._child is not None else None

    def close(self) -> None:
        """End the worker. The reader may be used again; it then starts another."""
        child, self._child, self._held = self._child, None, ""
        if child is not None:
            child.close()

    def read(self, source: Path | bytes, matters: Matters | None = None) -> ReadResult:
        """Read one document.

        Pages of whose text `matters` says that it matters are read a second time for tables and comparison. Whatever
        the bytes are, the result says so by its outcome; raises ReadPathError for a path that is no readable file,
        RuntimeError when no worker can be started.
        """
        if isinstance(source, Path):
            loaded = _load(source, self.limits)
            if isinstance(loaded, ReadResult):
                return loaded
            source = loaded
        sha256 = hashlib.sha256(source).hexdigest()
        passed = gate(source, self.limits)
        if isinstance(passed, Refused):
            return ReadResult(sha256=sha256, outcome=passed.outcome, detail=passed.detail)
        if passed.kind is Kind.TEXT:
            return _read_text(source, sha256, self.limits)
        with self._turn:
            return self._read_pdf(source, sha256, matters)

    def locate(self, source: Path | bytes, page_number: int, start: int, end: int) -> tuple[Word, ...]:
        """Word boxes of a span of a page's text. See `pipeline.read.locate`."""
        answer = self._ask_place(source, {"op": "place", "page": page_number, "start": start, "end": end})
        return tuple(
            Word(text=text, x0=x0, top=top, x1=x1, bottom=bottom) for text, x0, top, x1, bottom in answer["words"]
        )

    def render_quote(
        self, source: Path | bytes, page_number: int, start: int, end: int, out: Path, scale: float = 2.0
    ) -> None:
        """Write a picture of a quote to `out`. See `pipeline.read.render_quote`."""
        if not 0 < scale <= 20:
            raise PlaceError(f"A scale of {scale} pixels a point is not between 0 and 20.")
        request = {"op": "picture", "page": page_number, "start": start, "end": end, "scale": scale}
        png = base64.b64decode(self._ask_place(source, request)["png"])
        # Renamed into place, so that nobody ever sees half a picture.
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=out.name, delete=False) as file:
            file.write(png)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(out)

    def _ask_place(self, source: Path | bytes, request: dict[str, Any]) -> dict[str, Any]:
        if isinstance(source, Path):
            loaded = _load(source, self.limits)
            if isinstance(loaded, ReadResult):
                raise PlaceError(loaded.detail)
            source = loaded
        passed = gate(source, self.limits)
        if isinstance(passed, Refused):
            raise PlaceError(passed.detail)
        if passed.kind is not Kind.PDF:
            raise PlaceError("A plain text has no places on a page.")
        reading = _Reading(source, hashlib.sha256(source).hexdigest(), time.monotonic() + self.limits.document_seconds)
        with self._turn:
            try:
                opened = self._open(reading)
                if "error" in opened:
                    raise PlaceError(opened["detail"])
                answers = list(self._ask(reading, request))
            except WorkerDied as died:
                raise PlaceError(died.detail) from died
        for answer in answers:
            if "refused" in answer or "error" in answer:
                raise PlaceError(answer.get("refused") or answer["detail"])
        return answers[0]

    def _read_pdf(self, data: bytes, sha256: str, matters: Matters | None) -> ReadResult:
        reading = _Reading(data, sha256, time.monotonic() + self.limits.document_seconds)
        try:
            opened = self._open_retrying(reading)
        except WorkerDied as died:
            return ReadResult(sha256=sha256, outcome=died.outcome, detail=f"Opening the document failed. {died.detail}")
        if "error" in opened:
            return ReadResult(sha256=sha256, outcome=ReadOutcome(opened["error"]), detail=opened["detail"])
        reading.count, reading.cut = opened["pages"], opened["cut"]
        self._read_pages(reading)
        hits = [page.number for page in reading.pages if matters is not None and matters(page.text)]
        if hits:
            self._read_again(reading, hits)
        return _result(reading, self.limits)

    def _read_pages(self, reading: _Reading) -> None:
        """Read every page, taking up again behind a page that ended the worker.

        A worker that crashed or ran out of memory may have been brought down by what it read before, so such a page
        gets a second try in a fresh process. A page that ran out of time would only do so again.
        """
        last = min(reading.count, self.limits.max_pages)
        retried = 0
        while len(reading.pages) < last and reading.stopped is None:
            number = len(reading.pages) + 1
            try:
                self._open(reading)
                for answer in self._ask(reading, {"op": "read", "first": number, "last": last}):
                    number = len(reading.pages) + 1
                    reading.pages.append(_page(answer, number, reading.sha256))
                    if answer.get("rulings", 0) >= _RULINGS or answer.get("forms", 0):
                        reading.ruled.add(number)
            except WorkerDied as died:
                number = len(reading.pages) + 1
                if died.outcome is not ReadOutcome.TIMEOUT and retried != number:
                    retried = number
                else:
                    failed = {"outcome": died.outcome, "note": f"Reading the page failed. {died.detail}"}
                    reading.pages.append(_page(failed, number, reading.sha256))
                self._count_restart(reading, died)

    def _read_again(self, reading: _Reading, hits: Sequence[int]) -> None:
        """Compare and take tables on the pages that matter. What PDFium read stands, whatever happens here."""
        left = list(hits)
        while left and reading.stopped is None:
            asked = [{"number": n, "chars": len(reading.pages[n - 1].text), "tables": n in reading.ruled} for n in left]
            note = ""
            try:
                self._open(reading)
                for answer in self._ask(reading, {"op": "again", "pages": asked}):
                    if "error" in answer:
                        note = f"pdfplumber could not read the page. {answer['detail']}"
                        break
                    self._compare(reading, answer)
                    left.remove(answer["number"])
                else:
                    break
            except WorkerDied as died:
                note = f"pdfplumber did not finish the page. {died.detail}"
                self._count_restart(reading, died, stop=False)
                if reading.restarts > self.limits.max_restarts or time.monotonic() > reading.deadline:
                    _add_notes(reading, left, note)
                    return
            _add_notes(reading, [left.pop(0)], note)

    @staticmethod
    def _compare(reading: _Reading, answer: dict[str, Any]) -> None:
        page = reading.pages[answer["number"] - 1]
        agreed = agreement(page.text, clean(answer["text"])[0])
        tables = tuple(tuple(tuple(clean(cell)[0] for cell in row) for row in table) for table in answer["tables"])
        note = page.note
        if agreed < _AGREES:
            note = f"{note} pdfplumber's words agree with PDFium's to {agreed:.2f}; PDFium's are kept.".strip()
        reading.pages[page.number - 1] = page.model_copy(update={"tables": tables, "note": note})

    def _count_restart(self, reading: _Reading, died: WorkerDied, *, stop: bool = True) -> None:
        reading.restarts += 1
        if not stop:
            return
        if time.monotonic() >= reading.deadline:
            reading.stopped = ReadOutcome.TIMEOUT, f"The document took longer than {self.limits.document_seconds:g} s."
        elif reading.restarts > self.limits.max_restarts:
            reading.stopped = died.outcome, f"The reading process ended {reading.restarts} times."

    def _open_retrying(self, reading: _Reading) -> dict[str, Any]:
        try:
            return self._open(reading)
        except WorkerDied as died:
            if died.outcome is ReadOutcome.TIMEOUT:
                raise
            return self._open(reading)

    def _open(self, reading: _Reading) -> dict[str, Any]:
        """Have the document open in a living worker. Raises WorkerDied."""
        if self._child is not None and self._held == reading.sha256:
            return self._opened
        if self._served >= _DOCUMENTS_A_WORKER:
            self.close()
        if self._child is None:
            self._child, self._served = Child(self.limits.memory_bytes), 0
        self._held = ""
        request = {"op": "open", "size": len(reading.data), "max_chars": self.limits.max_chars}
        answers = self._ask(reading, request, reading.data)
        self._opened = next(answers)
        self._served += 1
        if "error" not in self._opened:
            self._held = reading.sha256
        return self._opened

    def _ask(self, reading: _Reading, request: dict[str, Any], payload: bytes = b"") -> Iterator[dict[str, Any]]:
        """Send a request and give its answers. Raises WorkerDied, after which no worker is left."""
        child = self._child
        if child is None:
            raise WorkerDied(ReadOutcome.CRASHED, "The reading process has gone.")
        seconds = self.limits.page_seconds
        finished = False
        try:
            child.send({**request, "seconds": seconds}, min(reading.deadline, time.monotonic() + seconds), payload)
            while not finished:
                answer = child.receive(min(reading.deadline, time.monotonic() + seconds))
                finished = "done" in answer or "error" in answer or request["op"] == "open"
                if "done" not in answer:
                    yield answer
        except WorkerDied:
            self._child, self._held = None, ""
            raise
        finally:
            # An answer nobody waits for would be taken for the next request's.
            if not finished:
                self.close()


def read_document(
    data: bytes | Path, *, limits: ReadLimits | None = None, matters: Matters | None = None
) -> ReadResult:
    """Read one document in a worker of its own. See `Reader.read`; for many documents use one Reader."""
    with Reader(limits) as reader:
        return reader.read(data, matters)


def check_file(path: Path) -> None:
    """Raise ReadPathError unless `path` is a file that may be opened."""
    if not path.exists():
        raise ReadPathError(path, "there is no such file or directory")
    if not path.is_file():
        raise ReadPathError(path, "it is not a regular file")
    if not os.access(path, os.R_OK):
        raise ReadPathError(path, "it may not be opened")


def _load(path: Path, limits: ReadLimits) -> bytes | ReadResult:
    """The file's bytes, or the result for one too large to hold. Raises ReadPathError."""
    check_file(path)
    refused = too_large(path.stat().st_size, limits)
    if refused is None:
        return path.read_bytes()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return ReadResult(sha256=sha256, outcome=refused.outcome, detail=refused.detail)


def _read_text(data: bytes, sha256: str, limits: ReadLimits) -> ReadResult:
    """A plain text as one page."""
    text, _ = clean(data.decode("utf-8").removeprefix("\ufeff"))
    outcome, note = ReadOutcome.OK, ""
    if len(text) > limits.max_chars:
        text, outcome = text[: limits.max_chars], ReadOutcome.TOO_LARGE
        note = f"The text is cut after {limits.max_chars} characters."
    fields = {"page_class": PageClass.NATIVE, "outcome": outcome, "text_source": "text", "text": text, "note": note}
    page = _page(fields, 1, sha256)
    return ReadResult(sha256=sha256, outcome=outcome, detail=note, pages=(page,))


def _page(answer: dict[str, Any], number: int, sha256: str) -> Page:
    """A page from the worker's answer, or from what is said of a page that gave none."""
    if "error" in answer:
        answer = {"outcome": answer["error"], "note": f"Reading the page failed. {answer['detail']}"}
    fields = {key: value for key, value in answer.items() if key not in {"number", "rulings", "forms"}}
    return Page.model_validate({**fields, "sha256": sha256, "number": number, "extractor": EXTRACTOR_VERSION})


def _add_notes(reading: _Reading, numbers: Sequence[int], note: str) -> None:
    for number in numbers:
        page = reading.pages[number - 1]
        reading.pages[number - 1] = page.model_copy(update={"note": f"{page.note} {note}".strip()})


def _result(reading: _Reading, limits: ReadLimits) -> ReadResult:
    """What the pages amount to."""
    outcome, said = ReadOutcome.OK, []
    if reading.stopped is not None:
        outcome = reading.stopped[0]
        said.append(f"{reading.stopped[1]} {len(reading.pages)} of {reading.count} pages were tried.")
    elif reading.count > limits.max_pages:
        outcome = ReadOutcome.TOO_LARGE
        said.append(f"The document has {reading.count} pages; the first {limits.max_pages} were read.")
    for grave in _GRAVEST:
        numbers = [page.number for page in reading.pages if page.outcome is grave]
        if numbers:
            outcome = grave if outcome is ReadOutcome.OK else outcome
            said.append(f"{grave.value}: {len(numbers)} of {reading.count} pages, first page {numbers[0]}.")
    if reading.cut:
        outcome = ReadOutcome.TRUNCATED if outcome in {ReadOutcome.OK, ReadOutcome.NEEDS_OCR} else outcome
        said.append("The file's end mark is missing; pages may be missing too.")
    if outcome is ReadOutcome.OK and all(page.outcome is ReadOutcome.EMPTY for page in reading.pages):
        outcome = ReadOutcome.EMPTY
        said.append(f"The document has {reading.count} pages and no text or image on them.")
    return ReadResult(sha256=reading.sha256, outcome=outcome, detail=" ".join(said), pages=tuple(reading.pages))

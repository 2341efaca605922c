"""The reading process: `python -m pipeline.read.worker MEMORY_BYTES`, spoken to over its standard input and output.

It answers one request at a time and holds one document at a time. PDF parsers abort, hang and eat memory on hostile
files, which only a process of its own can contain: it limits its memory and processor time itself, its parent limits
its wall clock.
"""

import base64
import logging
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pypdfium2

from models.codes import ReadOutcome
from pipeline.read.boxes import picture, words_in_span
from pipeline.read.pdf import lacks_end, open_document, read_page, why_not_open
from pipeline.read.wire import encode, receive


@dataclass(slots=True)
class Held:
    """The document being read."""

    data: bytes
    document: "pypdfium2.PdfDocument"
    max_chars: int


def main() -> None:
    """Serve requests until the parent closes the pipe."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # A library that prints must not break into the answers.
    os.dup2(2, 1)
    logging.disable()
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _answer(answers, {"maxrss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss})
    held: Held | None = None
    while (request := receive(requests)) is not None:
        _allow(request["seconds"])
        try:
            if request["op"] == "open":
                if held is not None:
                    held.document.close()
                    held = None
                held, answer = _open(request, requests)
                _answer(answers, answer)
            elif held is None:
                _answer(answers, {"error": ReadOutcome.CRASHED, "detail": "No document is open."})
            else:
                for answer in _serve(request, held):
                    _answer(answers, answer)
                    _allow(request["seconds"])
        except MemoryError:
            # What is left may not suffice to go on: the parent starts another.
            sys.exit("MemoryError")
        except Exception as error:
            _answer(answers, {"error": ReadOutcome.CRASHED, "detail": f"{type(error).__name__}: {error}"[:300]})


def _open(request: dict[str, Any], requests: BinaryIO) -> tuple[Held | None, dict[str, Any]]:
    data = requests.read(request["size"])
    try:
        document = open_document(data)
    except pypdfium2.PdfiumError as error:
        outcome, detail = why_not_open(error, data)
        return None, {"error": outcome, "detail": detail}
    return Held(data, document, request["max_chars"]), {"pages": len(document), "cut": lacks_end(data)}


def _serve(request: dict[str, Any], held: Held) -> Iterator[dict[str, Any]]:
    """Answers to one request about the open document; the last has `done`."""
    operation = request["op"]
    if operation == "read":
        for number in range(request["first"], request["last"] + 1):
            try:
                yield read_page(held.document, number, held.max_chars)
            except pypdfium2.PdfiumError as error:
                yield {
                    "number": number,
                    "outcome": ReadOutcome.TRUNCATED,
                    "note": f"The page cannot be loaded: {error}"[:300],
                    "rulings": 0,
                    "forms": 0,
                }
    elif operation == "again":
        # pdfplumber takes long to import, and most documents never need it.
        from pipeline.read.plumb import read_again

        yield from read_again(held.data, request["pages"])
    elif operation in {"place", "picture"}:
        yield _place(request, held)
    yield {"done": True}


def _place(request: dict[str, Any], held: Held) -> dict[str, Any]:
    number, start, end = request["page"], request["start"], request["end"]
    if not 1 <= number <= len(held.document):
        return {"refused": f"The document has {len(held.document)} pages, not a page {number}."}
    try:
        if request["op"] == "place":
            return words_in_span(held.document, number, start, end, held.max_chars)
        png = picture(held.document, number, start, end, request["scale"], held.max_chars)
    except (ValueError, pypdfium2.PdfiumError) as error:
        return {"refused": str(error)}
    return {"png": base64.b64encode(png).decode("ascii")}


def _answer(stream: BinaryIO, message: dict[str, Any]) -> None:
    stream.write(encode(message))
    stream.flush()


def _allow(seconds: float) -> None:
    """Allow that much more processor time from now on; past it the kernel ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


if __name__ == "__main__":
    main()

"""The OCP Data Registry: a list of publications, then gzipped lines of compiled releases. For every source on it."""

import gzip
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scrapy import Request

from models.codes import Outcome
from tests.answers.uk_contracts_finder import STATUSES, with_status
from tests.driver import Answers, Portal, Reply, StatusWord, Walk
from tests.portal import release

_CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>cf-challenge</body></html>"


def publications(source_id: str, **changes: Any) -> list[dict[str, Any]]:
    """Two entries as `publications.json` has them, the wanted one second."""
    other = {
        "id": 3, "title": "Elsewhere: Example", "country": "Elsewhere", "region": "EU", "language": "English",
        "update_frequency": "MONTHLY", "source_url": "https://portal.example", "source_id": "elsewhere",
        "retrieval_frequency": "MONTHLY", "last_retrieved": "2026-10-30", "frozen": False, "date_from": "2016-11-01",
        "date_to": "2026-10-30", "coverage": {"tender.items.id": 12},
    }  # fmt: skip
    return [other, {**other, "id": 128, "title": "United Kingdom: Example", "source_id": source_id, **changes}]


def lines(*releases: dict[str, Any]) -> bytes:
    """A file of the registry: one compiled release a line, gzipped."""
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in releases)
    return gzip.compress(text.encode(), mtime=0)


def compiled(number: int, **changes: Any) -> dict[str, Any]:
    return {**release(number), "tag": ["compiled"], "id": f"ocds-b5fd17-{number:08d}-2026-10-30T00:00:00Z", **changes}


def registry(source_id: str, files: dict[str, Reply], **changes: Any) -> Portal:
    """Serves the list and the files by name; other names are not found."""

    def answer(request: Request) -> Reply:
        if urlsplit(request.url).path == "/publications.json":
            return Reply(json.dumps(publications(source_id, **changes)).encode())
        name = parse_qs(urlsplit(request.url).query)["name"][0]
        return files.get(name, Reply(b"<h1>Not Found</h1>", 404, "text/html"))

    return answer


def _only(reply: Reply) -> Portal:
    return lambda request: reply


def _gzip(*releases: dict[str, Any]) -> Reply:
    return Reply(lines(*releases), content_type="application/gzip")


def answers(source_id: str) -> Answers:
    """What the registry answers for one publication, by its `source_id`."""
    broken = compiled(3)
    broken["releaseDate"] = broken.pop("date")

    def whole(reply: Reply) -> Portal:
        return registry(source_id, {"full.jsonl.gz": reply})

    return Answers(
        walks={
            "pages": Walk(whole(_gzip(compiled(1), compiled(2), compiled(3))), Outcome.COMPLETE, records=3),
            "empty": Walk(whole(_gzip()), Outcome.EMPTY),
            "malformed": Walk(
                whole(Reply(lines(compiled(1), compiled(2))[:-30], content_type="application/gzip")),
                Outcome.PARTIAL,
                records=1,
                kinds=frozenset({"unreadable_file"}),
            ),
            "error_in_200": Walk(
                _only(Reply(b'{"error": "maintenance"}')), Outcome.FAILED, kinds=frozenset({"error_in_200"})
            ),
            "challenge": Walk(
                whole(Reply(_CHALLENGE, content_type="text/html")),
                Outcome.BLOCKED,
                kinds=frozenset({"challenge_page"}),
            ),
            "changed_field": Walk(whole(_gzip(compiled(1), broken)), Outcome.PARTIAL, records=2),
            "another_name": Walk(registry("renamed", {}), Outcome.FAILED, kinds=frozenset({"missing_publication"})),
            "never_retrieved": Walk(
                registry(source_id, {}, last_retrieved=None), Outcome.EMPTY, kinds=frozenset({"never_retrieved"})
            ),
            "frozen": Walk(
                registry(source_id, {"full.jsonl.gz": _gzip(compiled(1))}, frozen=True),
                Outcome.COMPLETE,
                records=1,
                kinds=frozenset({"frozen"}),
            ),
            "renamed_field": Walk(
                _only(Reply(json.dumps([{"id": 128, "source_id": source_id, "retrieved": "2026-10-30"}]).encode())),
                Outcome.FAILED,
                kinds=frozenset({"missing_field"}),
            ),
            "no_file": Walk(registry(source_id, {}), Outcome.PARTIAL, kinds=frozenset({"http_404"})),
            "json_instead_of_lines": Walk(
                whole(Reply(b'{"detail": "try later"}')), Outcome.PARTIAL, kinds=frozenset({"wrong_content"})
            ),
            "busy": Walk(whole(Reply(b"", 503)), Outcome.BLOCKED, kinds=frozenset({"http_503"})),
        },
        statuses=[
            StatusWord(key, json.dumps({"releases": [with_status(key)]}).encode(), means)
            for key, means in STATUSES.items()
        ],
    )

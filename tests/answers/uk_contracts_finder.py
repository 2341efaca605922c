"""Contracts Finder: release packages linked by a cursor, ISO-8859-1 at times, 403 for a crawler in a hurry."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scrapy import Request

from models.codes import Lifecycle, Outcome
from tests.driver import Answers, Portal, Reply, StatusWord, Walk
from tests.portal import release

_BASE = "https://www.contractsfinder.service.gov.uk/Published/Notices/OCDS/Search"


def _package(releases: list[dict[str, Any]], cursor: str | None = None) -> bytes:
    value: dict[str, Any] = {
        "uri": f"{_BASE}?limit=100",
        "version": "1.1",
        "publisher": {"name": "Cabinet Office"},
        "license": "http://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
        "releases": releases,
    }
    if cursor:
        value["links"] = {"next": f"{_BASE}?limit=100&cursor={cursor}"}
    return json.dumps(value, ensure_ascii=False).encode()


def _by_cursor(pages: dict[str, Reply]) -> Portal:
    def answer(request: Request) -> Reply:
        return pages[parse_qs(urlsplit(request.url).query).get("cursor", [""])[0]]

    return answer


def _always(reply: Reply) -> Portal:
    return lambda request: reply


def _changed() -> dict[str, Any]:
    changed = release(3)
    changed["releaseDate"] = changed.pop("date")
    return changed


STATUSES = {
    "tender:planning": Lifecycle.PLANNED,
    "tender:planned": Lifecycle.PLANNED,
    "tender:active": Lifecycle.TENDER,
    "tender:complete": Lifecycle.COMPLETE,
    "tender:cancelled": Lifecycle.CANCELLED,
    "tender:unsuccessful": Lifecycle.CANCELLED,
    "tender:withdrawn": Lifecycle.CANCELLED,
    "award:pending": Lifecycle.TENDER,
    "award:active": Lifecycle.ACTIVE,
    "award:cancelled": Lifecycle.CANCELLED,
    "award:unsuccessful": Lifecycle.CANCELLED,
    "contract:pending": Lifecycle.ACTIVE,
    "contract:active": Lifecycle.ACTIVE,
    "contract:cancelled": Lifecycle.CANCELLED,
    "contract:terminated": Lifecycle.TERMINATED,
    "tag:planning": Lifecycle.PLANNED,
    "tag:tenderCancellation": Lifecycle.CANCELLED,
    "tag:awardCancellation": Lifecycle.CANCELLED,
    "tag:contractTermination": Lifecycle.TERMINATED,
}


def with_status(key: str) -> dict[str, Any]:
    """A release that carries one word of the card's lifecycle map, and no other."""
    kind, _, word = key.partition(":")
    one = {k: v for k, v in release(7).items() if k != "awards"}
    del one["tender"]["status"]
    if kind == "tag":
        one["tag"] = [word]
    elif kind == "tender":
        one["tender"]["status"] = word
    else:
        one[f"{kind}s"] = [{"id": "7-1", "status": word}]
    return one


_CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>cf-challenge</body></html>"
_LATIN = json.dumps({"releases": [release(9, "Café furniture")]}, ensure_ascii=False).encode("iso-8859-1")

ANSWERS = Answers(
    walks={
        "pages": Walk(
            _by_cursor(
                {
                    "": Reply(_package([release(1), release(2)], "b")),
                    "b": Reply(_package([release(3)], "c")),
                    "c": Reply(_package([release(4)])),
                }
            ),
            Outcome.COMPLETE,
            records=4,
        ),
        "empty": Walk(_always(Reply(_package([]))), Outcome.EMPTY),
        "malformed": Walk(
            _always(Reply(_package([release(1)])[:-40])), Outcome.FAILED, kinds=frozenset({"malformed_json"})
        ),
        "error_in_200": Walk(
            _always(Reply(b'{"message": "An error has occurred."}')), Outcome.FAILED, kinds=frozenset({"error_in_200"})
        ),
        "challenge": Walk(
            _always(Reply(_CHALLENGE, content_type="text/html")), Outcome.BLOCKED, kinds=frozenset({"challenge_page"})
        ),
        "busy": Walk(
            _by_cursor(
                {
                    "": Reply(_package([release(1)], "b")),
                    "b": Reply(b"<html>Forbidden</html>", 403, "text/html"),
                }
            ),
            Outcome.BLOCKED,
            records=1,
            kinds=frozenset({"http_403"}),
        ),
        # The date under another name: that record is rejected by name, its neighbour is read.
        "changed_field": Walk(_always(Reply(_package([release(1), _changed()]))), Outcome.PARTIAL, records=2),
        "iso_8859_1": Walk(_always(Reply(_LATIN)), Outcome.COMPLETE, records=1, kinds=frozenset({"encoding"})),
        "connection_cut": Walk(_always(Reply(None)), Outcome.FAILED, kinds=frozenset({"download_failed"})),
    },
    statuses=[StatusWord(key, _package([with_status(key)]), means) for key, means in STATUSES.items()],
)

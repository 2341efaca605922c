"""Says what came of an answer and of a whole crawl: pure functions of what was seen, never of an exit code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from models.codes import Outcome
from models.run import Problem

# What portals answer to a crawler they will not serve now; asking on would only make it worse.
BLOCKED_STATUSES = frozenset({403, 429, 503, 999})
BLOCKING = frozenset(
    {
        "challenge_page",
        "html_instead_of_json",
        "html_instead_of_xml",
        "robots_disallow",
        *(f"http_{code}" for code in BLOCKED_STATUSES),
    }
)
_HEAD = 8192
# Lower-case marks of pages that ask a visitor to prove to be human or say that he is kept out.
_CHALLENGE_MARKS = (
    b"captcha", b"cf-challenge", b"cf_chl", b"challenge-platform", b"turnstile", b"just a moment",
    b"attention required", b"are you human", b"verify you are", b"enable javascript and cookies", b"access denied",
    b"incapsula", b"request unsuccessful", b"unusual traffic",
)  # fmt: skip
_ERROR_KEYS = ("error", "errors", "message", "Message", "fault", "exception", "errorMessage", "ErrorMessage")


@dataclass(frozen=True)
class Page:
    """One answer of a paged OCDS API as judged. `kind` is empty when it is a release package.

    `data` is the body as UTF-8; `note` says what had to be done to read it.
    """

    kind: str = ""
    detail: str = ""
    data: bytes = b""
    package: Mapping[str, Any] | None = None
    note: str = ""

    @property
    def next_url(self) -> str | None:
        """`links.next` (OCDS pagination extension), or None on the last page."""
        links = self.package.get("links") if self.package else None
        found = links.get("next") if isinstance(links, dict) else None
        return found if isinstance(found, str) and found else None

    @property
    def releases(self) -> list[Any]:
        return list(self.package["releases"]) if self.package else []


def judge_page(status: int, content_type: str, body: bytes) -> Page:
    """Tells a release package from everything portals send instead of one.

    Kinds: `http_<status>`, `challenge_page`, `html_instead_of_json`, `malformed_json`, `error_in_200`,
    `missing_field`.
    """
    html = "html" in content_type.lower() or body[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
    if html and any(mark in body[:_HEAD].lower() for mark in _CHALLENGE_MARKS):
        return Page("challenge_page", f"HTTP {status} with a page that asks for a human")
    if status != 200:
        return Page(f"http_{status}", f"the portal answered HTTP {status}")
    if html:
        return Page("html_instead_of_json", "an HTML page came where JSON was due")
    data, note = as_utf8(body)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Page("malformed_json", f"the page is not JSON: {error}", data, note=note)
    if isinstance(value, dict) and isinstance(value.get("releases"), list):
        return Page(data=data, package=value, note=note)
    return _no_package(value, data, note)


def _no_package(value: Any, data: bytes, note: str) -> Page:
    if isinstance(value, dict) and "releases" not in value:
        for key in _ERROR_KEYS:
            if key in value:
                return Page("error_in_200", f"HTTP 200 with `{key}`: {str(value[key])[:200]}", data, note=note)
        return Page("missing_field", "the page has no `releases`", data, note=note)
    said = "its `releases` is no list" if isinstance(value, dict) else f"it is a {type(value).__name__}"
    return Page("missing_field", f"the page is no release package: {said}", data, note=note)


def judge_json(status: int, content_type: str, body: bytes) -> Page:
    """Tells a JSON answer from everything portals send instead of one; `data` is its UTF-8, whatever it holds.

    Kinds: as `judge_page`, without `missing_field`.
    """
    page = judge_page(status, content_type, body)
    return Page(data=page.data, note=page.note) if page.kind == "missing_field" else page


def judge_xml(status: int, content_type: str, body: bytes) -> Page:
    """Tells an XML notice from everything portals send instead of one. Kinds: `http_<status>`, `challenge_page`,
    `html_instead_of_xml`, `malformed_xml` for what does not begin like XML."""
    head = body[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    html = head.startswith((b"<!doctype html", b"<html")) or b"<html" in head[:1000]
    if html and any(mark in head for mark in _CHALLENGE_MARKS):
        return Page("challenge_page", f"HTTP {status} with a page that asks for a human")
    if status != 200:
        return Page(f"http_{status}", f"the portal answered HTTP {status}")
    if html:
        return Page("html_instead_of_xml", "an HTML page came where XML was due")
    if not head.startswith(b"<") and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Page("malformed_xml", f"the answer does not begin like XML but with {body[:20]!r} ({content_type})")
    return Page(data=body)


def as_utf8(body: bytes) -> tuple[bytes, str]:
    """The body as UTF-8 without a byte order mark, and a note when it was declared so but was ISO-8859-1.

    ISO-8859-1 maps every byte, so this never fails; bytes that are UTF-8 pass unchanged.
    """
    data = body.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return data.decode("iso-8859-1").encode(), f"not UTF-8 at byte {error.start}; read as ISO-8859-1"
    return data, ""


def decide_outcome(
    *,
    finish_reason: str,
    chain_ended: bool,
    failures: Sequence[Problem],
    pages: int,
    records: int,
    rejected: int = 0,
    expected: int | None = None,
    documents_expected: int = 0,
    documents_received: int = 0,
    why_empty: str = "",
) -> tuple[Outcome, str]:
    """How a crawl ended, with the reason in words.

    `finish_reason` is Scrapy's; `chain_ended` is true when the last page said that no further one follows;
    `failures` are what broke the chain of pages; `records` counts what the pages held, `rejected` those of them
    that could not be read; `expected` is the portal's own total where it names one. Missing documents never change
    the outcome, since dead links are common and would hold the window back for ever; the reason names them.
    `why_empty` says why no record was due, where the portal told.
    """
    seen = f"{_count(pages, 'page')} with {_count(records, 'record')} came"
    if finish_reason != "finished":
        return Outcome.FAILED, f"the crawl was broken off ({finish_reason}); {seen} before"
    blocking = next((f for f in failures if f.kind in BLOCKING), None)
    if blocking is not None:
        return Outcome.BLOCKED, f"{blocking.kind}: {blocking.detail}; {seen} before"
    if failures or not chain_ended:
        first = f"{failures[0].kind}: {failures[0].detail}" if failures else "the last page was never reached"
        if pages:
            return Outcome.PARTIAL, f"{first}; {seen} before"
        return Outcome.FAILED, f"{first}; no page came"
    if expected is not None and records < expected:
        return Outcome.PARTIAL, f"the portal names {expected} records, {records} came"
    if rejected:
        return Outcome.PARTIAL, f"{rejected} of {records} records were rejected"
    missing = documents_expected - documents_received
    documents = f"; {missing} of {_count(documents_expected, 'document')} did not come" if missing > 0 else ""
    if not records:
        return Outcome.EMPTY, why_empty or f"every page came and none held a record ({_count(pages, 'page')})"
    return Outcome.COMPLETE, f"all of {_count(pages, 'page')} with {_count(records, 'record')} came{documents}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"

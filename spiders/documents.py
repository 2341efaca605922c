"""Which documents of candidates are fetched, and what came of each: one row a contract and URL, in a fixed order."""

from collections import Counter
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import urlsplit
from zipfile import BadZipFile, ZipFile

from scrapy import Request

from models.codes import Candidacy
from models.evidence import Document
from models.procurement import DocumentLink, Release
from models.source import DocumentPolicy

_OFFICE = "application/vnd.openxmlformats-officedocument."
_BY_EXTENSION = MappingProxyType(
    {
        ".pdf": "application/pdf",
        ".doc": "application/msword",
        ".docx": f"{_OFFICE}wordprocessingml.document",
        ".xls": "application/vnd.ms-excel",
        ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
        ".zip": "application/zip",
        ".htm": "text/html",
        ".html": "text/html",
    }
)
_ZIPPED = frozenset({"application/zip", f"{_OFFICE}wordprocessingml.document", f"{_OFFICE}spreadsheetml.sheet"})
_COMPOUND = frozenset({"application/msword", "application/vnd.ms-excel"})
_COMPOUND_FILE = "application/x-ole-storage"
_OFFICE_FOLDERS = (("word", f"{_OFFICE}wordprocessingml.document"), ("xl", f"{_OFFICE}spreadsheetml.sheet"))
# Names of streams stand in a compound file's directory in UTF-16 (MS-CFB 2.6.1), ended by a null.
_STREAMS = tuple(
    (f"{name}\0".encode("utf-16-le"), media_type)
    for name, media_type in (
        ("WordDocument", "application/msword"),
        ("Workbook", "application/vnd.ms-excel"),
        ("Book", "application/vnd.ms-excel"),
    )
)
_HEAD = 1024


class DocumentDesk:
    """Keeps the account of one crawl's documents.

    Outcomes: `ok`, `known` (an earlier run holds it), `wrong_type`, `too_large`, `over_budget`, `http_404`,
    `blocked_address`, `failed`. Plans are made in the order of pages, so that a replay plans the same.
    """

    def __init__(self, policy: DocumentPolicy, known: Mapping[str, str]) -> None:
        self._policy = policy
        self._known = known
        self._rows: dict[tuple[str, str], Document] = {}
        self._types: dict[str, str] = {}
        self._settled: dict[str, tuple[str, str, str | None]] = {}
        self._of_contract: Counter[str] = Counter()
        self._probes = 0

    def plan(self, release: Release, candidacy: Candidacy) -> Iterator[str]:
        """URLs to be downloaded now for a candidate; links that are not get their outcome at once."""
        for link in release.documents:
            key = (release.contract_id, link.url)
            if key in self._rows:
                continue
            self._rows[key] = Document(
                contract_id=release.contract_id,
                release_id=release.release_id,
                url=link.url,
                title=link.title,
                sha256=None,
                outcome="failed",
                detail="not asked for",
            )
            if self._wanted(release.contract_id, link, candidacy):
                yield link.url

    def _wanted(self, contract_id: str, link: DocumentLink, candidacy: Candidacy) -> bool:
        url = link.url
        if url in self._settled or url in self._types:
            self._of_contract[contract_id] += 1
            return False
        reason = _not_a_link(url)
        if reason:
            self.settle(url, "failed", reason)
            return False
        said = expected_type(link)
        if said not in self._policy.types:
            self.settle(url, "wrong_type", f"linked as {said or 'no type'}")
            return False
        if self._of_contract[contract_id] >= self._policy.per_contract:
            self._over_budget(contract_id, url, f"more than {self._policy.per_contract} documents of one contract")
            return False
        self._of_contract[contract_id] += 1
        digest = self._known.get(url) or self._known.get(normalised(url))
        if digest:
            self.settle(url, "known", "archived in an earlier run", digest)
            return False
        if candidacy is Candidacy.PROBE:
            if self._probes >= self._policy.probe_budget:
                self._over_budget(contract_id, url, f"more than {self._policy.probe_budget} documents of probes a run")
                return False
            self._probes += 1
        self._types[url] = said
        return True

    def _over_budget(self, contract_id: str, url: str, detail: str) -> None:
        # Of this contract only: another candidate with the same link may still have it fetched.
        key = (contract_id, url)
        self._rows[key] = self._rows[key].model_copy(update={"outcome": "over_budget", "detail": detail})

    def settle(self, url: str, outcome: str, detail: str = "", sha256: str | None = None) -> None:
        """Writes down what came of a URL, for every contract that links to it."""
        self._settled[url] = (outcome, detail, sha256)

    def judge(self, url: str, status: int, content_type: str, body: bytes, sha256: str) -> str:
        """Settles an answered URL by status, bytes and declared type; returns the outcome."""
        outcome, detail = self._judged(url, status, content_type, body)
        self.settle(url, outcome, detail, sha256 if outcome == "ok" else None)
        return outcome

    def _judged(self, url: str, status: int, content_type: str, body: bytes) -> tuple[str, str]:
        if status in (404, 410):
            return "http_404", f"HTTP {status}"
        if status != 200:
            return "failed", f"HTTP {status}"
        if len(body) > self._policy.max_bytes:
            return "too_large", f"{len(body)} bytes"
        declared = content_type.partition(";")[0].strip().lower()
        found = actual_type(body, declared, self._types.get(url, ""))
        if found not in self._policy.types:
            return "wrong_type", f"came as {found or 'bytes of no known type'}, declared as {declared or 'nothing'}"
        return "ok", ""

    def rows(self) -> list[Document]:
        """Every document with its outcome, in the order of planning."""
        rows = []
        for (_, url), row in self._rows.items():
            settled = self._settled.get(url)
            if settled is not None and row.outcome != "over_budget":
                outcome, detail, digest = settled
                rows.append(row.model_copy(update={"outcome": outcome, "detail": detail, "sha256": digest}))
            else:
                rows.append(row)
        return rows

    def known_of(self, contract_id: str) -> list[Document]:
        """Documents of a contract that an earlier run holds."""
        found = []
        for (contract, url), row in self._rows.items():
            outcome, detail, digest = self._settled.get(url, ("", "", None))
            if contract == contract_id and outcome == "known":
                found.append(row.model_copy(update={"outcome": outcome, "detail": detail, "sha256": digest}))
        return found

    @property
    def expected(self) -> int:
        """Distinct links of a wanted type, whether within the budget or not."""
        known = ("known", "over_budget")
        return len({r.url for r in self.rows() if r.url in self._types or r.outcome in known})

    @property
    def received(self) -> int:
        return len({r.url for r in self.rows() if r.outcome in ("ok", "known")})


def normalised(url: str) -> str:
    """The URL as it goes over the wire and into the archive; unchanged when it can go nowhere."""
    try:
        return Request(url).url
    except ValueError:
        return url


def _not_a_link(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "not a URL"
    if parts.scheme not in ("http", "https") or not host or " " in parts.netloc:
        return "not an http URL"
    return ""


def expected_type(link: DocumentLink) -> str:
    """Media type before the request, from the link's `format`, else from the path's extension; empty if unknown."""
    stated = link.format.partition(";")[0].strip().lower()
    if "/" in stated:
        return stated
    suffix = PurePosixPath(urlsplit(link.url).path).suffix.lower()
    # Some publishers write `pdf` or `.pdf` where OCDS wants a media type.
    return _BY_EXTENSION.get(f".{stated.lstrip('.')}") or _BY_EXTENSION.get(suffix, "")


def actual_type(body: bytes, declared: str, linked: str) -> str:
    """Media type of the bytes themselves; where a container does not say what it holds, the declared or linked one."""
    head = body[:_HEAD]
    if b"%PDF-" in head:
        return "application/pdf"
    if head.startswith(b"PK\x03\x04"):
        return _zipped_type(body) or next((t for t in (declared, linked) if t in _ZIPPED), "application/zip")
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _compound_type(body) or next((t for t in (declared, linked) if t in _COMPOUND), _COMPOUND_FILE)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "text/html"
    if declared.startswith("text/") and b"\0" not in head:
        return declared
    return ""


def _zipped_type(body: bytes) -> str:
    """An Office document by the parts that its format demands (ECMA-376); empty for any other or a damaged ZIP."""
    try:
        with ZipFile(BytesIO(body)) as archive:
            names = set(archive.namelist())
    except (BadZipFile, ValueError, NotImplementedError):
        return ""
    if "[Content_Types].xml" not in names:
        return ""
    folders = {name.partition("/")[0] for name in names}
    return next((media_type for folder, media_type in _OFFICE_FOLDERS if folder in folders), "")


def _compound_type(body: bytes) -> str:
    """A Word or Excel document by the stream that its format demands (MS-DOC 2.1, MS-XLS 2.1); empty for others."""
    return next((media_type for stream, media_type in _STREAMS if stream in body), "")

"""Writes the sample archives: two recorded nights in the shape of Contracts Finder, all contents fictional.

    python data/sample/regenerate.py [FOLDER]

Reads notices.yml, annexes.yml and card.yml. Clock, ids and PDFs are fixed, so that every run writes the same bytes.
"""

import base64
import hashlib
import html
import io
import json
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

HERE = Path(__file__).resolve().parent
if str(HERE.parents[1]) not in sys.path:
    sys.path.insert(0, str(HERE.parents[1]))

from pipeline.archive import RunInfo  # noqa: E402
from pipeline.archive_writer import RunWriter  # noqa: E402
from pipeline.store import Store  # noqa: E402

SOURCE = "uk_contracts_finder"
PORTAL = "https://www.contractsfinder.service.gov.uk"
SEARCH = f"{PORTAL}/Published/Notices/OCDS/Search"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://example.org/fictional")
# The portal gives pages of up to 100; these are shorter, so that a small sample has several.
LIMIT = 100
ON_A_PAGE = 8
PDF = "application/pdf"

ROBOTS = """User-agent: *
Disallow: /Account/
Disallow: /Admin/
Disallow: /Search/Export
"""
LOGIN = """<!DOCTYPE html>
<html lang="en"><head><title>Sign in - Contracts Finder</title></head>
<body><h1>Sign in</h1><p>You must sign in to see this attachment. (Fictional page of the sample.)</p></body></html>
"""
NOT_FOUND = """<!DOCTYPE html>
<html lang="en"><head><title>Page not found - Contracts Finder</title></head>
<body><h1>Page not found</h1><p>The attachment is no longer available. (Fictional page of the sample.)</p></body></html>
"""
EXTENSIONS = [
    "https://standard.open-contracting.org/profiles/eu/master/en/extension.json",
    "https://raw.githubusercontent.com/portaledcahn/ocds_tenderDatePublished_extension/master/extension.json",
    "https://raw.githubusercontent.com/open-contracting-extensions/ocds_budget_breakdown_extension/master/extension.json",
    "https://raw.githubusercontent.com/Crown-Commercial-Service/ocds_awards_datePublished_extension/main/extension.json",
    "https://raw.githubusercontent.com/Crown-Commercial-Service/ocds_partyDetails_vcse_extension/main/extension.json",
    "https://raw.githubusercontent.com/Crown-Commercial-Service/ocds_tender_suitability_extension/main/extension.json",
    "https://raw.githubusercontent.com/open-contracting-extensions/ocds_pagination_extension/master/extension.json",
]
NOTICE_DOCUMENT = {
    "planning": ("marketEngagementNotice", "Early engagement notice on Contracts Finder"),
    "tender": ("tenderNotice", "Opportunity notice on Contracts Finder"),
    "award": ("awardNotice", "Awarded contract notice on Contracts Finder"),
}


@dataclass(frozen=True)
class Night:
    """One run: when it began and the window it asked for."""

    name: str
    started: datetime
    since: datetime
    until: datetime

    @property
    def run_id(self) -> str:
        return f"{self.started:%Y%m%dT%H%M%SZ}"


NIGHTS = (
    Night(
        "night-1",
        started=datetime(2026, 11, 10, 2, 0, 0, tzinfo=UTC),
        since=datetime(2026, 11, 3, 2, 0, 0, tzinfo=UTC),
        until=datetime(2026, 11, 10, 2, 0, 0, tzinfo=UTC),
    ),
    Night(
        "night-2",
        started=datetime(2026, 11, 11, 2, 0, 0, tzinfo=UTC),
        since=datetime(2026, 11, 7, 2, 0, 0, tzinfo=UTC),
        until=datetime(2026, 11, 11, 2, 0, 0, tzinfo=UTC),
    ),
)


def regenerate(folder: Path) -> list[Path]:
    """Writes one archive a night into `folder` and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    said = _load("notices.yml")
    texts = _load("annexes.yml")
    annexes = {name: annex_pdf(contract, texts["common"]) for name, contract in texts["contracts"].items()}
    return [_write_night(night, said, annexes, folder) for night in NIGHTS]


def _load(name: str) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return value


# -- one night ---------------------------------------------------------------------------------------------------------


def _write_night(night: Night, said: Mapping[str, Any], annexes: Mapping[str, bytes], folder: Path) -> Path:
    info = RunInfo(
        run_id=night.run_id,
        source_id=SOURCE,
        kind="crawl",
        started_at=night.started,
        arguments={"since": night.since.isoformat(), "until": night.until.isoformat(), "card": _load("card.yml")},
    )
    target = folder / f"{night.name}.warc.gz"
    with tempfile.TemporaryDirectory() as scratch:
        writer = RunWriter(Store(Path(scratch)), info)
        for number, (url, role, status, headers, body) in enumerate(_answers(night, said, annexes)):
            writer.write_response(
                url=url,
                requested_url=url,
                role=role,
                method="GET",
                request_headers=[
                    ("Accept", "application/json" if role == "page" else "*/*"),
                    ("Accept-Encoding", "gzip, deflate"),
                ],
                request_body=b"",
                status=status,
                headers=headers,
                body=body,
                fetched_at=night.started + timedelta(seconds=3 * number + 1),
            )
        for url, digest in _known(night, said, annexes):
            # What a crawl leaves in place of a document that an earlier night holds.
            writer.write_error(
                url=url,
                method="GET",
                request_body=b"",
                error=f"known_document {digest}",
                fetched_at=night.started + timedelta(seconds=4),
            )
        writer.close()
        shutil.copyfile(writer.path, target)
    return target


Answer = tuple[str, str, int, list[tuple[str, str]], bytes]


def _answers(night: Night, said: Mapping[str, Any], annexes: Mapping[str, bytes]) -> Iterator[Answer]:
    """What the portal answers, in the order of the spider's requests: robots.txt, pages, and documents after a page."""
    yield f"{PORTAL}/robots.txt", "robots", 200, [("Content-Type", "text/plain")], ROBOTS.encode()
    listed = _listed(night, said)
    pages = [listed[start : start + ON_A_PAGE] for start in range(0, len(listed), ON_A_PAGE)]
    for number, page in enumerate(pages):
        following = _page_url(night, number + 1) if number + 1 < len(pages) else None
        package = _package(night, page, said, following)
        body = json.dumps(package, ensure_ascii=False, separators=(",", ":")).encode()
        yield _page_url(night, number), "page", 200, [("Content-Type", "application/json; charset=utf-8")], body
    held = {url for url, _ in _known(night, said, annexes)}
    for notice in listed:
        for document in _attachments(notice):
            if _attachment_url(notice, document) not in held:
                yield _document_answer(notice, document, annexes)


def _listed(night: Night, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Notices published in the night's window, newest first."""
    inside = [notice for notice in said["notices"] if night.since <= notice["published"] <= night.until]
    return sorted(inside, key=lambda notice: notice["published"], reverse=True)


def _attachments(notice: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [document for document in notice.get("documents", ()) if "annex" in document]


def _known(night: Night, said: Mapping[str, Any], annexes: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """URL and SHA-256 of documents that the windows of this night and an earlier one share."""
    earlier = [notice for other in NIGHTS if other.started < night.started for notice in _listed(other, said)]
    return [
        (_attachment_url(notice, document), hashlib.sha256(annexes[document["annex"]]).hexdigest())
        for notice in _listed(night, said)
        if notice in earlier
        for document in _attachments(notice)
        if document["annex"] in annexes
    ]


def _page_url(night: Night, number: int) -> str:
    window = {"publishedFrom": f"{night.since:%Y-%m-%dT%H:%M:%S}", "publishedTo": f"{night.until:%Y-%m-%dT%H:%M:%S}"}
    query = "&".join(f"{key}={value}" for key, value in {**window, "limit": LIMIT}.items())
    if number == 0:
        return f"{SEARCH}?{query}"
    said = "|".join([*(f"{key}={value}" for key, value in {**window, "limit": LIMIT}.items()),
                     f"nextCursor={910000 + number}"])  # fmt: skip
    return f"{SEARCH}?{query}&cursor={base64.b64encode(said.encode()).decode()}"


def _document_answer(notice: Mapping[str, Any], document: Mapping[str, Any], annexes: Mapping[str, bytes]) -> Answer:
    url = _attachment_url(notice, document)
    markup = [("Content-Type", "text/html; charset=utf-8")]
    if document["annex"] == "missing":
        return url, "document", 404, markup, NOT_FOUND.encode()
    if document["annex"] == "login":
        return url, "document", 200, markup, LOGIN.encode()
    name = f"{document['annex']}.pdf"
    headers = [("Content-Type", PDF), ("Content-Disposition", f'attachment; filename="{name}"')]
    return url, "document", 200, headers, annexes[document["annex"]]


# -- the portal's release packages -------------------------------------------------------------------------------------


def _package(
    night: Night, notices: list[dict[str, Any]], said: Mapping[str, Any], following: str | None
) -> dict[str, Any]:
    package: dict[str, Any] = {
        "uri": _page_url(night, 0),
        "version": "1.1",
        "extensions": EXTENSIONS,
        "publishedDate": _stamp(notices[0]["published"]),
        "publisher": {
            "name": "Cabinet Office",
            "scheme": "GB-GOR",
            "uid": "D2",
            "uri": "https://www.gov.uk/government/organisations/cabinet-office",
        },
        "license": "http://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
        "publicationPolicy": "https://www.gov.uk/government/publications/open-contracting",
        "releases": [_release(notice, said) for notice in notices],
    }
    if following:
        package["links"] = {"next": following}
    return package


def _release(notice: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    stage = {"tenderAmendment": "tender", "awardUpdate": "award"}.get(notice["kind"], notice["kind"])
    buyer = said["buyers"][notice["buyer"]]
    suppliers = [said["suppliers"][key] for key in notice.get("suppliers", ())]
    ocid = f"ocds-b5fd17-{uuid.uuid5(NAMESPACE, 'process/' + notice['slug'])}"
    release: dict[str, Any] = {
        "ocid": ocid,
        "id": f"{_notice_id(notice)}-{notice['published']:9%d%H%M}",
        "language": "en",
        "date": _stamp(notice["published"]),
        "tag": [notice["kind"]],
        "initiationType": "tender",
    }
    documents = list(_documents(notice, stage))
    if stage == "planning":
        release["title"] = notice["title"]
        release["planning"] = {
            "milestones": [
                {"id": "1", "title": "Engagement end date", "type": "engagement",
                 "dueDate": _stamp(notice["engagement_ends"])}
            ],
            "documents": documents,
        }  # fmt: skip
    release["tender"] = _tender(notice, stage)
    if stage == "tender":
        release["tender"]["documents"] = documents
    release["parties"] = [_buyer(buyer), *(_supplier(supplier) for supplier in suppliers)]
    release["buyer"] = {"id": f"GB-CFS-{buyer['number']}", "name": buyer["name"]}
    if stage == "award":
        release["awards"] = [
            {
                "id": f"{ocid}-1",
                "status": "active",
                "date": f"{notice['awarded']}T00:00:00Z",
                "datePublished": _stamp(notice.get("first_published", notice["published"])),
                "value": {"amount": notice["value"], "currency": "GBP"},
                "suppliers": [{"id": f"GB-CFS-{s['number']}", "name": s["name"]} for s in suppliers],
                "contractPeriod": _period(notice),
                "documents": documents,
            }
        ]
    return release


def _tender(notice: Mapping[str, Any], stage: str) -> dict[str, Any]:
    tender: dict[str, Any] = {
        "id": notice["reference"],
        "title": notice["title"],
        "description": notice["description"].replace("\n", "\r\n"),
    }
    if stage == "tender":
        tender["datePublished"] = _stamp(notice.get("first_published", notice["published"]))
    tender["status"] = {"planning": "planning", "tender": "active", "award": "complete"}[stage]
    tender["classification"] = _code(*notice["cpv"])
    if "more_cpv" in notice:
        tender["additionalClassifications"] = [_code(*code) for code in notice["more_cpv"]]
    tender["items"] = [{"id": "1", "deliveryAddresses": [{"region": "England", "countryName": "United Kingdom"}]}]
    if "minimum" in notice:
        tender["minValue"] = {"amount": notice["minimum"], "currency": "GBP"}
    if "estimate" in notice:
        tender["value"] = {"amount": notice["estimate"], "currency": "GBP"}
    if "method" in notice:
        tender["procurementMethod"], tender["procurementMethodDetails"] = notice["method"]
    if "tender_ends" in notice:
        tender["tenderPeriod"] = {"endDate": _stamp(notice["tender_ends"])}
        tender["contractPeriod"] = _period(notice)
    tender["suitability"] = {"sme": True, "vcse": False}
    tender["mainProcurementCategory"] = notice["category"]
    return tender


def _code(code: str, description: str) -> dict[str, str]:
    return {"scheme": "CPV", "id": code, "description": description}


def _period(notice: Mapping[str, Any]) -> dict[str, str]:
    start, end = notice["period"]
    return {"startDate": f"{start}T00:00:00Z", "endDate": f"{end}T23:59:59Z"}


def _documents(notice: Mapping[str, Any], stage: str) -> Iterator[dict[str, str]]:
    kind, description = NOTICE_DOCUMENT[stage]
    first = notice.get("first_published")
    own = {
        "id": "1",
        "documentType": kind,
        "description": description,
        "url": f"{PORTAL}/Notice/{_notice_id(notice)}",
        "datePublished": _stamp(first or notice["published"]),
    }
    if first:
        own["dateModified"] = _stamp(notice["published"])
    yield {**own, "format": "text/html", "language": "en"}
    for number, document in enumerate(notice.get("documents", ()), 2):
        entry = {"id": str(number)}
        if "type" in document:
            entry["documentType"] = document["type"]
        entry["description"] = document["title"]
        if "link" in document:
            yield {**entry, "url": document["link"]}
        else:
            yield {**entry, "url": _attachment_url(notice, document), "format": PDF}


def _buyer(buyer: Mapping[str, Any]) -> dict[str, Any]:
    """With a contact person as real notices have one, so that the sample shows that it is dropped."""
    contact = {"name": "Fictional Contact", "email": f"procurement@{buyer['site']}"}
    if "telephone" in buyer:
        contact["telephone"] = buyer["telephone"]
    return {
        "id": f"GB-CFS-{buyer['number']}",
        "name": buyer["name"],
        "identifier": {"legalName": buyer["name"]},
        "address": {
            "streetAddress": "Fictional House, 1 Example Street",
            "locality": "Exampletown",
            "postalCode": "ZZ1 1ZZ",
            "countryName": "England",
        },
        "contactPoint": contact,
        "details": {"url": f"https://{buyer['site']}/"},
        "roles": ["buyer"],
    }


def _supplier(supplier: Mapping[str, Any]) -> dict[str, Any]:
    identifier = {"legalName": supplier["name"]}
    if "company" in supplier:
        identifier |= {"scheme": "GB-COH", "id": supplier["company"]}
    return {
        "id": f"GB-CFS-{supplier['number']}",
        "name": supplier["name"],
        "identifier": identifier,
        "address": {"streetAddress": "Fictional House\r\n2 Example Street, Exampletown ZZ1 1ZZ"},
        "details": {"scale": supplier.get("scale", "sme"), "vcse": False},
        "roles": ["supplier"],
    }


def _notice_id(notice: Mapping[str, Any]) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, "notice/" + notice.get("notice", notice["slug"]))


def _attachment_url(notice: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    name = uuid.uuid5(NAMESPACE, f"attachment/{notice['slug']}/{document['annex']}")
    return f"{PORTAL}/Notice/Attachment/{name}"


def _stamp(moment: datetime) -> str:
    """As the portal writes it: `Z`, or the offset of British summer time."""
    return moment.isoformat().replace("+00:00", "Z")


# -- documents ---------------------------------------------------------------------------------------------------------


def annex_pdf(contract: Mapping[str, Any], common: list[dict[str, Any]]) -> bytes:
    """A contract annex as PDF with a text layer. Not compressed, so that its bytes hang on no zlib."""
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer, pagesize=A4, invariant=1, pageCompression=0, topMargin=24 * mm, bottomMargin=22 * mm,
        leftMargin=24 * mm, rightMargin=24 * mm, title=contract["title"], author=contract["parties"][0],
    )  # fmt: skip

    def frame(canvas: Any, _: Any) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(24 * mm, A4[1] - 14 * mm, f"{contract['reference']}   FICTIONAL DOCUMENT")
        canvas.drawRightString(A4[0] - 24 * mm, 12 * mm, f"Page {canvas.getPageNumber()}")
        canvas.line(24 * mm, A4[1] - 16 * mm, A4[0] - 24 * mm, A4[1] - 16 * mm)

    document.build(list(_flow(contract, common)), onFirstPage=frame, onLaterPages=frame)
    return buffer.getvalue()


def _flow(contract: Mapping[str, Any], common: list[dict[str, Any]]) -> Iterator[Any]:
    styles = getSampleStyleSheet()
    body = ParagraphStyle("clause", parent=styles["BodyText"], fontSize=10.5, leading=15, leftIndent=10 * mm,
                          firstLineIndent=-10 * mm, spaceAfter=5)  # fmt: skip
    plain = styles["BodyText"]
    yield Paragraph(html.escape(contract["title"]), styles["Title"])
    yield Paragraph(html.escape(contract["subject"]), styles["Heading2"])
    between = " and ".join(contract["parties"])
    yield Paragraph(html.escape(f"Between {between}. Reference {contract['reference']}."), plain)
    yield Spacer(1, 6 * mm)
    for number, section in enumerate([*contract["sections"], *common], 1):
        yield Paragraph(html.escape(section["heading"]), styles["Heading3"])
        for part, clause in enumerate(section["clauses"], 1):
            yield Paragraph(html.escape(f"{number}.{part}   {clause}"), body)
    yield KeepTogether([Paragraph("Price schedule (GBP, without VAT)", styles["Heading3"]), _prices(contract)])
    yield Spacer(1, 8 * mm)
    yield KeepTogether([Paragraph("Signatures", styles["Heading3"]), _signatures(contract)])


def _prices(contract: Mapping[str, Any]) -> Table:
    rows = [["Item", "Quantity", "Unit price", "Amount"], *contract["prices"], ["Total", "", "", contract["total"]]]
    style = [
        ("GRID", (0, 0), (-1, -1), 0.6, colors.black),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e4e4e4")),
        ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 9.5),
        ("FONT", (0, 1), (-1, -1), "Helvetica", 9.5),
        ("FONT", (0, -1), (-1, -1), "Helvetica-Bold", 9.5),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
    ]
    return Table(rows, colWidths=[88 * mm, 20 * mm, 27 * mm, 27 * mm], style=TableStyle(style))


def _signatures(contract: Mapping[str, Any]) -> Table:
    rows = [
        [f"For {party}", "Signature (withheld)", "Position: authorised signatory"] for party in contract["parties"]
    ]
    style = [("GRID", (0, 0), (-1, -1), 0.6, colors.black), ("FONT", (0, 0), (-1, -1), "Helvetica", 8.5),
             ("BOTTOMPADDING", (0, 0), (-1, -1), 14)]  # fmt: skip
    return Table(rows, colWidths=[82 * mm, 36 * mm, 44 * mm], style=TableStyle(style))


if __name__ == "__main__":
    for path in regenerate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "archives"):
        sys.stdout.write(f"{path} {path.stat().st_size} bytes\n")

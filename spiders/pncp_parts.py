"""What PNCP keeps below a purchase or contract: pages of items, results, contracts, amendments and documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from scrapy.http import Response

from models.procurement import DocumentLink
from pipeline.outcome import Page, judge_json
from pipeline.parse.common import text_of
from pipeline.parse.pncp import OWNER
from pipeline.parse.pncp_fields import COUNTRY, ControlNumber
from pipeline.redact import redact
from spiders.platforms.base import content_type_of
from spiders.platforms.search import Hit

BASE: Final = "https://pncp.gov.br"
_SIZE: Final = 50
# Sub-collections come in tens when the portal passes over the page size it was asked for.
_DEFAULT_SIZE: Final = 10
_UNREADABLE: Final = (".rar", ".7z", ".dwg", ".jpg", ".jpeg", ".png", ".mp4", ".mp3", ".p7s")
_READABLE: Final = (".pdf", ".doc", ".docx", ".xls", ".xlsx", ".zip", ".htm", ".html")


@dataclass(frozen=True)
class Part:
    """One page of what belongs to a purchase or contract. `path` is below the body's own; `owner` is the process."""

    kind: str
    number: ControlNumber
    path: str
    owner: ControlNumber
    hit: Hit
    page: int = 1
    before: str = ""

    @property
    def url(self) -> str:
        query: dict[str, Any] = {"pagina": self.page, "tamanhoPagina": _SIZE}
        if self.kind == "termos":
            query[OWNER] = str(self.owner)
        return f"{BASE}/api/pncp/v1/orgaos/{self.number.cnpj}/{self.path}?{urlencode(query)}"

    @property
    def role(self) -> str:
        return "index" if self.kind == "arquivos" else "page"


def judge_part(response: Response) -> Page:
    """An empty list is answered with 204, with 404 or with no bytes at all."""
    body = response.body.strip()
    if response.status == 204 or (response.status == 200 and not body):
        return Page(data=b"[]")
    page = judge_json(response.status, content_type_of(response), response.body)
    if page.kind == "http_404" and not body.startswith(b"<"):
        return Page(data=b"[]")
    return page


def rows_of(value: Any) -> list[Any]:
    """Rows of a list, or of an envelope: `data`, for documents also `Documentos` (Manual de Integração)."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("data", "documentos", "Documentos") if key in value), [])
    return value if isinstance(value, list) else []


def has_next(part: Part, value: Any, rows: Sequence[Any]) -> bool:
    pages = value.get("totalPaginas") if isinstance(value, dict) else None
    if isinstance(pages, int):
        return part.page < pages
    return len(rows) >= _DEFAULT_SIZE and len(rows) % _DEFAULT_SIZE == 0


def link_of(row: Any) -> DocumentLink | None:
    """A document in force. The portal serves all as bytes of no type, so the title's ending is what it tells."""
    url = text_of(row, "url") or text_of(row, "uri")
    if not url or row.get("statusAtivo") is False:
        return None
    title = text_of(row, "titulo")
    ending = next((e for e in (*_READABLE, *_UNREADABLE) if title.lower().endswith(e)), "")
    return DocumentLink(
        url=url,
        title=redact(title, COUNTRY),
        document_type=text_of(row, "tipoDocumentoNome") or text_of(row, "tipoDocumentoDescricao"),
        format=ending or "application/octet-stream",
    )

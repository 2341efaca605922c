"""The format `pncp`: answers of Brazil's Portal Nacional de Contratações Públicas, each read alone.

What an answer holds is told by its address, for a file by the records' own fields. Items and amendments do not say
which purchase they belong to: their address does.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import IO, Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson

from models.procurement import Parsed, Place, Release, Seen
from models.run import Problem
from models.source import SourceCard
from pipeline.outcome import as_utf8
from pipeline.parse.common import Misfit, Notes, read_strictly
from pipeline.parse.json_records import check_json_head, stream_records
from pipeline.parse.pncp_fields import ControlNumber
from pipeline.parse.pncp_known import KNOWN
from pipeline.parse.pncp_records import Reader, read_contract, read_item, read_purchase, read_result, read_term
from pipeline.redact import redact

__all__ = ["OWNER", "check_head", "kind_at", "parse_file", "parse_page"]

# Our own parameter in the address of a contract's amendments: they name neither the contract nor its purchase.
OWNER: Final = "compra"
_BODY: Final = r"/orgaos/(?P<cnpj>[0-9A-Z]{14})"
_PATHS: Final = (
    ("result", re.compile(rf"{_BODY}/compras/(?P<year>\d{{4}})/(?P<seq>\d+)/itens/\d+/resultados$")),
    ("item", re.compile(rf"{_BODY}/compras/(?P<year>\d{{4}})/(?P<seq>\d+)/itens$")),
    ("purchase", re.compile(rf"{_BODY}/compras/(?P<year>\d{{4}})/(?P<seq>\d+)$")),
    ("contracts", re.compile(rf"{_BODY}/contratos/contratacao/(?P<year>\d{{4}})/(?P<seq>\d+)$")),
    ("term", re.compile(rf"{_BODY}/contratos/(?P<year>\d{{4}})/(?P<seq>\d+)/termos$")),
    ("contract", re.compile(rf"{_BODY}/contratos/(?P<year>\d{{4}})/(?P<seq>\d+)$")),
)
_SINGLE: Final = ("purchase", "contract")
_READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "purchase": read_purchase,
        "item": read_item,
        "result": read_result,
        "contract": read_contract,
        "contracts": read_contract,
    }
)
# The field that only this kind of record has; looked for in order.
_MARKS: Final = (
    ("objetoContrato", "contract"),
    ("objetoCompra", "purchase"),
    ("sequencialResultado", "result"),
    ("sequencialTermoContrato", "term"),
    ("numeroItem", "item"),
)


@dataclass(frozen=True)
class Kind:
    """What an address says of its records. `process` and `contract` are control numbers."""

    name: str = ""
    process: str | None = None
    contract: str | None = None


def check_head(head: bytes, name: str) -> None:
    """Raises BadData for a file that cannot hold records of PNCP."""
    check_json_head(head, name, "records of PNCP")


def kind_at(url: str) -> Kind:
    """The kind of records at an address of the portal's; an empty one elsewhere."""
    parts = urlsplit(url)
    for name, pattern in _PATHS:
        if found := pattern.search(parts.path):
            cnpj, year, sequence = found["cnpj"], int(found["year"]), int(found["seq"])
            if name in ("term", "contract"):
                owner = parse_qs(parts.query).get(OWNER, [None])[0]
                return Kind(name, owner, str(ControlNumber(cnpj, "2", sequence, year)))
            return Kind(name, str(ControlNumber(cnpj, "1", sequence, year)))
    return Kind()


def parse_page(data: bytes, card: SourceCard, sha256: str, url: str) -> Iterator[Parsed | Problem]:
    """Releases of one answer: a record, a list of records or an envelope with `data`. An empty list may be no bytes."""
    kind = kind_at(url)
    if not data.strip() and kind.name and kind.name not in _SINGLE:
        return
    try:
        value = orjson.loads(as_utf8(data)[0])
    except orjson.JSONDecodeError as error:
        head = redact(data[:200].decode("utf-8", "replace"))
        yield Problem(kind="malformed_json", detail=str(error), payload_sha256=sha256, raw=head)
        return
    prefix = ""
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value, prefix = value["data"], "/data"
    if isinstance(value, list) and kind.name not in _SINGLE:
        for index, record in enumerate(value):
            yield from _record(record, kind, card, Place(payload_sha256=sha256, pointer=f"{prefix}/{index}"))
    elif kind.name and kind.name not in _SINGLE:
        detail = f"a list of records was due, not {type(value).__name__}"
        yield Problem(kind="wrong_type", detail=detail, payload_sha256=sha256)
    else:
        yield from _record(value, kind, card, Place(payload_sha256=sha256, pointer=""))


def parse_file(
    open_stream: Callable[[], IO[bytes]],
    card: SourceCard,
    sha256: str,
    url: str,
    glance: Callable[[bytes], bool] | None,
) -> Iterator[Parsed | Seen | Problem]:
    """Releases of a file: a record, a list, an envelope with `data`, or lines of any of these; plain or gzipped.

    Records are told apart by their fields; items and amendments cannot be placed there and are rejected.
    """
    for pointer, record in stream_records(open_stream, sha256, "data"):
        if isinstance(record, Problem):
            yield record
        else:
            yield from _record(record, Kind(), card, Place(payload_sha256=sha256, pointer=pointer))


def _record(raw: Any, kind: Kind, card: SourceCard, place: Place) -> Iterator[Parsed | Problem]:
    def read(note: Notes) -> Release:
        if not isinstance(raw, dict):
            raise Misfit("wrong_type", f"a record is an object, not {type(raw).__name__}", raw)
        name = kind.name or next((name for mark, name in _MARKS if mark in raw), "")
        if not name:
            raise Misfit("missing_field", f"the record has none of {', '.join(mark for mark, _ in _MARKS)}")
        reader = partial(read_term, contract=kind.contract) if name == "term" else _READERS[name]
        release = reader(raw, card, note, kind.process)
        for key in sorted(set(raw) - KNOWN[name]):
            note("unknown_field", f"{name} field `{key}` is not one we know", key)
        return release

    yield from read_strictly(read, place)

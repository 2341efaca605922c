"""The format `ted`: notices of Tenders Electronic Daily, one a file, in eForms or the older TED_EXPORT schema."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import IO

from lxml import etree

from models.procurement import Parsed, Place, Release, Seen
from models.run import Problem
from models.source import SourceCard
from pipeline.parse.common import Misfit, Notes, read_strictly
from pipeline.parse.ted_eforms import ROOTS, read_eforms
from pipeline.parse.ted_export import read_export
from pipeline.parse.ted_file import check_head, members
from pipeline.xml_places import Element, XmlError, local_name, parse_xml

__all__ = ["check_head", "parse_file", "parse_page"]

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_REGISTRATION = "BusinessRegistrationInformationNotice"


def parse_page(data: bytes, card: SourceCard, sha256: str, url: str) -> Iterator[Parsed | Problem]:
    """The release of one notice, followed by notes; or the problem instead of it.

    Kinds of problems: those of `pipeline.xml_places.XmlError`, `unknown_schema`, `unsupported_form` for a notice by
    which nothing is procured, and those of Misfit.
    """
    yield from _notice(data, card, Place(payload_sha256=sha256, pointer=""))


def parse_file(
    open_stream: Callable[[], IO[bytes]],
    card: SourceCard,
    sha256: str,
    url: str,
    glance: Callable[[bytes], bool] | None,
) -> Iterator[Parsed | Seen | Problem]:
    """Releases of a file: one notice, or a package of them (zip, tar.gz), read member by member.

    Pointers of a package's notices begin with `member=NAME`, the name percent-encoded.
    """
    for pointer, data in members(open_stream, sha256):
        if isinstance(data, Problem):
            yield data
        else:
            yield from _notice(data, card, Place(payload_sha256=sha256, pointer=pointer))


def _notice(data: bytes, card: SourceCard, place: Place) -> Iterator[Parsed | Problem]:
    yield from read_strictly(partial(_release, data, card), place)


def _release(data: bytes, card: SourceCard, note: Notes) -> Release:
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise Misfit(error.kind, str(error), data[:200].decode("utf-8", "replace")) from error
    return _reader(root)(root, card, note)


def _reader(root: Element) -> Callable[[Element, SourceCard, Notes], Release]:
    name, namespace = local_name(root), etree.QName(root).namespace or ""
    if name in ROOTS and namespace == f"{_UBL}{name}-2":
        return read_eforms
    if name == "TED_EXPORT":
        return read_export
    if name == _REGISTRATION:
        raise Misfit("unsupported_form", "a notice of registration (X01, X02): nothing is procured by it")
    raise Misfit("unknown_schema", f"`{name}` is the root of no notice we know", namespace)

"""XML of strangers, read without entities, networks or schemas; places in it, and what stands there.

A place is an XPath of local names with positions, `/*:ContractNotice[1]/*:ProcurementProject[1]/*:Name[2]` (XPath 2.0
wildcard prefixes): it needs no namespaces to be declared and is resolved from the bytes alone.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeAlias

from lxml import etree

Element: TypeAlias = etree._Element
MAX_BYTES: Final = 64 << 20
_STEP: Final = re.compile(r"/\*:([^\[\]/\s]+)\[(\d+)\]")
_POINTER: Final = re.compile(r"(?:/\*:[^\[\]/\s]+\[\d+\])+")
# What may stand before a document's first element, with its end: declarations, instructions and comments.
_PROLOGUE: Final = ((b"<?", b"?>"), (b"<!--", b"-->"))
# Of a whole notice only these are shown: they speak of the purchase, while the rest may name officials.
_STATEMENTS: Final = frozenset(
    [
        "Name", "Title", "Description", "NoticeTypeCode", "IssueDate", "PublicationDate", "ReasonDescription",
        "ChangeDescription", "TITLE", "SHORT_DESCR", "OPTIONS_DESCR", "TI_TEXT", "DATE_PUB", "TITLE_CONTRACT",
        "SHORT_CONTRACT_DESCRIPTION",
    ]
)  # fmt: skip
_NO_STATEMENTS: Final = frozenset(
    [
        "Organizations", "TouchPoint", "UltimateBeneficialOwner", "Contact", "Party", "Person", "AppealTerms",
        "Appeals", "TenderingParty", "PartyName", "EconomicOperatorShortList", "CONTRACTORS", "CONTRACTING_BODY",
        "COMPLEMENTARY_INFO",
    ]
)  # fmt: skip


class XmlError(ValueError):
    """Bytes that are not read as XML. `kind` is `malformed_xml`, `dtd_forbidden` or `too_large`."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def parse_xml(data: bytes) -> Element:
    """The root of a document, without comments and processing instructions.

    Raises XmlError `dtd_forbidden` for any document type declaration: no notice has one, and entities are how a small
    file becomes a large one or reads another. `too_large` above 64 MiB.
    """
    if len(data) > MAX_BYTES:
        raise XmlError("too_large", f"{len(data)} bytes of XML; the most is {MAX_BYTES}")
    if _declares_type(data):
        raise XmlError("dtd_forbidden", "the document declares a document type")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlError("malformed_xml", str(error)) from error
    # In UTF-16 the declaration is not seen in the bytes.
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlError("dtd_forbidden", "the document declares a document type")
    return root


def _declares_type(data: bytes) -> bool:
    """Whether a document type declaration stands before the first element."""
    rest = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    while found := next((end for start, end in _PROLOGUE if rest.startswith(start)), None):
        rest = rest.partition(found)[2].lstrip()
    return rest[:9].upper() == b"<!DOCTYPE"


def local_name(element: Element) -> str:
    """The element's name without its namespace."""
    return str(etree.QName(element).localname)


def canonical(root: Element) -> bytes:
    """The document as one writer puts it, so that quotes, comments and declarations make no difference.

    No C14N: it refuses namespaces that are relative, as TED's R2.0.9.S02 has them.
    """
    return bytes(etree.tostring(root, encoding="utf-8"))


class Places:
    """Pointers of a document's elements; positions below a parent are counted once."""

    def __init__(self) -> None:
        self._known: dict[Element, str] = {}

    def pointer(self, element: Element) -> str:
        """The XPath of an element, from the root."""
        if element not in self._known:
            parent = element.getparent()
            if parent is None:
                self._known[element] = f"/*:{local_name(element)}[1]"
            else:
                above = self.pointer(parent)
                seen: Counter[str] = Counter()
                for child in parent.iterchildren(etree.Element):
                    name = local_name(child)
                    seen[name] += 1
                    self._known[child] = f"{above}/*:{name}[{seen[name]}]"
        return self._known[element]


def element_at(root: Element, pointer: str) -> Element | None:
    """The element at a pointer of `Places`, or None where there is none. Raises ValueError for another pointer."""
    if not _POINTER.fullmatch(pointer):
        raise ValueError(f"{pointer!r} is no XPath of local names with positions")
    (first, place), *below = _STEP.findall(pointer)
    if local_name(root) != first or place != "1":
        return None
    here = root
    for name, position in below:
        found = here.findall(f"{{*}}{name}")
        if not 1 <= int(position) <= len(found):
            return None
        here = found[int(position) - 1]
    return here


def text_of(element: Element) -> str:
    """All text of an element, stripped; its paragraphs (`P` of TED's older schemas) are lines of it."""
    paragraphs = element.findall("{*}P")
    if paragraphs:
        return "\n".join(text for p in paragraphs if (text := "".join(p.itertext()).strip()))
    return "".join(element.itertext()).strip()


def statements(root: Element) -> Iterator[tuple[str, str]]:
    """What a notice says of the purchase, each with its path of local names; parties and contacts are passed over."""

    def walk(element: Element, path: str) -> Iterator[tuple[str, str]]:
        for child in element.iterchildren(etree.Element):
            name = local_name(child)
            if name in _NO_STATEMENTS or name.startswith("ADDRESS_"):
                continue
            if name in _STATEMENTS:
                if text := text_of(child):
                    yield f"{path}/{name}", text
            else:
                yield from walk(child, f"{path}/{name}")

    yield from walk(root, f"/{local_name(root)}")

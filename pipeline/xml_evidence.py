"""What stands at a place of an archived notice in XML, as it may be shown."""

from pipeline.errors import BadData
from pipeline.parse.ted_parties import buyer_country
from pipeline.redact import redact
from pipeline.xml_places import XmlError, element_at, parse_xml, statements, text_of


def is_xml(head: bytes) -> bool:
    """Whether bytes that begin so can be XML."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def xml_at(data: bytes, pointer: str) -> str:
    """The text of the element at a pointer of `pipeline.xml_places`; without one all that is said of the purchase.

    Redacted for the country of the notice's buyer, as when the text was first read: a source of many countries has
    none of its own. Raises BadData for bytes that are not read and for a pointer that leads nowhere.
    """
    try:
        root = parse_xml(data)
        element = element_at(root, pointer) if pointer else root
    except XmlError as error:
        raise BadData(f"The archived bytes are not XML that we read: {error}.") from error
    except ValueError as error:
        raise BadData(f"{error}.") from error
    if element is None:
        raise BadData(f"The archived XML has nothing at {pointer}.")
    said = text_of(element) if pointer else "\n".join(f"{path}: {text}" for path, text in statements(root))
    return redact(said, buyer_country(root))

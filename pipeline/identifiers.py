"""Numbers under which several publishers know one contracting process, and one way to spell each."""

import re
from collections.abc import Iterator
from typing import Final

from models.procurement import Identifier, Release

# RFC 9562: the version nibble of a random UUID is 4. eForms (BT-04) has the procedure's id be such a UUID.
_UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b", re.IGNORECASE)
# Addresses of notices in Tenders Electronic Daily, old and new, and the Official Journal's own way to number them.
_TED_URL: Final = re.compile(
    r"ted\.europa\.eu/(?:udl\?uri=TED:NOTICE:|(?:[a-z]{2}/)?notice/(?:-/detail/)?)(\d{1,8}-\d{4})\b", re.IGNORECASE
)
_OJS: Final = re.compile(r"\b(\d{4})/S\s?\d{1,3}[-–](\d{1,8})\b")
_TED: Final = re.compile(r"(\d{1,8})-(\d{4})")
# Italy's number of a lot: ten characters after its name, CIG. Law 136/2010 has every contract carry it.
_CIG: Final = re.compile(r"\bC\.?\s?I\.?\s?G\.?\s*(?:n\.?|:|-)?\s*([0-9A-Z]{10})\b")


def normal(scheme: str, number: str) -> str:
    """The number as one publisher and the other would both write it; unknown schemes are only stripped.

    `ted_notice` becomes `N-YYYY` without leading zeros, out of a publication number or of `YYYY/S NNN-N`.
    """
    text = number.strip()
    if scheme == "ted_notice":
        if journal := _OJS.search(text):
            return f"{int(journal[2])}-{journal[1]}"
        found = _TED.fullmatch(text)
        return f"{int(found[1])}-{found[2]}" if found else ""
    if scheme == "eforms_procedure":
        return text.lower()
    return text.upper() if scheme == "cig" else text


def procedures_in(text: str) -> Iterator[Identifier]:
    """eForms procedures whose UUID stands in the text, as in the ocid of a publisher that makes it of that UUID."""
    for found in _UUID.finditer(text):
        yield Identifier(scheme="eforms_procedure", id=normal("eforms_procedure", found.group()))


def ted_notices_at(url: str) -> Iterator[Identifier]:
    """The notice that an address of TED leads to."""
    for found in _TED_URL.finditer(url):
        yield Identifier(scheme="ted_notice", id=normal("ted_notice", found[1]))


def named_in_text(release: Release) -> Iterator[Identifier]:
    """Numbers that a release's own texts give with their name: the CIG of an Italian lot.

    Notices of TED are not looked for in texts: they are named there as frameworks and forerunners of other processes.
    """
    if release.country == "IT":
        for text in release.texts:
            for found in _CIG.finditer(text.text):
                # All digits alike is how forms are filled where there is none yet.
                if len(set(found[1])) > 1 and any(c.isdigit() for c in found[1]):
                    yield Identifier(scheme="cig", id=found[1])

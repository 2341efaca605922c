"""Reads notices in TED's older schema, TED_EXPORT (standard forms F01 to F25, T01, T02), into releases.

R2.0.8, until 2016, has forms of its own: of it the coded data, the titles in all languages, buyers, awards and texts
are read, lots and estimates are not.
Schema and forms: TED XML export documentation of the Publications Office (op.europa.eu, ted-schemas).

A procedure has no id here. A notice of results, modification or correction belongs to the process named after the
notice that it refers to; any other begins one of its own. A notice knows but one step back: a modification refers to
the award and not to the call, so that it makes a process of its own, joined to the former by their shared numbers.
A call for tenders is not put into the process of the planning notice it refers to, which may announce several.
"""

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from models.codes import Lifecycle, Role, ValueKind
from models.ids import contract_id, release_id, sha256_hex
from models.procurement import (
    Child,
    Classification,
    DocumentLink,
    Identifier,
    Party,
    Release,
    Status,
    Text,
    Value,
)
from models.source import SourceCard
from pipeline.parse.common import Misfit, Notes
from pipeline.parse.ted_awards import read_awards, read_company
from pipeline.parse.ted_awards_r208 import read_awards_r208
from pipeline.parse.ted_fields import (
    Reading,
    first_texts,
    make_party,
    merged_parties,
    notice_identifiers,
    published,
    ted_number,
)
from pipeline.xml_places import Element, canonical, local_name, text_of

_VERSIONS: Final = ("R2.0.9", "R2.0.8")
_FORM: Final = re.compile(r"(?:F|T)\d{2}")
# Corrigenda: they tell of another notice's fields and say nothing of the lifecycle.
_CORRIGENDUM: Final = "F14"
_TAGS: Final = {
    Lifecycle.PLANNED: "planning", Lifecycle.TENDER: "tender", Lifecycle.ACTIVE: "award",
    Lifecycle.CANCELLED: "award", Lifecycle.COMPLETE: "contract",
}  # fmt: skip
# Parts of a form whose texts are not about the purchase: addresses and contacts, remedies, names of jury members and of
# chosen participants, and additional information (VI.3), where members of committees are named.
_NO_TEXTS: Final = re.compile(
    r"ADDRESS_.*|COMPLEMENTARY_INFO|MAIN_SITE|MEMBER_NAME|PARTICIPANT_NAME|.*CONTACT.*|.*APPEAL.*|.*ORGANISATION.*"
)
_BARE_TEXTS: Final = frozenset({"AC_CRITERION", "TITLE", "SHORT_DESCR"})


def read_export(root: Element, card: SourceCard, note: Notes) -> Release:
    """One TED_EXPORT notice as a release. Raises Misfit for what it cannot do without."""
    reading = Reading(card, note)
    version = root.get("VERSION") or ""
    if not version.startswith(_VERSIONS):
        raise Misfit("unknown_schema", f"TED_EXPORT in version `{version}`", version)
    coded = reading.one(root, "CODED_DATA_SECTION")
    notice = reading.one(root, "CODED_DATA_SECTION/NOTICE_DATA")
    if coded is None or notice is None:
        raise Misfit("missing_field", "`CODED_DATA_SECTION` has no `NOTICE_DATA`")
    written = reading.word(notice, "NO_DOC_OJS")
    own = ted_number(written) or ted_number(root.get("DOC_ID") or "")
    if not own:
        raise Misfit("missing_field", "the notice has no number (`NO_DOC_OJS`)", written)
    forms = _forms(root, reading)
    main = _main(forms, notice, reading)
    form = _form_name(main)
    reading.language = reading.language_named(main.get("LG"))
    reading.country = _coded_country(notice, reading)
    published_at, published_raw = published(
        reading,
        reading.word(coded, "REF_OJS/DATE_PUB"),
        reading.word(coded, "CODIF_DATA/DS_DATE_DISPATCH")
        or reading.word(main, "COMPLEMENTARY_INFO/DATE_DISPATCH_NOTICE"),
    )
    says = _says(main, form, reading)
    buyers = tuple(_buyers(root, main, reading))
    awards, suppliers = (
        read_awards_r208(main, reading, own, says)
        if version.startswith("R2.0.8")
        else read_awards(main, reading, own, form, says)
    )
    referred = list(_referred(notice, main, reading, own))
    calls = says.lifecycle in (Lifecycle.PLANNED, Lifecycle.TENDER)
    process = own if calls or not referred else min(referred, key=lambda n: (n.split("-")[1], int(n.split("-")[0])))
    projects = reading.every(main, "OBJECT_CONTRACT")
    lots = tuple(_lots(projects, awards, reading))
    spans = [
        (reading.day(d, "DATE_START"), reading.day(d, "DATE_END"))
        for p in projects
        for d in reading.every(p, "OBJECT_DESCR")
    ]
    content = sha256_hex(canonical(root))
    return Release(
        release_id=release_id(card.id, content),
        contract_id=contract_id(card.namespace, process),
        source_id=card.id,
        native_id=process,
        portal_release_id=own,
        published_at=published_at,
        published_raw=published_raw,
        tags=tuple(_tags(form, says)),
        title=reading.redacted(_title(root, main, projects, reading)),
        language=reading.language,
        country=reading.country,
        procurement_method=_method(coded, main, reading),
        classifications=tuple(_classifications(notice, main, reading)),
        status=_status(says, awards),
        tender_ends_on=reading.day(main, "PROCEDURE/DATE_RECEIPT_TENDERS")
        or reading.day(coded, "CODIF_DATA/DT_DATE_FOR_SUBMISSION"),
        starts_on=min((start for start, _ in spans if start), default=None),
        ends_on=max((end for _, end in spans if end), default=None),
        value=_value(projects, calls, reading),
        parties=merged_parties((*buyers, *suppliers)),
        children=(*lots, *awards),
        documents=tuple(_documents(main, reading)),
        texts=tuple(first_texts(list(_texts(root, forms, reading)), reading.language)),
        identifiers=tuple(dict.fromkeys(_identifiers(main, own, written, referred, reading))),
    )


def _forms(root: Element, reading: Reading) -> list[Element]:
    section = reading.one(root, "FORM_SECTION")
    found = [] if section is None else [f for f in section.iterchildren(etree.Element) if f.get("LG")]
    if not found:
        raise Misfit("missing_field", "`FORM_SECTION` has no form with a language")
    return found


def _main(forms: list[Element], notice: Element, reading: Reading) -> Element:
    """The form in the notice's original language; some notices have several originals."""
    originals = [f for f in forms if f.get("CATEGORY") == "ORIGINAL"]
    if not originals:
        reading.note("missing_field", "no form is marked as the original; the first stands for it")
    languages = reading.word(notice, "LG_ORIG").split()
    return next((f for lg in languages for f in originals if f.get("LG") == lg), (originals or forms)[0])


def _form_name(main: Element) -> str:
    name = (main.get("FORM") or local_name(main).partition("_")[0]).upper()
    name = f"F{int(name):02d}" if name.isdigit() else name
    if not _FORM.fullmatch(name):
        raise Misfit("unsupported_form", f"`{name}` is no standard form of public procurement", local_name(main))
    return name


def _coded_country(notice: Element, reading: Reading) -> str | None:
    country = reading.one(notice, "ISO_COUNTRY")
    return reading.country_named(country.get("VALUE") or "") if country is not None else None


def _says(main: Element, form: str, reading: Reading) -> Status:
    """What the form, with its kind of notice where it serves for several, says of the process."""
    if form == _CORRIGENDUM:
        return Status()
    kind = reading.one(main, "NOTICE")
    word = f"{form}:{kind.get('TYPE')}" if kind is not None and kind.get("TYPE") else form
    return reading.mapped(f"form:{word}", word)


def _status(says: Status, awards: tuple[Child, ...]) -> Status:
    """What came of the lots; without results what the form says."""
    if (
        says.lifecycle is Lifecycle.ACTIVE
        and awards
        and not any(a.status.lifecycle is Lifecycle.ACTIVE for a in awards)
    ):
        return awards[0].status
    return says


def _tags(form: str, says: Status) -> Iterator[str]:
    if form == _CORRIGENDUM:
        yield "amendment"
    elif form == "F20":
        yield "contractAmendment"
    elif says.lifecycle in _TAGS:
        yield _TAGS[says.lifecycle]


def _referred(notice: Element, main: Element, reading: Reading, own: str) -> Iterator[str]:
    """Numbers of the notices that this one refers to as earlier ones of its procedure."""
    written = [
        *reading.every(notice, "REF_NOTICE/NO_DOC_OJS"),
        *reading.every(main, "PROCEDURE/NOTICE_NUMBER_OJ"),
        *reading.every(main, "COMPLEMENTARY_INFO/NOTICE_NUMBER_OJ"),
    ]
    found = dict.fromkeys(ted_number(text_of(one)) for one in written if text_of(one))
    if "" in found:
        reading.note("unreadable_number", "a number of an earlier notice is none")
    yield from (number for number in found if number and number != own)


def _buyers(root: Element, main: Element, reading: Reading) -> Iterator[Party]:
    found = False
    body = reading.one(main, "CONTRACTING_BODY")
    for address in body.iterchildren(etree.Element) if body is not None else ():
        if local_name(address) in ("ADDRESS_CONTRACTING_BODY", "ADDRESS_CONTRACTING_BODY_ADDITIONAL"):
            company = read_company(address, reading)
            if company.name:
                found = True
                yield make_party(
                    "", company.name, (Role.BUYER,), country=company.country or reading.country, numbers=company.numbers
                )
    if not found:
        for name in reading.every(root, "TRANSLATION_SECTION/ML_AA_NAMES/AA_NAME"):
            if text_of(name):
                yield make_party("", text_of(name), (Role.BUYER,), country=reading.country)
                return
        raise Misfit("missing_field", "no buyer is named")


def _title(root: Element, main: Element, projects: list[Element], reading: Reading) -> str:
    for project in projects:
        if title := reading.word(project, "TITLE"):
            return title
    titles = reading.every(root, "TRANSLATION_SECTION/ML_TITLES/ML_TI_DOC")
    for one in (*(t for t in titles if t.get("LG") == main.get("LG")), *titles):
        if title := reading.word(one, "TI_TEXT"):
            return title
    reading.note("missing_field", "the purchase has no title")
    return ""


def _method(coded: Element, main: Element, reading: Reading) -> str | None:
    procedure = reading.one(main, "PROCEDURE")
    found = procedure.iter("{*}*") if procedure is not None else ()
    said = next((local_name(e) for e in found if local_name(e).startswith("PT_")), None)
    return said or reading.word(coded, "CODIF_DATA/PR_PROC") or None


def _classifications(notice: Element, main: Element, reading: Reading) -> Iterator[Classification]:
    seen = set()
    coded = [c.get("CODE") or "" for c in reading.every(notice, "ORIGINAL_CPV")]
    inside = [c.get("CODE") or "" for c in main.iterfind(".//{*}CPV_MAIN/{*}CPV_CODE")]
    more = [c.get("CODE") or "" for c in main.iterfind(".//{*}CPV_ADDITIONAL/{*}CPV_CODE")]
    for code in (*inside, *more, *coded):
        if (found := reading.cpv(code)) is not None and found not in seen:
            seen.add(found)
            yield found


def _value(projects: list[Element], calls: bool, reading: Reading) -> Value | None:
    for project in projects:
        names = (("VAL_ESTIMATED_TOTAL", ValueKind.ESTIMATE),)
        for name, kind in names if calls else (("VAL_TOTAL", ValueKind.AWARD), *names):
            if (found := reading.amount(reading.one(project, name), kind, "CURRENCY")) is not None:
                return found
        if reading.one(project, "VAL_RANGE_TOTAL") is not None:
            reading.note("value_range", "the value is given as a range and is not kept")
    return None


def _lots(projects: list[Element], awards: tuple[Child, ...], reading: Reading) -> Iterator[Child]:
    """Lots of a purchase that is divided; a lot's status is what came of it."""
    came = {lot: award.status for award in awards for lot in award.lot_ids if award.status.raw}
    seen = set()
    for project in projects:
        for number, lot in enumerate(reading.every(project, "OBJECT_DESCR"), 1):
            if reading.one(project, "LOT_DIVISION") is None and not reading.word(lot, "LOT_NO"):
                continue
            native_id = reading.word(lot, "LOT_NO") or lot.get("ITEM") or str(number)
            if native_id in seen:
                reading.note("repeated_id", f"two lots have the number `{native_id}`", native_id)
                continue
            seen.add(native_id)
            yield Child(
                kind="lot",
                native_id=native_id,
                title=reading.redacted(reading.word(lot, "TITLE")),
                status=came.get(native_id, Status()),
                starts_on=reading.day(lot, "DATE_START"),
                ends_on=reading.day(lot, "DATE_END"),
                value=reading.amount(reading.one(lot, "VAL_OBJECT"), ValueKind.ESTIMATE, "CURRENCY"),
            )


def _documents(main: Element, reading: Reading) -> Iterator[DocumentLink]:
    for address in reading.every(main, "CONTRACTING_BODY/URL_DOCUMENT"):
        if (found := reading.link(text_of(address), kind="tender documents")) is not None:
            yield found


def _texts(root: Element, forms: list[Element], reading: Reading) -> Iterator[Text]:
    """Paragraphs of every language's form, and the titles that TED translates into all of them."""

    def walk(element: Element, language: str | None) -> Iterator[Text]:
        for child in element.iterchildren(etree.Element):
            name = local_name(child)
            if _NO_TEXTS.fullmatch(name):
                continue
            if child.find("{*}P") is not None or name in _BARE_TEXTS:
                if text := reading.text(child, language):
                    yield text
            else:
                yield from walk(child, language)

    for form in forms:
        yield from walk(form, reading.language_named(form.get("LG")))
    for title in reading.every(root, "TRANSLATION_SECTION/ML_TITLES/ML_TI_DOC"):
        said = reading.one(title, "TI_TEXT")
        if said is not None and (text := reading.text(said, reading.language_named(title.get("LG")))):
            yield text


def _identifiers(main: Element, own: str, written: str, referred: list[str], reading: Reading) -> Iterator[Identifier]:
    yield from notice_identifiers(own, *referred)
    if written:
        yield Identifier(scheme="ted_ojs", id=" ".join(written.split()))
    for project in reading.every(main, "OBJECT_CONTRACT"):
        if number := reading.word(project, "REFERENCE_NUMBER"):
            yield Identifier(scheme="buyer_reference", id=reading.redacted(number))

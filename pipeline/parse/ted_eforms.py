"""Reads eForms notices (UBL 2.3 with the Union's extensions) into releases.

Fields and codes: eForms SDK (docs.ted.europa.eu/eforms); BT-… are its business terms. A procedure's id (BT-04,
`cbc:ContractFolderID`) is the process. A planning notice belongs to no procedure yet and is a process of its own;
the procedure's notices name it (BT-125), which joins them by number without making them one.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from lxml import etree

from models.codes import Basis, Lifecycle, Role, ValueKind
from models.ids import contract_id, release_id, sha256_hex
from models.procurement import Child, Classification, DocumentLink, Identifier, Party, Release, Status, Text, Value
from models.source import SourceCard
from pipeline.identifiers import normal, procedures_in
from pipeline.parse.common import Misfit, Notes
from pipeline.parse.ted_fields import Reading, first_texts, merged_parties, notice_identifiers, published, ted_number
from pipeline.parse.ted_parties import Organisations, read_organisations
from pipeline.parse.ted_results import Results, read_results
from pipeline.xml_places import Element, canonical, local_name, text_of

ROOTS: Final = frozenset({"ContractNotice", "PriorInformationNotice", "ContractAwardNotice"})
_EXTENSION: Final = "UBLExtensions/UBLExtension/ExtensionContent/EformsExtension"
# Form types (BT-03) of notices that may stand before any procedure.
_BEFORE: Final = frozenset({"planning", "consultation"})
_TAGS: Final = (
    ("planning", "planning"), ("consultation", "planning"), ("competition", "tender"), ("dir-awa-pre", "award"),
    ("result", "award"), ("cont-modif", "contractAmendment"), ("completion", "contract"),
)  # fmt: skip
# Reasons of a change (BT-140) that leave the lifecycle as it was.
_QUIET_CHANGES: Final = frozenset({"cancel-intent", "cor-buy", "cor-esen", "cor-pub", "info-release", "update-add"})
# Elements whose texts are not about the purchase: remedies, parties, legal references, addresses, payment.
_NO_TEXTS: Final = frozenset(
    [
        "Appeals", "AppealTerms", "FieldsPrivacy", "Organizations", "TenderingParty", "OpenTenderEvent",
        "RealizedLocation", "PaymentTerms", "RequiredFinancialGuarantee", "ProcurementLegislationDocumentReference",
        "TendererQualificationRequest", "AppealRequestsStatistics", "ContractingParty", "EconomicOperatorShortList",
        "PartyName", "TechnicalCommitteePerson",
    ]
)  # fmt: skip


def read_eforms(root: Element, card: SourceCard, note: Notes) -> Release:
    """One eForms notice as a release. Raises Misfit for what it cannot do without."""
    reading = Reading(card, note)
    for name in ("CustomizationID", "ID", "NoticeTypeCode", "NoticeLanguageCode"):
        if not reading.word(root, name):
            raise Misfit("missing_field", f"`cbc:{name}` is missing")
    reading.language = reading.language_named(reading.word(root, "NoticeLanguageCode"))
    kind = reading.word(root, "NoticeTypeCode")
    type_of = reading.one(root, "NoticeTypeCode")
    form = (type_of.get("listName") or "") if type_of is not None else ""
    process = _process(root, reading, form)
    extension = reading.one(root, _EXTENSION)
    organisations = read_organisations(extension, reading, reading.word(root, "ID"))
    buyers = _buyers(root, reading, organisations)
    reading.country = next((c for b in buyers if (c := organisations.country(b))), None)
    publication = reading.one(extension, "Publication") if extension is not None else None
    published_at, published_raw = published(
        reading, reading.word(publication, "PublicationDate"), reading.word(root, "IssueDate")
    )
    change = _change(extension, reading)
    stands = change or reading.mapped(f"notice:{kind}", kind)
    results = read_results(extension, reading, organisations, stands)
    if change is not None:
        # What is withdrawn or halted is all that the notice tells of.
        results.children = [c.model_copy(update={"status": change}) for c in results.children]
        results.lots = dict.fromkeys(results.lots, change)
    project = reading.one(root, "ProcurementProject")
    lots = tuple(_lots(root, reading, results))
    for lot in sorted(results.lots.keys() - {c.native_id for c in lots}):
        reading.note("missing_field", f"there is a result of the lot `{lot}`, which is not described", lot)
    parties = organisations.parties()
    children = (*lots, *(_with_local_ids(c, parties) for c in results.children))
    number = ted_number(reading.word(publication, "NoticePublicationID"))
    title = _in_language(reading, project, "Name") if project is not None else ""
    if not title:
        reading.note("missing_field", "the purchase has no title (BT-21)")
    content = sha256_hex(canonical(root))
    return Release(
        release_id=release_id(card.id, content),
        contract_id=contract_id(card.namespace, process),
        source_id=card.id,
        native_id=process,
        portal_release_id=number or f"{reading.word(root, 'ID')}-{reading.word(root, 'VersionID') or '01'}",
        published_at=published_at,
        published_raw=published_raw,
        tags=tuple(_tags(form, extension, reading)),
        title=reading.redacted(title or next((c.title for c in lots if c.title), "")),
        language=reading.language,
        country=reading.country,
        procurement_method=reading.word(root, "TenderingProcess/ProcedureCode") or None,
        classifications=tuple(_classifications(root, reading)),
        status=_status(stands, change, results),
        tender_ends_on=max(
            _days(root, reading, "TenderingProcess/TenderSubmissionDeadlinePeriod/EndDate"), default=None
        )
        or max(_days(root, reading, "TenderingProcess/ParticipationRequestReceptionPeriod/EndDate"), default=None),
        starts_on=min((c.starts_on for c in lots if c.starts_on), default=None),
        ends_on=max((c.ends_on for c in lots if c.ends_on), default=None),
        value=results.value or _estimate(project, reading),
        parties=merged_parties(parties.values()),
        children=children,
        documents=tuple(_documents(root, extension, reading)),
        texts=tuple(first_texts(list(_texts(root, reading)), reading.language)),
        identifiers=tuple(dict.fromkeys(_identifiers(root, extension, reading, process))),
    )


def _with_local_ids(child: Child, parties: Mapping[str, Party]) -> Child:
    suppliers = (parties[technical].local_id for technical in child.supplier_ids)
    return child.model_copy(update={"supplier_ids": tuple(dict.fromkeys(suppliers))})


def _process(root: Element, reading: Reading, form: str) -> str:
    folder = reading.word(root, "ContractFolderID")
    if folder:
        return folder.lower()
    if form not in _BEFORE:
        raise Misfit("missing_field", "`cbc:ContractFolderID` is missing from a notice of a procedure")
    # A change is a notice with an id of its own; the one before it is named.
    changed = reading.word(root, f"{_EXTENSION}/Changes/ChangedNoticeIdentifier")
    return _without_version(changed) or reading.word(root, "ID").lower()


def _without_version(reference: str) -> str:
    """`9c0fd704-…-01` without its version; a notice's number as `N-YYYY`."""
    if number := ted_number(reference):
        return number
    head, _, version = reference.rpartition("-")
    return (head if head.count("-") == 4 and len(version) == 2 else reference).lower()


def _buyers(root: Element, reading: Reading, organisations: Organisations) -> list[str]:
    ids = [text_of(one) for one in reading.every(root, "ContractingParty/Party/PartyIdentification/ID")]
    if not any(ids):
        raise Misfit("missing_field", "no buyer is named (OPT-300)")
    return [given for one in ids if one and (given := organisations.give(one, Role.BUYER))]


def _change(extension: Element | None, reading: Reading) -> Status | None:
    """The status that a change announces by its reason, or None."""
    if extension is None:
        return None
    for reason in reading.every(extension, "Changes/ChangeReason/ReasonCode"):
        code = text_of(reason)
        if code in _QUIET_CHANGES:
            continue
        found = reading.mapped(f"change:{code}", code, Basis.EVENT)
        if found.lifecycle is not Lifecycle.UNKNOWN:
            return found
    named = reading.every(extension, "Changes/Change/ChangedSection/ChangedSectionIdentifier")
    if reading.one(extension, "Changes") is not None and not any(text_of(one) for one in named):
        # Without it the history of the procedure cannot say what became of what (BT-13716).
        reading.note("unnamed_change", "a change names no section of the notice that it changes")
    return None


def _status(stands: Status, change: Status | None, results: Results) -> Status:
    """The process's status: a change's, else the best that came of any lot, else what the notice's type says."""
    if change is not None or not results.lots or stands.lifecycle is not Lifecycle.ACTIVE:
        return stands
    for lifecycle in (Lifecycle.ACTIVE, Lifecycle.TENDER, Lifecycle.CANCELLED):
        for status in results.lots.values():
            if status.lifecycle is lifecycle:
                return status
    return next(iter(results.lots.values()))


def _tags(form: str, extension: Element | None, reading: Reading) -> Iterator[str]:
    found = dict(_TAGS).get(form)
    if found is None:
        reading.note("unknown_code", f"`{form}` is no form type of eForms", form)
    else:
        yield found
    if extension is not None and reading.one(extension, "Changes") is not None:
        yield "amendment"


def _in_language(reading: Reading, below: Element, path: str) -> str:
    """The text in the notice's main language, else the first."""
    found = reading.every(below, path)
    if len({e.get("languageID") for e in found}) < len(found):
        reading.note("repeated_field", f"`{path}` stands more than once in one language")
    own = [e for e in found if e.get("languageID") and reading.language_named(e.get("languageID")) == reading.language]
    return next((text for e in (*own, *found) if (text := text_of(e))), "")


def _lots(root: Element, reading: Reading, results: Results) -> Iterator[Child]:
    """Lots, and parts of planning notices. A group of lots (`GLO-…`) is a way to tender for them and no lot."""
    seen = set()
    for lot in reading.every(root, "ProcurementProjectLot"):
        native_id = reading.word(lot, "ID")
        identifier = reading.one(lot, "ID")
        if identifier is None or not native_id:
            raise Misfit("missing_field", "a lot has no id (BT-137)")
        if identifier.get("schemeName") == "LotsGroup":
            continue
        if native_id in seen:
            reading.note("repeated_id", f"two lots have the id `{native_id}`", native_id)
            continue
        seen.add(native_id)
        project = reading.one(lot, "ProcurementProject")
        title = _in_language(reading, project, "Name") if project is not None else ""
        yield Child(
            kind="lot",
            native_id=native_id,
            title=reading.redacted(title),
            status=results.lots.get(native_id, Status()),
            starts_on=reading.day(project, "PlannedPeriod/StartDate"),
            ends_on=reading.day(project, "PlannedPeriod/EndDate"),
            value=_estimate(project, reading),
        )


def _estimate(project: Element | None, reading: Reading) -> Value | None:
    if project is None:
        return None
    found = reading.amount(
        reading.one(project, "RequestedTenderTotal/EstimatedOverallContractAmount"), ValueKind.ESTIMATE, "currencyID"
    )
    return found or reading.amount(
        reading.one(project, f"RequestedTenderTotal/{_EXTENSION}/FrameworkMaximumAmount"),
        ValueKind.FRAMEWORK_CEILING,
        "currencyID",
    )


def _classifications(root: Element, reading: Reading) -> Iterator[Classification]:
    seen = set()
    for where in ("ProcurementProject", "ProcurementProjectLot/ProcurementProject"):
        for name in ("MainCommodityClassification", "AdditionalCommodityClassification"):
            for one in reading.every(root, f"{where}/{name}"):
                code = reading.word(one, "ItemClassificationCode")
                if not code:
                    reading.note("missing_field", f"`cac:{name}` has no code")
                elif (found := reading.cpv(code)) is not None and found not in seen:
                    seen.add(found)
                    yield found


def _days(root: Element, reading: Reading, path: str) -> list[date]:
    return [d for lot in reading.every(root, "ProcurementProjectLot") if (d := reading.day(lot, path))]


def _documents(root: Element, extension: Element | None, reading: Reading) -> Iterator[DocumentLink]:
    seen = set()
    for one in root.iterfind(".//{*}CallForTendersDocumentReference"):
        kind = reading.word(one, "DocumentType")
        for address in reading.every(one, "Attachment/ExternalReference/URI"):
            found = reading.link(text_of(address), reading.word(one, "ID"), kind)
            if found is not None and found.url not in seen:
                seen.add(found.url)
                yield found
    for address in reading.every(extension, "NoticeResult/SettledContract/URI") if extension is not None else ():
        found = reading.link(text_of(address), kind="contract")
        if found is not None and found.url not in seen:
            seen.add(found.url)
            yield found


def _texts(root: Element, reading: Reading) -> Iterator[Text]:
    """Every text that names its language, wherever it stands, but for what is not about the purchase."""

    def walk(element: Element) -> Iterator[Text]:
        for child in element.iterchildren(etree.Element):
            if local_name(child) in _NO_TEXTS:
                continue
            language = child.get("languageID")
            if language is None:
                yield from walk(child)
            elif text := reading.text(child, reading.language_named(language)):
                yield text

    yield from walk(root)


def _identifiers(root: Element, extension: Element | None, reading: Reading, process: str) -> Iterator[Identifier]:
    """Numbers of the procedure and of its notices, own and referred to.

    A framework's notice (OPT-100) and the buyer's own file number (BT-22) are kept under schemes that join nothing:
    other procedures share them.
    """
    if reading.word(root, "ContractFolderID"):
        found = list(procedures_in(process))
        yield from found or [Identifier(scheme="procedure", id=process)]
    yield Identifier(scheme="eforms_notice", id=normal("eforms_procedure", reading.word(root, "ID")))
    for path, holder in (
        ("Publication/NoticePublicationID", extension),
        ("Changes/ChangedNoticeIdentifier", extension),
        ("ContractModification/ChangedNoticeIdentifier", extension),
        ("TenderingProcess/NoticeDocumentReference/ID", root),
        ("ProcurementProjectLot/TenderingProcess/NoticeDocumentReference/ID", root),
    ):
        for one in reading.every(holder, path) if holder is not None else ():
            said = text_of(one)
            if ted_number(said):
                yield from notice_identifiers(said)
            elif said.count("-") >= 4:
                yield Identifier(scheme="eforms_notice", id=_without_version(said))
    for path, scheme in (
        ("NoticeResult/SettledContract/NoticeDocumentReference/ID", "framework_notice"),
        ("Publication/GazetteID", "ted_ojs"),
    ):
        for one in reading.every(extension, path) if extension is not None else ():
            if text_of(one):
                yield Identifier(scheme=scheme, id=ted_number(text_of(one)) or text_of(one))
    if number := reading.word(root, "ProcurementProject/ID"):
        yield Identifier(scheme="buyer_reference", id=reading.redacted(number))

"""TED: finds by token, each notice in XML; a search that fails now and then without saying so."""

import json
from collections.abc import Callable
from typing import Any

from scrapy import Request

from models.codes import Lifecycle, Outcome
from tests.driver import Answers, Portal, Reply, StatusWord, Walk, query

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_EFORMS = "http://data.europa.eu/p27/eforms-ubl-extension"
UUID = "0f0f0f0f-1111-4222-8333-{:012d}"
_ROOTS = {
    "planning": "PriorInformationNotice",
    "consultation": "PriorInformationNotice",
    "competition": "ContractNotice",
}
_EXPORT = "http://publications.europa.eu/resource/schema/ted/R2.0.9/publication"


def eforms(
    kind: str = "cn-standard",
    form: str = "competition",
    *,
    number: int = 1,
    extension: str = "",
    body: str = "",
    version: str = "<cbc:CustomizationID>eforms-sdk-1.13</cbc:CustomizationID>",
    project: str = '<cbc:Name languageID="ENG">Cameras with facial recognition</cbc:Name>',
    organisations: str = "",
) -> bytes:
    """An eForms notice with the fields that every one has, as TED publishes it."""
    root = _ROOTS.get(form, "ContractAwardNotice")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<{root} xmlns="{_UBL}{root}-2" xmlns:cac="{_UBL}CommonAggregateComponents-2" xmlns:cbc="{_UBL}CommonBasicComponents-2"
 xmlns:ext="{_UBL}CommonExtensionComponents-2" xmlns:efext="{_EFORMS}s/1" xmlns:efac="{_EFORMS}-aggregate-components/1"
 xmlns:efbc="{_EFORMS}-basic-components/1">
 <ext:UBLExtensions><ext:UBLExtension><ext:ExtensionContent><efext:EformsExtension>
  {extension}
  <efac:NoticeSubType><cbc:SubTypeCode listName="notice-subtype">16</cbc:SubTypeCode></efac:NoticeSubType>
  <efac:Organizations>
   <efac:Organization><efac:Company>
    <cac:PartyIdentification><cbc:ID schemeName="organization">ORG-0001</cbc:ID></cac:PartyIdentification>
    <cac:PartyName><cbc:Name languageID="ENG">Example City Police</cbc:Name></cac:PartyName>
    <cac:PostalAddress><cbc:StreetName>1 Example Street</cbc:StreetName>
     <cac:Country><cbc:IdentificationCode listName="country">IRL</cbc:IdentificationCode></cac:Country>
    </cac:PostalAddress>
    <cac:PartyLegalEntity><cbc:CompanyID>EX-1001</cbc:CompanyID></cac:PartyLegalEntity>
    <cac:Contact><cbc:Name>Jo Bloggs</cbc:Name>
     <cbc:ElectronicMail>jo.bloggs@city.example</cbc:ElectronicMail></cac:Contact>
   </efac:Company></efac:Organization>
   {organisations}
  </efac:Organizations>
  <efac:Publication>
   <efbc:NoticePublicationID schemeName="ojs-notice-id">{number:08d}-2026</efbc:NoticePublicationID>
   <efbc:GazetteID schemeName="ojs-id">210/2026</efbc:GazetteID>
   <efbc:PublicationDate>2026-11-03+01:00</efbc:PublicationDate>
  </efac:Publication>
 </efext:EformsExtension></ext:ExtensionContent></ext:UBLExtension></ext:UBLExtensions>
 <cbc:UBLVersionID>2.3</cbc:UBLVersionID>
 {version}
 <cbc:ID schemeName="notice-id">{UUID.format(number)}</cbc:ID>
 <cbc:ContractFolderID>{UUID.format(900000 + number)}</cbc:ContractFolderID>
 <cbc:IssueDate>2026-11-02+01:00</cbc:IssueDate>
 <cbc:VersionID>01</cbc:VersionID>
 <cbc:NoticeTypeCode listName="{form}">{kind}</cbc:NoticeTypeCode>
 <cbc:NoticeLanguageCode>ENG</cbc:NoticeLanguageCode>
 <cac:ContractingParty><cac:Party><cac:PartyIdentification>
  <cbc:ID schemeName="organization">ORG-0001</cbc:ID>
 </cac:PartyIdentification></cac:Party></cac:ContractingParty>
 <cac:TenderingProcess><cbc:ProcedureCode listName="procurement-procedure-type">open</cbc:ProcedureCode>
 </cac:TenderingProcess>
 <cac:ProcurementProject>{project}
  <cac:MainCommodityClassification>
   <cbc:ItemClassificationCode listName="cpv">35125300</cbc:ItemClassificationCode>
  </cac:MainCommodityClassification>
 </cac:ProcurementProject>
 {body}
</{root}>""".encode()


def result(code: str) -> bytes:
    """A notice of results with one lot of that outcome."""
    return eforms(
        "can-standard",
        "result",
        extension=f"""<efac:NoticeResult><efac:LotResult><cbc:ID schemeName="result">RES-0001</cbc:ID>
        <cbc:TenderResultCode listName="winner-selection-status">{code}</cbc:TenderResultCode>
        <efac:TenderLot><cbc:ID schemeName="Lot">LOT-0001</cbc:ID></efac:TenderLot></efac:LotResult>
        </efac:NoticeResult>""",
    )


def change(code: str) -> bytes:
    """A call that is changed for that reason."""
    return eforms(
        extension=f"""<efac:Changes><efbc:ChangedNoticeIdentifier>{UUID.format(7)}-01</efbc:ChangedNoticeIdentifier>
        <efac:ChangeReason><cbc:ReasonCode listName="change-corrig-justification">{code}</cbc:ReasonCode>
        </efac:ChangeReason></efac:Changes>"""
    )


def export(
    form: str, kind: str = "", *, inside: str = "", refers: str = "", number: str = "2022/S 035-000123"
) -> bytes:
    """A notice in TED's older schema, in two languages of which German is the original."""
    notice = f'<NOTICE TYPE="{kind}"/>' if kind else ""
    reference = f"<REF_NOTICE><NO_DOC_OJS>{refers}</NO_DOC_OJS></REF_NOTICE>" if refers else ""

    def version(category: str, language: str, title: str) -> str:
        return f"""<{form}_2014 CATEGORY="{category}" FORM="{form}" LG="{language}">{notice}
        <CONTRACTING_BODY><ADDRESS_CONTRACTING_BODY><OFFICIALNAME>Beispielstadt</OFFICIALNAME>
         <NATIONALID>EX 77</NATIONALID><COUNTRY VALUE="DE"/><CONTACT_POINT>Erika Mustermann</CONTACT_POINT>
         <E_MAIL>erika.mustermann@beispielstadt.example</E_MAIL></ADDRESS_CONTRACTING_BODY></CONTRACTING_BODY>
        <OBJECT_CONTRACT><TITLE><P>{title}</P></TITLE><REFERENCE_NUMBER>B-7</REFERENCE_NUMBER>
         <CPV_MAIN><CPV_CODE CODE="35125300"/></CPV_MAIN></OBJECT_CONTRACT>
        {inside}
        <COMPLEMENTARY_INFO><INFO_ADD><P>Kommission: Max Mustermann</P></INFO_ADD></COMPLEMENTARY_INFO></{form}_2014>"""

    return f"""<?xml version="1.0" encoding="UTF-8"?>
<TED_EXPORT xmlns="{_EXPORT}" VERSION="R2.0.9.S05.E01" DOC_ID="123-2022" EDITION="2022035">
 <CODED_DATA_SECTION>
  <REF_OJS><COLL_OJ>S</COLL_OJ><NO_OJ>35</NO_OJ><DATE_PUB>20220218</DATE_PUB></REF_OJS>
  <NOTICE_DATA><NO_DOC_OJS>{number}</NO_DOC_OJS><LG_ORIG>DE</LG_ORIG><ISO_COUNTRY VALUE="DE"/>
   <ORIGINAL_CPV CODE="35125300">Security cameras</ORIGINAL_CPV>{reference}</NOTICE_DATA>
  <CODIF_DATA><DS_DATE_DISPATCH>20220216</DS_DATE_DISPATCH><PR_PROC CODE="1">Open procedure</PR_PROC></CODIF_DATA>
 </CODED_DATA_SECTION>
 <TRANSLATION_SECTION><ML_TITLES><ML_TI_DOC LG="FR"><TI_CY>Allemagne</TI_CY>
  <TI_TEXT><P>Caméras de sécurité</P></TI_TEXT></ML_TI_DOC></ML_TITLES></TRANSLATION_SECTION>
 <FORM_SECTION>
  {version("TRANSLATION", "EN", "Cameras with facial recognition")}
  {version("ORIGINAL", "DE", "Kameras mit Gesichtserkennung")}
 </FORM_SECTION>
</TED_EXPORT>""".encode()


def lost(reason: str) -> bytes:
    """A notice of results whose one section says that nothing was awarded."""
    section = f"<NO_AWARDED_CONTRACT><{reason}/></NO_AWARDED_CONTRACT>"
    return export("F03", inside=f'<AWARD_CONTRACT ITEM="1">{section}</AWARD_CONTRACT>')


def finds(*numbers: int, total: int | None, token: str | None = "t", **changes: Any) -> Reply:
    """A page of finds as the search API answers it."""
    value = {
        "notices": [
            {
                "publication-number": f"{number:08d}-2026",
                "notice-type": "cn-standard",
                "publication-date": "2026-11-03+01:00",
                "links": {"xml": {"MUL": f"https://ted.europa.eu/en/notice/{number:08d}-2026/xml"}},
            }
            for number in numbers
        ],
        "totalNoticeCount": total,
        "iterationNextToken": token,
        "timedOut": False,
        **changes,
    }
    return Reply(json.dumps(value).encode())


def xml(body: bytes) -> Reply:
    return Reply(body, content_type="application/xml")


def _notice(request: Request) -> Reply:
    number = int(request.url.split("/notice/")[1].split("-")[0])
    return xml(eforms(number=number))


def portal(search: Callable[[Any], Reply], notice: Callable[[Request], Reply] = _notice) -> Portal:
    """Answers of the search by the token that is sent (None on the first page), and of notices."""

    def answer(request: Request) -> Reply:
        if request.method == "POST":
            return search(json.loads(request.body).get("iterationNextToken"))
        assert request.headers["Accept"] == b"application/xml"
        return notice(request)

    return answer


def _always(reply: Reply) -> Portal:
    return portal(lambda _: reply)


def _statuses() -> list[StatusWord]:
    planned, tender, active = Lifecycle.PLANNED, Lifecycle.TENDER, Lifecycle.ACTIVE
    words = [
        StatusWord(f"notice:{kind}", eforms(kind, form), lifecycle)
        for form, lifecycle, kinds in (
            ("planning", planned, "pin-buyer pin-only pin-rtl pin-tran"),
            ("consultation", planned, "pmc"),
            ("competition", planned, "qu-sy"),
            ("competition", tender, "pin-cfc-standard pin-cfc-social cn-standard cn-social cn-desg subco"),
            ("dir-awa-pre", active, "veat"),
            ("result", active, "can-standard can-social can-desg can-tran"),
            ("cont-modif", active, "can-modif"),
            ("completion", Lifecycle.COMPLETE, "compl"),
        )
        for kind in kinds.split()
    ]
    words += [
        StatusWord("result:selec-w", result("selec-w"), active),
        StatusWord("result:clos-nw", result("clos-nw"), Lifecycle.CANCELLED),
        StatusWord("result:open-nw", result("open-nw"), tender),
        StatusWord("change:cancel", change("cancel"), Lifecycle.CANCELLED),
        StatusWord("change:susp-review", change("susp-review"), Lifecycle.SUSPENDED),
    ]
    forms = {
        planned: "F01 F01:PRI_ONLY F01:PRI_REDUCING_TIME_LIMITS F04 F04:PER_ONLY F04:PER_REDUCING_TIME_LIMITS F07"
        " F07:QSU_ONLY F08 F16 F21:PRI_ONLY F22:PER_ONLY F22:QSU_ONLY F23:PRI_ONLY T01",
        tender: "F01:PRI_CALL_COMPETITION F02 F04:PER_CALL_COMPETITION F05 F07:QSU_CALL_COMPETITION F09 F10 F11 F12 F17"
        " F19 F21:PRI_CALL_COMPETITION F21:CONTRACT F22:PER_CALL_COMPETITION F22:QSU_CALL_COMPETITION F22:CONTRACT F24",
        active: "F03 F06 F13 F15 F18 F20 F21:AWARD_CONTRACT F22:AWARD_CONTRACT F23:CONCESSION_AWARD_CONTRACT F25 T02",
    }
    for lifecycle, keys in forms.items():
        for key in keys.split():
            form, _, kind = key.partition(":")
            words.append(StatusWord(f"form:{key}", export(form, kind), lifecycle))
    for reason in ("PROCUREMENT_UNSUCCESSFUL", "PROCUREMENT_DISCONTINUED"):
        words.append(StatusWord(f"award:{reason}", lost(reason), Lifecycle.CANCELLED))
    return words


_CHALLENGE = Reply(
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>", content_type="text/html"
)
_REFUSED = Reply(b'{"message":"Syntax error in the query near FT","errorType":"QUERY_SYNTAX_ERROR"}', 400)
_PAGES = {None: finds(1, 2, total=3, token="a"), "a": finds(3, total=3, token="b")}

ANSWERS = Answers(
    queries=(query("facial recognition"),),
    walks={
        # The page after the last has a token too, and is not asked for.
        "pages": Walk(portal(lambda token: _PAGES[token]), Outcome.COMPLETE, records=3),
        "empty": Walk(_always(finds(total=0)), Outcome.EMPTY),
        "malformed": Walk(_always(Reply(b'{"notices": [')), Outcome.FAILED, kinds=frozenset({"malformed_json"})),
        "error_in_200": Walk(
            _always(Reply(b'{"message": "An error has occurred."}')), Outcome.FAILED, kinds=frozenset({"error_in_200"})
        ),
        "challenge": Walk(_always(_CHALLENGE), Outcome.BLOCKED, kinds=frozenset({"challenge_page"})),
        # A notice whose version of eForms has another name is rejected, its neighbour is read.
        "changed_field": Walk(
            portal(
                lambda _: finds(1, 2, total=2),
                lambda r: (
                    xml(eforms(version="<cbc:ProfileID>x</cbc:ProfileID>")) if "00000001" in r.url else _notice(r)
                ),
            ),
            Outcome.PARTIAL,
            records=2,
        ),
        "no_total": Walk(_always(finds(total=None, token=None)), Outcome.FAILED, kinds=frozenset({"no_total"})),
        "timed_out": Walk(_always(finds(1, total=9, timedOut=True)), Outcome.FAILED, kinds=frozenset({"timed_out"})),
        "refused": Walk(_always(_REFUSED), Outcome.FAILED, kinds=frozenset({"http_400"})),
        "short": Walk(
            portal(lambda token: finds(total=3) if token else finds(1, 2, total=3)),
            Outcome.PARTIAL,
            records=2,
            kinds=frozenset({"short_of_total"}),
        ),
        "other_number": Walk(
            _always(Reply(b'{"notices": [{"publication-number": "x"}], "totalNoticeCount": 1}')),
            Outcome.FAILED,
            kinds=frozenset({"wrong_type"}),
        ),
        "no_notice": Walk(
            portal(lambda _: finds(1, 2, total=2), lambda r: Reply(b"", 404) if "00000001" in r.url else _notice(r)),
            Outcome.PARTIAL,
            records=1,
            kinds=frozenset({"http_404"}),
        ),
        "web_page": Walk(
            portal(lambda _: finds(1, total=1), lambda _: Reply(b"<html><body>TED</body></html>", 200, "text/html")),
            Outcome.BLOCKED,
            kinds=frozenset({"html_instead_of_xml"}),
        ),
        "busy": Walk(_always(Reply(b"", 429)), Outcome.BLOCKED, kinds=frozenset({"http_429"})),
    },
    statuses=_statuses(),
)

"""USAspending.gov: finds page by page in two groups of award types, each award's own record, then its transactions."""

import copy
import json
from typing import Any
from urllib.parse import unquote

from scrapy import Request

from models.codes import Lifecycle, Outcome
from tests.driver import Answers, Portal, Reply, StatusWord, Walk, query

SEARCH = "https://api.usaspending.gov/api/v2/search/spending_by_award/"
TRANSACTIONS = "https://api.usaspending.gov/api/v2/transactions/"
AWARDS = "https://api.usaspending.gov/api/v2/awards/"
_AGENCY = {
    "id": 9901,
    "has_agency_page": True,
    "toptier_agency": {
        "name": "Example Department of Ports",
        "code": "970",
        "abbreviation": "EDP",
        "slug": "example-department-of-ports",
    },
    "subtier_agency": {"name": "Example Harbour Guard", "code": "9701", "abbreviation": "EHG"},
    "office_agency_name": "EXAMPLE CONTRACTING DIVISION 1",
}
_PLACE = {
    "location_country_code": "USA", "country_name": "UNITED STATES", "state_code": "VA", "state_name": "VIRGINIA",
    "city_name": "EXAMPLETON", "county_code": "059", "county_name": "EXAMPLE", "address_line1": "1 EXAMPLE WAY",
    "address_line2": None, "address_line3": None, "congressional_code": "11", "zip4": "0001", "zip5": "20001",
    "foreign_postal_code": None, "foreign_province": None,
}  # fmt: skip
# Every field that the API's contract names for a contract, with fictional values.
_AWARD: dict[str, Any] = {
    "id": 990000001,
    "generated_unique_award_id": "",
    "piid": "",
    "category": "contract",
    "type": "C",
    "type_description": "DELIVERY ORDER",
    "description": "LICENCES OF AN EXAMPLE SYSTEM",
    "total_obligation": 750000.5,
    "subaward_count": 0,
    "total_subaward_amount": None,
    "date_signed": "2026-09-03",
    "base_exercised_options": 750000.5,
    "base_and_all_options": 2500000.0,
    "parent_award": {
        "agency_id": 9901,
        "agency_name": "Example Department of Ports",
        "agency_slug": "example-department-of-ports",
        "sub_agency_id": "9701",
        "sub_agency_name": "Example Harbour Guard",
        "award_id": 990000099,
        "generated_unique_award_id": "CONT_IDV_97EXD00000001_9701",
        "idv_type_description": "IDC",
        "multiple_or_single_aw_desc": "SINGLE AWARD",
        "piid": "97EXD00000001",
        "type_of_idc_description": "INDEFINITE DELIVERY / INDEFINITE QUANTITY",
    },
    "latest_transaction_contract_data": {
        "idv_type_description": None,
        "type_of_idc_description": None,
        "referenced_idv_agency_iden": "9701",
        "referenced_idv_agency_desc": "EXAMPLE HARBOUR GUARD",
        "solicitation_identifier": "97EXR26Q00000042",
        "solicitation_procedures": "NP",
        "number_of_offers_received": "1",
        "extent_competed": "C",
        "extent_competed_description": "NOT COMPETED",
        "other_than_full_and_open": "ONE",
        "other_than_full_and_open_description": "ONLY ONE SOURCE-OTHER (FAR 6.302-1 OTHER)",
        "type_set_aside": "NONE",
        "product_or_service_code": "7A21",
        "product_or_service_description": "IT AND TELECOM - BUSINESS APPLICATION SOFTWARE",
        "naics": "513210",
        "naics_description": "SOFTWARE PUBLISHERS",
        "major_program": None,
        "program_acronym": None,
        "small_business_competitive": False,
        "type_of_contract_pricing": "J",
        "type_of_contract_pricing_description": "FIRM FIXED PRICE",
    },
    "funding_agency": _AGENCY,
    "awarding_agency": _AGENCY,
    "period_of_performance": {
        "start_date": "2026-09-03",
        "end_date": "2027-09-02",
        "last_modified_date": "2026-11-20 14:06:44",
        "potential_end_date": "2030-09-02 00:00:00",
    },
    "recipient": {
        "recipient_hash": "00000000-0000-0000-0000-000000000001-C",
        "recipient_name": "EXAMPLE VISION, INC.",
        "recipient_uei": "EXAMPLE00001",
        "recipient_unique_id": None,
        "parent_recipient_hash": "00000000-0000-0000-0000-000000000002-P",
        "parent_recipient_name": "EXAMPLE HOLDINGS PLC",
        "parent_recipient_uei": "EXAMPLE00002",
        "parent_recipient_unique_id": None,
        "business_categories": ["Category Business", "Corporate Entity Not Tax Exempt", "Small Business"],
        "location": _PLACE,
    },
    "executive_details": {"officers": [{"name": "Jane Q. Fictional", "amount": 410000.0}]},
    "place_of_performance": _PLACE,
    "psc_hierarchy": {"toptier_code": {}, "midtier_code": {}, "subtier_code": {}, "base_code": {}},
    "naics_hierarchy": {"toptier_code": {}, "midtier_code": {}, "base_code": {}},
    "total_account_outlay": 0.0,
    "total_account_obligation": 0.0,
    "account_outlays_by_defc": [],
    "account_obligations_by_defc": [],
    "total_outlay": None,
}
_MESSAGES = ["For searches, time period start and end dates are currently limited to an earliest date of 2007-10-01."]


def award_id(piid: str) -> str:
    return f"CONT_AWD_{piid}_9701_97EXD00000001_9701"


def award(piid: str, **changes: Any) -> dict[str, Any]:
    """An award's own record; a change of an object changes the fields it names."""
    made = copy.deepcopy(_AWARD) | {"piid": piid, "generated_unique_award_id": award_id(piid)}
    for key, value in changes.items():
        made[key] = made[key] | value if isinstance(value, dict) and isinstance(made.get(key), dict) else value
    return made


def vehicle(piid: str, **changes: Any) -> dict[str, Any]:
    """An indefinite delivery vehicle: no parent, nothing obligated, a ceiling."""
    return award(
        piid,
        generated_unique_award_id=f"CONT_IDV_{piid}_9701",
        category="idv",
        type="IDV_B_B",
        type_description="INDEFINITE DELIVERY / INDEFINITE QUANTITY",
        total_obligation=0.0,
        base_and_all_options=9000000.0,
        parent_award=None,
    ) | dict(changes)


def transaction(piid: str, modification: str, action: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"CONT_TX_9701_9701_{piid}_{modification}_97EXD00000001_0",
        "type": "C",
        "type_description": "DELIVERY ORDER",
        "action_date": "2026-11-01",
        "action_type": action,
        "action_type_description": None if action is None else f"EXAMPLE WORDS FOR {action}",
        "modification_number": modification,
        "description": "ADMINISTRATIVE CHANGE",
        "federal_action_obligation": 0.0,
        "face_value_loan_guarantee": 0.0,
        "original_loan_subsidy_cost": 0.0,
        "cfda_number": None,
    } | changes


def history(*transactions: dict[str, Any], more: bool = False) -> bytes:
    metadata = {"page": 1, "next": 2 if more else None, "previous": None, "hasNext": more, "hasPrevious": False}
    return json.dumps({"page_metadata": metadata, "results": list(transactions)}).encode()


def found(*keys: str, more: bool = False, last: int | None = None) -> bytes:
    """A page of finds."""
    results = [
        {
            "internal_id": number,
            "Award ID": key.split("_")[2],
            "Recipient Name": "EXAMPLE VISION, INC.",
            "Last Modified Date": "2026-11-20",
            "generated_internal_id": key,
        }
        for number, key in enumerate(keys, 1)
    ]
    metadata = {
        "page": 1,
        "hasNext": more,
        "last_record_unique_id": last,
        "last_record_sort_value": "1795132800000" if last else "None",
    }
    value = {"spending_level": "awards", "limit": 100, "results": results, "page_metadata": metadata}
    return json.dumps({**value, "messages": _MESSAGES}).encode()


def asked(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body)
    return body


def portal(
    pages: dict[tuple[bool, int], Reply], records: dict[str, Reply], histories: dict[str, Reply] | None = None
) -> Portal:
    """Answers by (vehicles are asked for, page), by id of an award, and by id of the award whose history is asked."""

    def answer(request: Request) -> Reply:
        if request.url == SEARCH:
            body = asked(request)
            vehicles = body["filters"]["award_type_codes"][0].startswith("IDV_")
            return pages.get((vehicles, body["page"]), Reply(found()))
        if request.url == TRANSACTIONS:
            return (histories or {})[asked(request)["award_id"]]
        return records[unquote(request.url.removeprefix(AWARDS)).rstrip("/")]

    return answer


def record(made: dict[str, Any]) -> Reply:
    return Reply(json.dumps(made).encode())


def _always(reply: Reply) -> Portal:
    return lambda request: reply


_FACE = award("97EXF00000001", description="FACIAL RECOGNITION LICENCES")
_PLAIN = [award(f"97EXF0000000{n}") for n in (2, 3)]
_IDV = vehicle("97EXD00000005")
_RENAMED = {("recipients" if key == "recipient" else key): value for key, value in _PLAIN[0].items()}
_CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>cf-challenge</body></html>"
_LIFECYCLES = {
    "E": Lifecycle.TERMINATED, "F": Lifecycle.TERMINATED, "X": Lifecycle.TERMINATED, "N": Lifecycle.CANCELLED,
    "K": Lifecycle.COMPLETE, "A": Lifecycle.ACTIVE, "G": Lifecycle.ACTIVE,
}  # fmt: skip


def _ids(*awards: dict[str, Any]) -> list[str]:
    return [str(one["generated_unique_award_id"]) for one in awards]


def _records(*awards: dict[str, Any]) -> dict[str, Reply]:
    return {str(one["generated_unique_award_id"]): record(one) for one in awards}


ANSWERS = Answers(
    walks={
        # Two pages of contracts, one of vehicles; the candidate's two transactions are records too.
        "pages": Walk(
            portal(
                {
                    (False, 1): Reply(found(*_ids(_FACE, _PLAIN[0]), more=True, last=2)),
                    (False, 2): Reply(found(*_ids(_PLAIN[1]))),
                    (True, 1): Reply(found(*_ids(_IDV))),
                },
                _records(_FACE, *_PLAIN, _IDV),
                {
                    _ids(_FACE)[0]: Reply(
                        history(
                            transaction("97EXF00000001", "0", None, federal_action_obligation=750000.5),
                            transaction("97EXF00000001", "P00001", "M"),
                        )
                    )
                },
            ),
            Outcome.COMPLETE,
            records=6,
        ),
        "empty": Walk(_always(Reply(found())), Outcome.EMPTY),
        "malformed": Walk(_always(Reply(found()[:-9])), Outcome.FAILED, kinds=frozenset({"malformed_json"})),
        "error_in_200": Walk(
            _always(Reply(b'{"messages": ["The index is being rebuilt."]}')),
            Outcome.FAILED,
            kinds=frozenset({"error_in_200"}),
        ),
        "challenge": Walk(
            _always(Reply(_CHALLENGE, content_type="text/html")), Outcome.BLOCKED, kinds=frozenset({"challenge_page"})
        ),
        # The recipient under another name: that award is rejected by name, its neighbour is read.
        "changed_field": Walk(
            portal(
                {(False, 1): Reply(found(*_ids(*_PLAIN)))},
                {_ids(_PLAIN[0])[0]: record(_RENAMED), _ids(_PLAIN[1])[0]: record(_PLAIN[1])},
            ),
            Outcome.PARTIAL,
            records=2,
        ),
        "changed_find": Walk(
            _always(Reply(found("CONT_AWD_1").replace(b"generated_internal_id", b"generated_id"))),
            Outcome.FAILED,
            kinds=frozenset({"missing_field"}),
        ),
        "refused": Walk(
            _always(Reply(b'{"detail": "Page #501 with limit 100 is over the maximum result limit 50000."}', 422)),
            Outcome.FAILED,
            kinds=frozenset({"http_422"}),
        ),
        "record_lost": Walk(
            portal(
                {(False, 1): Reply(found(*_ids(*_PLAIN)))},
                {
                    _ids(_PLAIN[0])[0]: Reply(b'{"detail": "No Award found with: \'x\'"}', 404),
                    _ids(_PLAIN[1])[0]: record(_PLAIN[1]),
                },
            ),
            Outcome.PARTIAL,
            records=1,
            kinds=frozenset({"http_404"}),
        ),
        "history_lost": Walk(
            portal({(False, 1): Reply(found(*_ids(_FACE)))}, _records(_FACE), {_ids(_FACE)[0]: Reply(b"", 500)}),
            Outcome.PARTIAL,
            records=1,
            kinds=frozenset({"http_500"}),
        ),
        "connection_cut": Walk(_always(Reply(None)), Outcome.FAILED, kinds=frozenset({"download_failed"})),
    },
    statuses=[
        StatusWord(f"action:{code}", history(transaction("97EXF00000001", "P00002", code)), lifecycle)
        for code, lifecycle in _LIFECYCLES.items()
    ],
    queries=(query(),),
)

"""BudgetKey: `{"rows": […]}` for a query in SQL, `{"error": …}` in a 200 for one it cannot run; rows are fictional."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scrapy import Request

from models.codes import Lifecycle, Outcome
from tests.driver import Answers, Portal, Reply, StatusWord, Walk, query

TERM = "זיהוי פנים"


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A row of procurement_tenders_all with every column that is asked for."""
    return {
        "publication_id": number,
        "tender_id": None,
        "tender_type": "exemptions",
        "tender_type_he": "פטור ממכרז",
        "description": "אספקת מערכת זיהוי פנים",
        "publisher": "משרד לדוגמה",
        "publisher_unit": "יחידת הרכש",
        "page_url": f"https://mr.gov.il/ilgstorefront/he/p/{number}",
        "status": "פורסם",
        "decision": None,
        "publication_date": "2026-11-02",
        "last_update_date": "2026-11-05",
        "claim_date": "2026-11-30",
        "start_date": None,
        "end_date": None,
        "volume": 250000.5,
        "source_currency": "ILS",
        "supplier": None,
        "supplier_id": None,
        "subjects": "מחשוב ותקשורת",
        "documents": [],
        **changes,
    }


def body(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"rows": list(rows)}, ensure_ascii=False).encode()


def sql_of(request: Request) -> str:
    return parse_qs(urlsplit(request.url).query)["query"][0]


def table(*rows: dict[str, Any], most: int = 1000) -> Portal:
    """Answers as the database would: the newest rows of the window below the asked key, at most `most` of them."""

    def key(one: dict[str, Any]) -> tuple[str, str, str, str]:
        return (one["last_update_date"], str(one["publication_id"]), one["tender_type"], str(one["tender_id"] or ""))

    def answer(request: Request) -> Reply:
        after = re.search(r"< \('([^']*)', '([^']*)', '([^']*)', '([^']*)'\)", sql_of(request))
        found = sorted(rows, key=key, reverse=True)
        if after:
            found = [one for one in found if key(one) < after.groups()]
        return Reply(body(*found[:most]))

    return answer


def _always(reply: Reply) -> Portal:
    return lambda request: reply


def _changed() -> dict[str, Any]:
    changed = row(7)
    changed["title"] = changed.pop("description")
    return changed


_CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>cf-challenge</body></html>"
_WORDS = {
    "עתידי": Lifecycle.PLANNED,
    "חדש": Lifecycle.TENDER,
    "פורסם": Lifecycle.TENDER,
    "פורסם ולא התקבלו השגות": Lifecycle.TENDER,
    "פורסם והתקבלו השגות": Lifecycle.TENDER,
    "בעדכון": Lifecycle.TENDER,
    "עודכן": Lifecycle.TENDER,
    "בוטל": Lifecycle.CANCELLED,
    "מוקפא": Lifecycle.SUSPENDED,
}
_REQUEST = "פניה לקבלת מידע"
# Two full answers and a last one of one row.
_MANY = [row(n, last_update_date=f"2026-11-{1 + n % 9:02d}") for n in range(2001)]

ANSWERS = Answers(
    walks={
        "pages": Walk(table(*_MANY), Outcome.COMPLETE, records=2001),
        "empty": Walk(_always(Reply(body())), Outcome.EMPTY),
        "malformed": Walk(_always(Reply(body(row(1))[:-9])), Outcome.FAILED, kinds=frozenset({"malformed_json"})),
        "error_in_200": Walk(
            _always(Reply(b'{"error": "column \\"supplier\\" does not exist"}')),
            Outcome.FAILED,
            kinds=frozenset({"error_in_200"}),
        ),
        "challenge": Walk(
            _always(Reply(_CHALLENGE, content_type="text/html")), Outcome.BLOCKED, kinds=frozenset({"challenge_page"})
        ),
        # A renamed column is found before a row is read: what else has changed, nobody knows.
        "changed_field": Walk(_always(Reply(body(_changed()))), Outcome.FAILED, kinds=frozenset({"missing_field"})),
        "empty_description": Walk(_always(Reply(body(row(1), row(2, description=None)))), Outcome.PARTIAL, records=2),
        "error_beside_rows": Walk(
            _always(Reply(json.dumps({"rows": [row(1)], "error": None}).encode())), Outcome.COMPLETE, records=1
        ),
        "too_many": Walk(
            _always(Reply(b"slow down", 429, "text/plain")), Outcome.BLOCKED, kinds=frozenset({"http_429"})
        ),
        "not_rows": Walk(_always(Reply(b'{"total": 3}')), Outcome.FAILED, kinds=frozenset({"missing_field"})),
    },
    statuses=[
        *(StatusWord(f"status:{word}", body(row(5, status=word)), means) for word, means in _WORDS.items()),
        StatusWord(f"type:{_REQUEST}", body(row(6, tender_type_he=_REQUEST)), Lifecycle.PLANNED),
    ],
    queries=(query(TERM, "he"),),
)

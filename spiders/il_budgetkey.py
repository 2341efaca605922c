"""Israel's tenders and exemptions through BudgetKey, which keeps what mr.gov.il publishes in a database all may ask."""

from typing import Any, Final

from models.run import Query
from pipeline.parse.common import Misfit
from spiders.platforms.sql import SqlSpider, containing, literal

# What the parser relies on; a column that is renamed makes the whole query fail, which shows.
COLUMNS: Final = (
    "publication_id", "tender_id", "tender_type", "tender_type_he", "description", "publisher", "publisher_unit",
    "page_url", "status", "decision", "publication_date", "last_update_date", "claim_date", "start_date", "end_date",
    "volume", "source_currency", "supplier", "supplier_id", "subjects", "documents",
)  # fmt: skip
TABLE: Final = "procurement_tenders_all"
# A strict order. A comparison with NULL is neither true nor false and would hide rows, so no part of it has one.
_KEY: Final = (
    "last_update_date", "publication_id::text", "coalesce(tender_type, '')", "coalesce(tender_id::text, '')",
)  # fmt: skip


class BudgetKeySpider(SqlSpider):
    """Rows whose description, subjects or supplier hold the term, newest change first."""

    name = "il_budgetkey"

    def statement(self, query: Query, after: dict[str, Any] | None) -> str:
        wanted = containing(query.term)
        found = (
            f"supplier ILIKE {wanted}"
            if query.kind == "supplier"
            else f"(description ILIKE {wanted} OR subjects::text ILIKE {wanted})"
        )
        # Days: the column has no time of day. The first day is asked for whole.
        window = (
            f"last_update_date >= {literal(f'{query.since:%Y-%m-%d}')} "
            f"AND last_update_date <= {literal(f'{query.until:%Y-%m-%d}')}"
        )
        further = ""
        if after is not None:
            values = (after["last_update_date"], after["publication_id"], after["tender_type"], after["tender_id"])
            told = ", ".join(literal("" if value is None else str(value)) for value in values)
            further = f" AND ({', '.join(_KEY)}) < ({told})"
        order = ", ".join(f"{column} DESC" for column in _KEY)
        return (
            f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE {found} AND {window}{further} "
            f"ORDER BY {order} LIMIT {self.context.card.page_size}"
        )

    def key(self, row: dict[str, Any]) -> str:
        missing = [column for column in COLUMNS if column not in row]
        if missing or row["publication_id"] is None or not row["last_update_date"]:
            raise Misfit("missing_field", f"a row lacks {', '.join(missing) or 'its id or its day of change'}", row)
        return "/".join(str(row.get(k)) for k in ("tender_type", "publication_id", "tender_id", "last_update_date"))

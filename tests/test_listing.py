"""`unveil sources`: what there is, how it is asked, and how it last ended."""

import json
from pathlib import Path

from tests.command import unveil
from tests.portal import release


def test_sources_are_listed_with_how_they_are_asked(tmp_path: Path) -> None:
    (tmp_path / "given.json").write_text(json.dumps({"releases": [release(1)]}))
    assert unveil("ingest", tmp_path / "given.json", "--source", "uk_contracts_finder", store=tmp_path / "s").code == 0
    ran = unveil("sources", store=tmp_path / "s")
    assert ran.code == 0
    lines = {line.split()[0]: line.split() for line in ran.out.splitlines() if line.strip()}
    assert lines["uk_contracts_finder"][1:7] == ["GB", "A", "ocds_links", "pages", "no", "complete"]
    assert lines["il_budgetkey"] == ["il_budgetkey", "IL", "A", "sql", "sql", "no", "never"]
    rows = {row["id"]: row for row in unveil("sources", "--json", store=tmp_path / "s").data}
    known = {"name", "countries", "rank", "platform", "group", "retrieval", "verified_on"}
    assert {key: value for key, value in rows["il_budgetkey"].items() if key in known} == {
        "name": "BudgetKey (tenders and exemptions of mr.gov.il)", "countries": ["IL"], "rank": "A",
        "platform": "sql", "group": "sql", "retrieval": "query", "verified_on": None,
    }  # fmt: skip
    assert rows["uk_contracts_finder"]["last_outcome"] == "complete"

"""From the database to what is known of each held company: queries in, records of `facts` out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from duckdb import DuckDBPyConnection

from models.codes import Basis, Scope, Stage
from models.vendor import Vendor
from pipeline.portfolio import HoldingMatch
from pipeline.registry import Registry
from pipeline.report.facts import COUNTED, Company, Contract, Identity, PartyLink, Proof, Quote, SameContract
from pipeline.report.parts import money_of, part_rows, stage_of, totals_of
from pipeline.report.sql import Row, money, rows

# Sentences shown of one contract; the database holds all of them.
QUOTES: Final = 8
_SHOWN: Final = (*COUNTED, Scope.EXCLUDED_BY_TEXT)
_TAKING_PART: Final = frozenset(["subcontractor", "manufacturer"])
_POLARITIES: Final = ("asserted", "optional", "hypothetical", "excluded")

_NAMED: Final = """
    SELECT p.contract_id, p.local_id, p.name, p.roles, p.vendor_id, p.match_method, p.match_why, p.named_why
    FROM party p
    WHERE p.vendor_id IN (SELECT unnest($ids)) AND p.named AND NOT p.natural_person
    ORDER BY p.contract_id, p.vendor_id, p.local_id
"""
_CONTRACTS: Final = """
    SELECT c.contract_id, c.native_id, c.title, c.language, c.country, c.buyer, c.published_on, c.updated_on,
           c.value_amount, c.value_currency, c.value_kind, c.evidence_id AS record_evidence,
           s.name AS source_name, a.scope, a.technology, a.function, a.setting, a.clauses, a.confidence, a.why,
           a.review, a.evidence_id, st.stage, st.stage_basis,
           coalesce(sc.cluster_id, c.contract_id) AS cluster_id, sc.shared
    FROM contract c
    JOIN assessment a USING (contract_id)
    JOIN source s USING (source_id)
    LEFT JOIN contract_stage_at(CAST($as_of AS DATE)) st USING (contract_id)
    LEFT JOIN same_contract sc USING (contract_id)
    WHERE c.contract_id IN (SELECT unnest($ids))
    ORDER BY coalesce(c.updated_on, c.published_on) DESC NULLS LAST, c.contract_id
"""
_MENTIONS: Final = """
    SELECT m.contract_id, m."where" AS place, m.rule_id, m.technology, m.polarity, m.cue, m.gloss, m.cue_gloss,
           m.text, m.quote,
           m.page, m.evidence_id
    FROM mention m WHERE m.contract_id IN (SELECT unnest($ids))
    ORDER BY m.contract_id, m.page NULLS FIRST, m."where", m.char_start, m.mention_id
"""
_EVIDENCE: Final = """
    SELECT evidence_id, url, fetched_at AT TIME ZONE 'UTC' AS fetched_at, payload_sha256, pointer
    FROM evidence WHERE evidence_id IN (SELECT unnest($ids))
"""
_SOURCES: Final = """
    SELECT contract_id, evidence_id FROM contract_source WHERE contract_id IN (SELECT unnest($ids))
    ORDER BY contract_id, source_id
"""
_UNNAMED: Final = """
    SELECT count(DISTINCT p.contract_id) AS n FROM party p JOIN assessment a USING (contract_id)
    WHERE p.vendor_id IN (SELECT unnest($ids)) AND NOT p.named AND a.scope IN ('in_scope', 'conditional')
      AND a.review <> 'retracted' AND p.contract_id NOT IN (SELECT unnest($named))
"""


def companies_of(
    database: DuckDBPyConnection, holdings: Sequence[HoldingMatch], registry: Registry, as_of: date
) -> tuple[Company, ...]:
    """A company for every one held, in the order of the holdings file, with what the database knows of its group.

    Only parties that passed the naming gate are attributed; stages are as of `as_of`.
    """
    lines: dict[str, list[int]] = defaultdict(list)
    below: dict[str, dict[str, None]] = defaultdict(dict)
    for match in holdings:
        if match.status == "matched" and match.vendor_ids:
            held = match.vendor_ids[0]
            lines[held].append(match.line)
            below[held].update(dict.fromkeys(match.vendor_ids[1:]))
    return tuple(
        _company(database, registry, vendor_id, tuple(below[vendor_id]), tuple(at), as_of)
        for vendor_id, at in lines.items()
    )


def _company(
    database: DuckDBPyConnection,
    registry: Registry,
    vendor_id: str,
    subsidiaries: tuple[str, ...],
    lines: tuple[int, ...],
    as_of: date,
) -> Company:
    group = [vendor_id, *subsidiaries]
    links: dict[str, list[Row]] = defaultdict(list)
    for row in rows(database, _NAMED, ids=group):
        links[row["contract_id"]].append(row)
    found = rows(database, _CONTRACTS, ids=list(links), as_of=as_of.isoformat())
    live = [row for row in found if row["review"] != "retracted"]
    contracts = _contracts(database, [r for r in live if r["scope"] in _SHOWN], links, as_of)
    flagged = sorted((c for c in contracts if c.scope in COUNTED), key=lambda c: c.scope is not Scope.IN_SCOPE)
    counted = once(c for c in flagged if c.supplied)
    unnamed = rows(database, _UNNAMED, ids=group, named=list(links))
    return Company(
        identity=identity_of(registry, vendor_id),
        subsidiaries=tuple(identity_of(registry, child) for child in subsidiaries),
        lines=lines,
        contracts=counted,
        elsewhere=tuple(c for c in flagged if not c.supplied),
        excluded=tuple(c for c in contracts if c.scope is Scope.EXCLUDED_BY_TEXT),
        totals=totals_of(counted),
        without_value=sum(not c.money for c in counted),
        below_naming=unnamed[0]["n"],
        retracted=len(found) - len(live),
        out_of_scope=sum(row["scope"] == Scope.OUT_OF_SCOPE for row in live),
    )


def once(contracts: Iterable[Contract]) -> tuple[Contract, ...]:
    """Each contract once, however many publishers tell of it: the record that says most stands for the others.

    A wider scope says more than a stated value, a value more than none; then the order given decides.
    """
    groups: dict[str, list[Contract]] = defaultdict(list)
    for contract in contracts:
        groups[contract.cluster_id].append(contract)
    return tuple(_chief(group) for group in groups.values())


def _chief(group: Sequence[Contract]) -> Contract:
    chief = min(group, key=lambda c: (COUNTED.index(c.scope), not c.money))
    others = tuple(
        SameContract(c.source_name, c.native_id, c.title, c.shared, c.proof) for c in group if c is not chief
    )
    return replace(chief, same=others) if others else chief


def _contracts(
    database: DuckDBPyConnection, found: Sequence[Row], links: Mapping[str, Sequence[Row]], as_of: date
) -> list[Contract]:
    ids = [row["contract_id"] for row in found]
    mentions = _grouped(rows(database, _MENTIONS, ids=ids))
    also = _grouped(rows(database, _SOURCES, ids=ids))
    children = _grouped(part_rows(database, ids, as_of))
    suppliers = {
        row["contract_id"]: row["n"]
        for row in rows(
            database,
            "SELECT contract_id, count(*) AS n FROM party WHERE contract_id IN (SELECT unnest($ids)) "
            "AND list_has_any(roles, ['supplier']) GROUP BY contract_id",
            ids=ids,
        )
    }
    wanted = {row["evidence_id"] for group in (*mentions.values(), *also.values()) for row in group}
    wanted |= {row[key] for row in found for key in ("evidence_id", "record_evidence")}
    proofs = _proofs(database, wanted)
    out = []
    for row in found:
        contract_id = row["contract_id"]
        mine = links[contract_id]
        parts, amounts, shared = money_of(children.get(contract_id, ()), {link["local_id"] for link in mine})
        process_value = money(row)
        roles = {role for link in mine for role in link["roles"] or ()}
        # Awards and contracts say who supplies; the role alone does only where there are none.
        by_role = "supplier" in roles and not any(child["suppliers"] for child in children.get(contract_id, ()))
        if by_role and process_value:
            joint = suppliers.get(contract_id, 0) > len(mine)
            amounts = (money(row, joint=joint) or process_value,)
        quotes, left_out = _quotes(mentions.get(contract_id, ()), proofs)
        process_stage = Stage(row["stage"] or Stage.UNKNOWN)
        process = process_stage, row["stage_basis"] or Basis.NONE.value
        # What the process's other suppliers still do is not this company's: its own parts decide.
        stage, basis = stage_of(parts, process) if shared else process
        proof = proofs.get(row["evidence_id"]) or proofs.get(row["record_evidence"])
        others = (row["record_evidence"], *(r["evidence_id"] for r in also.get(contract_id, ())))
        shown = {proof, *(quote.proof for quote in quotes)}
        out.append(
            Contract(
                contract_id=contract_id,
                source_name=row["source_name"],
                native_id=row["native_id"] or "",
                title=row["title"] or "",
                language=row["language"] or "",
                country=row["country"] or "",
                buyer=row["buyer"] or "",
                scope=Scope(row["scope"]),
                technology=tuple(row["technology"] or ()),
                function=row["function"] or "",
                setting=tuple(row["setting"] or ()),
                clauses=tuple(row["clauses"] or ()),
                why=row["why"] or "",
                confidence=row["confidence"] or 0.0,
                review=row["review"],
                stage=stage,
                stage_basis=basis,
                process_stage=process_stage,
                published_on=row["published_on"],
                updated_on=row["updated_on"],
                process_value=process_value,
                supplied=bool(parts) or by_role or bool(roles & _TAKING_PART),
                links=tuple(_link(link) for link in mine),
                parts=parts,
                money=amounts,
                quotes=quotes,
                quotes_left_out=left_out,
                proof=proof,
                more_proofs=tuple(
                    dict.fromkeys(p for e in others if (p := proofs.get(e)) is not None and p not in shown)
                ),
                cluster_id=row["cluster_id"],
                shared=tuple(row["shared"] or ()),
            )
        )
    return out


def _grouped(found: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        groups[row["contract_id"]].append(row)
    return groups


def _proofs(database: DuckDBPyConnection, ids: set[Any]) -> dict[str, Proof]:
    wanted = sorted(evidence_id for evidence_id in ids if evidence_id)
    return {
        row["evidence_id"]: Proof(
            evidence_id=row["evidence_id"],
            url=row["url"] or "",
            fetched_at=row["fetched_at"],
            sha256=row["payload_sha256"],
            pointer=row["pointer"] or "",
        )
        for row in rows(database, _EVIDENCE, ids=wanted)
    }


def _link(row: Row) -> PartyLink:
    why = row["named_why"] or row["match_why"] or ""
    return PartyLink(row["vendor_id"], row["name"] or "", tuple(row["roles"] or ()), row["match_method"] or "", why)


def _quotes(mentions: Iterable[Row], proofs: Mapping[str, Proof]) -> tuple[tuple[Quote, ...], int]:
    """One quote a sentence, in the order of the text, with every rule that matched in it.

    A sentence that withdraws what another asserts is as much part of the answer, so where there are too many the
    polarities take turns to be shown.
    """
    sentences: dict[tuple[str, str, int | None], list[Row]] = defaultdict(list)
    for row in mentions:
        sentences[(row["quote"] or row["text"], row["polarity"], row["page"])].append(row)
    order = list(sentences)
    by_polarity = {
        polarity: [key for key in order if key[1] == polarity]
        for polarity in (*_POLARITIES, *sorted({key[1] for key in order} - {*_POLARITIES}))
    }
    chosen: list[tuple[str, str, int | None]] = []
    while len(chosen) < min(QUOTES, len(order)):
        for queue in by_polarity.values():
            if queue and len(chosen) < QUOTES:
                chosen.append(queue.pop(0))
    shown = sorted(chosen, key=order.index)
    return tuple(_quote(key[0], sentences[key], proofs) for key in shown), len(order) - len(shown)


def _quote(sentence: str, matched: Sequence[Row], proofs: Mapping[str, Proof]) -> Quote:
    # Words that name the technology say more than those that name a place or a function.
    first = next((row for row in matched if row["technology"]), matched[0])
    words = first["text"] or ""
    before, found, after = sentence.partition(words) if words else ("", "", "")
    if not found:
        before, words, after = sentence, "", ""
    return Quote(
        before=before,
        words=words,
        after=after,
        where=first["place"] or "",
        page=first["page"],
        polarity=first["polarity"],
        cue=first["cue"] or "",
        gloss=first["gloss"] or "",
        cue_gloss=first["cue_gloss"] or "",
        rules=tuple(dict.fromkeys(row["rule_id"] for row in matched)),
        proof=proofs.get(first["evidence_id"]),
    )


def identity_of(registry: Registry, vendor_id: str) -> Identity:
    """Who a company is, from the registry, every fact with its source."""
    vendor = registry.vendors[vendor_id]
    return Identity(
        vendor_id=vendor.id,
        name=vendor.name,
        country=(vendor.country.value, vendor.country.source) if vendor.country else None,
        identifiers=tuple(_identifiers(vendor)),
        aliases=tuple((alias.name, alias.source) for alias in vendor.aliases),
        roles=tuple(role.replace("_", " ") for role in vendor.roles),
        parents=tuple(
            (registry.vendors[owner.vendor_id].name, owner.since or "", owner.until or "", owner.source)
            for owner in vendor.parents
        ),
        sources=vendor.sources,
        fictional=vendor.fictional,
    )


def _identifiers(vendor: Vendor) -> Iterable[tuple[str, str, str]]:
    if vendor.lei:
        yield "LEI", vendor.lei.value, vendor.lei.source
    for listing in vendor.listings:
        if listing.isin:
            yield "ISIN", listing.isin, listing.source
        at = f"{listing.mic}:{listing.ticker}" if listing.mic else f"{listing.ticker} (exchange not stated)"
        yield "Ticker", at, listing.source
    for number in vendor.registers:
        yield number.scheme, number.id, number.source
    if vendor.wikidata:
        yield "Wikidata", vendor.wikidata.value, vendor.wikidata.source

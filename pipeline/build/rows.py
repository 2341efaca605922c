"""From merged contracts, assessments and matches to rows of the database's tables. Pure."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, Final

import pyarrow as pa

from models.assessment import Assessment, Mention
from models.codes import Lifecycle, Polarity, ReviewState, Scope
from models.ids import child_id, evidence_id
from models.procurement import Child, Party, Release, Value
from models.review import Review
from models.vendor import Match
from pipeline.build.merge import Merged
from pipeline.build.same import identifiers_of
from pipeline.redact import redact

Row = dict[str, Any]
_TEXT: Final = pa.string()
_TEXTS: Final = pa.list_(pa.string())
_DAY: Final = pa.date32()
_MONEY: Final = pa.decimal128(38, 4)
_COUNT: Final = pa.int32()
_VALUE: Final = {"value_amount": _MONEY, "value_currency": _TEXT, "value_kind": _TEXT}
_LIFECYCLE: Final = {"lifecycle": _TEXT, "lifecycle_raw": _TEXT, "lifecycle_basis": _TEXT}


def _texts(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, _TEXT)


# Rows made in Python rest in Parquet between merging and loading, so that they need no memory. `place` is what
# becomes `evidence` once it is joined with the payloads.
SCHEMAS: Final[Mapping[str, pa.Schema]] = {
    "place": pa.schema(_texts("evidence_id", "payload_sha256", "pointer", "source_id", "quote")),
    "contract": pa.schema(
        _texts("contract_id", "source_id", "native_id", "title", "language", "country", "buyer", "procurement_method")
        | {"classifications": _TEXTS}
        | _LIFECYCLE
        | dict.fromkeys(("tender_ends_on", "starts_on", "ends_on", "published_on", "updated_on"), _DAY)
        | _VALUE
        | {"candidacy": _TEXT, "releases": _COUNT, "evidence_id": _TEXT}
    ),
    "contract_source": pa.schema(_texts("contract_id", "source_id", "evidence_id") | {"releases": _COUNT}),
    "contract_identifier": pa.schema(_texts("contract_id", "scheme", "id")),
    "release": pa.schema(
        _texts("release_id", "contract_id", "source_id", "portal_release_id", "published_raw", "title", "evidence_id")
        | {"published_at": pa.timestamp("us", tz="UTC"), "tags": _TEXTS}
        | _VALUE
    ),
    "child": pa.schema(
        _texts("child_id", "contract_id", "kind", "native_id", "award_id", "title")
        | {"lots": _TEXTS}
        | _LIFECYCLE
        | dict.fromkeys(("signed_on", "starts_on", "ends_on"), _DAY)
        | _VALUE
        | {"releases": _COUNT}
    ),
    "party": pa.schema(
        _texts("contract_id", "local_id", "name", "country", "vendor_id", "match_method", "match_why", "named_why")
        | {"roles": _TEXTS, "identifiers": _TEXTS, "natural_person": pa.bool_(), "named": pa.bool_()}
        | {"match_score": pa.float64()}
    ),
    "child_supplier": pa.schema(_texts("child_id", "contract_id", "local_id")),
    "mention": pa.schema(
        _texts("mention_id", "contract_id", "where", "rule_id", "concept", "technology", "polarity", "cue", "text")
        | _texts("gloss", "cue_gloss", "quote", "evidence_id")
        | {"char_start": _COUNT, "char_end": _COUNT, "page": _COUNT}
    ),
    "assessment": pa.schema(
        _texts("contract_id", "scope", "function", "lifecycle", "lifecycle_basis", "why", "rules_version")
        | _texts("registry_version", "review", "evidence_id")
        | {"technology": _TEXTS, "setting": _TEXTS, "clauses": _TEXTS, "rests_on": _TEXTS, "confidence": pa.float64()}
    ),
}

_SCOPES: Final = (Scope.IN_SCOPE, Scope.CONDITIONAL, Scope.EXCLUDED_BY_TEXT, Scope.OUT_OF_SCOPE)
_POLARITIES: Final = (Polarity.ASSERTED, Polarity.OPTIONAL, Polarity.HYPOTHETICAL, Polarity.EXCLUDED)
_PAGE: Final = re.compile(r"(?:^|;)page[:=](\d+)")
_HUNDREDTH_OF_A_CENT: Final = Decimal("0.0001")
# The default context holds 28 digits, the column 38.
_WIDE: Final = Context(prec=40)


def stable_id(prefix: str, *parts: object) -> str:
    """A deterministic id of the form `prefix-hex` from the parts' texts."""
    body = "\x1f".join(str(part) for part in parts).encode("utf-8")
    return f"{prefix}-{hashlib.blake2b(body, digest_size=10).hexdigest()}"


def contract_rows(
    merged: Merged,
    assessments: Sequence[Assessment],
    matches: Mapping[str, Match],
    reviews: Sequence[Review],
) -> Iterator[tuple[str, Row]]:
    """(table, row) for everything known of one process: its places in evidence first, then contract and the rest.

    `matches` is by local id; `reviews` are the decisions on this contract's flag.
    """
    own_place = merged.place.payload_sha256, merged.place.pointer
    own = evidence_id(*own_place)
    yield from _history(merged)
    yield (
        "contract",
        {
            "contract_id": merged.contract_id,
            "source_id": merged.source_id,
            "native_id": merged.native_id,
            "title": merged.title,
            "language": merged.language,
            "country": merged.country,
            "buyer": redact(merged.buyer, merged.country) if merged.buyer else None,
            "procurement_method": merged.procurement_method,
            "classifications": list(merged.classifications),
            **_lifecycle(merged),
            "tender_ends_on": merged.tender_ends_on,
            "starts_on": merged.starts_on,
            "ends_on": merged.ends_on,
            **value_columns(merged.value),
            "published_on": merged.published_on,
            "updated_on": merged.updated_on,
            "candidacy": merged.candidacy,
            "releases": len(merged.releases),
            "evidence_id": own,
        },
    )
    for number in identifiers_of(row.release for row in merged.releases):
        yield "contract_identifier", {"contract_id": merged.contract_id, "scheme": number.scheme, "id": number.id}
    for party in merged.parties:
        yield "party", _party_row(merged.contract_id, party, _match_of(party, merged.aliases, matches))
    for item in merged.children:
        yield from _child_rows(merged.contract_id, item.child, item.releases)
    if assessments:
        yield from _assessment_rows(merged, combine(assessments), review_state(reviews))


def _history(merged: Merged) -> Iterator[tuple[str, Row]]:
    for row in merged.releases:
        release, place = row.release, row.place
        found = evidence_id(place.payload_sha256, place.pointer)
        yield "place", _place_row(place.payload_sha256, place.pointer, release.source_id, release.title)
        yield (
            "release",
            {
                "release_id": release.release_id,
                "contract_id": release.contract_id,
                "source_id": release.source_id,
                "portal_release_id": release.portal_release_id,
                "published_at": release.published_at,
                "published_raw": release.published_raw,
                "tags": list(release.tags),
                "title": release.title,
                "evidence_id": found,
                **value_columns(_value_of(release)),
            },
        )
    for source in merged.sources:
        yield (
            "contract_source",
            {
                "contract_id": merged.contract_id,
                "source_id": source.source_id,
                "evidence_id": evidence_id(source.place.payload_sha256, source.place.pointer),
                "releases": source.releases,
            },
        )


def _value_of(release: Release) -> Value | None:
    """A transaction's value stands at its only award or contract, not at the process."""
    if release.value is None and len(release.children) == 1:
        return release.children[0].value
    return release.value


def _place_row(payload_sha256: str, pointer: str, source_id: str, quote: str) -> Row:
    return {
        "evidence_id": evidence_id(payload_sha256, pointer),
        "payload_sha256": payload_sha256,
        "pointer": pointer,
        "source_id": source_id,
        "quote": quote,
    }


def _lifecycle(record: Merged | Child) -> Row:
    status = record.status
    return {"lifecycle": status.lifecycle, "lifecycle_raw": status.raw, "lifecycle_basis": status.basis}


def value_columns(value: Value | None) -> Row:
    """The three columns of a value; all None without one."""
    if value is None:
        return {"value_amount": None, "value_currency": None, "value_kind": None}
    return {
        "value_amount": value.amount.quantize(_HUNDREDTH_OF_A_CENT, context=_WIDE),
        "value_currency": value.currency,
        "value_kind": value.kind,
    }


def _match_of(party: Party, aliases: Sequence[tuple[str, str]], matches: Mapping[str, Match]) -> Match | None:
    """The match of a party by any of the local ids that sources give it: one that names a vendor, then the surest.

    A party whose names lead to different vendors is named as none of them.
    """
    ids = (party.local_id, *(other for other, kept in aliases if kept == party.local_id))
    found = [matches[local_id] for local_id in ids if local_id in matches]
    best = max(found, key=lambda m: (m.vendor_id is not None, m.named, m.score), default=None)
    vendors = sorted({m.vendor_id for m in found if m.vendor_id})
    if best is None or len(vendors) < 2:
        return best
    why = f"its names in several sources lead to different vendors: {', '.join(vendors)}"
    return best.model_copy(update={"named": False, "named_why": why})


def _party_row(contract_id: str, party: Party, match: Match | None) -> Row:
    # A person is not matched, whatever an older run of the resolver said.
    match = None if party.natural_person else match
    return {
        "contract_id": contract_id,
        "local_id": party.local_id,
        # Some portals let people write an address into the field for the name.
        "name": None if party.natural_person else redact(party.name, party.country) or None,
        "roles": list(party.roles),
        "country": party.country,
        "identifiers": [f"{i.scheme}:{i.id}" for i in party.identifiers],
        "natural_person": party.natural_person,
        "vendor_id": match.vendor_id if match else None,
        "match_score": match.score if match else None,
        "match_method": match.method if match else None,
        "match_why": match.why if match else None,
        "named": bool(match and match.vendor_id and match.named),
        "named_why": match.named_why if match else None,
    }


def _child_rows(contract_id: str, child: Child, releases: int) -> Iterator[tuple[str, Row]]:
    own = child_id(contract_id, child.kind, child.native_id)
    yield (
        "child",
        {
            "child_id": own,
            "contract_id": contract_id,
            "kind": child.kind,
            "native_id": child.native_id,
            "award_id": child.award_id,
            "title": child.title,
            "lots": list(child.lot_ids),
            **_lifecycle(child),
            "signed_on": child.signed_on,
            "starts_on": child.starts_on,
            "ends_on": child.ends_on,
            **value_columns(child.value),
            "releases": releases,
        },
    )
    for local_id in sorted(set(child.supplier_ids)):
        yield "child_supplier", {"child_id": own, "contract_id": contract_id, "local_id": local_id}


def combine(assessments: Sequence[Assessment]) -> Assessment:
    """One assessment of a process seen through several sources: the one of the widest scope, with all mentions.

    A lifecycle that only another one read in its text is taken over with its basis.
    """
    chief = min(assessments, key=lambda a: (_SCOPES.index(a.scope), -a.confidence))
    mentions: dict[tuple[Any, ...], Mention] = {}
    for one in (chief, *assessments):
        for m in one.mentions:
            mentions.setdefault((m.payload_sha256, m.pointer, m.where, m.start, m.end, m.rule_id, m.concept), m)
    said = next((a for a in (chief, *assessments) if a.lifecycle is not Lifecycle.UNKNOWN), chief)
    return chief.model_copy(
        update={
            "mentions": tuple(mentions.values()),
            "lifecycle": said.lifecycle,
            "lifecycle_basis": said.lifecycle_basis,
        }
    )


def _assessment_rows(merged: Merged, assessment: Assessment, review: ReviewState) -> Iterator[tuple[str, Row]]:
    chief = _chief(assessment)
    chief_evidence = evidence_id(merged.place.payload_sha256, merged.place.pointer)
    for mention in assessment.mentions:
        place = _mention_place(merged, mention)
        found = evidence_id(place["payload_sha256"], place["pointer"])
        if mention is chief:
            chief_evidence = found
        yield "place", place
        yield "mention", {
            "mention_id": stable_id(
                "m", merged.contract_id, found, mention.where, mention.start, mention.end, mention.rule_id,
                mention.concept,
            ),
            "contract_id": merged.contract_id,
            "where": mention.where,
            "rule_id": mention.rule_id,
            "concept": mention.concept,
            "technology": mention.technology,
            "polarity": mention.polarity,
            "cue": mention.cue,
            "gloss": mention.gloss or None,
            "cue_gloss": mention.cue_gloss or None,
            "text": mention.text,
            "quote": mention.quote,
            "char_start": mention.start,
            "char_end": mention.end,
            "page": _page_of(mention),
            "evidence_id": found,
        }  # fmt: skip
    yield (
        "assessment",
        {
            "contract_id": merged.contract_id,
            "scope": assessment.scope,
            "technology": list(assessment.technology),
            "function": assessment.function,
            "setting": list(assessment.setting),
            "clauses": list(assessment.clauses),
            "lifecycle": assessment.lifecycle,
            "lifecycle_basis": assessment.lifecycle_basis,
            "confidence": assessment.confidence,
            "why": assessment.why,
            "rests_on": list(assessment.rests_on),
            "rules_version": assessment.rules_version,
            "registry_version": assessment.registry_version,
            "review": review,
            "evidence_id": chief_evidence,
        },
    )


def _mention_place(merged: Merged, mention: Mention) -> Row:
    if not mention.payload_sha256:
        # Without a place of its own the mention is shown at the record it was read from.
        place = merged.place
        return _place_row(place.payload_sha256, place.pointer, merged.source_id, mention.quote)
    pointer = mention.pointer
    if ";chars=" not in pointer:
        pointer = f"{pointer};chars={mention.start}-{mention.end}"
    return _place_row(mention.payload_sha256, pointer, merged.source_id, mention.quote)


def _chief(assessment: Assessment) -> Mention | None:
    """The mention to be shown first: of a technology found, as firmly spoken of as can be, first in the text."""
    if not assessment.mentions:
        return None
    order = tuple(reversed(_POLARITIES)) if assessment.scope is Scope.EXCLUDED_BY_TEXT else _POLARITIES
    return min(
        assessment.mentions,
        key=lambda m: (
            m.technology not in assessment.technology if assessment.technology else m.technology is None,
            order.index(m.polarity),
        ),
    )


def _page_of(mention: Mention) -> int | None:
    found = _PAGE.search(mention.where) or _PAGE.search(mention.pointer)
    return int(found.group(1)) if found else None


def review_state(reviews: Sequence[Review]) -> ReviewState:
    """What people's decisions on one flag come to. Of each reviewer role the latest decision counts.

    Two reviewers are two roles that accept; a dispute, or accept against reject, is disputed; reject alone retracts.
    """
    latest = {r.reviewer_role: r.decision for r in sorted(reviews, key=lambda r: r.decided_on)}
    decisions = list(latest.values())
    accepts, rejects = decisions.count("accept"), decisions.count("reject")
    if "dispute" in decisions or (accepts and rejects):
        return ReviewState.DISPUTED
    if rejects:
        return ReviewState.RETRACTED
    if accepts >= 2:
        return ReviewState.TWO_REVIEWERS
    return ReviewState.ONE_REVIEWER if accepts else ReviewState.MACHINE

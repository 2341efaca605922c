"""Lifecycle from words of the text alone, for texts without a status field."""

from collections import Counter

from models.codes import Lifecycle
from pipeline.flag.case import SHORT, Case, is_title
from pipeline.flag.context import negated
from pipeline.flag.spans import Hit, Reading
from pipeline.rules.model import Direction, Kind

# An ended or halted process says so once; what it went through before is said many times.
_ENDINGS = (Lifecycle.CANCELLED, Lifecycle.TERMINATED, Lifecycle.SUSPENDED, Lifecycle.COMPLETE)


def lifecycle_of(case: Case) -> tuple[Lifecycle, list[tuple[Reading, Hit]]]:
    """The lifecycle that words of the case speak of, and the words; `unknown` where none do.

    Cancelled, suspended and terminated need a contract, tender or system near, outside a contract's general
    conditions. A draft or a market enquiry is planned whatever else is said of tenders; else the most said counts,
    the title's words first.
    """
    found = _longest([(reading, hit) for reading, hit in case.hits(Kind.LIFECYCLE) if _counts(reading, hit)])
    for ending in _ENDINGS:
        said = [one for one in found if one[1].rule.lifecycle is ending]
        if said:
            return ending, said[:3]
    early = [one for one in found if one[1].rule.concept == "early"]
    if early:
        return Lifecycle.PLANNED, early[:3]
    titled = [one for one in found if is_title(one[0].segment.where)]
    for group in (titled, found):
        votes = Counter(hit.rule.lifecycle for _, hit in group)
        if votes:
            stage = max(votes, key=lambda key: (votes[key], key == Lifecycle.ACTIVE, str(key)))
            return stage or Lifecycle.UNKNOWN, [one for one in group if one[1].rule.lifecycle is stage][:3]
    return Lifecycle.UNKNOWN, []


def _longest(found: list[tuple[Reading, Hit]]) -> list[tuple[Reading, Hit]]:
    """Without words inside longer ones that say another stage: "will be put into operation" is not in operation."""
    return [
        (reading, hit)
        for reading, hit in found
        if not any(
            other_reading is reading
            and other.first <= hit.first
            and hit.last <= other.last
            and other.last - other.first > hit.last - hit.first
            and other.rule.lifecycle is not hit.rule.lifecycle
            for other_reading, other in found
        )
    ]


def _counts(reading: Reading, hit: Hit) -> bool:
    if negated(hit, reading):
        return False
    same = list(reading.around(hit))
    # Documents are full of conditions: there a word must be told of a technology, in its sentence.
    page = reading.segment.where.startswith("page:")
    about = any(other.rule.names_technology for other in same)
    if not hit.rule.needs:
        return about or not page
    if any(other.rule.concept == "boilerplate" for other in same):
        return False
    if (page or len(reading.segment.text) > SHORT) and not about:
        return False
    return any(
        other.rule.concept in hit.rule.needs and other.rule.language == hit.rule.language and _within(hit, other)
        for other in same
    )


def _within(hit: Hit, target: Hit) -> bool:
    if target.first < hit.last and hit.first < target.last:
        return target.last - target.first < hit.last - hit.first
    if hit.rule.direction is Direction.FORWARD and target.first < hit.first:
        return False
    if hit.rule.direction is Direction.BACKWARD and target.first >= hit.last:
        return False
    return max(target.first - hit.last, hit.first - target.last) < hit.rule.scope

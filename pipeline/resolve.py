"""From a supplier's name to a company of the registry, with the reason, and with the gate before naming it.

A wrong match accuses a company of a contract it does not have. So only exact keys match; what is merely similar is
shown as the runner-up, for a person to decide.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind
from rapidfuzz import fuzz, process

from models.procurement import Identifier
from models.review import Review
from models.vendor import Match
from pipeline.names import NormalisedName, normalise
from pipeline.registry import Registry

IDENTIFIER_SCORE: Final = 1.0
LEGAL_NAME_WITH_COUNTRY_SCORE: Final = 0.95
NAME_ALONE_SCORE: Final = 0.85  # No name alone scores higher: companies share names.
_SAME_BARE_NAME: Final = 0.8
_OTHER_FORM: Final = 0.7
_COUNTRY_BONUS: Final = 0.05
_OTHER_COUNTRY: Final = 0.6
_RUNNER_UP_FROM: Final = 60.0
_LEI_SCHEMES: Final = frozenset({"LEI", "XI-LEI", "XI_LEI"})
_SPACES: Final = re.compile(r"\s{2,}|[^\S ]")


class NameEntry(NamedTuple):
    """One name of one vendor, folded."""

    vendor_id: str
    name: str
    normal: NormalisedName
    ambiguous: bool


class TextHit(NamedTuple):
    """A vendor's name or product in a text: `text[start:end]`, in characters of the text as given."""

    vendor_id: str
    start: int
    end: int
    text: str


class _Country(NamedTuple):
    """`agrees` is None where the vendor or both parties have no country to compare."""

    agrees: bool | None
    own: bool
    said: str


def scheme_key(scheme: str, number: str) -> str:
    """One spelling of a number in a register: letters and digits without leading zeros, behind its scheme."""
    scheme = scheme.strip().upper()
    scheme = "LEI" if scheme in _LEI_SCHEMES else scheme
    return f"{scheme} {''.join(c for c in number.upper() if c.isalnum()).lstrip('0')}"


def _string_key(name: str) -> str:
    return " ".join(name.split()).casefold()


class Resolver:
    """Matches names to the vendors of one registry. Reads nothing and remembers nothing between calls."""

    def __init__(self, registry: Registry, decisions: Iterable[Review] = ()) -> None:
        """Index `registry`; of `decisions` only those with the subject 'match' count, the latest of a pair first.

        A decision's `subject_id` is `supplier string|vendor id`; `accept` fixes the match, `reject` rules it out,
        `dispute` keeps a match from being named. Raises `ValueError` when one has no '|' or an unknown vendor id.
        """
        self._registry = registry
        legal: dict[str, list[NameEntry]] = {}
        bare: dict[str, list[NameEntry]] = {}
        for vendor, name, ambiguous, _ in registry.names():
            entry = NameEntry(vendor.id, name, normalise(name), ambiguous)
            bare.setdefault(entry.normal.key.replace(" ", ""), []).append(entry)
            if entry.normal.legal_form:
                legal.setdefault(_legal_key(entry.normal), []).append(entry)
        self._legal: Mapping[str, tuple[NameEntry, ...]] = MappingProxyType({k: tuple(v) for k, v in legal.items()})
        self._bare: Mapping[str, tuple[NameEntry, ...]] = MappingProxyType({k: tuple(v) for k, v in bare.items()})
        self._choices: Sequence[tuple[str, str]] = tuple(
            dict.fromkeys((entry.normal.key, entry.vendor_id) for entries in bare.values() for entry in entries)
        )
        self._choice_keys: Sequence[str] = tuple(key for key, _ in self._choices)
        numbers: dict[str, str] = {}
        for vendor in registry.vendors.values():
            for register in vendor.registers:
                numbers[scheme_key(register.scheme, register.id)] = vendor.id
            if vendor.lei:
                numbers[scheme_key("LEI", vendor.lei.value)] = vendor.id
        self._numbers: Mapping[str, str] = MappingProxyType(numbers)
        self._decisions: Mapping[str, Mapping[str, Review]] = _latest(decisions, registry)
        pairs = registry.distinctive()
        self._literals: Sequence[tuple[str, str]] = pairs
        self._automaton = AhoCorasick([_fold(literal)[0] for _, literal in pairs], matchkind=MatchKind.Standard)

    def match(
        self,
        name: str,
        identifiers: Iterable[Identifier] = (),
        country: str | None = None,
        buyer_country: str | None = None,
        official_record: bool = True,
        *,
        explain: bool = False,
    ) -> Match:
        """Match a supplier string to at most one vendor: human decision, identifier, legal name, bare name.

        `country` is the supplier's own and `buyer_country` the buyer's, as ISO 3166 alpha-2; `official_record` says
        whether the string is quoted from a publisher's own record. `explain` adds the most similar other vendor as
        runner-up, for single look-ups: it costs a comparison with every name. Never raises.
        """
        found = self._find(name, tuple(identifiers), country, buyer_country, official_record)
        return self._with_runner_up(found) if explain else found

    def _find(
        self, name: str, identifiers: tuple[Identifier, ...], country: str | None, buyer: str | None, official: bool
    ) -> Match:
        verdicts = self._decisions.get(_string_key(name), {}) if self._decisions else {}
        accepted = [vendor_id for vendor_id, review in verdicts.items() if review.decision == "accept"]
        if len(accepted) == 1:
            why = f"a person decided it: {verdicts[accepted[0]].reason}"
            gate = "" if official else "not quoted from an official record"
            return _matched(name, accepted[0], IDENTIFIER_SCORE, "review", why, gate or "a human decision", not gate)
        if accepted:
            return _none(name, f"people accepted this name for several vendors: {', '.join(sorted(accepted))}")

        normal = normalise(name)
        legal = self._legal.get(_legal_key(normal), ()) if normal.legal_form else ()
        bare = self._bare.get(normal.key.replace(" ", ""), ())
        if identifiers:
            by_number = self._by_identifier(name, identifiers, legal, official, verdicts)
            if by_number is not None:
                return by_number
        if not bare:
            return _none(name, "no vendor has this name")
        rejected = {vendor_id for vendor_id, review in verdicts.items() if review.decision == "reject"}
        legal = tuple(entry for entry in legal if entry.vendor_id not in rejected)
        bare = tuple(entry for entry in bare if entry.vendor_id not in rejected)
        if not bare:
            return _none(name, "a person ruled this match out")
        disputed = {vendor_id for vendor_id, review in verdicts.items() if review.decision == "dispute"}
        entries = legal or bare
        vendors = sorted({entry.vendor_id for entry in entries})
        if len(vendors) > 1:
            return _none(name, f"several vendors have this name: {', '.join(vendors)}")
        entry = min(entries, key=lambda e: e.ambiguous)
        where = self._country(entry.vendor_id, country, buyer)
        if identifiers and self._other_number(entry.vendor_id, identifiers):
            return _none(name, f"the register number is not the one {entry.vendor_id} has in that register")
        if legal:
            return self._by_legal_name(name, entry, where, official, entry.vendor_id in disputed)
        return self._by_bare_name(name, normal, entry, bare, where)

    def _by_identifier(
        self,
        name: str,
        identifiers: tuple[Identifier, ...],
        legal: tuple[NameEntry, ...],
        official: bool,
        verdicts: Mapping[str, Review],
    ) -> Match | None:
        hits = {
            self._numbers[key]: identifier
            for identifier in identifiers
            if (key := scheme_key(identifier.scheme, identifier.id)) in self._numbers
        }
        if not hits:
            return None
        if len(hits) > 1:
            return _none(name, f"the identifiers belong to several vendors: {', '.join(sorted(hits))}")
        vendor_id, identifier = next(iter(hits.items()))
        others = {entry.vendor_id for entry in legal} - {vendor_id}
        if others:
            return _none(name, f"the identifier is that of {vendor_id}, the name that of {', '.join(sorted(others))}")
        verdict = verdicts[vendor_id].decision if vendor_id in verdicts else ""
        if verdict == "reject":
            return _none(name, "a person ruled this match out")
        why = f"{identifier.scheme} {identifier.id} is the number of this vendor"
        gate = "" if official else "not quoted from an official record"
        if verdict == "dispute":
            gate = "the match is disputed"
        granted = "an identifier on an official record"
        return _matched(name, vendor_id, IDENTIFIER_SCORE, "identifier", why, gate or granted, not gate)

    def _other_number(self, vendor_id: str, identifiers: tuple[Identifier, ...]) -> bool:
        """Whether a register that numbers the vendor gives the supplier another number."""
        vendor = self._registry.vendors[vendor_id]
        schemes = {register.scheme.upper() for register in vendor.registers} | ({"LEI"} if vendor.lei else set())
        return any(scheme_key(i.scheme, i.id).split(" ")[0] in schemes for i in identifiers)

    def _country(self, vendor_id: str, country: str | None, buyer: str | None) -> _Country:
        fact = self._registry.vendors[vendor_id].country
        stated = country or buyer
        if fact is None:
            return _Country(None, country is not None, "the vendor's country has no source")
        if not stated:
            return _Country(None, False, "no country is known for the supplier or the buyer")
        agrees = stated.upper() == fact.value
        whose = "supplier" if country else "buyer"
        verb = "agrees with" if agrees else "differs from"
        said = f"the {whose}'s country {stated.upper()} {verb} the vendor's, {fact.value}"
        return _Country(agrees, country is not None, said)

    def _by_legal_name(self, name: str, entry: NameEntry, where: _Country, official: bool, disputed: bool) -> Match:
        shared = {e.vendor_id for e in self._bare.get(entry.normal.key.replace(" ", ""), ())}
        ambiguous = entry.ambiguous
        what = f"the full legal name {entry.name!r}"
        if ambiguous and where.agrees is not True:
            return _none(name, f"{what} of {entry.vendor_id} is ambiguous and nothing else agrees: {where.said}")
        if where.agrees is False and where.own:
            score = _OTHER_COUNTRY
        elif where.agrees and not ambiguous:
            score = LEGAL_NAME_WITH_COUNTRY_SCORE
        else:
            score = NAME_ALONE_SCORE
        refusals = [
            (not official, "not quoted from an official record"),
            (disputed, "the match is disputed"),
            (ambiguous, "the name is on the ambiguous list"),
            (len(shared) > 1, "the name without its legal form is not unique in the registry"),
            (where.agrees is not True, where.said),
        ]
        refusal = next((reason for failed, reason in refusals if failed), "")
        granted = "full legal name, unique, and " + where.said
        return _matched(
            name, entry.vendor_id, score, "exact_name", f"{what}; {where.said}", refusal or granted, not refusal
        )

    def _by_bare_name(
        self, name: str, normal: NormalisedName, entry: NameEntry, bare: tuple[NameEntry, ...], where: _Country
    ) -> Match:
        what = f"{entry.name!r} without its legal form"
        known_forms = {e.normal.legal_form for e in bare if e.normal.legal_form}
        other_form = bool(normal.legal_form and normal.legal_form not in known_forms)
        ambiguous = any(e.ambiguous for e in bare)
        # The buyer's country says little about a bare word: 'Valid' and 'Oi' are words of the buyer's own language.
        if ambiguous and not (where.agrees and where.own and not other_form):
            why = f"the name is also a word or another company's; for {entry.vendor_id} more must agree: {where.said}"
            return _none(name, why)
        if where.agrees is False and where.own:
            score = _OTHER_COUNTRY
        else:
            score = (_OTHER_FORM if other_form else _SAME_BARE_NAME) + (_COUNTRY_BONUS if where.agrees else 0.0)
        why = f"the same name as {what}" + (f", with another legal form ({normal.legal_form})" if other_form else "")
        gate = "not the full legal name with its legal form"
        return _matched(name, entry.vendor_id, round(score, 2), "normalised_name", f"{why}; {where.said}", gate, False)

    def _with_runner_up(self, match: Match) -> Match:
        best: tuple[str, float] | None = None
        hits = process.extract(
            normalise(match.name).key, self._choice_keys, scorer=fuzz.token_sort_ratio, limit=8,
            score_cutoff=_RUNNER_UP_FROM,
        )  # fmt: skip
        for _, score, index in hits:
            vendor_id = self._choices[index][1]
            if vendor_id != match.vendor_id:
                best = vendor_id, round(score / 100, 2)
                break
        if best is None:
            return match
        return match.model_copy(update={"runner_up": best[0], "runner_up_score": best[1]})

    def vendors_in_text(self, text: str) -> list[TextHit]:
        """Distinctive names and products of vendors in free text, in order; of overlapping ones the longest.

        They stand at word boundaries; case, line breaks and runs of white space do not matter; ambiguous names are
        never found. Offsets are characters of `text`. A hit says that a vendor is spoken of, not that it supplies.
        """
        folded, places = _fold(text)
        hits = []
        for index, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if _bounded(folded, start, end):
                first = places[start] if places else start
                last = (places[end - 1] if places else end - 1) + 1
                hits.append(TextHit(self._literals[index][0], first, last, text[first:last]))
        hits.sort(key=lambda hit: (hit.start, -hit.end))
        out: list[TextHit] = []
        for hit in hits:
            if not out or hit.start >= out[-1].end:
                out.append(hit)
        return out


def _legal_key(normal: NormalisedName) -> str:
    return f"{normal.key.replace(' ', '')}|{normal.legal_form}"


def _latest(decisions: Iterable[Review], registry: Registry) -> Mapping[str, Mapping[str, Review]]:
    out: dict[str, dict[str, Review]] = {}
    for review in sorted((d for d in decisions if d.subject == "match"), key=lambda d: d.decided_on):
        string, bar, vendor_id = review.subject_id.rpartition("|")
        if not bar or vendor_id not in registry.vendors:
            raise ValueError(f"the decision on {review.subject_id!r} does not end in '|' and the id of a vendor")
        out.setdefault(_string_key(string), {})[vendor_id] = review
    return MappingProxyType(out)


def _none(name: str, why: str) -> Match:
    return Match(name=name, vendor_id=None, score=0.0, method="none", why=why, named_why="no vendor is matched")


def _matched(name: str, vendor_id: str, score: float, method: str, why: str, named_why: str, named: bool) -> Match:
    return Match.model_validate(
        {"name": name, "vendor_id": vendor_id, "score": score, "method": method, "why": why, "named": named,
         "named_why": named_why}
    )  # fmt: skip


def _fold(text: str) -> tuple[str, Sequence[int]]:
    """`text` in lower case with single spaces, and the place of each character in `text`, or () when none moved."""
    lowered = text.lower()
    if len(lowered) == len(text) and not _SPACES.search(text):
        return lowered, ()
    chars: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        if char.isspace():
            if chars and chars[-1] == " ":
                continue
            chars.append(" ")
        else:
            lower = char.lower()
            chars.append(lower if len(lower) == 1 else char)
        places.append(place)
    return "".join(chars), places


def _bounded(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` stands alone: scripts written without spaces have no word boundary to ask for."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return _apart(before, text[start]) and _apart(text[end - 1], after)


def _apart(left: str, right: str) -> bool:
    if not (left.isalnum() or left == "_") or not (right.isalnum() or right == "_"):
        return True
    return _unspaced(left) or _unspaced(right)


def _unspaced(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af" or "\u0e00" <= char <= "\u0e7f"

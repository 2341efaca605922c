"""The decision: scope by the codebook, with every reason in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.codes import Function, Polarity, Scope, Setting, Technology
from pipeline.flag.case import Case, Weighed, Worth, banned, excluded, is_title
from pipeline.rules.model import CueCategory, Kind

_FUNCTIONS = (
    Function.LIVE_TRACKING,
    Function.DATABASE_SEARCH,
    Function.IDENTIFICATION,
    Function.CLASSIFICATION,
    Function.VERIFICATION,
)
# Words of a deal; "software" or "used" stand in laws and definitions too.
_DEALS = frozenset({"bought", "bought_before"})
_PRIVATE = frozenset({Setting.RETAIL, Setting.WORKPLACE, Setting.HOUSING, Setting.STADIUM})


@dataclass(frozen=True)
class Decision:
    """Scope, what it rests on, and the sentences that explain it."""

    scope: Scope
    rests_on: tuple[Weighed, ...]
    technology: tuple[Technology, ...]
    reasons: tuple[str, ...]
    contradicted: bool = False
    by_registry: bool = False


def decide(case: Case, sole_purpose: Technology | None) -> Decision:
    """Scope of a case. `sole_purpose` is the registry's fact that the supplier does nothing else, or None."""
    live = [one for one in case.weighed if one.live and one.worth > Worth.NOTHING]
    halted = [one for one in banned(case.weighed) if "bought_before" in case.beside(one.term)]
    ruled_out = [one for one in excluded(case.weighed) if one not in halted]
    # What was bought, and then banned, is in scope and suspended: "banned from using the system they had bought".
    live += [one for one in halted if one.worth > Worth.NOTHING]
    reasons: list[str] = []
    talk = _only_talk(case, live)
    if talk:
        return _out(case, [talk], tuple(live))
    if ruled_out:
        live, note = _against_exclusion(live, ruled_out)
        reasons.append(note)
        if not live:
            return Decision(Scope.EXCLUDED_BY_TEXT, tuple(ruled_out), _named(ruled_out), tuple(reasons))
    worth = max((one.worth for one in live), default=Worth.NOTHING)
    if worth is Worth.NOTHING:
        return _without_technology(case, sole_purpose)
    decisive = [one for one in live if one.worth is worth]
    scope = Scope.IN_SCOPE if worth is Worth.IN_SCOPE else Scope.CONDITIONAL
    reasons = [f"“{one.term.text}” ({one.term.rule.id}): {one.reason}" for one in _first_of_each(decisive)] + reasons
    if any(one.term.polarity is Polarity.OPTIONAL for one in decisive) and all(
        one.term.polarity is Polarity.OPTIONAL for one in decisive
    ):
        reasons.append("named as an option or a capability, which stays in scope")
    return Decision(scope, tuple(decisive), _technologies(live), tuple(reasons), contradicted=bool(ruled_out))


def function_of(case: Case, decision: Decision) -> Function:
    """What the technology is bought to do: the strongest function its terms or the words beside them name."""
    said = {one.term.rule.function for one in decision.rests_on}
    nearby: dict[int, frozenset[str]] = {}
    for one in decision.rests_on:
        number = one.term.reading.number
        nearby[number] = nearby.get(number, frozenset()) | case.near(one.term)
    for number, concepts in nearby.items():
        hits = case.readings[number].hits
        said |= {hit.rule.function for hit in hits if hit.rule.function and hit.rule.concept in concepts}
    if decision.scope is Scope.CONDITIONAL:
        said -= {Function.LIVE_TRACKING}
    if Technology.FACE_IDENTIFICATION in decision.technology:
        said.add(Function.IDENTIFICATION)
    return next((function for function in _FUNCTIONS if function in said), Function.UNCLEAR)


def settings_of(case: Case) -> tuple[Setting, ...]:
    """The settings that the texts name, most often named first; pages count only where a technology stands."""
    pages = {one.term.reading.number for one in case.weighed}
    count: dict[Setting, int] = {}
    for reading, hit in case.hits(Kind.SETTING):
        if hit.rule.setting and (not reading.segment.where.startswith("page:") or reading.number in pages):
            count[hit.rule.setting] = count.get(hit.rule.setting, 0) + 1
    for one in case.weighed:
        if one.live and one.worth and one.term.rule.setting:
            count.setdefault(one.term.rule.setting, 1)
    return tuple(sorted(count, key=lambda setting: (-count[setting], setting.value))[:4])


def clauses_of(case: Case, decision: Decision, settings: Sequence[Setting]) -> tuple[str, ...]:
    """Clauses of the letter that a flag touches: transparency always, the asks to states for purchases in scope."""
    if decision.scope not in {Scope.IN_SCOPE, Scope.CONDITIONAL}:
        return ()
    out = ["call.2.c"]
    if decision.scope is Scope.IN_SCOPE:
        out += ["urge.1.a", "urge.1.c"]
        public = [setting for setting in settings if setting not in _PRIVATE]
        if public or not settings:
            out.append("urge.1.b.i")
        if len(public) < len(settings):
            out.append("urge.1.b.ii")
        if any(one.term.rule.concept == "scraped_face_search" for one in decision.rests_on):
            out.append("urge.1.b.iii")
        if any(hit.rule.concept == "singled_out" for _, hit in case.hits(Kind.WORD)):
            out.append("urge.1.d")
    return tuple(sorted(out))


def confidence_of(case: Case, decision: Decision, settings: Sequence[Setting]) -> tuple[float, str]:
    """A number from 0 to 1 and the named contributions it is the clipped sum of."""
    parts: list[tuple[str, float]] = []
    if decision.by_registry:
        parts.append(("supplier's sole purpose", 0.6))
    elif decision.scope in {Scope.IN_SCOPE, Scope.CONDITIONAL}:
        rules = [one.term.rule for one in decision.rests_on]
        parts.append(("technology named", 0.5) if decision.scope is Scope.IN_SCOPE else ("conditional term", 0.4))
        if any(rule.kind is Kind.PRODUCT for rule in rules):
            parts.append(("product named", 0.1))
        if any(one.bought for one in decision.rests_on):
            parts.append(("words of purchase or use", 0.15))
        if len({rule.id for rule in rules}) > 1:
            parts.append(("several terms", 0.1))
        if any(is_title(one.term.reading.segment.where) for one in decision.rests_on):
            parts.append(("in the title", 0.1))
        if settings:
            parts.append(("setting named", 0.05))
        if all(one.term.polarity is Polarity.OPTIONAL for one in decision.rests_on):
            parts.append(("only as an option", -0.1))
        if decision.contradicted:
            parts.append(("contradicted elsewhere", -0.25))
    elif decision.scope is Scope.EXCLUDED_BY_TEXT:
        parts.append(("ruled out in words", 0.7))
    else:
        parts.append(("nothing in scope named", 0.9))
        if any(one.shown and one.live for one in case.weighed):
            parts.append(("a biometric word without a function", -0.35))
    total = min(1.0, max(0.0, sum(part for _, part in parts)))
    return round(total, 2), " + ".join(f"{name} {part:.2f}" for name, part in parts)


def _only_talk(case: Case, live: list[Weighed]) -> str:
    """Why all live terms are talk that buys and runs nothing, or an empty text."""
    everywhere = [case.near(one.term) for one in (live or case.weighed)]
    if everywhere and all(
        "on_device" in near and not near & {"watchlist", "one_to_many", "surveillance_word"} for near in everywhere
    ):
        return "the template stays on the person's own device"
    if not live:
        bans = banned(case.weighed)
        if bans and all("advocacy" in case.sentence(one.term) for one in bans):
            return "somebody asks for a ban; none is in force by this text, and nothing in it is bought"
        return ""
    if all("law" in case.near(one.term) and not case.sentence(one.term) & _DEALS for one in live):
        return "a law or its definitions; nothing in the text buys it"
    if all(case.near(one.term) & {"opinion", "advocacy"} and not one.bought for one in live):
        return "opinion, law or research; nothing in the text buys or runs it"
    return ""


def _against_exclusion(live: list[Weighed], ruled_out: list[Weighed]) -> tuple[list[Weighed], str]:
    """The live terms that stand against an exclusion, and a sentence on what was decided."""
    no = ruled_out[0].term
    where = no.reading.segment.where
    quote = f"{where} rules out “{no.text}” (“{no.cue}”)"
    places = {(no.term.reading.number, no.term.hit.sentence) for no in ruled_out}
    technologies = {no.term.rule.technology for no in ruled_out}
    strong = [one for one in live if one.bought and _says_more(one, places, technologies)]
    if not strong:
        return [], f"{quote}, and no other place says that it is bought"
    if banned(ruled_out) and len(banned(ruled_out)) == len(ruled_out):
        return live, f"{quote}, yet it was bought or is run: {strong[0].term.reading.segment.where} says so"
    return live, f"contradiction: {quote}, while {strong[0].term.reading.segment.where} says it is bought"


def _says_more(one: Weighed, places: set[tuple[int, int]], technologies: set[Technology | None]) -> bool:
    """Whether a live term is more than the exclusion's own sentence said again: elsewhere, or another technology."""
    here = (one.term.reading.number, one.term.hit.sentence)
    return here not in places or one.term.rule.technology not in technologies


def _without_technology(case: Case, sole_purpose: Technology | None) -> Decision:
    talk = any(one.term.category is CueCategory.HYPOTHETICAL for one in case.weighed)
    if sole_purpose is not None:
        reason = (
            f"the text names no technology in scope; the supplier's only business is {sole_purpose.value} "
            "(registry fact with a public source)"
        )
        return Decision(Scope.IN_SCOPE, (), (sole_purpose,), (reason,), by_registry=True)
    reasons = ["a technology is only talked about"] if talk else ["no technology in scope is named"]
    return _out(case, reasons, ())


def _out(case: Case, reasons: list[str], talked: tuple[Weighed, ...]) -> Decision:
    weak = [one for one in case.weighed if one.worth is Worth.NOTHING and one.live and one.shown]
    reasons += [f"“{one.term.text}” ({one.term.rule.id}) {one.reason}" for one in _first_of_each(weak)]
    reasons += sorted(
        {f"“{gone.words}” ({gone.by.id}) explains {gone.hit.rule.concept} away" for gone in case.cancelled}
    )
    technology = _technologies([*talked, *weak])
    return Decision(Scope.OUT_OF_SCOPE, (), technology, tuple(reasons))


def _first_of_each(weighed: list[Weighed]) -> list[Weighed]:
    firsts: dict[str, Weighed] = {}
    for one in weighed:
        firsts.setdefault(one.term.rule.id, one)
    return list(firsts.values())[:4]


def _technologies(weighed: list[Weighed]) -> tuple[Technology, ...]:
    found = {one.technology for one in weighed}
    if found & {Technology.FACE_IDENTIFICATION, Technology.FACE_VERIFICATION}:
        found.discard(Technology.FACE_UNSPECIFIED)
    if Technology.FACE_IDENTIFICATION in found:
        found.discard(Technology.FACE_VERIFICATION)
    if len(found) > 1:
        found.discard(Technology.OTHER)
    return tuple(sorted(found))


def _named(weighed: list[Weighed]) -> tuple[Technology, ...]:
    """What an exclusion rules out: bare "facial recognition" stays unspecified there."""
    return tuple(sorted({one.term.rule.technology or Technology.OTHER for one in weighed}))

"""What many releases say of one process becomes one contract."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations

import pytest

from models.codes import Basis, Candidacy, Lifecycle, Role, ValueKind
from models.procurement import Child, Identifier, Party, Place, Release, Status, Value
from models.vendor import Match
from pipeline.build.merge import LARGEST, Merged, ReleaseRow, merge
from pipeline.build.rows import contract_rows
from pipeline.parse.ocds_parties import opaque_id

TENDER = Status(lifecycle=Lifecycle.TENDER, raw="active", basis=Basis.STATUS)
ACTIVE = Status(lifecycle=Lifecycle.ACTIVE, raw="active", basis=Basis.STATUS)
CANCELLED = Status(lifecycle=Lifecycle.CANCELLED, raw="unsuccessful", basis=Basis.STATUS)


def money(amount: str, kind: ValueKind, currency: str | None = "GBP") -> Value:
    return Value(amount=Decimal(amount), currency=currency, kind=kind)


def said(name: str, day: int | None, *, source: str = "aa", candidacy: Candidacy | None = None, **fields) -> ReleaseRow:
    release = Release(
        **{
            "release_id": f"r-{name}",
            "contract_id": "c-1",
            "source_id": source,
            "native_id": "P-1",
            "published_at": datetime(2025, 3, day, tzinfo=UTC) if day else None,
            "title": "",
            **fields,
        }
    )
    place = Place(payload_sha256=f"sha-{name}", pointer="/releases/0")
    return ReleaseRow(release, place, datetime(2026, 1, 1, tzinfo=UTC), candidacy)


def contract(native_id: str = "K1", **fields) -> Child:
    return Child(kind="contract", native_id=native_id, **fields)


def award(native_id: str = "A1", **fields) -> Child:
    return Child(kind="award", native_id=native_id, **fields)


def test_the_newest_release_that_says_something_wins_field_by_field():
    merged = merge(
        [
            said("new", 20, title="Cameras, corrected", status=ACTIVE),
            said("old", 10, title="Cameras", status=TENDER, tender_ends_on=date(2025, 4, 1), language="en"),
            said("newest", 25, ends_on=date(2027, 1, 1)),
        ]
    )
    assert merged.title == "Cameras, corrected"
    assert merged.status == ACTIVE
    assert merged.tender_ends_on == date(2025, 4, 1)
    assert merged.language == "en"
    assert merged.ends_on == date(2027, 1, 1)
    assert (merged.published_on, merged.updated_on) == (date(2025, 3, 10), date(2025, 3, 25))
    assert merged.place.payload_sha256 == "sha-newest"


def test_the_order_of_the_rows_does_not_matter():
    rows = [said("a", 1, title="one"), said("b", 2, title="two"), said("c", None, title="three", language="sl")]
    assert len({merge(order) for order in permutations(rows)}) == 1
    assert merge(rows).title == "two", "a release without a date is older than any dated one"


def test_a_later_row_of_one_file_is_newer():
    def row(number: int) -> ReleaseRow:
        made = said(f"row{number}", 5, title=f"row {number}")
        return ReleaseRow(made.release, Place(payload_sha256="file", pointer=f"row={number}"), made.fetched_at)

    assert merge([row(10), row(9)]).title == "row 10"


def test_of_two_copies_the_one_archived_first_is_the_evidence():
    made = said("a", 1)
    late = ReleaseRow(made.release, Place(payload_sha256="late", pointer="/0"), datetime(2026, 2, 2, tzinfo=UTC))
    merged = merge([late, made])
    assert merged.place.payload_sha256 == "sha-a"
    assert len(merged.releases) == 1


def test_obligations_add_and_a_repeat_counts_once():
    amounts = {"a": "500000", "b": "500000", "c": "500000", "d": "0", "e": "787500"}
    rows = [
        said(name, 1, children=(contract(value=money(amount, ValueKind.OBLIGATION, "USD")),))
        for name, amount in amounts.items()
    ]
    merged = merge([*rows, rows[0]])
    assert merged.children[0].child.value == money("2287500", ValueKind.OBLIGATION, "USD")
    assert merged.children[0].releases == 5
    assert merged.value == money("2287500", ValueKind.OBLIGATION, "USD")


def test_an_award_is_replaced_by_the_newest_not_added():
    merged = merge(
        [
            said("a", 1, children=(award(value=money("100", ValueKind.AWARD)),)),
            said("b", 2, children=(award(value=money("120", ValueKind.AWARD)),)),
            said("c", 3, children=(award(),)),
        ]
    )
    assert merged.value == money("120", ValueKind.AWARD)


def test_obligations_in_two_currencies_are_not_added():
    merged = merge(
        [
            said("a", 1, children=(contract(value=money("100", ValueKind.OBLIGATION, "USD")),)),
            said("b", 2, children=(contract(value=money("100", ValueKind.OBLIGATION, "EUR")),)),
        ]
    )
    assert merged.children[0].child.value is None
    assert merged.notes == ("the obligations of K1 are in several currencies and were not added",)


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        ((), money("9000", ValueKind.ESTIMATE)),
        ((award(),), money("9000", ValueKind.ESTIMATE)),
        (
            (award("A1", value=money("100", ValueKind.AWARD)), award("A2", value=money("50", ValueKind.AWARD))),
            money("150", ValueKind.AWARD),
        ),
        # The contract replaces the award it names; one without a value leaves the award's.
        (
            (
                award("A1", value=money("100", ValueKind.AWARD)),
                contract(award_id="A1", value=money("90", ValueKind.CONTRACT)),
            ),
            money("90", ValueKind.CONTRACT),
        ),
        (
            (award("A1", value=money("100", ValueKind.AWARD)), contract(award_id="A1")),
            money("100", ValueKind.AWARD),
        ),
        # Never across kinds or currencies.
        (
            (
                award("A1", value=money("100", ValueKind.AWARD)),
                contract(award_id="A2", value=money("90", ValueKind.CONTRACT)),
            ),
            None,
        ),
        (
            (award("A1", value=money("1", ValueKind.AWARD)), award("A2", value=money("1", ValueKind.AWARD, "EUR"))),
            None,
        ),
        # A lot that failed cost nothing.
        (
            (
                award("A1", value=money("100", ValueKind.AWARD), status=CANCELLED),
                award("A2", value=money("50", ValueKind.AWARD), status=ACTIVE),
            ),
            money("50", ValueKind.AWARD),
        ),
    ],
)
def test_the_value_of_a_process(children, expected):
    assert merge([said("a", 1, value=money("9000", ValueKind.ESTIMATE), children=children)]).value == expected


def test_an_amount_beyond_belief_is_left_out_and_said():
    merged = merge([said("a", 1, value=Value(amount=LARGEST, currency="GBP", kind=ValueKind.ESTIMATE))])
    assert merged.value is None
    assert merged.notes == ("release r-a states an amount of 1.00e+24, which was left out",)


def test_a_contract_has_the_suppliers_of_its_award():
    children = (award("A1", supplier_ids=("s1",)), contract(award_id="A1"), contract("K2", award_id="A9"))
    suppliers = {m.child.native_id: m.child.supplier_ids for m in merge([said("a", 1, children=children)]).children}
    assert suppliers == {"A1": ("s1",), "K1": ("s1",), "K2": ()}


def test_a_supplier_that_no_list_of_parties_names_is_kept_without_a_name():
    merged = merge([said("a", 1, children=(award(supplier_ids=("s1",)),))])
    assert merged.parties == (Party(local_id="s1", name="", roles=(Role.SUPPLIER,)),)


def test_once_taken_for_a_person_never_named():
    person = Party(local_id="s1", name="", roles=(Role.SUPPLIER,), natural_person=True)
    firm = Party(local_id="s1", name="Jane Roe", roles=(Role.SUPPLIER,))
    merged = merge([said("a", 1, parties=(person,)), said("b", 2, parties=(firm,))])
    assert merged.parties == (person,)


def test_the_buyer_else_the_procuring_entity():
    entity = Party(local_id="b2", name="Region", roles=(Role.PROCURING_ENTITY,))
    buyers = tuple(Party(local_id=f"b{i}", name=name, roles=(Role.BUYER,)) for i, name in enumerate(("City", "Port")))
    assert merge([said("a", 1, parties=(entity,))]).buyer == "Region"
    assert merge([said("a", 1, parties=(entity, *buyers))]).buyer == "City; Port"


def test_a_word_we_do_not_know_is_the_newest_status():
    strange = Status(raw="zaustavljeno", basis=Basis.STATUS)
    assert merge([said("a", 1, status=ACTIVE), said("b", 2, status=strange)]).status == strange


def test_a_child_without_a_status_rests_on_its_dates():
    children = (contract("K1", ends_on=date(2026, 1, 1)), contract("K2"))
    bases = {m.child.native_id: m.child.status.basis for m in merge([said("a", 1, children=children)]).children}
    assert bases == {"K1": Basis.DATES, "K2": Basis.NONE}


def test_two_sources_give_one_contract_and_two_places():
    merged = merge([said("a", 1), said("b", 2, source="bb"), said("c", 3, source="bb")])
    assert [(s.source_id, s.place.payload_sha256, s.releases) for s in merged.sources] == [
        ("aa", "sha-a", 1),
        ("bb", "sha-c", 2),
    ]


def test_text_outranks_vendor_outranks_probe():
    rows = [said("a", 1, candidacy=Candidacy.PROBE), said("b", 2, candidacy=Candidacy.VENDOR), said("c", 3)]
    assert merge(rows).candidacy is Candidacy.VENDOR
    assert merge(rows[2:]).candidacy is None


def test_releases_of_two_processes_are_refused():
    with pytest.raises(ValueError, match="exactly one process"):
        merge([said("a", 1), said("b", 1, contract_id="c-2")])
    with pytest.raises(ValueError, match="exactly one process"):
        merge([])


def obligated(amount: str, *, so_far: bool = False) -> Value:
    value = money(amount, ValueKind.OBLIGATION, "USD")
    return value.model_copy(update={"cumulative": so_far})


def paid(name: str, day: int, amount: str, *, so_far: bool = False, source: str = "aa", **fields) -> ReleaseRow:
    return said(name, day, source=source, children=(contract(value=obligated(amount, so_far=so_far)),), **fields)


def test_a_stated_total_is_not_added_to_the_transactions_of_its_own_source():
    rows = [paid("a", 1, "500", title="Base"), paid("b", 2, "250", title="Option"), paid("t", 3, "750", so_far=True)]
    merged = merge(rows)
    assert merged.children[0].child.value == obligated("750", so_far=True)
    assert merged.notes == ()
    # A newer total replaces the older one; a transaction after it does not make it larger.
    later = [*rows, paid("t2", 4, "900", so_far=True), paid("c", 5, "100")]
    assert merge(later).value == obligated("900", so_far=True)


def test_totals_of_two_sources_are_compared_and_never_added():
    rows = [paid("a", 1, "500"), paid("b", 2, "250.40"), paid("t", 9, "750", so_far=True, source="bb")]
    merged = merge(rows)
    assert merged.value == obligated("750", so_far=True)
    assert merged.notes == (), "forty cents are a matter of rounding"
    for order in permutations([*rows, paid("c", 20, "99.60")]):
        merged = merge(order)
        assert merged.value == obligated("750", so_far=True), "a stated total goes before a sum, though it is older"
        assert merged.notes == ("bb tells of obligations of 750.00 for K1, aa of 850.00; the first counts",)


def test_of_two_sources_of_transactions_the_newer_one_counts():
    merged = merge([paid("a", 1, "500"), paid("b", 1, "500", source="bb"), paid("c", 2, "30", source="bb")])
    assert merged.value == obligated("530")
    assert merged.notes == ("bb tells of obligations of 530.00 for K1, aa of 500.00; the first counts",)


def test_the_title_of_a_total_goes_before_those_of_transactions():
    rows = [
        paid("a", 1, "5", title="O&M"),
        paid("t", 2, "9", so_far=True, title="Cameras"),
        paid("b", 3, "1", title="X"),
    ]
    assert merge(rows).title == "Cameras"


def test_a_stated_end_outlasts_dates_that_are_merely_computed():
    def at(name: str, day: int, status: Status) -> ReleaseRow:
        return said(name, day, status=status, children=(contract(status=status),))

    ended = Status(lifecycle=Lifecycle.TERMINATED, raw="TERMINATE FOR CONVENIENCE", basis=Basis.EVENT)
    goes_on = Status(lifecycle=Lifecycle.ACTIVE, raw="EXERCISE AN OPTION", basis=Basis.EVENT)
    running = Status(lifecycle=Lifecycle.ACTIVE, basis=Basis.DATES)
    over = Status(lifecycle=Lifecycle.COMPLETE, basis=Basis.DATES)
    for rows, expected in (
        ([at("a", 1, ended), at("b", 2, Status()), at("c", 3, running)], ended),
        ([at("a", 1, ended), at("b", 2, goes_on), at("c", 3, running)], running),
        ([at("a", 1, goes_on), at("b", 2, over)], over),
        ([at("a", 1, running), at("b", 2, ended)], ended),
    ):
        merged = merge(rows)
        assert (merged.status, merged.children[0].child.status) == (expected, expected)


def firm(local_id: str, name: str, uei: str = "", role: Role = Role.SUPPLIER, country: str | None = None) -> Party:
    numbers = (Identifier(scheme="US-UEI", id=uei),) if uei else ()
    return Party(local_id=local_id, name=name, roles=(role,), identifiers=numbers, country=country)


def both(first: tuple[Party, ...], second: tuple[Party, ...]):
    def told(name: str, day: int, source: str, parties: tuple[Party, ...]) -> ReleaseRow:
        ids = tuple(p.local_id for p in parties if Role.SUPPLIER in p.roles)
        return said(name, day, source=source, parties=parties, children=(contract(supplier_ids=ids),))

    return merge([told("a", 1, "aa", first), told("b", 2, "bb", second)])


def test_one_supplier_under_two_spellings_of_two_sources_is_one_party():
    by_number = both((firm("s1", "EXAMPLE VISION", "E1"),), (firm("s2", "EXAMPLE VISION SYSTEMS, INC.", "E1"),))
    assert by_number.parties == (firm("s1", "EXAMPLE VISION SYSTEMS, INC.", "E1"),), "the newest name"
    assert by_number.children[0].child.supplier_ids == ("s1",)
    assert by_number.aliases == (("s2", "s1"),)
    by_name = both((firm("supplier:X", "EXAMPLE VISION INC"),), (firm("uei:E1", "Example Vision, Inc.", "E1"),))
    assert by_name.parties == (firm("uei:E1", "Example Vision, Inc.", "E1"),)
    assert by_name.children[0].child.supplier_ids == ("uei:E1",)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Another number, another legal form, another role, another country: two parties.
        (firm("s1", "EXAMPLE VISION INC", "E1"), firm("s2", "EXAMPLE VISION INC", "E2")),
        (firm("s1", "EXAMPLE VISION INC"), firm("s2", "EXAMPLE VISION LLC")),
        (firm("s1", "EXAMPLE VISION INC"), firm("s2", "EXAMPLE VISION INC", role=Role.BUYER)),
        (firm("s1", "EXAMPLE VISION INC", country="US"), firm("s2", "EXAMPLE VISION INC", country="CA")),
    ],
)
def test_what_may_be_two_organisations_stays_two(first: Party, second: Party):
    assert both((first,), (second,)).parties == (first, second)


def test_a_source_without_numbers_does_not_make_one_of_two_companies():
    merged = both((firm("s1", "EXAMPLE INC", "E1"), firm("s2", "EXAMPLE INC", "E2")), (firm("s3", "EXAMPLE INC"),))
    assert [p.local_id for p in merged.parties] == ["s1", "s2"]
    same_owner = (Identifier(scheme="US-UEI-PARENT", id="E9"),)
    one, other = (p.model_copy(update={"identifiers": same_owner}) for p in (firm("s1", "A INC"), firm("s2", "B INC")))
    assert both((one,), (other,)).parties == (one, other), "two subsidiaries of one owner"


def test_local_ids_of_one_source_are_left_alone():
    parties = (firm("s1", "EXAMPLE INC"), firm("s2", "EXAMPLE INC"))
    assert merge([said("a", 1, parties=parties)]).parties == parties


def test_a_name_that_one_source_takes_for_a_persons_is_kept_by_none():
    name = "JANE ROE FICTIONAL TAILORING"
    person = Party(local_id=opaque_id(name), name="", roles=(Role.SUPPLIER,), natural_person=True)
    merged = both((firm(f"supplier:{name}", name),), (person,))
    assert merged.parties == (person,)
    assert merged.children[0].child.supplier_ids == (person.local_id,)


def match(name: str, vendor_id: str | None, score: float) -> Match:
    return Match(name=name, vendor_id=vendor_id, score=score, method="exact_name", why="", named=vendor_id is not None)


def party_row(merged: Merged, matches: dict[str, Match]):
    (row,) = (row for table, row in contract_rows(merged, [], matches, []) if table == "party")
    return row


def test_a_party_is_matched_by_any_of_its_spellings():
    merged = both((firm("s1", "EXAMPLE VISION", "E1"),), (firm("s2", "EXAMPLE VISION SYSTEMS, INC.", "E1"),))
    for second, expected in (
        (match("b", "vision", 0.95), ("vision", True)),
        (match("b", None, 0.0), (None, False)),
    ):
        (row,) = (
            r
            for table, r in contract_rows(merged, [], {"s1": match("a", None, 0.0), "s2": second}, [])
            if table == "party"
        )
        assert (row["vendor_id"], row["named"]) == expected
    row = party_row(merged, {"s1": match("a", "other", 0.9), "s2": match("b", "vision", 0.95)})
    assert (row["vendor_id"], row["named"]) == ("vision", False)
    assert row["named_why"] == "its names in several sources lead to different vendors: other, vision"

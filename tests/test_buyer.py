"""Who buys is heard, as a place where the technology is used and as nothing else."""

from models.assessment import BUYER, Segment
from models.codes import Setting
from pipeline.flag import Flagger
from pipeline.rules import load_rules
from pipeline.store import DATA

FLAGGER = Flagger(load_rules(DATA / "rules"))


def scope(buyer: str, title: str) -> tuple[str, tuple[Setting, ...]]:
    said = FLAGGER.assess([Segment(where=BUYER, text=buyer), Segment(where="title", text=title)])
    return said.scope.value, said.setting


def test_biometric_equipment_of_a_border_force_is_conditional() -> None:
    assert scope("Customs and Border Protection", "BIOMETRIC EQUIPMENT") == ("conditional", (Setting.BORDER,))
    assert scope("Department of Fisheries", "BIOMETRIC EQUIPMENT") == ("out_of_scope", ())


def test_a_ministry_is_no_network_of_clocks() -> None:
    assert scope("Ministry of Local Government", "Tablets with biometric scanners")[0] == "out_of_scope"


def test_a_buyer_named_after_a_technology_buys_pens_too() -> None:
    assert scope("Facial Recognition Programme Office, Example Police", "Ballpoint pens")[0] == "out_of_scope"
    case = FLAGGER.case([Segment(where=BUYER, text="Live Facial Recognition Unit")])
    assert case.weighed == ()


def test_a_buyer_s_name_sets_no_stage_and_singles_out_nobody() -> None:
    buyer = Segment(where=BUYER, text="Planned Suspended Contract Award Agency for Migrants and Refugees")
    title = Segment(where="title", text="Facial recognition cameras")
    said, alone = FLAGGER.assess([buyer, title]), FLAGGER.assess([title])
    assert (said.lifecycle, said.clauses) == (alone.lifecycle, alone.clauses)

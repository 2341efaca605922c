"""What the bundled sample should give, written by hand from its notices; the end-to-end test compares with it."""

from dataclasses import dataclass
from datetime import date

# The day after the second night. Stages of tenders and plans depend on the day they are asked for.
AS_OF = date(2026, 11, 11)
NIGHT_1, NIGHT_2 = "20261110T020000Z", "20261111T020000Z"

RELEASES = 36  # distinct, over both nights
PROCESSES = 34
LISTED_BY_NIGHT = {NIGHT_1: 28, NIGHT_2: 13}  # five of them are listed on both nights
DOCUMENTS_BY_NIGHT = {NIGHT_1: (9, 8), NIGHT_2: (4, 3)}  # expected, received (one of them known from the first night)


@dataclass(frozen=True)
class Finding:
    """One contracting process. `supplier` is as written; '[natural person]' stands for a name that must not appear."""

    title: str
    buyer: str
    candidacy: str
    scope: str
    technology: tuple[str, ...]
    lifecycle: str
    stage: str
    supplier: str | None = None
    vendor_id: str | None = None
    value: str | None = None
    from_document: bool = False


_VISION = "Fictional Exemplar Vision Ltd"
_SIGHT = "Fictional Sample Sight plc"
_FACE = ("face_identification",)
_PROCESS = "ocds-b5fd17-"

# Flagged: in scope or conditional. Keys are native ids (OCDS ocids). `lifecycle` is the one of the award where there
# is one (what the text says outweighs an active status only when it says suspended, cancelled or terminated).
FLAGGED: dict[str, Finding] = {
    _PROCESS + "9fb5a9f9-5816-576a-8973-ed527c2f3117": Finding(
        "Live facial recognition vans and managed service", "Fictional Testshire Police", "text",
        "in_scope", _FACE, "active", "ongoing", _VISION, "fictional-exemplar-vision", "1840000",
    ),
    # A tender on the first night, its award on the second.
    _PROCESS + "c9497427-2e4d-55ec-a863-c19dfdd5bc78": Finding(
        "Town centre safety: real-time face recognition on the CCTV network - AWARD",
        "Fictional Exampletown Borough Council", "text",
        "in_scope", _FACE, "active", "ongoing", _SIGHT, "fictional-sample-sight", "912300",
    ),
    _PROCESS + "96519d96-b27c-55b5-b84d-68b9de5aa0a1": Finding(
        "Retrospective facial recognition service", "Fictional Samplevale Constabulary", "text",
        "in_scope", _FACE, "tender", "in_the_making", value="3200000",
    ),
    # Its supplier is in no registry.
    _PROCESS + "9e524b00-16e0-557f-b4d3-e69de06b9087": Finding(
        "Visitor experience analytics for the market hall", "Fictional Exampletown Market Hall Trust", "text",
        "in_scope", ("demographic_classification", "emotion"), "active", "ongoing",
        "Fictional Unlisted Analytics Ltd", None, "86500",
    ),
    # Active on the first night, suspended by the text of the update on the second.
    _PROCESS + "135af7a7-086e-5659-801c-aa2c65c00bc6": Finding(
        "Face recognition at the civic square", "Fictional Sampleton City Council", "text",
        "in_scope", _FACE, "suspended", "suspended", _SIGHT, "fictional-sample-sight", "655000",
    ),
    _PROCESS + "ae154885-3cec-5652-a8c0-7b8873017513": Finding(
        "Facial recognition at the stadium gates - early engagement", "Fictional Example Arena Authority", "text",
        "in_scope", _FACE, "planned", "in_the_making",
    ),
    # The notice says CCTV; page 1 of its annex says facial recognition against watchlists.
    _PROCESS + "b3645597-7868-5f46-8425-40d59b607f39": Finding(
        "CCTV upgrade at bus stations", "Fictional Testshire Passenger Transport Executive", "probe",
        "in_scope", _FACE, "active", "ongoing",
        "Fictional Placeholder Integrators Ltd", "fictional-placeholder-integrators", "398750.5", from_document=True,
    ),
    # Sold by a reseller; the product ExemplarFace is made by another company of the registry.
    _PROCESS + "6d54c373-a20f-5e44-aa0f-fcd94f304575": Finding(
        "ExemplarFace licences for the port police control room", "Fictional Exampleport Authority", "text",
        "in_scope", _FACE, "active", "ongoing", "Fictional Reseller Ltd", "fictional-reseller", "74200",
    ),
    _PROCESS + "2bf6cd1e-8941-5df1-aa69-5da67239d47e": Finding(
        "Cashless catering with facial verification at nine schools", "Fictional Sample Schools Academy Trust", "text",
        "conditional", ("face_verification",), "active", "ongoing", "Fictional Canteen Services Ltd", None, "139900",
    ),
    _PROCESS + "9f7a3000-aa23-5e83-8d8b-90404f1580ed": Finding(
        "Operator training for retrospective facial recognition", "Fictional Testshire Police", "text",
        "in_scope", _FACE, "active", "ongoing", "[natural person]", None, "18000",
    ),
    # A call-off; its order form answers 404.
    _PROCESS + "69a95e2d-d42b-5554-bdb6-533e85c3bdf8": Finding(
        "Call-off - live facial recognition equipment", "Fictional Samplevale Constabulary", "text",
        "in_scope", _FACE, "active", "ongoing", _VISION, "fictional-exemplar-vision", "210000",
    ),
    # Ended by its dates.
    _PROCESS + "9156335b-5c20-5fe1-9716-622b20a8bdc1": Finding(
        "Trial of live facial recognition on Example Street", "Fictional Testshire Police", "text",
        "in_scope", _FACE, "active", "ended", _SIGHT, "fictional-sample-sight", "245000",
    ),
    # Nothing but the supplier says what it is: a registry fact with a source.
    _PROCESS + "f82e148b-0e25-510b-a2c9-c360400f9d5d": Finding(
        "Software maintenance renewal", "Fictional National Sampling Agency", "vendor",
        "in_scope", ("gait",), "active", "ongoing", "Fictional Gaitwell Ltd", "fictional-gaitwell", "52000",
    ),
    # Its summary is declared a PDF and comes as a sign-in page.
    _PROCESS + "7e96ca53-477c-524c-a4d7-bc69be73207a": Finding(
        "Video search platform for metro stations", "Fictional Sampleton Metro", "text",
        "in_scope", ("person_reid_tracking",), "active", "ongoing", _SIGHT, "fictional-sample-sight", "1115000",
    ),
}  # fmt: skip

# Kept and read, and not flagged.
NOT_FLAGGED: dict[str, Finding] = {
    # The notice tempts; page 1 of its specification rules facial recognition out.
    _PROCESS + "b3b5657c-0e40-5795-948d-830e67b876f9": Finding(
        "Body worn video cameras and CCTV for civil enforcement officers", "Fictional Testshire County Council",
        "text", "excluded_by_text", ("emotion", "face_unspecified"), "tender", "in_the_making", value="180000",
        from_document=True,
    ),
    _PROCESS + "69b31e98-7766-524f-8add-f2140ea58a07": Finding(
        "Time clock for the highways depot", "Fictional Exampletown Borough Council",
        "probe", "out_of_scope", (), "active", "ongoing", "Fictional Electrical Services Ltd", None, "1480",
    ),
    _PROCESS + "baf6e1b8-50fb-5663-aa98-7ae9dd776211": Finding(
        "Maintenance of CCTV cameras", "Fictional Exampletown Borough Council",
        "probe", "out_of_scope", (), "active", "ongoing", "Fictional Electrical Services Ltd", None, "44000",
    ),
    _PROCESS + "d8288d29-b098-5242-8340-52ea6e76fcc5": Finding(
        "Chemicals for the fingerprint laboratory", "Fictional Testshire Police",
        "probe", "out_of_scope", (), "active", "ongoing", "Fictional Clinical Products Ltd", None, "15800",
    ),
    _PROCESS + "13971dee-d8a9-5cee-a40c-bf017bba51d4": Finding(
        "Identity cards and door readers", "Fictional Exampletown Hospitals NHS Trust",
        "probe", "out_of_scope", (), "active", "ongoing", "Fictional Electrical Services Ltd", None, "27500",
    ),
}  # fmt: skip

# Ordinary purchases with tempting words: each leaves a row in `seen` and nothing else.
ORDINARY: dict[str, str] = {
    _PROCESS + "9f409247-d688-5ef2-a032-87cd794a9d8c": "Resurfacing of county roads, lot 2",
    _PROCESS + "6c2dd769-c186-50d3-a5e0-f2798c7e52aa": "Surgical face masks and face shields",
    _PROCESS + "fd4b320d-6dd7-5a9e-b197-aa1285beedcd": "Employee recognition awards programme",
    _PROCESS + "54ecd0c0-e293-5ce5-8ac8-5992a9c7d9b6": "Automatic number plate recognition for car parks",
    _PROCESS + "67280fb1-374a-554b-8b95-1db990f8a6ae": "Iris and daffodil planting in the town parks",
    _PROCESS + "b68f7d98-f223-58be-b4e3-b437b1b898ac": "Self-service kiosks for libraries",
    _PROCESS + "19e74999-96ca-59f0-b8b8-f5ebcaa048e0": "Catering at six primary schools",
    _PROCESS + "764d0bdd-65b1-5ea5-84ad-3deacb82431f": "Voice recognition dictation software for clinicians",
    _PROCESS + "2eb8a6e5-8e9b-53cb-9d6d-b1c515122d94": "Disease surveillance data service",
    _PROCESS + "8c98890b-00b9-5d81-84dd-dca3ebf50847": "Dynamic purchasing system for minibuses and coaches",
    _PROCESS + "8ce0deff-97d2-5961-afda-b9043325d57f": "People counting sensors for the market hall",
    _PROCESS + "f47b52e9-40b5-5d15-a18b-57159f122105": "Gait analysis laboratory for rehabilitation",
    _PROCESS + "9602f80f-91f4-54ef-a33e-2bfa2b9d3e4d": "Ear tags and face recognition of cattle at the county farm",
    _PROCESS + "6f710f63-2868-57c3-b3df-de35e0086501": "Cleaning of civic offices - early engagement",
    _PROCESS + "04940dcb-a206-5c33-8792-d39512951009": "Street lighting maintenance",
}

# Rows of portfolio.csv by line: status and the companies it stands for.
HOLDINGS: dict[int, tuple[str, tuple[str, ...]]] = {
    2: ("matched", ("fictional-exemplar-holdings", "fictional-exemplar-vision")),
    3: ("matched", ("fictional-sample-sight",)),
    4: ("matched", ("fictional-gaitwell",)),
    5: ("ambiguous", ("fictional-exemplar-holdings", "fictional-sample-sight")),
    6: ("not_in_registry", ()),
    7: ("unmatched", ()),
}

# In the archived notices, and in no lake, database, report or evidence crop.
PRIVATE = ("Fictional Contact", "Mr Fictional Person", "@police.example.org", "020 7946 0101", "Fictional House")

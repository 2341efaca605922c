"""Codelists. Their values are what tables, cards, commands and reports say; one word for one thing."""

from enum import StrEnum


class Lifecycle(StrEnum):
    """Where a process, award or contract stands, as far as the source says."""

    PLANNED = "planned"
    TENDER = "tender"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    COMPLETE = "complete"
    TERMINATED = "terminated"
    UNKNOWN = "unknown"


class Basis(StrEnum):
    """What a lifecycle or a stage rests on."""

    STATUS = "status"
    DATES = "dates"
    EVENT = "event"
    TEXT = "text"
    DOCUMENT = "document"
    NONE = "none"


class Stage(StrEnum):
    """The letter's word (call.2.c) for a lifecycle as of a date."""

    IN_THE_MAKING = "in_the_making"
    ONGOING = "ongoing"
    SUSPENDED = "suspended"
    ENDED = "ended"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """What the codebook says of a purchase. In scope and conditional are never summed together."""

    IN_SCOPE = "in_scope"
    CONDITIONAL = "conditional"
    OUT_OF_SCOPE = "out_of_scope"
    EXCLUDED_BY_TEXT = "excluded_by_text"


class Technology(StrEnum):
    FACE_IDENTIFICATION = "face_identification"
    FACE_VERIFICATION = "face_verification"
    FACE_UNSPECIFIED = "face_unspecified"
    GAIT = "gait"
    VOICE = "voice"
    IRIS = "iris"
    FINGERPRINT_AFIS = "fingerprint_afis"
    MULTIMODAL = "multimodal"
    EMOTION = "emotion"
    DEMOGRAPHIC_CLASSIFICATION = "demographic_classification"
    PERSON_REID_TRACKING = "person_reid_tracking"
    OTHER = "other"


class Function(StrEnum):
    """What the technology is bought to do."""

    IDENTIFICATION = "identification_1_to_n"
    LIVE_TRACKING = "live_tracking"
    DATABASE_SEARCH = "database_search"
    CLASSIFICATION = "classification"
    VERIFICATION = "verification_1_to_1"
    DETECTION_ONLY = "detection_only"
    UNCLEAR = "unclear"


class Setting(StrEnum):
    POLICING = "policing"
    BORDER = "border"
    TRANSPORT = "transport"
    SCHOOL = "school"
    LIBRARY = "library"
    WORKPLACE = "workplace"
    STADIUM = "stadium"
    HOUSING = "housing"
    STREET_PUBLIC_SPACE = "street_public_space"
    RETAIL = "retail"
    ONLINE = "online"
    PRISON = "prison"
    WELFARE_ID = "welfare_id"
    OTHER = "other"


class Polarity(StrEnum):
    """How a text speaks of what it mentions."""

    ASSERTED = "asserted"
    OPTIONAL = "optional"
    HYPOTHETICAL = "hypothetical"
    EXCLUDED = "excluded"


class ValueKind(StrEnum):
    """Sums are only ever taken within one kind."""

    ESTIMATE = "estimate"
    AWARD = "award"
    CONTRACT = "contract"
    FRAMEWORK_CEILING = "framework_ceiling"
    CALL_OFF = "call_off"
    AMENDMENT = "amendment"
    OBLIGATION = "obligation"


class Role(StrEnum):
    """OCDS party roles, and `manufacturer` for the maker behind a reseller."""

    BUYER = "buyer"
    PROCURING_ENTITY = "procuringEntity"
    SUPPLIER = "supplier"
    TENDERER = "tenderer"
    SUBCONTRACTOR = "subcontractor"
    PAYER = "payer"
    PAYEE = "payee"
    FRAMEWORK_USER = "frameworkUser"
    MANUFACTURER = "manufacturer"


class Retrieval(StrEnum):
    """`full`: every notice passed before our eyes. `query`: the portal was searched with our terms."""

    FULL = "full"
    QUERY = "query"


class Outcome(StrEnum):
    """How a crawl or an ingest ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    BLOCKED = "blocked"
    EMPTY = "empty"
    FAILED = "failed"


class Candidacy(StrEnum):
    """Why a release is kept whole. A probe is kept only to have its documents read."""

    TEXT = "text"
    VENDOR = "vendor"
    PROBE = "probe"


class ReadOutcome(StrEnum):
    OK = "ok"
    ENCRYPTED = "encrypted"
    TRUNCATED = "truncated"
    NOT_A_PDF = "not_a_pdf"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    UNSUPPORTED = "unsupported"
    NEEDS_OCR = "needs_ocr"
    EMPTY = "empty"


class PageClass(StrEnum):
    NATIVE = "native"
    SCAN = "scan"
    STAMPED_SCAN = "stamped_scan"
    EMBEDDED_OCR = "embedded_ocr"
    GARBLED = "garbled"
    EMPTY = "empty"


class ReviewState(StrEnum):
    """A machine's opinion until a person says more."""

    MACHINE = "machine"
    ONE_REVIEWER = "one_reviewer"
    TWO_REVIEWERS = "two_reviewers"
    DISPUTED = "disputed"
    RETRACTED = "retracted"

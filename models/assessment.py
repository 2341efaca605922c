"""What the rules say of a text, and what follows for the process: mentions and assessments."""

from models.base import Record
from models.codes import Basis, Function, Lifecycle, Polarity, Scope, Setting, Technology

# Where a segment is no text of the process but the name of who buys.
BUYER = "buyer"


class Segment(Record):
    """A stretch of text to be assessed, and where it stands.

    `where` is `title`, `description` or another pointer within a record, `page:N` within a document, or `buyer`;
    `payload_sha256` and `pointer` name the archived bytes. Offsets of mentions count characters of `text`.
    """

    where: str
    text: str
    payload_sha256: str = ""
    pointer: str = ""
    language: str | None = None


class Mention(Record):
    """One match of one rule: a span, what it means and how the text speaks of it.

    `quote` is the sentence around the span; `cue` is the words that set a polarity other than asserted. `gloss` and
    `cue_gloss` say in English what words in another language mean.
    """

    where: str
    start: int
    end: int
    text: str
    quote: str
    rule_id: str
    concept: str
    technology: Technology | None = None
    polarity: Polarity = Polarity.ASSERTED
    cue: str = ""
    gloss: str = ""
    cue_gloss: str = ""
    payload_sha256: str = ""
    pointer: str = ""


class Assessment(Record):
    """Scope by the codebook: a machine's opinion that a person may confirm or reject.

    `rests_on` are the rules whose words decided the scope, none where nothing was found or the registry decided.
    """

    scope: Scope
    technology: tuple[Technology, ...] = ()
    function: Function = Function.UNCLEAR
    setting: tuple[Setting, ...] = ()
    lifecycle: Lifecycle = Lifecycle.UNKNOWN
    lifecycle_basis: Basis = Basis.NONE
    clauses: tuple[str, ...] = ()
    confidence: float = 0.0
    why: str = ""
    rests_on: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    rules_version: str
    registry_version: str = ""

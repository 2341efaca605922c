"""A person's decision about a flag or a name. `data/reviews/` ships empty: only people write there."""

from datetime import date
from typing import Literal

from models.base import Record


class Review(Record):
    """One decision. `subject_id` is a contract id (flag) or `supplier string|vendor id` (match)."""

    subject: Literal["flag", "match"]
    subject_id: str
    decision: Literal["accept", "reject", "unsure", "dispute"]
    reason: str
    reviewer_role: str
    decided_on: date
    text_sha256: str = ""

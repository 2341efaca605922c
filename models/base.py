"""The common ground of every record: frozen, and without fields nobody declared."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable record. An unknown field is an error, so a renamed field never passes unseen."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

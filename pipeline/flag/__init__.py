"""Flags: spaCy spans, context, scope by the codebook; each decision explained.

spaCy is imported when `Flagger` is first asked for, not when this room is.
"""

from typing import TYPE_CHECKING, Any

from pipeline.flag.rows import RowError, assess_rows

if TYPE_CHECKING:
    from pipeline.flag.flagger import Flagger

__all__ = ["Flagger", "RowError", "assess_rows"]


def __getattr__(name: str) -> Any:
    if name == "Flagger":
        from pipeline.flag.flagger import Flagger

        return Flagger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

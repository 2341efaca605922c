"""Reads people's decisions: `data/reviews/*.jsonl`, one decision a line. Ships empty; nothing here writes."""

import json
from pathlib import Path

from pydantic import ValidationError

from models.review import Review
from pipeline.errors import WrongUse


def load_reviews(folder: Path) -> tuple[Review, ...]:
    """All decisions, by file name and line. Raises WrongUse naming file and line of one that does not fit."""
    found = []
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                found.append(Review.model_validate(json.loads(line)))
            except (json.JSONDecodeError, ValidationError) as error:
                reason = str(error).splitlines()[0]
                raise WrongUse(
                    f"{path}, line {number}: this is no review ({reason}); mend or remove the line."
                ) from error
    return tuple(found)

"""What the rules say of passages and of their own examples, and how often they are right."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from flows.house import House
from models.assessment import Segment
from pipeline.errors import BadData, WrongUse
from pipeline.flag import assess_rows
from pipeline.flag.evaluate import Evaluation, Rate, evaluate
from pipeline.flag.rows import RowError
from pipeline.store import DATA, default_store, write_text_atomic


@cache
def _house() -> House:
    return House(default_store())


def assess_file(path: Path) -> Iterator[dict[str, Any]]:
    """One assessment a row, in order. Raises WrongUse for a missing file, BadData for a line that is no row."""
    house = _house()

    def names(text: str) -> list[str]:
        return list(dict.fromkeys(hit.vendor_id for hit in house.resolver.vendors_in_text(text)))

    yield from assess_rows(_rows(path), house.flagger, names)


def write_page(path: Path, page: Path) -> None:
    """Write an HTML page that shows, for each row of a file, what was found where and what was decided.

    Raises WrongUse for a missing file, BadData for a line that is no row.
    """
    from pipeline.flag.show import decision_page

    flagger = _house().flagger
    cases = []
    for row in _rows(path):
        language = row.get("language")
        texts = (("title", row.get("title")), ("text", row["text"]))
        cases.append((row["id"], [Segment(where=where, text=text, language=language) for where, text in texts if text]))
    write_text_atomic(page, decision_page(cases, flagger))


def screened_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, packed or not, that may matter.

    Raises WrongUse for a missing file, BadData for a broken one.
    """
    from pipeline.glance import records_of
    from pipeline.parse.ocds_file import unpacked
    from pipeline.records import screened

    if not path.is_file():
        raise WrongUse(f"There is no file {path}; check the path.")
    house = _house()
    with unpacked(lambda: path.open("rb"))() as stream:
        try:
            for _, line in screened(stream, records_of(house.candidates.screen, house.registry)):
                yield line
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BadData(f"{path} is broken: {error}; what follows was not read. Fetch it again.") from error


def evaluate_file(path: Path) -> Evaluation:
    """The table of a file of labelled passages. Raises WrongUse for a missing file, BadData for a line that is none."""
    try:
        return evaluate(list(_rows(path)), _house().flagger)
    except RowError as error:
        raise BadData(f"{path}, {error}; mend the line.") from error


def table(result: Evaluation) -> str:
    """The table in words, a line a measure, then one a language, a confusion and a rule that was wrong."""
    lines = [
        f"rows                   {result.rows}",
        f"flag                   {_rate(result.flag)}",
        f"flag, hard rows        {_rate(result.flag_hard)}",
        f"in_scope               {_rate(result.in_scope)}",
        f"scope accuracy         {result.scope_accuracy:.3f}",
        f"technology micro-F1    {result.technology_micro_f1:.3f}",
        f"setting micro-F1       {result.setting_micro_f1:.3f}",
        f"lifecycle accuracy     {result.lifecycle_accuracy:.3f}",
        "languages",
        *(f"  {language:20} {_rate(rate)}" for language, rate in result.languages.items()),
        "labels: gold -> said",
        *(f"  {gold} -> {said}: {count}" for (gold, said), count in result.confusion.items()),
        "rules with false flags: right, wrong",
        *(f"  {rule_id:32} {right}, {wrong}" for rule_id, (right, wrong) in result.rules.items() if wrong),
    ]
    return "\n".join(lines)


def as_json_values(result: Evaluation) -> dict[str, Any]:
    """The table as plain values, the passages left out."""
    plain = {name: value for name, value in asdict(result).items() if name != "wrong"}
    return plain | {"confusion": {f"{gold} -> {said}": count for (gold, said), count in result.confusion.items()}}


def check_rules(folder: Path | None) -> tuple[int, str, list[str]]:
    """The number of rules of a folder, their version, and a line for each example that fails or thing that lacks.

    Raises `RuleFileError` for a file that cannot be read.
    """
    from pipeline.flag.examples import failures, lacking
    from pipeline.rules import load_rules

    rules = load_rules(folder or DATA / "rules")
    return len(rules.rules), rules.version, [*lacking(rules), *map(str, failures(rules))]


def tried(text: str, language: str | None) -> Iterator[str]:
    """What the rules find in a text and decide, line by line."""
    flagger = _house().flagger
    segments = [Segment(where="text", text=text, language=language)]
    case = flagger.case(segments)
    for reading in case.readings:
        for hit in reading.hits:
            gloss = f" = {hit.rule.gloss}" if hit.rule.gloss else ""
            yield f"{hit.start}–{hit.end} “{text[hit.start : hit.end]}”{gloss}\t{hit.rule.id}\t{hit.rule.concept}"
    for one in case.weighed:
        cue = f" (“{one.term.cue}”)" if one.term.cue else ""
        yield f"“{one.term.text}” {one.term.polarity.value}{cue}: {one.reason}"
    for gone in case.cancelled:
        yield f"“{text[gone.hit.start : gone.hit.end]}” is explained away by “{gone.words}” ({gone.by.id})"
    assessment = flagger.assess(segments)
    yield f"{assessment.why} Lifecycle {assessment.lifecycle.value}. {assessment.rules_version}"


def export_pipeline(folder: Path) -> str:
    """Write the pipeline for `spacy.load`; returns its rules' version. Raises WrongUse if the folder has files."""
    from pipeline.flag.pipe import load_pipeline

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongUse(f"{folder} is there already and holds something; name a new or an empty folder.")
    rules = _house().rules
    load_pipeline(rules).to_disk(folder)
    return rules.version


def _rate(rate: Rate) -> str:
    return (
        f"precision {rate.precision:.3f}  recall {rate.recall:.3f}  F1 {rate.f1:.3f}  "
        f"of {rate.n} passages, {rate.positives} to flag"
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise WrongUse(f"There is no file {path}; check the path.")
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                reason = f"{path}, line {number}: this is not UTF-8 ({error.reason}); save the file as UTF-8."
                raise BadData(reason) from error
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise BadData(f"{path}, line {number}: this is not JSON ({error.msg}); mend the line.") from error
            if not isinstance(row, dict) or not isinstance(row.get("text"), str) or "id" not in row:
                raise BadData(f"{path}, line {number}: a row needs at least `id` and `text`.")
            yield row

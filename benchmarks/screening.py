"""Measures the screen and the rules against spaCy's entity ruler with the whole lexicon, in one process, side by side.

Usage: python benchmarks/screening.py [--documents 20000] [--hits 0.01] [--texts FOLDER] [--releases FILE.jsonl ...]
Documents of 200 to 20,000 characters are put together from sentences that the screen passes over: those of tests/judged
in all languages, and those of files under --texts, where it is given (*.txt, *.csv, *.json, *.xml, *.html). Half are in
English: of the plain ASCII sentences, of which the folder should have some. Into a share of them, --hits, one judged
passage in scope is put. The ruler holds every phrase of every rule and is timed on a sample of the same documents, as
it takes minutes for all. Seconds are those of the processor. With --releases it also unpacks files of OCDS releases,
packed with gzip in a temporary folder and repeated to 60 MB, with and without the screen, in seconds of the wall.
"""

import argparse
import gzip
import json
import os
import random
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter, process_time

import spacy

from models.assessment import Segment
from pipeline.candidate import make_candidates
from pipeline.flag import Flagger
from pipeline.glance import records_of
from pipeline.records import BLOCK, screened
from pipeline.registry import load_registry
from pipeline.rules import Kind, RuleSet, load_rules
from pipeline.screen import Screen
from pipeline.store import CHECKOUT, DATA

JUDGED = CHECKOUT / "tests" / "judged"
_READ = frozenset({".txt", ".csv", ".json", ".jsonl", ".xml", ".html"})
_RULED = 400


def seconds(call: Callable[[], object]) -> float:
    started = process_time()
    call()
    return process_time() - started


def sentences(texts: Iterable[str], screen: Screen) -> list[str]:
    """Sentences of 20 to 400 characters that the screen passes over."""
    parts = (part.strip() for text in texts for part in re.split(r"(?<=[.!?。！？।။])\s*|\n", text))
    return [part for part in dict.fromkeys(parts) if 20 <= len(part) <= 400 and not screen.may_match(part)]


def documents(count: int, share: float, fillers: Sequence[Sequence[str]], hits: Sequence[str]) -> list[str]:
    """Documents of one language each, half of them out of the first list; lengths are spread by their logarithm."""
    chance = random.Random(20_260)
    out = []
    for number in range(count):
        filler = fillers[0] if number % 2 else chance.choice(fillers)
        length = int(200 * 100 ** (chance.random() ** 0.92))
        parts: list[str] = []
        size = 0
        while size < length:
            parts.append(chance.choice(filler))
            size += len(parts[-1]) + 1
        if chance.random() < share:
            parts.insert(chance.randrange(len(parts)), chance.choice(hits))
        out.append(" ".join(parts))
    return out


def ruler(rules: RuleSet) -> spacy.language.Language:
    """spaCy's own way: a blank pipeline with an entity ruler that holds every phrase."""
    nlp = spacy.blank("xx")
    made = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    phrases = {(rule.id, phrase) for rule in rules.rules if rule.kind is not Kind.PROBE for phrase in rule.phrases}
    made.add_patterns([{"label": rule_id, "pattern": phrase} for rule_id, phrase in sorted(phrases)])
    return nlp


def measure_texts(rules: RuleSet, texts: list[str]) -> None:
    total = sum(map(len, texts))
    screen, flagger = Screen(rules), Flagger(rules)
    nlp = ruler(rules)
    sample = texts[:: max(1, len(texts) // _RULED)]
    flagger.assess([Segment(where="text", text=texts[0])])

    def both() -> None:
        for text in texts:
            if screen.may_match(text):
                flagger.assess([Segment(where="text", text=text)])

    plain = [text for text in texts if text.isascii()]
    rates = {
        "entity ruler (sample)": sum(map(len, sample)) / seconds(lambda: list(nlp.pipe(sample))),
        "screen": total / seconds(lambda: [screen.may_match(text) for text in texts]),
        "screen, ASCII texts": sum(map(len, plain)) / seconds(lambda: [screen.may_match(text) for text in plain]),
        "screen and rules": total / seconds(both),
        "rules alone (sample)": sum(map(len, sample))
        / seconds(lambda: [flagger.assess([Segment(where="text", text=text)]) for text in sample]),
    }
    passed = sum(map(screen.may_match, texts))
    print(f"{len(texts):,} documents, {total:,} characters; {len(plain):,} are ASCII; the screen lets {passed} through")
    for name, rate in rates.items():
        print(
            f"{name:24} {rate / 1e6:8.2f} million characters a second, {rate / rates['entity ruler (sample)']:7.1f} ×"
        )


def measure_loading() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UNVEIL_CACHE"] = folder
        for name in ("compiled", "from the cache"):
            started = process_time()
            rules = load_rules(DATA / "rules")
            Flagger(rules)
            Screen(rules)
            print(f"rules, {name}: {process_time() - started:.2f} s of the processor")
        del os.environ["UNVEIL_CACHE"]


def measure_file(rules: RuleSet, file: Path) -> None:
    candidates = make_candidates(rules, load_registry(DATA / "vendors"))
    records = records_of(candidates.screen, candidates.registry)
    lines = _releases(file)
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "releases.jsonl.gz"
        size = 0
        with gzip.open(packed, "wb", compresslevel=6) as out:
            while size < 60_000_000:
                size += sum(out.write(line + b"\n") for line in lines)

        def unpack() -> None:
            with gzip.open(packed) as stream:
                while stream.read(BLOCK):
                    continue

        def read_lines() -> None:
            with gzip.open(packed) as stream:
                for _ in stream:
                    continue

        def screen() -> int:
            with gzip.open(packed) as stream:
                return sum(1 for _ in screened(stream, records))

        kept = screen()
        wall = {}
        for call in (unpack, read_lines, screen):
            started = perf_counter()
            call()
            wall[call.__name__] = perf_counter() - started
        share = sum(line.isascii() and b"\\u" not in line for line in lines) / len(lines)
        print(
            f"{file.name}: {size / 1e6:.0f} MB unpacked, {share:.0%} of lines plain ASCII, {kept} let through; unpack "
            f"{wall['unpack']:.2f} s, by lines {wall['read_lines']:.2f} s, screened {wall['screen']:.2f} s: "
            f"{wall['screen'] / wall['unpack']:.2f} × and {wall['screen'] / wall['read_lines']:.2f} ×"
        )


def _releases(file: Path) -> list[bytes]:
    """The releases of a file of lines, packages or a package, one in each line."""
    out: list[bytes] = []
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines() if file.suffix == ".jsonl" else [text]
    for value in (json.loads(line) for line in lines if line.strip()):
        compiled = [record["compiledRelease"] for record in value.get("records", ())]
        releases = value.get("releases") or compiled or [value]
        out += [json.dumps(release, ensure_ascii=False).encode() for release in releases]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--hits", type=float, default=0.01)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--releases", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    measure_loading()
    rules = load_rules(DATA / "rules")
    screen = Screen(rules)
    judged: dict[str, list[dict[str, str]]] = {}
    for file in sorted(JUDGED.glob("*.jsonl")):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        judged[file.stem] = rows
    hits = [row["text"] for rows in judged.values() for row in rows if row["scope"] == "in_scope"]
    fillers = [sentences((row["text"] for row in rows), screen) for rows in judged.values()]
    if options.texts:
        files = sorted(path for path in options.texts.rglob("*") if path.suffix.lower() in _READ and path.is_file())
        read = (path.read_text(encoding="utf-8", errors="replace")[:2_000_000] for path in files)
        found = sentences(read, screen)
        fillers.insert(0, [text for text in found if text.isascii()])
        fillers.append([text for text in found if not text.isascii()])
    texts = documents(options.documents, options.hits, [filler for filler in fillers if filler], hits)
    measure_texts(rules, texts)
    for file in options.releases:
        measure_file(rules, file)


if __name__ == "__main__":
    main()

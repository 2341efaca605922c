"""What spaCy's matcher holds of a rule set: its phrases as hashes of words, which take a while to make and are kept."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from spacy.strings import StringStore

from pipeline.rules.cache import cached
from pipeline.rules.fold import spelled, squash
from pipeline.rules.model import Kind, Rule, RuleSet
from pipeline.rules.phrases import words, written_together


@dataclass(frozen=True)
class Patterns:
    """The patterns of all rules: for each rule how many, for each pattern how many words, and the words' hashes.

    Hashes are what `PhraseMatcher` keeps itself; to make a Doc of every phrase only to have it hashed took ten times as
    long. `spelled` has, for rules with phrases whose skeleton lacks marks, the spellings of all their phrases.
    """

    rule_ids: tuple[str, ...]
    counts: list[int]
    lengths: list[int]
    hashes: list[int]
    spelled: dict[str, frozenset[str]]

    def patterns(self) -> Iterator[tuple[str, list[list[int]]]]:
        """Each rule's id and its patterns."""
        pattern = word = 0
        for rule_id, count in zip(self.rule_ids, self.counts, strict=True):
            out = []
            for length in self.lengths[pattern : pattern + count]:
                out.append(self.hashes[word : word + length])
                word += length
            pattern += count
            yield rule_id, out


def compile_patterns(rules: RuleSet) -> Patterns:
    """The patterns of a rule set; probes have none. From the cache if these rules were compiled before."""
    data = io.BytesIO(cached("patterns", _made_from(rules), lambda: _compiled(rules)))
    plain = orjson.loads(np.load(data).tobytes())
    return Patterns(
        rule_ids=tuple(plain["rule_ids"]),
        counts=np.load(data).tolist(),
        lengths=np.load(data).tolist(),
        hashes=np.load(data).tolist(),
        spelled={rule_id: frozenset(forms) for rule_id, forms in plain["spelled"].items()},
    )


def _made_from(rules: RuleSet) -> list[bytes]:
    return [Path(__file__).read_bytes(), rules.version.encode(), *(rule.id.encode() for rule in rules.rules)]


def _compiled(rules: RuleSet) -> bytes:
    strings = StringStore()
    ids, counts, lengths, hashes = [], [], [], []
    spellings: dict[str, list[str]] = {}
    for rule in rules.rules:
        if not rule.phrases or rule.kind is Kind.PROBE:
            continue
        found = list(_patterns(rule))
        ids.append(rule.id)
        counts.append(len(found))
        for pattern in found:
            lengths.append(len(pattern))
            hashes += [strings.add(word) for word in pattern]
        forms = sorted({spelled(phrase) for phrase in rule.phrases})
        if any(form != squash(form) for form in forms):
            spellings[rule.id] = forms
    out = io.BytesIO()
    plain = orjson.dumps({"rule_ids": ids, "spelled": spellings})
    for array in (np.frombuffer(plain, "u1"), np.array(counts), np.array(lengths), np.array(hashes, "u8")):
        np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _patterns(rule: Rule) -> Iterator[tuple[str, ...]]:
    for phrase in rule.phrases:
        plain = words(phrase)
        # German writes its compounds as one word or two.
        yield from written_together(plain, rule.language == "de") if rule.names_technology else [plain]

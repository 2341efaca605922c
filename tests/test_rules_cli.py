"""The commands about rules, as a person at a terminal meets them."""

import json
from pathlib import Path

import spacy

from tests.command import unveil

RULE = """kind: technology
language: fr
rules:
  - id: t.face
    concept: face_unspecified
    technology: face_unspecified
    strength: strong
    phrases: ["reconnaissance faciale"]
    note: Test.
    gloss: facial recognition
    match: ["la reconnaissance faciale"]
    no_match: ["reconnaissance de dette"]
"""


def test_rules_try_shows_words_glosses_and_the_decision() -> None:
    ran = unveil("rules", "try", "Les caméras n'incluent pas de reconnaissance faciale.", "--language", "fr")
    assert ran.code == 0, ran.err
    found = next(line for line in ran.out.splitlines() if "\tfr.face.recognition\t" in line)
    assert found.startswith("30–52 “reconnaissance faciale” = ")
    assert "excluded_by_text: text rules out “reconnaissance faciale”" in ran.out.splitlines()[-1]


def test_rules_check_runs_the_examples_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "fr.yml").write_text(RULE)
    ran = unveil("rules", "check", str(tmp_path))
    assert (ran.code, ran.out.startswith("1 rules, every example as it says; rules-")) == (0, True)
    (tmp_path / "fr.yml").write_text(RULE.replace("de dette", "faciale"))
    ran = unveil("rules", "check", str(tmp_path))
    assert ran.code == 3
    assert ran.out == "fr.yml:4: t.face matches its example “reconnaissance faciale”\n"
    (tmp_path / "fr.yml").write_text(RULE.replace("strength: strong", "strength: huge"))
    ran = unveil("rules", "check", str(tmp_path))
    assert ran.code == 2
    assert "fr.yml:7: 'huge' is not a strength; known: strong, conditional, context, acronym" in ran.err
    assert "Traceback" not in ran.err


def test_rules_export_writes_a_pipeline_that_spacy_loads(tmp_path: Path) -> None:
    ran = unveil("rules", "export", str(tmp_path / "rules"))
    assert ran.code == 0, ran.err
    doc = spacy.load(tmp_path / "rules")("Installation de caméras de reconnaissance faciale dans le métro.")
    assert doc._.unveil["scope"] == "in_scope"
    again = unveil("rules", "export", str(tmp_path / "rules"))
    assert again.code == 2
    assert "holds something" in again.err


def test_assess_draws_decisions_into_a_page(tmp_path: Path) -> None:
    row = {
        "id": "r<1>",
        "title": "Caméras",
        "text": "Achat de caméras de reconnaissance faciale & <b>plus</b>.",
        "language": "fr",
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    ran = unveil("assess", str(tmp_path / "rows.jsonl"), "--html", str(tmp_path / "page.html"))
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert (said["scope"], said["rests_on"]) == ("in_scope", ["fr.face.recognition"])
    assert said["mentions"][0]["gloss"]
    page = (tmp_path / "page.html").read_text()
    assert "<h2>r&lt;1&gt;: in_scope</h2>" in page
    assert "fr.face.recognition · asserted · " in page
    assert "&lt;b&gt;plus&lt;/b&gt;" in page
    assert "<b>plus" not in page


def test_evaluate_prints_the_table_and_refuses_what_is_none(tmp_path: Path) -> None:
    row = {"id": "1", "language": "fr", "title": None, "text": "Caméras de reconnaissance faciale."}
    row |= {"scope": "in_scope", "technology": ["face_identification"], "setting": [], "lifecycle": "unknown"}
    (tmp_path / "gold.jsonl").write_text(json.dumps(row))
    ran = unveil("evaluate", str(tmp_path / "gold.jsonl"), "--json")
    assert ran.code == 0, ran.err
    assert ran.data["flag"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "n": 1, "positives": 1}
    ran = unveil("evaluate", str(tmp_path / "gold.jsonl"))
    assert "flag                   precision 1.000  recall 1.000  F1 1.000  of 1 passages, 1 to flag" in ran.out
    (tmp_path / "gold.jsonl").write_text(json.dumps(row | {"scope": "maybe"}))
    ran = unveil("evaluate", str(tmp_path / "gold.jsonl"))
    assert ran.code == 3
    assert "line 1: no `scope` out of conditional, excluded_by_text, in_scope, out_of_scope; mend the line." in ran.err
    (tmp_path / "gold.jsonl").write_bytes(b'{"id": "1", "text": "caf\xe9"}')
    ran = unveil("evaluate", str(tmp_path / "gold.jsonl"))
    assert (ran.code, "this is not UTF-8" in ran.err) == (3, True)

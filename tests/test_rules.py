"""Rules are data: every example in a file is run, and a mistake in a file is named with its line."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.codes import Technology
from pipeline.flag.examples import failures, lacking
from pipeline.rules import Kind, PhraseError, RuleFileError, RuleSet, expand, load_rules
from pipeline.rules.fold import fold, squash, tokens

RULES = Path(__file__).parent.parent / "data" / "rules"


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load_rules(RULES)


def test_every_example_does_what_its_rule_says(rules: RuleSet) -> None:
    assert [str(failure) for failure in failures(rules)] == []


def test_an_example_that_lies_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "kind: technology\nlanguage: en\nrules:\n"
        "  - {id: t, concept: face, technology: face_unspecified, strength: strong, phrases: [face finding],\n"
        "     match: [face seeking], no_match: [the face finding]}\n"
    )
    assert [str(failure) for failure in failures(load_rules(tmp_path))] == [
        "a.yml:4: t does not match its example “face seeking”",
        "a.yml:4: t matches its example “the face finding”",
    ]


def test_every_rule_has_a_note_a_gloss_and_both_kinds_of_example(rules: RuleSet) -> None:
    assert list(lacking(rules)) == []


def test_needed_concepts_and_cancelled_technologies_exist(rules: RuleSet) -> None:
    concepts = {rule.concept for rule in rules.rules}
    technologies = {technology.value for technology in Technology}
    unknown = [
        (rule.id, name) for rule in rules.rules for name in (*rule.needs, *rule.needs_too) if name not in concepts
    ]
    unknown += [(rule.id, name) for rule in rules.rules for name in rule.cancels if name not in technologies]
    assert unknown == []


def test_no_bare_ambiguous_name_is_a_product(rules: RuleSet) -> None:
    phrases = {phrase for rule in rules.of_kind(Kind.PRODUCT) for phrase in rule.phrases if not rule.needs}
    assert not phrases & {"clearview", "safr", "aegis", "iris", "luna", "cogent", "sari", "morpho", "vigilant", "nec"}


def test_version_follows_what_rules_match_not_their_notes(tmp_path: Path) -> None:
    def version(note: str, phrase: str) -> str:
        (tmp_path / "a.yml").write_text(one_rule(phrase=phrase, note=note))
        return load_rules(tmp_path).version

    first = version("one", "facial recognition")
    assert version("two", "facial recognition") == first
    assert version("one", "face recognition") != first


def test_explain_says_what_a_rule_implies(rules: RuleSet) -> None:
    said = rules.explain("product.clearview")
    assert "face_identification" in said
    assert "products/all.yml:" in said
    assert "clearview ai" in said
    with pytest.raises(KeyError):
        rules.explain("no.such.rule")


def test_expand_braces_and_optional_parts() -> None:
    assert expand("{live ,}fac{e,ial} recognition") == [
        "live face recognition",
        "live facial recognition",
        "face recognition",
        "facial recognition",
    ]
    assert expand("a{b{c,d},}") == ["abc", "abd", "a"]


@pytest.mark.parametrize("form", ["{a,b", "a}", "{,}", "{a,b,c,d,e,f,g}" * 6])
def test_unusable_phrases_are_refused(form: str) -> None:
    with pytest.raises(PhraseError):
        expand(form)


def one_rule(phrase: str = "facial recognition", note: str = "n", extra: str = "") -> str:
    return (
        "kind: technology\nlanguage: en\nrules:\n  - id: a.b\n    concept: face\n    technology: face_unspecified\n"
        f"    strength: strong\n    note: {note}\n    phrases: ['{phrase}']\n    match: ['x']\n{extra}"
    )


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "the file is empty"),
        ("kind: technology\nlanguage: en\nrules: 3\n", 3, "`rules` must be a list"),
        ("kind: gadget\nlanguage: en\nrules: []\n", 1, "'gadget' is not a kind"),
        ("kind: technology\nrules: [\n", 3, "not YAML"),
        ("kind: technology\nlanguage: en\nrules:\n  - concept: x\n", 4, "needs `id`"),
        (one_rule(extra="    strenght: strong\n"), 11, "unknown field `strenght`"),
        (one_rule(extra="    reach: galaxy\n"), 11, "'galaxy' is not a reach"),
        (one_rule(phrase="{facial recognition"), 9, "opening brace without a closing one"),
        (one_rule(phrase="abis"), 9, "too short to be searched for"),
        (one_rule(extra="  - id: a.b\n    concept: y\n    technology: iris\n    strength: strong\n"
                  "    phrases: ['iris scanning']\n    match: ['x']\n"), 11, "already used in a.yml:4"),
        (one_rule().replace("strength: strong", "strength: context"), 4, "needs `needs` and `gives`"),
        (one_rule(extra="    concept: twice\n"), 11, "stands twice"),
        ("kind: cue\nlanguage: en\nrules:\n  - id: c\n    concept: x\n    category: excluded\n    phrases: [no]\n", 4,
         "a cue needs `direction` and `scope`"),
        ("kind: probe\nlanguage: es\nrules:\n  - id: p\n    concept: x\n    phrases: [c4]\n", 4,
         "a probe's words have at least 3 letters"),
    ],
)  # fmt: skip
def test_malformed_file_is_named_with_line_and_reason(tmp_path: Path, text: str, line: int, reason: str) -> None:
    file = tmp_path / "a.yml"
    file.write_text(text)
    with pytest.raises(RuleFileError) as caught:
        load_rules(tmp_path)
    assert caught.value.file == file
    assert caught.value.line == line
    assert reason in caught.value.reason
    assert str(caught.value).startswith(f"{file}:{line}: ")


def test_folder_without_rules_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="no rule files"):
        load_rules(tmp_path)


def test_folding_drops_accents_case_width_and_invisible_characters() -> None:
    assert fold("Identificación İPTAL Ｆａｃｅ") == "identificacion iptal face"
    assert squash("Facial\u00ad-Rec\u200bog\nnition™") == "facialrecognition"


def test_tokens_keep_source_offsets_across_odd_spacing() -> None:
    text = "live   facial recog-\nnition  使用ABIS系统"
    found = tokens(text)
    assert [token.text for token in found] == ["live", "facial", "recognition", "使", "用", "abis", "系", "统"]
    assert text[found[2].start : found[2].end] == "recog-\nnition"


def test_rules_and_screen_do_not_import_spacy() -> None:
    code = "import sys, pipeline.rules, pipeline.screen, pipeline.flag; sys.exit('spacy' in sys.modules)"
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0

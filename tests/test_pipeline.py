"""The rules as a spaCy pipeline: built by factories, saved and loaded, put into somebody else's."""

import spacy
from spacy.tokens import Doc

from models.assessment import Segment
from pipeline.flag.pipe import COMPONENTS, load_pipeline
from pipeline.flag.tokenizer import FoldingTokenizer

TEXT = "The city shall buy facial recognition cameras for the metro."
NLP = load_pipeline()


def spans(doc: Doc) -> list[tuple[str, str]]:
    return [(span.text, span.label_) for span in doc.spans["unveil"] if ".face.recognition" in span.label_]


def test_a_pipeline_is_built_of_registered_factories() -> None:
    assert tuple(NLP.pipe_names) == COMPONENTS
    doc = NLP(TEXT)
    assert spans(doc) == [("facial recognition", "en.face.recognition")]
    assert doc._.unveil["scope"] == "in_scope"
    assert doc._.unveil["setting"] == ["transport"]
    assert ["text", 19, 37, "en.face.recognition"] in doc._.unveil_hits


def test_it_is_one_component_of_a_pipeline_with_other_tokens() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("unveil")
    doc = nlp("CCTV  with\nfacial-recognition, for the metro.")
    assert spans(doc) == [("facial-recognition", "en.face.recognition")]
    assert doc.spans["unveil"][0].doc.text == "CCTV  with\nfacial-recognition, for the metro."
    assert doc._.unveil["scope"] == "in_scope"


def test_a_saved_pipeline_needs_no_rule_files(tmp_path) -> None:
    NLP.to_disk(tmp_path / "saved")
    loaded = spacy.load(tmp_path / "saved")
    assert loaded(TEXT)._.unveil == NLP(TEXT)._.unveil
    assert NLP(TEXT)._.unveil["rules_version"].startswith("rules-")


def test_a_finished_doc_can_be_serialised() -> None:
    doc = NLP(TEXT)
    again = Doc(NLP.vocab).from_bytes(doc.to_bytes())
    assert spans(again) == spans(doc)
    assert again._.unveil == doc._.unveil


def test_no_phrase_reaches_from_one_segment_into_the_next() -> None:
    title = Segment(where="title", text="Masks for the facial")
    segments = [title, Segment(where="description", text="recognition of dues")]
    doc = NLP(FoldingTokenizer(NLP.vocab).of(segments))
    assert spans(doc) == []
    assert doc._.unveil["scope"] == "out_of_scope"


def test_language_never_gates_a_match() -> None:
    for language in (None, "en", "zh", "xx"):
        segment = Segment(where="description", text="购买 facial recognition 系统", language=language)
        doc = NLP(FoldingTokenizer(NLP.vocab).of([segment]))
        assert spans(doc) == [("facial recognition", "en.face.recognition")]

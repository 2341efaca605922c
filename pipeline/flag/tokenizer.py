"""One tokenizer for every language: folded tokens that know where they stand in the source texts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry
from spacy.vocab import Vocab

from models.assessment import Segment
from pipeline.rules.fold import Token, tokens

PIECES = "unveil_pieces"
# A token between segments that no phrase holds, so that none reaches from one segment into the next.
_SEAM = "\u241e"


@dataclass(frozen=True)
class Piece:
    """A segment within a Doc, or a window of a very long one: its tokens with their places in the segment's text.

    `first` is the number of its first token in the Doc; `start` and `end` are the characters of the segment it covers.
    """

    segment: Segment
    first: int
    tokens: tuple[Token, ...]
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.segment.text[self.start : self.end]


class FoldingTokenizer:
    """A spaCy tokenizer for texts in any language, or in several.

    The words of its Docs are folded, and a Doc may hold several segments; `pieces_of(doc)` says where every token
    stands. spaCy's own offsets assume that white space is one blank, which procurement texts are not.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        return self.of([Segment(where="text", text=text)])

    def of(self, segments: Sequence[Segment]) -> Doc:
        """One Doc for several segments."""
        return self.of_windows((segment, 0, len(segment.text)) for segment in segments)

    def of_windows(self, windows: Iterable[tuple[Segment, int, int]]) -> Doc:
        """One Doc for windows of segments: segment, first character and end."""
        words: list[str] = []
        pieces = []
        for segment, start, end in windows:
            found = tokens(segment.text[start:end])
            if start:
                found = [Token(token.text, token.start + start, token.end + start) for token in found]
            if words:
                words.append(_SEAM)
            pieces.append(Piece(segment, len(words), tuple(found), start, end))
            words += [token.text for token in found]
        doc = Doc(self.vocab, words=words)
        doc.user_data[PIECES] = tuple(pieces)
        return doc

    # There is nothing to keep but the class itself; spaCy asks for these when it saves and loads a pipeline.
    def to_bytes(self, **_: Any) -> bytes:
        return b""

    def from_bytes(self, _: bytes, **__: Any) -> "FoldingTokenizer":
        return self

    def to_disk(self, _: Path | str, **__: Any) -> None:
        return None

    def from_disk(self, _: Path | str, **__: Any) -> "FoldingTokenizer":
        return self


@registry.tokenizers("unveil.folding_tokenizer.v1")  # type: ignore[untyped-decorator]
def folding_tokenizer() -> Callable[[Language], FoldingTokenizer]:
    """For a spaCy config: `[nlp.tokenizer] @tokenizers = "unveil.folding_tokenizer.v1"`."""

    def make(nlp: Language) -> FoldingTokenizer:
        return FoldingTokenizer(nlp.vocab)

    return make


def pieces_of(doc: Doc) -> tuple[Piece, ...]:
    """The segments of a Doc. Raises `ValueError` for a Doc that the folding tokenizer did not make."""
    pieces: tuple[Piece, ...] | None = doc.user_data.get(PIECES)
    if pieces is None:
        raise ValueError("this Doc was not made by the tokenizer unveil.folding_tokenizer.v1")
    return pieces

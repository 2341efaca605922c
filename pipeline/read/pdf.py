"""One page through PDFium: text in logical order, and what kind of page it is. Runs in the worker only."""

import ctypes
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2
from pypdfium2 import raw

from models.codes import PageClass, ReadOutcome
from pipeline.read.text import clean

# Beyond this many objects a page's kind is clear, and a hostile page could hold millions.
_MOST_OBJECTS: Final = 20_000
_DEEPEST_FORM: Final = 3
_IMAGE_PAGE: Final = 0.5
_ANY_IMAGE: Final = 0.1
_DRAWN_TEXT_PATHS: Final = 100
_STAMP_LETTERS: Final = 300
_GARBLED_SHARE: Final = 0.2
_BAD_OCR_SHARE: Final = 0.15
_INVISIBLE: Final = 3
_AN_OBJECT: Final = re.compile(rb"\d+\s+\d+\s+obj\b")
_DISTORTED: Final = re.compile(r"[^\W\d_]+[\d:;|~^\\]+[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Chars:
    """A page's text and, for each of its characters, PDFium's character index."""

    text: str
    index: list[int]
    cut: bool
    raw: str


@dataclass(slots=True)
class Tally:
    """What is drawn on a page: objects counted, images' area in square points.

    `rulings` is `paths` with a path of many segments counted as many: a whole grid may be one path.
    """

    seen: int = 0
    paths: int = 0
    rulings: int = 0
    forms: int = 0
    shown_text: int = 0
    hidden_text: int = 0
    image_area: float = 0.0


def open_document(data: bytes) -> "pypdfium2.PdfDocument":
    """Open a document held in memory. Raises pypdfium2.PdfiumError."""
    return pypdfium2.PdfDocument(data)


def why_not_open(error: "pypdfium2.PdfiumError", data: bytes) -> tuple[ReadOutcome, str]:
    """What it means that `data` does not open."""
    if getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return ReadOutcome.ENCRYPTED, "The document needs a password."
    if lacks_end(data) and _AN_OBJECT.search(data):
        return ReadOutcome.TRUNCATED, "The document is cut short: its end mark is missing."
    return ReadOutcome.NOT_A_PDF, "The document has a PDF header but its structure cannot be read."


def lacks_end(data: bytes) -> bool:
    """Whether no end-of-file mark follows the last object. (A cut linearised file has an earlier one.)"""
    return data.rfind(b"%%EOF") < data.rfind(b"endobj") or b"%%EOF" not in data


def page_chars(textpage: "pypdfium2.PdfTextPage", max_chars: int) -> Chars:
    """The page's text, at most `max_chars` of PDFium's characters of it."""
    handle = textpage.raw
    count = raw.FPDFText_CountChars(handle)
    take = max(0, min(count, max_chars))
    buffer = (ctypes.c_ushort * (take + 1))()
    written = raw.FPDFText_GetText(handle, 0, take, buffer) - 1
    if written == take:
        text = bytes(memoryview(buffer).cast("B"))[: 2 * take].decode("utf-16-le", "surrogatepass")
        # Decoding joins surrogate pairs, which PDFium counts as two: keep one character a PDFium character.
        if len(text) != take:
            text = "".join(map(chr, buffer[:take]))
    else:
        # The bulk call leaves characters out; their indices are needed, so they are asked for one by one.
        codes = (raw.FPDFText_GetUnicode(handle, i) for i in range(take))
        text = "".join("\ufffe" if code == 2 else chr(code) if code < 0x110000 else "\ufffd" for code in codes)
    cleaned, index = clean(text, lambda i: raw.FPDFText_IsHyphen(handle, i) == 1)
    return Chars(cleaned, index, count > take, text)


def read_page(document: "pypdfium2.PdfDocument", number: int, max_chars: int) -> dict[str, Any]:
    """The fields of page `number` (from 1), as `models.evidence.Page` names them, with `rulings` and `forms` counted.

    Raises pypdfium2.PdfiumError for a page PDFium cannot load.
    """
    page = document[number - 1]
    try:
        width, height = page.get_size()
        textpage = page.get_textpage()
        try:
            chars = page_chars(textpage, max_chars)
            tally = Tally()
            _tally(page, tally)
            share = min(1.0, tally.image_area / max(1.0, width * height))
            hidden = _hidden_letters(textpage, chars) if tally.hidden_text and tally.shown_text else 0
        finally:
            textpage.close()
        letters = sum(map(str.isalpha, chars.text))
        if tally.hidden_text and not tally.shown_text:
            hidden = letters
        kind, outcome, note = classify(chars, letters, hidden, share, tally)
        if chars.cut:
            outcome, note = ReadOutcome.TOO_LARGE, f"The page's text is cut after {max_chars} characters."
        return {
            "number": number,
            "label": _label(document, number),
            "width": width,
            "height": height,
            "rotation": page.get_rotation(),
            "page_class": kind.value,
            "outcome": outcome.value,
            "text_source": "pdfium" if chars.text.strip() else "",
            "text": chars.text,
            "note": note,
            "rulings": tally.rulings,
            "forms": tally.forms,
        }
    finally:
        page.close()


def classify(
    chars: Chars, letters: int, hidden: int, image_share: float, tally: Tally
) -> tuple[PageClass, ReadOutcome, str]:
    """The page's class, its outcome, and a note where the text is not the whole page.

    `letters` counts the text's letters, `hidden` those drawn invisibly (an OCR layer), `image_share` is the share of
    the page under images, 0 to 1.
    """
    scan = ReadOutcome.NEEDS_OCR
    if not letters:
        if image_share >= _ANY_IMAGE:
            return PageClass.SCAN, scan, "The page is an image without text."
        if tally.paths >= _DRAWN_TEXT_PATHS and not chars.text.strip():
            return PageClass.SCAN, scan, f"The page has no text but {tally.paths} drawn shapes, which may be letters."
    if _garbled(chars):
        return PageClass.GARBLED, scan, "Much of the text has no readable characters behind its glyphs."
    if image_share >= _IMAGE_PAGE and letters:
        if hidden * 2 > letters:
            if _bad_ocr(chars.text):
                return PageClass.GARBLED, scan, "The scan's own OCR text is poor."
            return PageClass.EMBEDDED_OCR, ReadOutcome.OK, ""
        if letters - hidden < _STAMP_LETTERS:
            return PageClass.STAMPED_SCAN, scan, f"The page is an image; its text is {letters} letters over it."
    if not chars.text.strip():
        return PageClass.EMPTY, ReadOutcome.EMPTY, ""
    return PageClass.NATIVE, ReadOutcome.OK, ""


def _garbled(chars: Chars) -> bool:
    """Whether the characters are codes without meaning. Controls count, which the cleaned text has lost."""
    solid = [char for char in chars.raw if not char.isspace() and char not in "\ufffe\u00ad\u200b\u200c\u200d"]
    if not solid:
        return False
    bad = sum(unicodedata.category(char) in {"Co", "Cn", "Cc"} or char == "\ufffd" for char in solid)
    return bad > _GARBLED_SHARE * len(solid)


def _bad_ocr(text: str) -> bool:
    words = [word for word in text.split() if sum(map(str.isalpha, word)) >= 3]
    return len(words) >= 10 and sum(bool(_DISTORTED.search(word)) for word in words) > _BAD_OCR_SHARE * len(words)


def _tally(page: "pypdfium2.PdfPage", tally: Tally) -> None:
    box = page.get_bbox()
    for i in range(raw.FPDFPage_CountObjects(page.raw)):
        if tally.seen >= _MOST_OBJECTS:
            return
        _tally_object(raw.FPDFPage_GetObject(page.raw, i), tally, box, 0)


def _tally_object(obj: Any, tally: Tally, box: tuple[float, float, float, float] | None, depth: int) -> None:
    tally.seen += 1
    kind = raw.FPDFPageObj_GetType(obj)
    if kind == raw.FPDF_PAGEOBJ_PATH:
        tally.paths += 1
        tally.rulings += max(1, raw.FPDFPath_CountSegments(obj) // 2)
    elif kind == raw.FPDF_PAGEOBJ_TEXT:
        if raw.FPDFTextObj_GetTextRenderMode(obj) == _INVISIBLE:
            tally.hidden_text += 1
        else:
            tally.shown_text += 1
    elif kind == raw.FPDF_PAGEOBJ_IMAGE:
        tally.image_area += _area(obj, box)
    elif kind == raw.FPDF_PAGEOBJ_FORM:
        tally.forms += 1
        if depth == 0 and box is not None:
            # Bounds inside a form are in the form's own space: an image there is taken as large as the form.
            inner = Tally(seen=tally.seen)
            for i in range(_form_size(obj)):
                if inner.seen >= _MOST_OBJECTS:
                    break
                _tally_object(raw.FPDFFormObj_GetObject(obj, i), inner, None, 1)
            tally.image_area += _area(obj, box) if inner.image_area else 0.0
            _add(tally, inner)
        elif depth < _DEEPEST_FORM:
            for i in range(_form_size(obj)):
                if tally.seen >= _MOST_OBJECTS:
                    break
                _tally_object(raw.FPDFFormObj_GetObject(obj, i), tally, None, depth + 1)


def _form_size(form: Any) -> int:
    return max(0, int(raw.FPDFFormObj_CountObjects(form)))


def _add(tally: Tally, inner: Tally) -> None:
    """Count what a form holds with the page's own; its paths stay out, as the table gate looks at forms as such."""
    tally.seen = inner.seen
    tally.forms += inner.forms
    tally.shown_text += inner.shown_text
    tally.hidden_text += inner.hidden_text


def _area(obj: Any, box: tuple[float, float, float, float] | None) -> float:
    """The object's area inside `box`, in square points; 1 for any object where no box is known."""
    if box is None:
        return 1.0
    sides = [ctypes.c_float() for _ in range(4)]
    if not raw.FPDFPageObj_GetBounds(obj, *(ctypes.byref(side) for side in sides)):
        return 0.0
    left, bottom, right, top = (side.value for side in sides)
    return max(0.0, min(right, box[2]) - max(left, box[0])) * max(0.0, min(top, box[3]) - max(bottom, box[1]))


def _hidden_letters(textpage: "pypdfium2.PdfTextPage", chars: Chars) -> int:
    """How many letters are drawn invisibly, on a page that has both kinds."""
    hidden = 0
    for char, index in zip(chars.text, chars.index, strict=True):
        if char.isalpha():
            obj = raw.FPDFText_GetTextObject(textpage.raw, index)
            hidden += bool(obj) and raw.FPDFTextObj_GetTextRenderMode(obj) == _INVISIBLE
    return hidden


def _label(document: "pypdfium2.PdfDocument", number: int) -> str:
    """The page's printed number, if the document declares one."""
    return clean(document.get_page_label(number - 1))[0].replace("\n", " ")[:64]

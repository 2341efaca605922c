"""Where words stand on a page, and pictures of them. Runs in the worker only."""

import ctypes
import io
import re
from collections.abc import Iterator
from typing import Any, Final

import pypdfium2
from PIL import Image, ImageDraw
from pypdfium2 import raw

from pipeline.read.pdf import Chars, page_chars

Box = tuple[float, float, float, float]

_MOST_PIXELS: Final = 20_000_000
_MARGIN: Final = 14.0
_BOX_COLOUR: Final = (200, 0, 0)
_PRIVATE: Final = (
    re.compile(r"[\w.+%-]+\s?(?:@|\[at\]|\(at\))\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE),
    # A number said to be a telephone's.
    re.compile(
        r"\b(?:tele(?:phone|fone|fono|fon)|tel[ée]f(?:ono)?|phone|tel|fax|fone|mobile|cell|celular|m[óo]vil|whatsapp|"
        r"тел(?:ефон)?|電話|电话|هاتف)\b[.:\s№n°ºo#]*(?P<number>\+?\(?\d[\d\s()./-]{4,22}\d)",
        re.IGNORECASE,
    ),
    # International; with an area code in parentheses; North American groups.
    re.compile(r"\+\d[\d\s()./-]{6,20}\d"),
    re.compile(r"\(\d{2,5}\)\s?\d{3,5}[\s.-]?\d{3,5}"),
    re.compile(r"(?<![\d.,-])\d{3}[\s.-]\d{3}[.-]\d{4}(?![\d.,-]\d)"),
)


def words_in_span(
    document: "pypdfium2.PdfDocument", number: int, start: int, end: int, max_chars: int
) -> dict[str, Any]:
    """Word boxes of characters `start` to `end` of page `number`'s text. Raises ValueError for a span outside it."""
    page = document[number - 1]
    try:
        textpage = page.get_textpage()
        try:
            chars = page_chars(textpage, max_chars)
            _check(chars, start, end)
            return {"words": [[text, *box] for text, box in _words(page, textpage, chars, start, end)]}
        finally:
            textpage.close()
    finally:
        page.close()


def picture(
    document: "pypdfium2.PdfDocument", number: int, start: int, end: int, scale: float, max_chars: int
) -> bytes:
    """PNG of the lines of a span, over the page's whole width, the span boxed, addresses and telephones blacked out.

    `scale` is pixels a point; it is lowered where the picture would be too big. Raises ValueError for a span that is
    outside the text or has no place.
    """
    page = document[number - 1]
    try:
        textpage = page.get_textpage()
        try:
            chars = page_chars(textpage, max_chars)
            _check(chars, start, end)
            lines = [box for _, box in _pieces(page, textpage, chars, start, end, by_line=True)]
            private = [
                box
                for first, last in private_spans(chars.text)
                for _, box in _pieces(page, textpage, chars, first, last, by_line=True)
            ]
        finally:
            textpage.close()
        if not lines:
            raise ValueError("The span has no place on the page.")
        width, height = page.get_size()
        top = max(0.0, min(box[1] for box in lines) - _MARGIN)
        bottom = min(height, max(box[3] for box in lines) + _MARGIN)
        if bottom - top < 1 or width < 1:
            raise ValueError("The span lies outside the page.")
        scale = min(scale, (_MOST_PIXELS / (width * (bottom - top))) ** 0.5)
        image = page.render(scale=scale, crop=(0, height - bottom, 0, top)).to_pil().convert("RGB")
    finally:
        page.close()
    return _draw(image, lines, private, top, scale)


def private_spans(text: str) -> Iterator[tuple[int, int]]:
    """Spans of `text` that look like an e-mail address or a telephone number."""
    for pattern in _PRIVATE:
        for match in pattern.finditer(text):
            yield match.span("number") if "number" in pattern.groupindex else match.span()


def _draw(image: Image.Image, lines: list[Box], private: list[Box], top: float, scale: float) -> bytes:
    draw = ImageDraw.Draw(image)
    for box in private:
        x0, y0, x1, y1 = _pixels(box, top, scale, 1.5)
        if y1 > 0 and y0 < image.height:
            draw.rectangle((x0, y0, x1, y1), fill=(0, 0, 0))
    for box in lines:
        draw.rectangle(_pixels(box, top, scale, 2.0), outline=_BOX_COLOUR, width=max(1, round(scale)))
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def _pixels(box: Box, top: float, scale: float, margin: float) -> Box:
    x0, y0, x1, y1 = box
    return (x0 - margin) * scale, (y0 - margin - top) * scale, (x1 + margin) * scale, (y1 + margin - top) * scale


def _check(chars: Chars, start: int, end: int) -> None:
    if not 0 <= start < end <= len(chars.text):
        raise ValueError(f"Characters {start}-{end} are not in the page's text of {len(chars.text)} characters.")


def _words(page: Any, textpage: Any, chars: Chars, start: int, end: int) -> Iterator[tuple[str, Box]]:
    return _pieces(page, textpage, chars, start, end, by_line=False)


def _pieces(
    page: Any, textpage: Any, chars: Chars, start: int, end: int, *, by_line: bool
) -> Iterator[tuple[str, Box]]:
    """Runs of the span's characters with their boxes: words, or what stands on one line.

    A word broken over lines is two pieces: where the hyphen was, characters are missing from the text.
    """
    run: list[str] = []
    boxes: list[Box] = []
    place = _placer(page)
    for i in range(start, end):
        char = chars.text[i]
        broken = i > start and chars.index[i] - chars.index[i - 1] > 1 and _left_out(chars, i)
        if broken or char == "\n" or (char.isspace() and not by_line):
            if boxes:
                yield "".join(run).strip(), _hull(boxes)
            run, boxes = [], []
        if char == "\n" or (char.isspace() and not run):
            continue
        run.append(char)
        box = None if char.isspace() else place(textpage, chars.index[i])
        if box is not None:
            boxes.append(box)
    if boxes:
        yield "".join(run).strip(), _hull(boxes)


def _left_out(chars: Chars, i: int) -> bool:
    """Whether a line ended between characters `i - 1` and `i` without leaving a newline in the text."""
    return any(char in "\ufffe\u00ad\u2010\r\n" for char in chars.raw[chars.index[i - 1] : chars.index[i]])


def _hull(boxes: list[Box]) -> Box:
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def _placer(page: Any) -> Any:
    """A function giving a character's box in points from the top left of the page as shown, rotation applied."""
    left, bottom, right, top = page.get_bbox()
    rotation = page.get_rotation()

    def turn(x: float, y: float) -> tuple[float, float]:
        if rotation == 90:
            return y - bottom, x - left
        if rotation == 180:
            return right - x, y - bottom
        if rotation == 270:
            return top - y, right - x
        return x - left, top - y

    def place(textpage: Any, index: int) -> Box | None:
        sides = [ctypes.c_double() for _ in range(4)]
        x0, x1, y0, y1 = sides
        if not raw.FPDFText_GetCharBox(textpage.raw, index, *(ctypes.byref(side) for side in sides)):
            return None
        one, other = turn(x0.value, y0.value), turn(x1.value, y1.value)
        return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])

    return place

"""Small PDFs made on the spot for the reading tests."""

import io
import zlib
from collections.abc import Callable
from typing import Any

from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas


def drawn(*pages: Callable[[Any], None], **options: Any) -> bytes:
    """A PDF with one page for each function, which is given the canvas (A4, 595.28 by 841.89 points)."""
    out = io.BytesIO()
    pdf = canvas.Canvas(out, pagesize=(595.28, 841.89), invariant=1, **options)
    for page in pages:
        page(pdf)
        pdf.showPage()
    pdf.save()
    return out.getvalue()


def lines(*texts: str, x: float = 72, y: float = 700, leading: float = 14) -> Callable[[Any], None]:
    """A page with lines of 12 point Helvetica, the first on the baseline `y` points from the bottom."""

    def draw(pdf: Any) -> None:
        for i, text in enumerate(texts):
            pdf.drawString(x, y - i * leading, text)

    return draw


def picture_over_page(pdf: Any) -> None:
    """Cover the page with a grey image."""
    from PIL import Image

    pdf.drawImage(ImageReader(Image.new("L", (60, 80), 180)), 0, 0, 595.28, 841.89)


def by_hand(content: bytes, extra: bytes = b"", resources: bytes = b"", filters: bytes = b"") -> bytes:
    """A one-page PDF, 612 by 792 points, from a content stream and what it needs. Object 6 and on are `extra`."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>"
        + resources
        + b">>>>",
        b"<</Length %d%s>>stream\n" % (len(content), filters) + content + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out = bytearray(b"%PDF-1.7\n")
    for number, body in enumerate(objects, 1):
        out += b"%d 0 obj" % number + body + b"\nendobj\n"
    return bytes(out + extra + b"trailer<</Root 1 0 R>>\n%%EOF\n")


def bomb(size: int) -> bytes:
    """A page whose content stream unpacks to `size` bytes of spaces, and then a line of text."""
    packer = zlib.compressobj(9)
    packed = bytearray()
    for _ in range(size // 1_000_000):
        packed += packer.compress(b" " * 1_000_000)
    packed += packer.compress(b"BT /F 12 Tf 72 700 Td (behind the bomb) Tj ET") + packer.flush()
    return by_hand(bytes(packed), filters=b"/Filter/FlateDecode")


def self_drawing() -> bytes:
    """A page that draws a form which draws itself many times over: PDFium does not come back from it."""
    content = b"/X Do " * 50
    form = (
        b"6 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>/Length %d>>stream\n"
        % len(content)
        + content
        + b"\nendstream endobj\n"
    )
    return by_hand(b"/X Do", extra=form, resources=b"/XObject<</X 6 0 R>>")


def laughs(levels: int) -> bytes:
    """Forms that each draw the next twice: the last is drawn 2 to the power of `levels` times."""
    extra = b""
    for i in range(levels):
        content = b"BT /F 1 Tf 1 1 Td (ha) Tj ET" if i == levels - 1 else b"/X Do /X Do"
        inner = b"/Font<</F 5 0 R>>" if i == levels - 1 else b"/XObject<</X %d 0 R>>" % (7 + i)
        extra += (
            b"%d 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 900 900]/Resources<<%s>>/Length %d>>stream\n"
            % (6 + i, inner, len(content))
            + content
            + b"\nendstream endobj\n"
        )
    return by_hand(b"/X Do", extra=extra, resources=b"/XObject<</X 6 0 R>>")


def turned(text: str, rotation: int) -> bytes:
    """A page, 612 by 792 points, with `text` at 72 from the left, 700 from the bottom, shown turned clockwise."""
    upright = by_hand(b"BT /F 12 Tf 72 700 Td (%s) Tj ET" % text.encode("ascii"))
    return upright.replace(b"/MediaBox", b"/Rotate %d/MediaBox" % rotation)

"""Reading: what the bytes are, what the pages say and where, and what hostile files cannot do."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.codes import PageClass, ReadOutcome
from pipeline.read import (
    EXTRACTOR_VERSION,
    PlaceError,
    Reader,
    ReadLimits,
    ReadPathError,
    locate,
    read_document,
    read_paths,
    squash,
)
from pipeline.read.gate import Kind, Passed, Refused, gate
from pipeline.read.text import agreement, clean
from tests.read_helpers import bomb, by_hand, drawn, laughs, lines, picture_over_page, self_drawing, turned

MATERIAL = Path(__file__).resolve().parents[2] / "shared" / "pdf"
WITH_MATERIAL = pytest.mark.skipif(not MATERIAL.is_dir(), reason="the collection of real PDFs is not here")


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


@pytest.fixture(scope="module")
def tight() -> Iterator[Reader]:
    """A reader that gives hostile files little."""
    with Reader(ReadLimits(page_seconds=5, memory_bytes=500_000_000)) as reader:
        yield reader


# What the bytes are


@pytest.mark.parametrize(
    ("data", "outcome", "said"),
    [
        (b"", ReadOutcome.EMPTY, "0 bytes"),
        (b"\r\n", ReadOutcome.EMPTY, "2 bytes"),
        (b"\n<!DOCTYPE html><html><title>%PDF-1.4</title>", ReadOutcome.UNSUPPORTED, "web page"),
        (b"\xef\xbb\xbf<HTML><body>Sign in</body>", ReadOutcome.UNSUPPORTED, "web page"),
        (b"PK\x03\x04\x14\x00name.pdf%PDF-1.4", ReadOutcome.UNSUPPORTED, "zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", ReadOutcome.UNSUPPORTED, "OLE"),
        (b"{\\rtf1 text}", ReadOutcome.UNSUPPORTED, "RTF"),
        (b"\x89PNG\r\n\x1a\n", ReadOutcome.UNSUPPORTED, "PNG"),
        (b"\x00\x01\x02\xfe", ReadOutcome.NOT_A_PDF, "no PDF header"),
        (b"licita\xe7\xe3o", ReadOutcome.NOT_A_PDF, "no PDF header"),
        (b"x" * 1024 + b"%PDF-1.4 \xff", ReadOutcome.NOT_A_PDF, "first 1024 bytes"),
        (b"%PDF-" + b"x" * 2000, ReadOutcome.TOO_LARGE, "2005 bytes; the limit is 2000"),
    ],
)
def test_gate_refuses(data: bytes, outcome: ReadOutcome, said: str) -> None:
    refused = gate(data, ReadLimits(max_bytes=2000))
    assert isinstance(refused, Refused)
    assert refused.outcome is outcome
    assert said in refused.detail


def test_gate_lets_pass_pdf_behind_junk_and_plain_text() -> None:
    assert gate(b"HTTP/1.1 200 OK\r\n\r\n%PDF-1.4", ReadLimits()) == Passed(Kind.PDF)
    assert gate("licitação".encode(), ReadLimits()) == Passed(Kind.TEXT)


def test_refused_bytes_start_no_worker() -> None:
    with Reader() as reader:
        assert reader.read(b"").outcome is ReadOutcome.EMPTY
        assert reader.worker_pid is None


def test_plain_text_is_one_page() -> None:
    result = read_document("\ufeffReconhecimento facial\r\nem câmeras".encode())
    assert result.outcome is ReadOutcome.OK
    (page,) = result.pages
    assert (page.number, page.text, page.text_source) == (1, "Reconhecimento facial\nem câmeras", "text")
    assert page.page_class is PageClass.NATIVE


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda data: data[: len(data) // 2], ReadOutcome.TRUNCATED),
        (lambda data: data[:9] + b"\xff" * 500 + b"\n%%EOF", ReadOutcome.NOT_A_PDF),
    ],
)
def test_broken_pdf(reader: Reader, change: Any, outcome: ReadOutcome) -> None:
    result = reader.read(change(drawn(lines("text"), lines("more"))))
    assert (result.outcome, result.pages) == (outcome, ())
    assert result.detail


def test_encrypted_pdf(reader: Reader) -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption

    locked = drawn(lines("secret"), encrypt=StandardEncryption("user", "owner", strength=128))
    result = reader.read(locked)
    assert (result.outcome, result.detail) == (ReadOutcome.ENCRYPTED, "The document needs a password.")
    open_to_all = drawn(lines("not secret"), encrypt=StandardEncryption("", "owner", canPrint=0, strength=128))
    assert reader.read(open_to_all).pages[0].text == "not secret"


def test_cut_file_that_opens_says_so(reader: Reader) -> None:
    whole = by_hand(b"BT /F 12 Tf 72 700 Td (all there) Tj ET")
    assert reader.read(whole).outcome is ReadOutcome.OK
    result = reader.read(whole.removesuffix(b"%%EOF\n"))
    assert result.outcome is ReadOutcome.TRUNCATED
    assert [page.text for page in result.pages] == ["all there"]


# What pages say


def test_text_label_and_size(reader: Reader) -> None:
    def front(pdf: Any) -> None:
        pdf.addPageLabel(0, style="ROMAN_LOWER")
        pdf.addPageLabel(1, style="ARABIC", start=1)
        lines("Licitação nº 7: câmeras", "de identificação biométrica – São Paulo")(pdf)

    result = reader.read(drawn(front, lines("second")))
    assert (result.outcome, result.detail, result.extractor) == (ReadOutcome.OK, "", EXTRACTOR_VERSION)
    one, two = result.pages
    assert one.text == "Licitação nº 7: câmeras\nde identificação biométrica – São Paulo"
    assert (one.sha256, one.number, one.label, one.rotation) == (result.sha256, 1, "i", 0)
    assert (round(one.width, 2), round(one.height, 2)) == (595.28, 841.89)
    assert (one.page_class, one.text_source, one.extractor) == (PageClass.NATIVE, "pdfium", EXTRACTOR_VERSION)
    assert (two.text, two.number, two.label, two.rotation) == ("second", 2, "1", 0)


def test_turned_page_has_the_size_it_is_shown_in(reader: Reader) -> None:
    page = reader.read(turned("turned", 90)).pages[0]
    assert (page.text, page.width, page.height, page.rotation) == ("turned", 792, 612, 90)


def test_columns_are_read_one_after_the_other(reader: Reader) -> None:
    def columns(pdf: Any) -> None:
        lines("The police buy facial", "recognition cameras.", x=72)(pdf)
        lines("The library buys", "books and chairs.", x=320)(pdf)

    text = reader.read(drawn(columns)).pages[0].text
    assert text == "The police buy facial\nrecognition cameras.\nThe library buys\nbooks and chairs."


def test_words_broken_over_lines_are_whole(reader: Reader) -> None:
    page = lines(
        "facial recogni-",
        "tion in real-",
        "time, see PO-",
        "060-12 of the CCTV-",
        "System, not real-time",
        "surveil\u00ad",
        "lance",
    )
    assert reader.read(drawn(page)).pages[0].text == (
        "facial recognition in real-time, see PO-060-12 of the CCTV-System, not real-time\nsurveillance"
    )


def test_text_is_fit_to_store() -> None:
    text, index = clean("a\x00b\r\nc\ud800d\ud83d\ude00\ufffee\x02")
    assert text == "ab\nc\ufffdd😀e"
    assert index == [0, 2, 3, 5, 6, 7, 8, 11]
    json.dumps(text).encode()
    text.encode()


def test_squash_and_agreement() -> None:
    assert squash("Faci\u00adal  Reco-\ngnition, Straße № 5 ﬁn") == "facialrecognitionstrasseno5fin"
    assert agreement("a b c", "c b a") == 1.0
    assert agreement("a b", "ab") == 0.0
    assert agreement("", "") == 1.0


def test_page_classes(reader: Reader) -> None:
    def stamped(pdf: Any) -> None:
        picture_over_page(pdf)
        lines("DocuSign Envelope ID: 12AB")(pdf)

    def layer(mode: int) -> Any:
        def draw(pdf: Any) -> None:
            picture_over_page(pdf)
            text = pdf.beginText(72, 700)
            text.setFont("Helvetica", 12)
            text.setTextRenderMode(mode)
            for _ in range(12):
                text.textLine("The contractor shall supply number plate readers.")
            pdf.drawText(text)

        return draw

    result = reader.read(drawn(picture_over_page, stamped, layer(3), layer(0), lambda pdf: pdf.setFont("Helvetica", 9)))
    assert [(page.page_class, page.outcome) for page in result.pages] == [
        (PageClass.SCAN, ReadOutcome.NEEDS_OCR),
        (PageClass.STAMPED_SCAN, ReadOutcome.NEEDS_OCR),
        (PageClass.EMBEDDED_OCR, ReadOutcome.OK),
        (PageClass.NATIVE, ReadOutcome.OK),
        (PageClass.EMPTY, ReadOutcome.EMPTY),
    ]
    assert result.pages[1].text == "DocuSign Envelope ID: 12AB"
    assert (result.outcome, result.detail) == (ReadOutcome.NEEDS_OCR, "needs_ocr: 2 of 5 pages, first page 1.")


def test_glyphs_without_characters_are_garbled(reader: Reader) -> None:
    page = reader.read(by_hand(b"BT /F 12 Tf 72 700 Td <0102030405060708> Tj ET")).pages[0]
    assert (page.page_class, page.outcome) == (PageClass.GARBLED, ReadOutcome.NEEDS_OCR)


def test_limits_on_pages_and_characters() -> None:
    with Reader(ReadLimits(max_pages=2, max_chars=5)) as reader:
        result = reader.read(drawn(lines("one"), lines("two and more"), lines("three")))
    assert result.outcome is ReadOutcome.TOO_LARGE
    assert [page.text for page in result.pages] == ["one", "two a"]
    assert [page.outcome for page in result.pages] == [ReadOutcome.OK, ReadOutcome.TOO_LARGE]
    assert "has 3 pages; the first 2 were read" in result.detail


def holding(literal: str) -> Callable[[str], bool]:
    """Whether a text holds a literal; case, spaces and punctuation do not count."""
    return lambda text: squash(literal) in squash(text)


def test_tables_where_a_page_matters(reader: Reader) -> None:
    def table(pdf: Any) -> None:
        pdf.drawString(72, 720, "Prices")
        pdf.grid([72, 200, 330], [640, 660, 680])
        for (x, y), text in {
            (76, 666): "Item", (204, 666): "Price", (76, 646): "Facial recognition", (204, 646): "1 200.00",
        }.items():  # fmt: skip
            pdf.drawString(x, y, text)

    data = drawn(table, table, lines("facial recognition without rulings"), lines("nothing"))
    assert all(page.tables == () for page in reader.read(data).pages)
    pages = reader.read(data, matters=holding("Facial-Recognition")).pages
    expected = ((("Item", "Price"), ("Facial recognition", "1 200.00")),)
    assert [page.tables for page in pages] == [expected, expected, (), ()]
    assert [page.note for page in pages] == ["", "", "", ""]


# Where it stands


def test_box_is_where_it_was_drawn(reader: Reader) -> None:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    data = drawn(lines("We buy facial recognition now."))
    text = reader.read(data).pages[0].text
    start = text.index("facial recognition")
    facial, recognition = reader.locate(data, 1, start, start + len("facial recognition"))
    assert (facial.text, recognition.text) == ("facial", "recognition")
    left = 72 + stringWidth("We buy ", "Helvetica", 12)
    assert facial.x0 == pytest.approx(left, abs=3)
    assert recognition.x1 == pytest.approx(left + stringWidth("facial recognition", "Helvetica", 12), abs=3)
    assert recognition.bottom == pytest.approx(841.89 - 700, abs=3)
    assert facial.top == pytest.approx(841.89 - 700 - 8.6, abs=3)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_box_on_a_turned_page(reader: Reader, rotation: int) -> None:
    (word,) = reader.locate(turned("facial", rotation), 1, 0, 6)
    # The word's lower left corner, 72 from the left and 700 from the bottom of the page before it was turned.
    corner = {
        0: (word.x0, word.bottom, 72, 92),
        90: (word.x0, word.top, 700, 72),
        180: (word.x1, word.top, 540, 700),
        270: (word.x1, word.bottom, 92, 540),
    }[rotation]
    assert corner[:2] == pytest.approx(corner[2:], abs=3)


def test_broken_word_has_two_boxes(reader: Reader) -> None:
    data = drawn(lines("biometric recogni-", "tion"))
    text = reader.read(data).pages[0].text
    assert text == "biometric recognition"
    words = reader.locate(data, 1, text.index("recog"), len(text))
    assert [word.text for word in words] == ["recogni", "tion"]
    assert words[1].x0 == pytest.approx(72, abs=3)
    assert words[1].top > words[0].bottom


@pytest.mark.parametrize(
    ("page", "start", "end", "said"),
    [(1, 0, 99, "text of 4 characters"), (1, 3, 3, "3-3"), (2, 0, 1, "has 1 pages"), (0, 0, 1, "not a page 0")],
)
def test_no_such_place(reader: Reader, page: int, start: int, end: int, said: str) -> None:
    with pytest.raises(PlaceError, match=said):
        reader.locate(drawn(lines("text")), page, start, end)


def test_no_place_in_what_is_no_pdf() -> None:
    with pytest.raises(PlaceError, match="web page"):
        locate(b"<html>", 1, 0, 1)


def test_quote_is_drawn_boxed_and_private_data_black(reader: Reader, tmp_path: Path) -> None:
    texts = ("far above", "", "", "", "a facial recognition system", "ask jo.doe@city.example or tel. 020 7946 0018")
    data = drawn(lines(*texts), lines("x"))
    text = reader.read(data).pages[0].text
    start = text.index("facial")
    out = tmp_path / "quote.png"
    reader.render_quote(data, 1, start, start + len("facial recognition"), out, scale=2.0)
    image = Image.open(out).convert("RGB")
    boxes = reader.locate(data, 1, 0, len(text))
    facial, recognition = (next(word for word in boxes if word.text == name) for name in ("facial", "recognition"))
    top = facial.top - 14

    def colour(x: float, y: float) -> tuple[int, ...]:
        pixel = image.getpixel((round(x * 2), round((y - min(top, recognition.top - 14)) * 2)))
        assert isinstance(pixel, tuple)
        return pixel

    assert image.width == pytest.approx(595.28 * 2, abs=2)
    assert image.height < 60 * 2
    line = {colour(x, facial.top - 2 + 0.3) for x in range(int(facial.x0), int(recognition.x1))}
    assert line == {(200, 0, 0)}
    address = next(word for word in boxes if "@" in word.text)
    digits = next(word for word in boxes if word.text == "7946")
    for word in (address, digits):
        spots = {colour(x, word.top + 1) for x in range(int(word.x0) + 1, int(word.x1))}
        assert spots == {(0, 0, 0)}
    assert [file.name for file in tmp_path.iterdir()] == ["quote.png"]


def test_private_spans() -> None:
    from pipeline.read.boxes import private_spans

    def found(text: str) -> list[str]:
        return [text[start:end] for start, end in private_spans(text)]

    assert found("Telefone: (11) 3333-4444, a@b.org")[:2] == ["a@b.org", "(11) 3333-4444"]
    assert found("+44 20 7946 0018") == ["+44 20 7946 0018"]
    assert found("call 555-123-4567") == ["555-123-4567"]
    assert found("R$ 1.234.567,89 in 2024-01-15, PO-060-12013648, CNPJ 12.345.678/0001-95") == []


# What hostile files cannot do


@pytest.mark.parametrize(
    ("data", "outcome"),
    [(bomb(400_000_000), ReadOutcome.OUT_OF_MEMORY), (laughs(26), ReadOutcome.OUT_OF_MEMORY)],
    ids=["flate bomb", "laughs"],
)
def test_memory_is_limited_and_reading_goes_on(tight: Reader, data: bytes, outcome: ReadOutcome) -> None:
    result = tight.read(data)
    assert (result.outcome, [page.outcome for page in result.pages]) == (outcome, [outcome])
    assert "500000000 bytes of memory" in result.pages[0].note
    assert tight.read(drawn(lines("next"))).pages[0].text == "next"


def test_time_is_limited_and_reading_goes_on() -> None:
    with Reader(ReadLimits(page_seconds=0.7)) as reader:
        reader.read(drawn(lines("warm")))
        before, pid = time.monotonic(), reader.worker_pid
        result = reader.read(self_drawing())
        assert time.monotonic() - before < 5
        assert (result.outcome, [page.outcome for page in result.pages]) == (
            ReadOutcome.TIMEOUT,
            [ReadOutcome.TIMEOUT],
        )
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with Reader() as reader:
        assert reader.read(drawn(lines("next"))).pages[0].text == "next"


def test_killed_worker_is_replaced(reader: Reader) -> None:
    data = drawn(lines("first"))
    reader.read(data)
    pid = reader.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert reader.read(data).pages[0].text == "first"
    assert reader.worker_pid not in {None, pid}


def test_worker_killed_between_pages_loses_none() -> None:
    """The reader resumes where the worker died: a fluke costs no page."""
    data = drawn(*(lines(f"page {i}") for i in range(1, 301)))
    with Reader() as reader:
        reader.read(drawn(lines("warm")))
        killer = subprocess.Popen(
            [sys.executable, "-c", f"import os,time; time.sleep(.1); os.kill({reader.worker_pid}, 9)"]
        )
        result = reader.read(data)
        killer.wait()
    assert [page.text for page in result.pages] == [f"page {i}" for i in range(1, 301)]
    assert result.outcome is ReadOutcome.OK


def test_only_the_hostile_page_is_lost(tight: Reader) -> None:
    good, bad = drawn(lines("before")), self_drawing()
    page = b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]"
    data = bad.replace(b"/Kids[3 0 R]/Count 1", b"/Kids[90 0 R 3 0 R 91 0 R]/Count 3")
    assert page in data
    for number, text in ((90, b"before"), (91, b"after")):
        content = b"BT /F 12 Tf 72 700 Td (%s) Tj ET" % text
        data = data.replace(
            b"trailer",
            b"%d 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F 5 0 R>>>>>>"
            b"endobj\n%d 0 obj<</Length %d>>stream\n%s\nendstream endobj\ntrailer"
            % (number, number + 10, number + 10, len(content), content),
        )
    assert tight.read(good).outcome is ReadOutcome.OK
    result = tight.read(data)
    assert [page.text for page in result.pages] == ["before", "", "after"]
    assert result.pages[1].outcome in {ReadOutcome.OUT_OF_MEMORY, ReadOutcome.TIMEOUT}
    assert result.outcome is result.pages[1].outcome
    assert "1 of 3 pages, first page 2" in result.detail


def test_second_reading_that_hangs_costs_no_text() -> None:
    slow = by_hand(
        b"BT /F 12 Tf 72 700 Td (facial recognition) Tj 0 -20 Td " + b"1 0 0 1 72 600 Tm (a) Tj " * 100_000 + b"ET"
    )
    with Reader(ReadLimits(page_seconds=2)) as reader:
        result = reader.read(slow, matters=holding("facial recognition"))
        assert reader.read(drawn(lines("next"))).pages[0].text == "next"
    assert result.outcome is ReadOutcome.OK
    assert result.pages[0].text.startswith("facial recognition")
    assert result.pages[0].note == "pdfplumber did not finish the page. It took longer than its time limit."


def test_document_deadline_keeps_pages_read() -> None:
    data = drawn(*(lines(*[f"line {i} of many on this page"] * 50) for i in range(1500)))
    with Reader(ReadLimits(document_seconds=0.5, page_seconds=5)) as reader:
        reader.read(b"%PDF-")
        result = reader.read(data)
    assert result.outcome is ReadOutcome.TIMEOUT
    assert 0 < len(result.pages) < 1500


def test_importing_loads_no_parser() -> None:
    code = "import sys, pipeline.read; print(sorted({'pypdfium2', 'pdfplumber', 'PIL', 'pdfminer'} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[1]
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert shown.stdout.strip() == "[]"


# Files and directories


def test_read_paths(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.pdf").write_bytes(drawn(lines("one"), lines("two")))
    (tmp_path / "a.pdf").write_bytes(b"<html>")
    rows = list(read_paths([tmp_path]))
    assert [(row["path"], row["page"], row["outcome"], row["text"]) for row in rows] == [
        (str(tmp_path / "a.pdf"), None, "unsupported", ""),
        (str(tmp_path / "b" / "two.pdf"), 1, "ok", "one"),
        (str(tmp_path / "b" / "two.pdf"), 2, "ok", "two"),
    ]
    assert list(rows[0]) == ["path", "outcome", "page", "text", "page_class", "label", "detail"]
    assert [json.loads(json.dumps(row)) for row in rows] == rows


def test_missing_path_is_said_before_anything_is_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.pdf"
    with pytest.raises(ReadPathError) as raised:
        read_paths([tmp_path, missing])
    assert isinstance(raised.value, FileNotFoundError)
    assert str(raised.value) == f"Cannot read {missing}: there is no such file or directory."
    with pytest.raises(ReadPathError, match="not a regular file"):
        read_document(tmp_path)


def test_too_large_file_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "big.pdf"
    path.write_bytes(b"%PDF-" + b"0" * 100)
    result = read_document(path, limits=ReadLimits(max_bytes=50))
    assert (result.outcome, result.pages) == (ReadOutcome.TOO_LARGE, ())
    assert len(result.sha256) == 64


# Real and generated material


@WITH_MATERIAL
@pytest.mark.parametrize("language", ["en", "pt", "es", "it", "sl", "sw", "ru"])
def test_phrases_are_found_in_every_layout(reader: Reader, language: str) -> None:
    known = json.loads((MATERIAL / "synth" / "meta.json").read_text("utf-8"))
    for layout in ("plain", "narrow", "twocol", "rot90", "table"):
        name = f"{language}_{layout}"
        result = reader.read(MATERIAL / "synth" / f"{name}.pdf")
        text = squash(" ".join(page.text for page in result.pages))
        assert [word for word in known[name]["kw"] if squash(word) not in text] == [], name


@WITH_MATERIAL
def test_disagreement_is_noted_and_logical_order_kept(reader: Reader) -> None:
    """pdfplumber gives right-to-left text in the order it is seen."""
    known = json.loads((MATERIAL / "synth" / "meta.json").read_text("utf-8"))["he_plain"]
    page = reader.read(MATERIAL / "synth" / "he_plain.pdf", matters=holding(known["kw"][0])).pages[0]
    assert known["kw"][0] in " ".join(page.text.split())
    assert "PDFium's are kept" in page.note


@WITH_MATERIAL
@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("count_lie_2e9", ReadOutcome.OK),
        ("empty", ReadOutcome.EMPTY),
        ("enc_user_pw", ReadOutcome.ENCRYPTED),
        ("html", ReadOutcome.UNSUPPORTED),
        ("huge_mediabox", ReadOutcome.OK),
        ("many_ops_3m", ReadOutcome.OUT_OF_MEMORY),
        ("nested_arrays_100k", ReadOutcome.OK),
        ("pagetree_deep5000", ReadOutcome.TRUNCATED),
        ("pagetree_loop", ReadOutcome.TRUNCATED),
        ("random", ReadOutcome.NOT_A_PDF),
        ("trunc_50", ReadOutcome.TRUNCATED),
        ("trunc_95", ReadOutcome.TRUNCATED),
        ("xref_prev_loop", ReadOutcome.OK),
        ("zip", ReadOutcome.UNSUPPORTED),
    ],
)
def test_hostile_files_end_in_an_outcome(tight: Reader, name: str, outcome: ReadOutcome) -> None:
    assert tight.read(MATERIAL / "hostile" / f"{name}.pdf").outcome is outcome

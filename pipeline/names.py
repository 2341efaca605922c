"""Names of organisations, folded so that two spellings of one name meet and two companies stay apart."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from anyascii import anyascii
from cleanco import clean

_ACRONYM: Final = re.compile(r"\b(?:\w\.){2,}(?:\w\b)?")
_WORD: Final = re.compile(r"[^\W_]+")
_APOSTROPHES: Final = str.maketrans(dict.fromkeys("'’‘`´ʼ"))

# Forms written without spaces around them, which no word boundary would find.
_CJK_FORMS: Final = ("股份有限公司", "有限责任公司", "有限責任公司", "有限公司", "株式会社", "合同会社", "주식회사")

# Two-letter forms are kept only where they are hardly ever a word, a country or a state at the end of a name.
_SHORT_FORMS: Final = frozenset(
    [
        "ab", "ag", "as", "bv", "co", "gk", "kg", "kk", "lp", "nv", "oy", "pc", "sa", "se", "sl",
    ]
)  # fmt: skip
# cleanco knows these as forms; at the end of a name they are as often words or abbreviations of something else.
_NO_FORMS: Final = frozenset(
    [
        "private", "aat", "ans", "cic", "cio", "cpt", "crl", "dat", "ent", "esv", "etat", "fcp", "fie", "fop",
        "gie", "obrt", "og", "scop", "sem", "sep", "ses", "stg", "teo", "tov", "vat", "xxk", "coop", "koop",
        "ong", "psu", "sad", "sal",
    ]
)  # fmt: skip
_MORE_FORMS: Final = (
    "JSC", "PJSC", "PJSFC", "OJSC", "CJSC", "IPJSC", "PAO", "AO", "ZAO", "OAO", "OOO", "S.L.U.", "S.A.U.", "Pvt Ltd",
    "Private Limited", "P Ltd", "Pte Limited", "Pty Limited", "Limited Company", "Public Company Limited",
    "Public Limited Company", "PCL", "PLC", "Co", "Corp", "Inc", "Ltd", "Tbk", "EIRELI", "ULC", "Chartered",
    "GmbH & Co",
    "Company", "S.A.C.", "S.A.C.I.", "S.A.E.C.A.", "S.A.I.C.",
    "S.A. de C.V.", "S de RL de CV", "Ltd Sti", "Sdn Bhd", "Bhd", "GmbH", "AG & Co KG", "SE & Co KG", "K.K.",
    "Limitada", "Ltda", "LLC", "L.L.C.", "LLP", "PLLC", "S.p.A.", "S.r.l.", "S.R.L.", "Incoporation",
)  # fmt: skip
_INSIDE_FORMS: Final = frozenset(["corporation", "company"])
_PREFIX_FORMS: Final = frozenset(
    [
        "ooo", "oao", "zao", "pao", "jsc", "pjsc", "ojsc", "cjsc", "ipjsc", "uab", "pt", "sia",
    ]
)  # fmt: skip
_SAME_FORM: Final = {"incorporated": "inc", "corporation": "corp", "company": "co", "limited": "ltd", "private": "pvt",
                     "limitada": "ltda", "p": "pvt"}  # fmt: skip


class NormalisedName(NamedTuple):
    """`key`: lower-case ASCII words without the legal form; `legal_form`: the form in one spelling, or ''."""

    key: str
    legal_form: str


def _words(name: str) -> list[str]:
    text = name if name.isascii() else anyascii(unicodedata.normalize("NFKC", name).translate(_APOSTROPHES))
    text = text.translate(_APOSTROPHES).replace("&", " and ").casefold()
    return _WORD.findall(_ACRONYM.sub(lambda m: m.group().replace(".", ""), text))


def run_together(name: str) -> str:
    """The letters and digits that `normalise` would take its key from, the legal form and all."""
    return "".join(_words(name))


def _forms(terms: Iterable[str]) -> frozenset[str]:
    out = set()
    for term in terms:
        words = _words(term)
        joined = " ".join(words)
        if words and joined not in _NO_FORMS and (len(joined) > 2 or joined in _SHORT_FORMS):
            out.add(joined)
    return frozenset(out)


_SUFFIX_FORMS: Final = _forms([*clean.get_unique_terms(), *_MORE_FORMS])
_LONGEST_FORM: Final = max(form.count(" ") + 1 for form in _SUFFIX_FORMS)


def _suffix_length(words: list[str]) -> tuple[int, str]:
    """How many of the last words are one legal form, and the form; one word is always left over."""
    for size in range(min(_LONGEST_FORM, len(words) - 1), 0, -1):
        tail = words[-size:]
        form = " ".join(tail)
        if form in _SUFFIX_FORMS:
            return size, form
        # 'L L C' and 'S. A.': letters set apart.
        if size > 1 and all(len(word) == 1 for word in tail) and "".join(tail) in _SUFFIX_FORMS:
            return size, "".join(tail)
    return 0, ""


def normalise(name: str) -> NormalisedName:
    """Fold `name`: transliterated to ASCII, lower case, without punctuation, a leading 'the' and the legal form.

    `normalise("CLEARVIEW AI, INC.")` is `("clearview ai", "inc")`. A name that is nothing but a legal form, or
    has no letters, gives its words as key and no form. Never raises.
    """
    forms: list[str] = []
    if not name.isascii():
        for form in _CJK_FORMS:
            if form in name and name.strip() != form:
                name = name.replace(form, " ")
                forms.append(form)
    words = _words(name)
    if len(words) > 1 and words[-1] == "the":  # 'TOOLS MAN, INC., THE'
        words.pop()
    if len(words) > 1 and words[0] == "the":
        del words[0]
    if len(words) > 1 and (words[0] in _PREFIX_FORMS or (words[0] == "ao" and not name.isascii())):
        forms.append(words.pop(0))
    tail: list[str] = []
    while True:
        size, form = _suffix_length(words)
        if not size:
            break
        tail.insert(0, form)
        del words[-size:]
    # 'GmbH & Co. KG' leaves an 'and' that joined two forms.
    if tail and len(words) > 1 and words[-1] == "and":
        words.pop()
    spelled = " ".join(tail).split()
    if not spelled and "of" in words[1:]:  # 'NEC Corporation of America': the form stands inside and stays in the key
        spelled = [word for word, after in pairwise(words) if after == "of" and word in _INSIDE_FORMS]
    forms.extend(_SAME_FORM.get(word, word) for word in spelled)
    return NormalisedName(" ".join(words), " ".join(forms))


def has_legal_form(name: str) -> bool:
    """Whether `name` carries the legal form of a company ('Inc.', 'GmbH', 'ООО', '有限公司')."""
    return bool(normalise(name).legal_form)


def squash(text: str) -> str:
    """`text` as lower-case ASCII letters and digits alone, so that 'Vision-Box' and 'VISION BOX' are one."""
    return "".join(_words(text))


def without_legal_form(name: str) -> str:
    """`name` as written, case and script kept, without its legal form and the punctuation before it."""
    key = normalise(name).key.replace(" ", "")
    pieces = name.split()
    for start in range(len(pieces)):
        for end in range(len(pieces), start, -1):
            candidate = " ".join(pieces[start:end]).strip(" ,;.-–(\"'‘’“”«»")
            if squash(candidate) == key and normalise(candidate).legal_form == "":
                return candidate
    return name.strip()

"""Single facts of PNCP records, read strictly: control numbers, Brasília times, reais, bodies and suppliers.

Field meanings: PNCP, Manual das APIs de Consultas 1.0, and Manual de Integração.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from models.codes import Role, ValueKind
from models.ids import sha256_hex
from models.procurement import Identifier, Party, Text, Value
from pipeline.parse.common import Misfit, Notes, required, text_of
from pipeline.persons import is_natural_person
from pipeline.redact import redact
from pipeline.values import read_amount, read_moment

COUNTRY: Final = "BR"
CNPJ_SCHEME: Final = "BR-CNPJ"
# Dates are official time in Brasília and come without an offset.
BRASILIA: Final = ZoneInfo("America/Sao_Paulo")
# CNPJ, segment (1 purchase, 2 contract), number of six digits or more, year; a price registration adds its own number.
# CNPJs issued since July 2026 may hold letters (Instrução Normativa RFB 2.229/2024).
_NUMBER: Final = re.compile(r"([0-9A-Z]{12}\d{2})-([12])-(\d{6,})/(\d{4})(?:-(\d+))?")
_CNPJ: Final = re.compile(r"[0-9A-Z]{12}\d{2}")
_MASKS: Final = re.compile(r"[./\-\s]")
_CPF_DIGITS: Final = 11
# Individual entrepreneurs trade under their own name with their CPF behind it, or their CNPJ's root before it.
_OWN_NAME: Final = re.compile(r"\d{11}\s*$|\d{3}\.\d{3}\.\d{3}-\d{2}|^\d{2}\.?\d{3}\.?\d{3}\s+\D")


@dataclass(frozen=True)
class ControlNumber:
    """A PNCP control number in its parts. `segment` is 1 for a purchase and 2 for a contract; `ata` is "" or digits."""

    cnpj: str
    segment: str
    sequence: int
    year: int
    ata: str = ""

    def __str__(self) -> str:
        own = f"{self.cnpj}-{self.segment}-{self.sequence:06d}/{self.year}"
        return f"{own}-{self.ata}" if self.ata else own

    @property
    def purchase(self) -> "ControlNumber":
        """The purchase that a price registration belongs to; the number itself otherwise."""
        return ControlNumber(self.cnpj, self.segment, self.sequence, self.year)


def read_number(raw: str) -> ControlNumber:
    """A control number as `06140404000167-1-000067/2024`. Raises Misfit `unreadable_number`."""
    found = _NUMBER.fullmatch(raw.strip())
    if found is None:
        raise Misfit("unreadable_number", "not a PNCP control number", raw)
    return ControlNumber(found[1], found[2], int(found[3]), int(found[4]), found[5] or "")


def brasilia(raw: str) -> datetime:
    """A naive ISO 8601 time of Brasília as UTC. Raises ValueError."""
    text = raw.strip()
    # A time with a zone of its own is what it says.
    if text.endswith("Z") or re.search(r"T.*[+-]\d{2}:?\d{2}$", text):
        return read_moment(text)
    return read_moment(text).replace(tzinfo=BRASILIA).astimezone(UTC)


def moment_field(
    record: Mapping[str, Any], key: str, *, needed: bool, note: Notes
) -> tuple[datetime | None, str | None]:
    """A time as UTC and as written. Raises Misfit when a needed one is missing or unreadable; others are noted."""
    raw = required(record, key) if needed else text_of(record, key)
    if not raw:
        return None, None
    try:
        return brasilia(raw), raw
    except ValueError as error:
        if needed:
            raise Misfit("unreadable_date", f"`{key}`: {error}", raw) from error
        note("unreadable_date", f"`{key}`: {error}", raw)
        return None, None


def reais(record: Mapping[str, Any], key: str, kind: ValueKind, note: Notes) -> Value | None:
    """An amount in reais. Zero is how the portal writes an amount that is secret or not known yet: None."""
    raw = record.get(key)
    if raw is None or raw == "":
        return None
    try:
        amount = read_amount(raw)
    except ValueError as error:
        note("unreadable_amount", f"`{key}`: {error}", raw)
        return None
    return Value(amount=amount, currency="BRL", kind=kind) if amount else None


def object_of(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A required object. Raises Misfit `missing_field` or `wrong_type`."""
    value = record.get(key)
    if value is None:
        raise Misfit("missing_field", f"`{key}` is missing")
    if not isinstance(value, dict):
        raise Misfit("wrong_type", f"`{key}` should be an object, not {type(value).__name__}", value)
    return value


def whole(record: Mapping[str, Any], key: str) -> int:
    """A required whole number. Raises Misfit `missing_field` or `wrong_type`."""
    raw = required(record, key)
    try:
        return int(raw)
    except ValueError as error:
        raise Misfit("wrong_type", f"`{key}` should be a whole number", raw) from error


def required_text(record: Mapping[str, Any], key: str) -> str:
    """A required text. Raises Misfit `missing_field` or `wrong_type`."""
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise Misfit("wrong_type", f"`{key}` should be a text, not {type(value).__name__}", value)
    return required(record, key)


def texts_of(record: Mapping[str, Any], *keys: str) -> tuple[Text, ...]:
    """The free texts of those fields with pointers below the record."""
    found = ((key, record.get(key)) for key in keys)
    return tuple(
        Text(pointer=f"/{key}", text=redact(value, COUNTRY))
        for key, value in found
        if isinstance(value, str) and value.strip()
    )


def read_cnpj(raw: str) -> str | None:
    """A CNPJ without its punctuation, or None for what cannot be one."""
    plain = _MASKS.sub("", raw).upper()
    return plain if _CNPJ.fullmatch(plain) else None


def read_bodies(record: Mapping[str, Any]) -> tuple[Party, ...]:
    """The buying body, its unit, and the body that has taken the purchase over, where another one has.

    Raises Misfit when the buying body has no name or CNPJ.
    """
    body = object_of(record, "orgaoEntidade")
    cnpj = required(body, "cnpj")
    found = {f"{CNPJ_SCHEME}-{cnpj}": _body(cnpj, required(body, "razaoSocial"), Role.BUYER)}
    taken_over = record.get("orgaoSubRogado")
    if isinstance(taken_over, dict) and text_of(taken_over, "cnpj") and text_of(taken_over, "razaoSocial"):
        other = text_of(taken_over, "cnpj")
        found.setdefault(
            f"{CNPJ_SCHEME}-{other}", _body(other, text_of(taken_over, "razaoSocial"), Role.PROCURING_ENTITY)
        )
    unit = record.get("unidadeOrgao")
    if isinstance(unit, dict) and text_of(unit, "nomeUnidade"):
        local_id = (
            f"unit-{cnpj}-{text_of(unit, 'codigoUnidade') or sha256_hex(text_of(unit, 'nomeUnidade').encode())[:12]}"
        )
        found[local_id] = Party(
            local_id=local_id,
            name=redact(text_of(unit, "nomeUnidade"), COUNTRY),
            roles=(Role.PROCURING_ENTITY,),
            country=COUNTRY,
        )
    return tuple(found.values())


def _body(cnpj: str, name: str, role: Role) -> Party:
    return Party(
        local_id=f"{CNPJ_SCHEME}-{cnpj}",
        name=redact(name, COUNTRY),
        roles=(role,),
        identifiers=(Identifier(scheme=CNPJ_SCHEME, id=cnpj),),
        country=COUNTRY,
    )


def read_supplier(kind: str, number: str, name: str, role: Role, place: str, note: Notes) -> Party:
    """A supplier by its kind of person: PJ (firm), PF (natural person) or PE (foreign).

    Persons keep neither name nor number, and their local id is made of `place`, the record's own number: a digest of a
    CPF could be undone by trying all of them. A firm that trades under a person's name is taken for that person.
    """
    cnpj = read_cnpj(number)
    digits = _MASKS.sub("", number)
    if kind not in ("PJ", "PF", "PE"):
        note("unknown_code", f"kind of person `{kind}` is none of PJ, PF, PE", kind)
        kind = "PJ" if cnpj else "PF"
    person = (
        kind == "PF"
        or (kind == "PJ" and digits.isdigit() and len(digits) == _CPF_DIGITS)
        or bool(_OWN_NAME.search(name))
        or is_natural_person(name, country=COUNTRY if kind == "PJ" else None)
    )
    if person:
        return Party(local_id=f"person-{place}", name="", roles=(role,), natural_person=True)
    if kind == "PE":
        # The number of a foreign supplier comes without the register it stands in.
        return Party(local_id=f"foreign-{sha256_hex(name.encode())[:12]}", name=redact(name), roles=(role,))
    if cnpj is None:
        note("unreadable_number", "the number of a firm is no CNPJ")
        return Party(
            local_id=f"firm-{sha256_hex(name.encode())[:12]}",
            name=redact(name, COUNTRY),
            roles=(role,),
            country=COUNTRY,
        )
    return _body(cnpj, name, role)

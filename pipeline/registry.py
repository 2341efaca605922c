"""The registry of companies: `data/vendors/*.yml`, checked, indexed and never changed after loading."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml
from pydantic import ValidationError
from stdnum import isin as stdnum_isin
from stdnum import lei as stdnum_lei

from models.vendor import SolePurpose, Vendor
from pipeline.errors import WrongUse
from pipeline.names import normalise, squash, without_legal_form

_ID: Final = re.compile(r"^[a-z0-9][a-z0-9-]*$")
_COUNTRY: Final = re.compile(r"^[A-Z]{2}$")
_SHORTEST_LITERAL: Final = 5
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RegistryError(WrongUse):
    """A vendor file that cannot be trusted: which file, which line where known, and why, in one sentence."""

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        self.path, self.reason, self.line = path, reason, line
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {reason}")


@dataclass(frozen=True, slots=True)
class Registry:
    """All vendors by id, and the ways to find one. `version` is a hash of the files' contents."""

    vendors: Mapping[str, Vendor]
    version: str
    _isin: Mapping[str, str]
    _lei: Mapping[str, str]
    _ticker: Mapping[str, tuple[tuple[str, str | None], ...]]
    _children: Mapping[str, tuple[str, ...]]

    def names(self) -> Iterator[tuple[Vendor, str, bool, bool]]:
        """Every name of every vendor: (vendor, name as written, ambiguous, whether it is the vendor's own name)."""
        for vendor in self.vendors.values():
            yield vendor, vendor.name, vendor.ambiguous, True
            for alias in vendor.aliases:
                yield vendor, alias.name, alias.ambiguous, False

    def distinctive(self) -> tuple[tuple[str, str], ...]:
        """(vendor id, literal) for every name and product that stands for one vendor in free text.

        Names are as written without their legal form, at least five letters or digits long; left out is whatever is
        ambiguous, equals an ambiguous name once folded, or is claimed by two vendors.
        """
        clear: dict[str, dict[str, str]] = {}
        unclear: set[str] = set()
        for vendor, name, ambiguous, _ in self.names():
            _sort_literal(vendor.id, without_legal_form(name), ambiguous, clear, unclear)
        for vendor in self.vendors.values():
            for product in vendor.products:
                for name in (product.name, *product.aliases):
                    _sort_literal(vendor.id, name, product.ambiguous, clear, unclear)
        out = [
            (vendor_id, literal)
            for folded, by_vendor in clear.items()
            if folded not in unclear and len(by_vendor) == 1 and len(folded) >= _SHORTEST_LITERAL
            for vendor_id, literal in by_vendor.items()
        ]
        return tuple(sorted(out, key=lambda pair: (pair[1].casefold(), pair[0])))

    def literals(self) -> tuple[str, ...]:
        """Distinctive names of vendors and products, for the screen of free text; to be found at word boundaries."""
        return tuple(literal for _, literal in self.distinctive())

    def party_literals(self) -> tuple[str, ...]:
        """Every name and alias without its legal form, the ambiguous ones too: for the names of parties only."""
        kept: dict[str, str] = {}
        for _, name, _, _ in self.names():
            literal = without_legal_form(name)
            kept.setdefault(squash(literal), literal)
        return tuple(sorted(kept.values(), key=str.casefold))

    def by_security(
        self, *, isin: str | None = None, lei: str | None = None, ticker: str | None = None, mic: str | None = None
    ) -> tuple[str, ...]:
        """Ids of the vendors that an ISIN, a LEI or a ticker points at, sorted; () when none does.

        A ticker is compared with its MIC where both sides state one; without it several vendors may come back.
        """
        found: set[str] = set()
        if isin and (hit := self._isin.get(isin.upper())):
            found.add(hit)
        if lei and (hit := self._lei.get(lei.upper())):
            found.add(hit)
        if ticker:
            for vendor_id, listed_at in self._ticker.get(ticker.upper(), ()):
                if mic is None or listed_at is None or listed_at == mic.upper():
                    found.add(vendor_id)
        return tuple(sorted(found))

    def sole_purpose(self, vendor_id: str) -> SolePurpose | None:
        """The sourced fact that a vendor does nothing but technology in scope, or None; None for an unknown id too."""
        vendor = self.vendors.get(vendor_id)
        return vendor.sole_purpose if vendor else None

    def subsidiaries(self, vendor_id: str) -> tuple[str, ...]:
        """Ids of all companies below `vendor_id` whose ownership has not ended, nearest first, itself left out."""
        out: list[str] = []
        queue = list(self._children.get(vendor_id, ()))
        while queue:
            child = queue.pop(0)
            if child != vendor_id and child not in out:
                out.append(child)
                queue.extend(self._children.get(child, ()))
        return tuple(out)


def _sort_literal(
    vendor_id: str, literal: str, ambiguous: bool, clear: dict[str, dict[str, str]], unclear: set[str]
) -> None:
    folded = squash(literal)
    if ambiguous:
        unclear.add(folded)
    else:
        clear.setdefault(folded, {}).setdefault(vendor_id, literal)


def _line_of(text: str, field: str) -> int | None:
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(f"{field}:"):
            return number
    return None


def _read(path: Path) -> tuple[Vendor, bytes]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RegistryError(path, f"is not UTF-8 text: byte {error.start} cannot be read.") from error
    try:
        raw = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise RegistryError(path, f"is not YAML: {problem}.", mark.line + 1 if mark else None) from error
    if not isinstance(raw, dict):
        raise RegistryError(path, "does not hold the fields of one company.", 1)
    try:
        vendor = Vendor.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        line = _line_of(text, str(first["loc"][0])) if first["loc"] else None
        raise RegistryError(path, f"field {where}: {first['msg']}.", line) from error
    return vendor, data


def _check(path: Path, vendor: Vendor) -> None:
    if vendor.id != path.stem or not _ID.match(vendor.id):
        raise RegistryError(path, f"the id {vendor.id!r} must be the file's name, in a-z, 0-9 and '-'.")
    if not vendor.name.strip() or not normalise(vendor.name).key:
        raise RegistryError(path, "the name has no letters.")
    if not vendor.sources:
        raise RegistryError(path, "no source is given.")
    if vendor.country and not _COUNTRY.match(vendor.country.value):
        raise RegistryError(path, f"the country {vendor.country.value!r} is not two capital letters (ISO 3166).")
    for listing in vendor.listings:
        if listing.isin is not None and not stdnum_isin.is_valid(listing.isin):
            raise RegistryError(path, f"the ISIN {listing.isin} has a wrong check digit or form.")
    if vendor.lei and not stdnum_lei.is_valid(vendor.lei.value):
        raise RegistryError(path, f"the LEI {vendor.lei.value} has wrong check digits or form.")


def _unique(index: dict[str, str], key: str, vendor: Vendor, path: Path, what: str) -> None:
    other = index.setdefault(key, vendor.id)
    if other != vendor.id:
        raise RegistryError(path, f"the {what} {key} is also that of {other}.")


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if not folder.is_dir():
            raise RegistryError(folder, "is not a folder.")
        yield from sorted(folder.glob("*.yml"))


def load_registry(*folders: Path) -> Registry:
    """Read every `*.yml` of `folders` into a `Registry`.

    Raises `RegistryError` on the first file that is malformed, repeats an id, an ISIN, a LEI or a register number,
    carries a wrong check digit, or names a parent that no file describes.
    """
    vendors: dict[str, Vendor] = {}
    paths: dict[str, Path] = {}
    isin: dict[str, str] = {}
    lei: dict[str, str] = {}
    registers: dict[str, str] = {}
    tickers: dict[str, list[tuple[str, str | None]]] = {}
    children: dict[str, list[str]] = {}
    digest = hashlib.sha256()
    for path in _files(folders):
        vendor, data = _read(path)
        _check(path, vendor)
        if vendor.id in vendors:
            raise RegistryError(path, f"the id {vendor.id} is already taken by {paths[vendor.id]}.")
        vendors[vendor.id], paths[vendor.id] = vendor, path
        digest.update(path.name.encode() + b"\0" + data + b"\0")
        for listing in vendor.listings:
            tickers.setdefault(listing.ticker.upper(), []).append((vendor.id, listing.mic))
            if listing.isin:
                _unique(isin, listing.isin, vendor, path, "ISIN")
        if vendor.lei:
            _unique(lei, vendor.lei.value, vendor, path, "LEI")
        for number in vendor.registers:
            _unique(registers, f"{number.scheme} {number.id}", vendor, path, "register number")
    for vendor in vendors.values():
        for parent in vendor.parents:
            if parent.vendor_id not in vendors:
                raise RegistryError(paths[vendor.id], f"the parent {parent.vendor_id!r} is not in the registry.")
            if parent.until is None:
                children.setdefault(parent.vendor_id, []).append(vendor.id)
    return Registry(
        vendors=MappingProxyType(vendors),
        version=digest.hexdigest()[:16],
        _isin=MappingProxyType(isin),
        _lei=MappingProxyType(lei),
        _ticker=MappingProxyType({key: tuple(value) for key, value in tickers.items()}),
        _children=MappingProxyType({key: tuple(value) for key, value in children.items()}),
    )

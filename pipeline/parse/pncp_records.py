"""The five kinds of PNCP records as releases: purchase, item, result, contract and amendment of a contract.

Each is a release of its own about the same process, the purchase. Only the purchase says the process's title and
status; the others bring texts, lots, awards and contracts. Users, contact data and links are not mapped.
Code tables: PNCP, Manual das APIs de Consultas 1.0, 5.5 to 5.10.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from models.codes import Basis, Lifecycle, Role, ValueKind
from models.ids import contract_id, release_id, sha256_hex
from models.procurement import Child, Classification, Identifier, Party, Release, Status
from models.source import SourceCard
from pipeline.parse.common import Misfit, Notes, day_of, required, text_of
from pipeline.parse.pncp_fields import (
    COUNTRY,
    moment_field,
    read_bodies,
    read_number,
    read_supplier,
    reais,
    required_text,
    texts_of,
    whole,
)
from pipeline.redact import redact

Raw = Mapping[str, Any]
_TERMINATION: Final = "1"
# 5.10. Amendments and apostilles say nothing of the lifecycle.
_TERMS: Final = MappingProxyType({"termo de rescisão": "1", "termo aditivo": "2", "termo de apostilamento": "3"})


def read_purchase(raw: Raw, card: SourceCard, note: Notes, process: str | None) -> Release:
    """A purchase (contratação): the process itself. Raises Misfit."""
    number = str(read_number(required(raw, "numeroControlePNCP")))
    title = required_text(raw, "objetoCompra")
    published_at, published_raw = moment_field(raw, "dataPublicacaoPncp", needed=True, note=note)
    return _release(
        raw, card, number, number,
        published_at=published_at,
        published_raw=published_raw,
        tags=("tender",),
        title=redact(title, COUNTRY),
        procurement_method=text_of(raw, "modalidadeNome") or None,
        status=_status("situacao", raw, "situacaoCompraId", "situacaoCompraNome", card, note),
        tender_ends_on=day_of(raw, "dataEncerramentoProposta", note),
        value=reais(raw, "valorTotalHomologado", ValueKind.AWARD, note)
        or reais(raw, "valorTotalEstimado", ValueKind.ESTIMATE, note),
        parties=read_bodies(raw),
        texts=texts_of(raw, "objetoCompra", "informacaoComplementar", "justificativaPresencial"),
    )  # fmt: skip


def read_item(raw: Raw, card: SourceCard, note: Notes, process: str | None) -> Release:
    """An item of a purchase: a lot with its status. Raises Misfit."""
    number = _of_purchase(process)
    item = whole(raw, "numeroItem")
    description = required_text(raw, "descricao")
    published_at, published_raw = _entered(raw, note)
    child = Child(
        kind="lot",
        native_id=str(item),
        title=redact(description, COUNTRY),
        status=_status("item", raw, "situacaoCompraItem", "situacaoCompraItemNome", card, note),
        value=reais(raw, "valorTotal", ValueKind.ESTIMATE, note),
    )
    return _release(
        raw, card, number, f"{number}/item/{item}",
        published_at=published_at,
        published_raw=published_raw,
        tags=("tenderUpdate",),
        children=(child,),
        classifications=tuple(_classifications(raw)),
        texts=texts_of(raw, "descricao", "informacaoComplementar"),
    )  # fmt: skip


def read_result(raw: Raw, card: SourceCard, note: Notes, process: str | None) -> Release:
    """The result of an item: an award to a supplier. Raises Misfit.

    A supplier that stands second or later in a price registration is kept as a tenderer: nothing was awarded to it.
    """
    stated = text_of(raw, "numeroControlePNCPCompra") or text_of(raw, "numeroControlePncpCompra")
    number = str(read_number(stated)) if stated else _of_purchase(process)
    item, sequence = whole(raw, "numeroItem"), whole(raw, "sequencialResultado")
    published_at, published_raw = _entered(raw, note)
    rank = text_of(raw, "ordemClassificacaoSrp")
    reserve = rank.isdigit() and int(rank) > 1
    supplier = read_supplier(
        text_of(raw, "tipoPessoa"),
        required(raw, "niFornecedor"),
        required(raw, "nomeRazaoSocialFornecedor"),
        Role.TENDERER if reserve else Role.SUPPLIER,
        f"award-{item}-{sequence}",
        note,
    )
    status = _status("resultado", raw, "situacaoCompraItemResultadoId", "situacaoCompraItemResultadoNome", card, note)
    if text_of(raw, "dataCancelamento") and status.lifecycle is not Lifecycle.CANCELLED:
        note("contradiction", f"a result said to be `{status.raw}` has a day of cancellation")
        status = Status(lifecycle=Lifecycle.CANCELLED, raw=status.raw, basis=Basis.EVENT)
    award = Child(
        kind="award",
        native_id=f"{item}-{sequence}",
        lot_ids=(str(item),),
        status=status,
        signed_on=day_of(raw, "dataResultado", note),
        value=reais(raw, "valorTotalHomologado", ValueKind.AWARD, note),
        supplier_ids=(supplier.local_id,),
    )
    return _release(
        raw, card, number, f"{number}/item/{item}/result/{sequence}",
        published_at=published_at,
        published_raw=published_raw,
        tags=("award",),
        parties=(supplier,),
        children=() if reserve else (award,),
        texts=texts_of(raw, "motivoCancelamento"),
    )  # fmt: skip


def read_contract(raw: Raw, card: SourceCard, note: Notes, process: str | None) -> Release:
    """A contract or commitment (empenho); one that names no purchase is a process of its own. Raises Misfit."""
    own = str(read_number(required(raw, "numeroControlePNCP")))
    if "numeroControlePncpCompra" not in raw and "numeroControlePNCPCompra" not in raw:
        raise Misfit("missing_field", "`numeroControlePncpCompra` is missing")
    stated = text_of(raw, "numeroControlePncpCompra") or text_of(raw, "numeroControlePNCPCompra")
    number = str(read_number(stated)) if stated else own
    title = required_text(raw, "objetoContrato")
    published_at, published_raw = moment_field(raw, "dataPublicacaoPncp", needed=True, note=note)
    supplier = read_supplier(
        text_of(raw, "tipoPessoa"),
        required(raw, "niFornecedor"),
        required(raw, "nomeRazaoSocialFornecedor"),
        Role.SUPPLIER,
        f"contract-{own}",
        note,
    )
    parties = [*read_bodies(raw), supplier]
    if (below := text_of(raw, "nomeFornecedorSubContratado")) and (ni := text_of(raw, "niFornecedorSubContratado")):
        kind = text_of(raw, "tipoPessoaSubContratada")
        parties.append(read_supplier(kind, ni, below, Role.SUBCONTRACTOR, f"subcontract-{own}", note))
    ends_on = day_of(raw, "dataVigenciaFim", note)
    child = Child(
        kind="contract",
        native_id=own,
        title=redact(title, COUNTRY),
        # Contracts have no status word. A term makes it active; the day asked about decides whether it is over.
        status=Status(lifecycle=Lifecycle.ACTIVE, basis=Basis.DATES) if ends_on else Status(),
        signed_on=day_of(raw, "dataAssinatura", note),
        starts_on=day_of(raw, "dataVigenciaInicio", note),
        ends_on=ends_on,
        value=reais(raw, "valorGlobal", ValueKind.CONTRACT, note)
        or reais(raw, "valorInicial", ValueKind.CONTRACT, note),
        supplier_ids=(supplier.local_id,),
    )
    return _release(
        raw, card, number, own,
        published_at=published_at,
        published_raw=published_raw,
        tags=("contract",),
        title="" if stated else redact(title, COUNTRY),
        parties=_joined(parties),
        children=(child,),
        texts=texts_of(raw, "objetoContrato", "informacaoComplementar"),
    )  # fmt: skip


def read_term(raw: Raw, card: SourceCard, note: Notes, process: str | None, contract: str | None) -> Release:
    """An amendment (termo) of a contract; a termination ends it, others may move its end. Raises Misfit."""
    number = _of_purchase(process)
    if contract is None:
        raise Misfit("missing_field", "nothing says which contract the amendment belongs to")
    sequence = whole(raw, "sequencialTermoContrato")
    word = required(raw, "tipoTermoContratoNome")
    code = text_of(raw, "tipoTermoContratoId") or _TERMS.get(word.casefold(), "")
    if code not in _TERMS.values():
        note("unknown_code", f"amendment of kind `{word}` is not in the code table", word)
    published_at, published_raw = moment_field(raw, "dataPublicacaoPncp", needed=False, note=note)
    if published_at is None:
        published_at, published_raw = _entered(raw, note)
    mapped = card.lifecycle.get(f"termo:{code}")
    child = Child(
        kind="contract",
        native_id=contract,
        status=Status(lifecycle=mapped, raw=word, basis=Basis.EVENT) if mapped else Status(),
        ends_on=None if code == _TERMINATION else day_of(raw, "dataVigenciaFim", note),
    )
    return _release(
        raw, card, number, f"{contract}/term/{sequence}",
        published_at=published_at,
        published_raw=published_raw,
        tags=("contractTermination",) if code == _TERMINATION else ("contractAmendment",),
        children=(child,),
        texts=texts_of(raw, "objetoTermoContrato", "informativoObservacao", "informacaoComplementar", "justificativa"),
    )  # fmt: skip


def _release(raw: Raw, card: SourceCard, number: str, portal_id: str, **fields: Any) -> Release:
    # An item does not say whose it is, so that two purchases may hold the same bytes.
    content = sha256_hex(orjson.dumps([portal_id, raw], option=orjson.OPT_SORT_KEYS))
    return Release(
        release_id=release_id(card.id, content),
        contract_id=contract_id(card.namespace, number),
        source_id=card.id,
        native_id=number,
        portal_release_id=portal_id,
        language=card.languages[0],
        country=COUNTRY,
        identifiers=(Identifier(scheme="pncp", id=number),),
        **{"title": "", **fields},
    )


def _of_purchase(process: str | None) -> str:
    if process is None:
        raise Misfit("missing_field", "nothing says which purchase the record belongs to")
    return process


def _entered(raw: Raw, note: Notes) -> tuple[Any, str | None]:
    """When a record without a day of publication was entered."""
    moment, written = moment_field(raw, "dataInclusao", needed=False, note=note)
    return (moment, written) if moment else moment_field(raw, "dataAtualizacao", needed=False, note=note)


def _status(kind: str, raw: Raw, code_key: str, name_key: str, card: SourceCard, note: Notes) -> Status:
    code = required(raw, code_key)
    word = text_of(raw, name_key) or code
    mapped = card.lifecycle.get(f"{kind}:{code}")
    if mapped is None:
        note("unknown_code", f"{kind} status {code} `{word}` is not in the card's lifecycle map", code)
    return Status(lifecycle=mapped or Lifecycle.UNKNOWN, raw=word, basis=Basis.STATUS)


def _classifications(raw: Raw) -> list[Classification]:
    found = []
    if code := text_of(raw, "ncmNbsCodigo"):
        found.append(Classification(scheme="NCM/NBS", id=code, description=text_of(raw, "ncmNbsDescricao")))
    if code := text_of(raw, "catalogoCodigoItem"):
        # The catalogue is named beside the code: CNBS, or one of the buyer's own.
        found.append(Classification(scheme=text_of(raw.get("catalogo"), "nome") or "catalogo", id=code))
    return found


def _joined(parties: list[Party]) -> tuple[Party, ...]:
    """Each party once, with all its roles: a body may contract another one that is also a buyer."""
    found: dict[str, Party] = {}
    for party in parties:
        before = found.get(party.local_id)
        roles = dict.fromkeys((*before.roles, *party.roles)) if before else {}
        found[party.local_id] = before.model_copy(update={"roles": tuple(roles)}) if before else party
    return tuple(found.values())


Reader = Callable[[Raw, SourceCard, Notes, str | None], Release]

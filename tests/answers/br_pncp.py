"""PNCP: three searched lists, a record a purchase, sub-collections that are 204, 404 or nothing when empty."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scrapy import Request

from models.codes import Lifecycle, Outcome
from tests.driver import Answers, Portal, Reply, StatusWord, Walk, query

CNPJ = "11222333000181"
FIRM = "99888777000166"
NUMBER = f"{CNPJ}-1-000067/2026"
CONTRACT = f"{CNPJ}-2-000012/2026"
CONSULTA = f"https://pncp.gov.br/api/consulta/v1/orgaos/{CNPJ}"
INTEGRACAO = f"https://pncp.gov.br/api/pncp/v1/orgaos/{CNPJ}"
_BODY = {"cnpj": CNPJ, "razaoSocial": "MUNICIPIO DE EXEMPLO", "poderId": "E", "esferaId": "M"}
_UNIT = {
    "ufNome": "Maranhão", "codigoUnidade": "1", "nomeUnidade": "Prefeitura Municipal de Exemplo", "ufSigla": "MA",
    "municipioNome": "Exemplo", "codigoIbge": "0000000",
}  # fmt: skip


def find(sequence: int, day: str = "2026-11-10", **changes: Any) -> dict[str, Any]:
    """A find of the list of purchases, with the fields of the search's own index."""
    return {
        "id": f"{sequence:032x}", "index": "catalog2", "doc_type": "_doc", "title": f"Edital nº {sequence}/2026",
        "description": "Solução de facial recognition", "item_url": f"/compras/{CNPJ}/2026/{sequence}",
        "document_type": "edital", "createdAt": f"{day}T07:42:39.162889", "numero": None, "ano": "2026",
        "numero_sequencial": str(sequence), "numero_sequencial_compra_ata": None,
        "numero_controle_pncp": f"{CNPJ}-1-{sequence:06d}/2026", "orgao_cnpj": CNPJ,
        "orgao_nome": "MUNICIPIO DE EXEMPLO", "uf": "MA", "situacao_nome": "Divulgada no PNCP",
        "data_publicacao_pncp": "2026-01-05T17:50:39.737436688", "data_atualizacao_pncp": f"{day}T10:00:00.000000000",
        "valor_global": None, "cancelado": False, "tem_resultado": True,
        **changes,
    }  # fmt: skip


def purchase(sequence: int = 67, **changes: Any) -> dict[str, Any]:
    """A purchase as /api/consulta/v1/orgaos/{cnpj}/compras/{ano}/{sequencial} answers it."""
    return {
        "valorTotalEstimado": 763200, "valorTotalHomologado": None, "orcamentoSigilosoCodigo": 1,
        "orcamentoSigilosoDescricao": "Compra sem sigilo", "numeroControlePNCP": f"{CNPJ}-1-{sequence:06d}/2026",
        "linkSistemaOrigem": "https://compras.example", "linkProcessoEletronico": None, "anoCompra": 2026,
        "sequencialCompra": sequence, "numeroCompra": f"{sequence:03d}/2026", "processo": "231201/2026",
        "orgaoEntidade": _BODY, "unidadeOrgao": _UNIT, "orgaoSubRogado": None, "unidadeSubRogada": None,
        "modalidadeId": 6, "modalidadeNome": "Pregão - Eletrônico", "justificativaPresencial": None,
        "modoDisputaId": 1, "modoDisputaNome": "Aberto", "tipoInstrumentoConvocatorioCodigo": 1,
        "tipoInstrumentoConvocatorioNome": "Edital", "amparoLegal": {"codigo": 1, "nome": "Lei 14.133/2021"},
        "objetoCompra": "Solução de facial recognition para vias públicas", "informacaoComplementar": "",
        "srp": False, "fontesOrcamentarias": [], "dataInclusao": "2026-01-02T01:45:56",
        "dataPublicacaoPncp": "2026-01-02T01:45:56", "dataAtualizacao": "2026-01-02T01:45:56",
        "dataAtualizacaoGlobal": "2026-01-05T08:00:00", "dataAberturaProposta": "2026-01-02T01:45:56",
        "dataEncerramentoProposta": "2026-01-15T09:55:00", "situacaoCompraId": 1,
        "situacaoCompraNome": "Divulgada no PNCP", "existeResultado": True, "usuarioNome": "Fulana de Exemplo",
        **changes,
    }  # fmt: skip


def item(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "numeroItem": number, "descricao": f"Item {number}", "materialOuServico": "S",
        "materialOuServicoNome": "Serviço", "valorUnitarioEstimado": 763200, "valorTotal": 763200, "quantidade": 1,
        "unidadeMedida": "UN", "orcamentoSigiloso": False, "situacaoCompraItem": 1,
        "situacaoCompraItemNome": "Em andamento", "dataInclusao": "2026-01-02T01:46:00",
        "dataAtualizacao": "2026-01-02T01:46:00", "temResultado": False, "ncmNbsCodigo": None,
        "catalogoCodigoItem": None,
        **changes,
    }  # fmt: skip


def result(number: int = 1, sequence: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "numeroItem": number, "sequencialResultado": sequence, "numeroControlePNCPCompra": NUMBER,
        "niFornecedor": FIRM, "tipoPessoa": "PJ", "nomeRazaoSocialFornecedor": "EXEMPLO RECONHECIMENTO LTDA",
        "codigoPais": "BRA", "quantidadeHomologada": 1, "valorUnitarioHomologado": 700000.5,
        "valorTotalHomologado": 700000.5, "ordemClassificacaoSrp": None, "dataResultado": "2026-02-20",
        "dataInclusao": "2026-02-21T23:30:00", "dataAtualizacao": "2026-02-21T23:30:00", "dataCancelamento": None,
        "motivoCancelamento": None, "situacaoCompraItemResultadoId": 1, "situacaoCompraItemResultadoNome": "Informado",
        **changes,
    }  # fmt: skip


def contract(sequence: int = 12, **changes: Any) -> dict[str, Any]:
    return {
        "numeroControlePNCP": f"{CNPJ}-2-{sequence:06d}/2026", "numeroControlePncpCompra": NUMBER, "anoContrato": 2026,
        "sequencialContrato": sequence, "tipoContrato": {"id": 1, "nome": "Contrato (termo inicial)"},
        "numeroContratoEmpenho": "12/2026", "categoriaProcesso": {"id": 8, "nome": "Serviços"},
        "processo": "231201/2026", "orgaoEntidade": _BODY, "unidadeOrgao": _UNIT, "objetoContrato": "Contrato nº 12",
        "informacaoComplementar": None, "niFornecedor": FIRM, "tipoPessoa": "PJ",
        "nomeRazaoSocialFornecedor": "EXEMPLO RECONHECIMENTO LTDA", "niFornecedorSubContratado": None,
        "nomeFornecedorSubContratado": None, "tipoPessoaSubContratada": None, "receita": False,
        "valorInicial": 700000.5, "valorGlobal": 700000.5, "valorAcumulado": 0, "dataAssinatura": "2026-03-01",
        "dataVigenciaInicio": "2026-03-02", "dataVigenciaFim": "2027-03-01",
        "dataPublicacaoPncp": "2026-03-03T12:00:00", "dataAtualizacao": "2026-03-03T12:00:00",
        "dataAtualizacaoGlobal": "2026-03-03T12:00:00", "usuarioNome": "Fulana de Exemplo",
        **changes,
    }  # fmt: skip


def term(sequence: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "sequencialTermoContrato": sequence, "numeroTermoContrato": "1/2026", "tipoTermoContratoId": 1,
        "tipoTermoContratoNome": "Termo de Rescisão", "objetoTermoContrato": "Rescisão amigável",
        "dataAssinatura": "2026-06-01", "dataVigenciaInicio": None, "dataVigenciaFim": None,
        "dataPublicacaoPncp": "2026-06-02T12:00:00", "qualificacaoVigencia": False, "niFornecedor": FIRM,
        "nomeRazaoSocialFornecedor": "EXEMPLO RECONHECIMENTO LTDA", "valorGlobal": 0, "valorAcrescido": 0,
        **changes,
    }  # fmt: skip


def envelope(*records: dict[str, Any]) -> bytes:
    return dumped({
        "data": list(records), "totalRegistros": len(records), "totalPaginas": 1, "numeroPagina": 1,
        "paginasRestantes": 0, "empty": not records,
    })  # fmt: skip


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def asked_of(request: Request) -> tuple[str, dict[str, str]]:
    """Path and parameters of a request."""
    parts = urlsplit(request.url)
    return parts.path, {key: values[0] for key, values in parse_qs(parts.query).items()}


def portal(
    edital: list[list[dict[str, Any]]],
    below: Mapping[str, Reply] | None = None,
    total: int | None = None,
    **lists: list[list[dict[str, Any]]],
) -> Portal:
    """The search's pages of each list, and what lies at each path; paths not named are empty with 204."""
    pages = {"edital": edital, **lists}

    def answer(request: Request) -> Reply:
        path, params = asked_of(request)
        if path == "/api/search/":
            found = pages.get(params["tipos_documento"], [])
            number = int(params["pagina"])
            count = sum(len(page) for page in found) if total is None or not found else total
            return Reply(dumped({"items": found[number - 1] if number <= len(found) else [], "total": count}))
        if below and (reply := below.get(path)):
            return reply
        if "/consulta/" in path:
            return Reply(dumped(purchase(int(path.rsplit("/", 1)[1]))))
        return Reply(b"", 204)

    return answer


def _always(reply: Reply) -> Portal:
    return lambda request: reply


def _changed() -> dict[str, Any]:
    changed = purchase(2)
    changed["objeto"] = changed.pop("objetoCompra")
    return changed


def _at(sequence: int, value: Any, status: int = 200) -> dict[str, Reply]:
    return {urlsplit(f"{CONSULTA}/compras/2026/{sequence}").path: Reply(dumped(value), status)}


_CHALLENGE = b"<!DOCTYPE html><html><head><title>Request unsuccessful. Incapsula incident</title></head></html>"
_STATUSES = [
    *(
        StatusWord(f"situacao:{code}", dumped(purchase(situacaoCompraId=code, situacaoCompraNome=word)), lifecycle)
        for code, word, lifecycle in (
            (1, "Divulgada no PNCP", Lifecycle.TENDER),
            (2, "Revogada", Lifecycle.CANCELLED),
            (3, "Anulada", Lifecycle.CANCELLED),
            (4, "Suspensa", Lifecycle.SUSPENDED),
        )
    ),
    *(
        StatusWord(
            f"item:{code}",
            dumped([item(1, situacaoCompraItem=code, situacaoCompraItemNome=word)]),
            lifecycle,
            f"{INTEGRACAO}/compras/2026/67/itens?pagina=1&tamanhoPagina=50",
        )
        for code, word, lifecycle in (
            (1, "Em andamento", Lifecycle.TENDER),
            (2, "Homologado", Lifecycle.ACTIVE),
            (3, "Anulado/Revogado/Cancelado", Lifecycle.CANCELLED),
            (4, "Deserto", Lifecycle.CANCELLED),
            (5, "Fracassado", Lifecycle.CANCELLED),
        )
    ),
    *(
        StatusWord(
            f"resultado:{code}",
            dumped([result(situacaoCompraItemResultadoId=code, situacaoCompraItemResultadoNome=word)]),
            lifecycle,
        )
        for code, word, lifecycle in ((1, "Informado", Lifecycle.ACTIVE), (2, "Cancelado", Lifecycle.CANCELLED))
    ),
    StatusWord(
        "termo:1",
        dumped([term()]),
        Lifecycle.TERMINATED,
        f"{INTEGRACAO}/contratos/2026/12/termos?pagina=1&tamanhoPagina=50&compra={NUMBER.replace('/', '%2F')}",
    ),
]

ANSWERS = Answers(
    walks={
        "pages": Walk(portal([[find(1), find(2)], [find(3)]]), Outcome.COMPLETE, records=3),
        "empty": Walk(portal([]), Outcome.EMPTY),
        "malformed": Walk(
            _always(Reply(dumped({"items": [find(1)], "total": 1})[:-30])),
            Outcome.FAILED,
            kinds=frozenset({"malformed_json"}),
        ),
        "error_in_200": Walk(
            _always(Reply(b'{"message": "Erro interno", "path": "/api/search/"}')),
            Outcome.FAILED,
            kinds=frozenset({"error_in_200"}),
        ),
        # The firewall answers 200 with a page of its own.
        "challenge": Walk(
            _always(Reply(_CHALLENGE, content_type="text/html")), Outcome.BLOCKED, kinds=frozenset({"challenge_page"})
        ),
        "html": Walk(
            _always(Reply(b"<html><body>Pagina</body></html>", content_type="text/html")),
            Outcome.BLOCKED,
            kinds=frozenset({"html_instead_of_json"}),
        ),
        # The purchase's object under another name: that record is rejected by name, its neighbour is read.
        "changed_field": Walk(portal([[find(1), find(2)]], _at(2, _changed())), Outcome.PARTIAL, records=2),
        # The finds' number under another name: nothing can be followed.
        "changed_find": Walk(
            portal([[{k: v for k, v in find(1).items() if k != "numero_controle_pncp"}]]),
            Outcome.FAILED,
            kinds=frozenset({"missing_field"}),
        ),
        "withdrawn": Walk(
            portal([[find(1), find(2)]], _at(2, {"status": 404, "error": "Not Found"}, 404)),
            Outcome.COMPLETE,
            records=1,
            kinds=frozenset({"record_gone"}),
        ),
        "all_withdrawn": Walk(
            portal([[find(1), find(2), find(3)]], {k: v for n in (1, 2, 3) for k, v in _at(n, {}, 404).items()}),
            Outcome.PARTIAL,
            kinds=frozenset({"all_gone"}),
        ),
        "short": Walk(portal([[find(1)]], total=2), Outcome.PARTIAL, records=1, kinds=frozenset({"short_of_total"})),
        "connection_cut": Walk(_always(Reply(None)), Outcome.FAILED, kinds=frozenset({"download_failed"})),
    },
    statuses=_STATUSES,
    queries=(query("reconhecimento facial", "pt"),),
)

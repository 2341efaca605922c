"""Every field that PNCP's OpenAPI documents for its records, read or left aside on purpose; others are noted."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_BODIES = {"orgaoEntidade", "unidadeOrgao", "orgaoSubRogado", "unidadeSubRogada"}
_DATES = {"dataInclusao", "dataPublicacaoPncp", "dataAtualizacao", "dataAtualizacaoGlobal"}
_USER = {"usuarioNome"}
_CURRENCY = {
    "dataCotacaoMoedaEstrangeira", "timezoneCotacaoMoedaEstrangeira", "valorNominalMoedaEstrangeira",
    "moedaEstrangeira",
}  # fmt: skip
_PURCHASE = _BODIES | _DATES | _USER | {
    "numeroControlePNCP", "anoCompra", "sequencialCompra", "numeroCompra", "processo", "srp", "objetoCompra",
    "informacaoComplementar", "justificativaPresencial", "linkSistemaOrigem", "linkProcessoEletronico",
    "valorTotalEstimado", "valorTotalHomologado", "modalidadeId", "modalidadeNome", "modoDisputaId", "modoDisputaNome",
    "tipoInstrumentoConvocatorioCodigo", "tipoInstrumentoConvocatorioNome", "amparoLegal", "dataAberturaProposta",
    "dataEncerramentoProposta", "situacaoCompraId", "situacaoCompraNome", "existeResultado", "fontesOrcamentarias",
    "orcamentoSigilosoCodigo", "orcamentoSigilosoDescricao", "indicadorOrcamentoSigiloso", "emendaParlamentar",
}  # fmt: skip
_ITEM = _DATES | {
    "numeroItem", "descricao", "informacaoComplementar", "materialOuServico", "materialOuServicoNome",
    "valorUnitarioEstimado", "valorTotal", "quantidade", "unidadeMedida", "orcamentoSigiloso", "itemCategoriaId",
    "itemCategoriaNome", "patrimonio", "codigoRegistroImobiliario", "criterioJulgamentoId", "criterioJulgamentoNome",
    "situacaoCompraItem", "situacaoCompraItemNome", "tipoBeneficio", "tipoBeneficioNome", "incentivoProdutivoBasico",
    "temResultado", "imagem", "aplicabilidadeMargemPreferenciaNormal", "aplicabilidadeMargemPreferenciaAdicional",
    "percentualMargemPreferenciaNormal", "percentualMargemPreferenciaAdicional", "ncmNbsCodigo", "ncmNbsDescricao",
    "catalogo", "categoriaItemCatalogo", "catalogoCodigoItem", "tipoMargemPreferencia", "exigenciaConteudoNacional",
}  # fmt: skip
_RESULT = _DATES | _CURRENCY | {
    "numeroItem", "sequencialResultado", "numeroControlePNCPCompra", "quantidadeHomologada", "valorUnitarioHomologado",
    "valorTotalHomologado", "percentualDesconto", "tipoPessoa", "niFornecedor", "nomeRazaoSocialFornecedor",
    "porteFornecedorId", "porteFornecedorNome", "naturezaJuridicaId", "naturezaJuridicaNome", "codigoPais",
    "indicadorSubcontratacao", "ordemClassificacaoSrp", "dataResultado", "dataCancelamento", "motivoCancelamento",
    "situacaoCompraItemResultadoId", "situacaoCompraItemResultadoNome", "aplicacaoMargemPreferencia",
    "amparoLegalMargemPreferencia", "paisOrigemProdutoServico", "aplicacaoBeneficioMeEpp", "aplicacaoCriterioDesempate",
    "amparoLegalCriterioDesempate", "reservaRemanescente",
}  # fmt: skip
_CONTRACT = _BODIES | _DATES | _USER | {
    "numeroControlePNCP", "numeroControlePncpCompra", "numeroControlePNCPCompra", "numeroControlePncpAta",
    "anoContrato", "sequencialContrato", "tipoContrato", "numeroContratoEmpenho", "categoriaProcesso", "processo",
    "objetoContrato", "informacaoComplementar", "dataAssinatura", "dataVigenciaInicio", "dataVigenciaFim",
    "niFornecedor", "tipoPessoa", "nomeRazaoSocialFornecedor", "codigoPaisFornecedor", "niFornecedorSubContratado",
    "nomeFornecedorSubContratado", "tipoPessoaSubContratada", "receita", "numeroParcelas", "numeroRetificacao",
    "valorInicial", "valorParcela", "valorGlobal", "valorAcumulado", "identificadorCipi", "urlCipi", "frutoAdesao",
    "temRemanejamento", "emendaParlamentar", "tipoParteEnvolvida", "orgaoParteEnvolvida", "unidadeOrgaoParteEnvolvida",
}  # fmt: skip
_TERM = _DATES | _USER | {
    "sequencialTermoContrato", "numeroTermoContrato", "tipoTermoContratoId", "tipoTermoContratoNome",
    "objetoTermoContrato", "dataAssinatura", "dataVigenciaInicio", "dataVigenciaFim", "niFornecedor", "tipoPessoa",
    "tipoPessoaFornecedor", "nomeRazaoSocialFornecedor", "niFornecedorSubContratado", "nomeFornecedorSubContratado",
    "nomeRazaoSocialFornecedorSubContratado", "tipoPessoaSubContratada", "tipoPessoaFornecedorSubContratado",
    "valorGlobal", "valorAcrescido", "valorParcela", "numeroParcelas", "prazoAditadoDias", "informacaoComplementar",
    "informativoObservacao", "fundamentoLegal", "justificativa", "qualificacaoAcrescimoSupressao",
    "qualificacaoVigencia", "qualificacaoFornecedor", "qualificacaoInformativo", "qualificacaoReajuste",
    "numeroControlePNCP",
}  # fmt: skip
KNOWN: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "purchase": frozenset(_PURCHASE),
        "item": frozenset(_ITEM),
        "result": frozenset(_RESULT),
        "contract": frozenset(_CONTRACT),
        "contracts": frozenset(_CONTRACT),
        "term": frozenset(_TERM),
    }
)

"""PNCP's records: what each of them becomes, how files of them are read, and what real ones give."""

import csv
import gzip
import io
import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from models.codes import Basis, Lifecycle, Role, ValueKind
from models.ids import contract_id
from models.procurement import Child, Classification, Identifier, Parsed, Party, Release, Status, Text, Value
from models.run import Problem
from pipeline.cards import load_source_card
from pipeline.errors import BadData
from pipeline.parse import pncp
from pipeline.parse.common import Misfit
from pipeline.parse.pncp_fields import brasilia, read_number
from pipeline.store import DATA
from tests.answers.br_pncp import (
    CNPJ,
    CONSULTA,
    CONTRACT,
    FIRM,
    INTEGRACAO,
    NUMBER,
    contract,
    dumped,
    envelope,
    item,
    purchase,
    result,
    term,
)

CARD = load_source_card(DATA / "sources", "br_pncp")
SHA = "0" * 64
ITENS = f"{INTEGRACAO}/compras/2026/67/itens"
TERMOS = f"{INTEGRACAO}/contratos/2026/12/termos?pagina=1&tamanhoPagina=50&compra={CNPJ}-1-000067%2F2026"


def reais(amount: str, kind: ValueKind) -> Value:
    return Value(amount=Decimal(amount), currency="BRL", kind=kind)


def parsed(value: Any, url: str = "https://pncp.gov.br/") -> list[Release]:
    return [i.release for i in pncp.parse_page(dumped(value), CARD, SHA, url) if isinstance(i, Parsed)]


def problems(value: Any, url: str = "https://pncp.gov.br/") -> list[tuple[str, str, str]]:
    items = pncp.parse_page(dumped(value), CARD, SHA, url)
    return [(i.severity, i.kind, i.pointer) for i in items if isinstance(i, Problem)]


BODY = Party(
    local_id=f"BR-CNPJ-{CNPJ}", name="MUNICIPIO DE EXEMPLO", roles=(Role.BUYER,),
    identifiers=(Identifier(scheme="BR-CNPJ", id=CNPJ),), country="BR",
)  # fmt: skip
UNIT = Party(
    local_id=f"unit-{CNPJ}-1", name="Prefeitura Municipal de Exemplo", roles=(Role.PROCURING_ENTITY,), country="BR"
)
SUPPLIER = Party(
    local_id=f"BR-CNPJ-{FIRM}", name="EXEMPLO RECONHECIMENTO LTDA", roles=(Role.SUPPLIER,),
    identifiers=(Identifier(scheme="BR-CNPJ", id=FIRM),), country="BR",
)  # fmt: skip


def test_a_purchase_is_the_process() -> None:
    raw = purchase(informacaoComplementar="Contato: compras@exemplo.example")
    (release,) = parsed(raw, f"{CONSULTA}/compras/2026/67")
    assert release == Release(
        release_id=release.release_id,
        contract_id=contract_id("br-pncp", NUMBER),
        source_id="br_pncp",
        native_id=NUMBER,
        portal_release_id=NUMBER,
        # Brasília is three hours behind UTC.
        published_at=datetime(2026, 1, 2, 4, 45, 56, tzinfo=UTC),
        published_raw="2026-01-02T01:45:56",
        tags=("tender",),
        title="Solução de facial recognition para vias públicas",
        language="pt",
        country="BR",
        procurement_method="Pregão - Eletrônico",
        status=Status(lifecycle=Lifecycle.TENDER, raw="Divulgada no PNCP", basis=Basis.STATUS),
        tender_ends_on=date(2026, 1, 15),
        value=reais("763200", ValueKind.ESTIMATE),
        parties=(BODY, UNIT),
        texts=(
            Text(pointer="/objetoCompra", text="Solução de facial recognition para vias públicas"),
            Text(pointer="/informacaoComplementar", text="Contato: " + "█" * 23),
        ),
        identifiers=(Identifier(scheme="pncp", id=NUMBER),),
    )
    assert problems(raw) == []


def test_a_suspended_and_awarded_purchase_says_so() -> None:
    (release,) = parsed(purchase(situacaoCompraId=4, situacaoCompraNome="Suspensa", valorTotalHomologado=700000.5))
    assert release.status == Status(lifecycle=Lifecycle.SUSPENDED, raw="Suspensa", basis=Basis.STATUS)
    assert release.value == reais("700000.5", ValueKind.AWARD)


def test_a_secret_budget_of_zero_is_no_value() -> None:
    assert parsed(purchase(valorTotalEstimado=0, orcamentoSigilosoCodigo=3))[0].value is None


def test_a_purchase_taken_over_names_both_bodies() -> None:
    other = {"cnpj": "44555666000199", "razaoSocial": "ESTADO DE EXEMPLO"}
    (release,) = parsed(purchase(orgaoSubRogado=other, unidadeSubRogada=None))
    assert [(p.name, p.roles) for p in release.parties] == [
        ("MUNICIPIO DE EXEMPLO", (Role.BUYER,)),
        ("ESTADO DE EXEMPLO", (Role.PROCURING_ENTITY,)),
        ("Prefeitura Municipal de Exemplo", (Role.PROCURING_ENTITY,)),
    ]


def test_an_item_is_a_lot_of_the_purchase_in_its_address() -> None:
    raw = [item(1), item(2, descricao="Câmeras", situacaoCompraItem=4, situacaoCompraItemNome="Deserto",
                        valorTotal=10.1, ncmNbsCodigo="85258919", ncmNbsDescricao="Câmeras",
                        catalogo={"id": 2, "nome": "CATMAT"}, catalogoCodigoItem="150120")]  # fmt: skip
    first, second = parsed(raw, ITENS)
    assert (first.native_id, second.native_id) == (NUMBER, NUMBER)
    assert second.children == (
        Child(
            kind="lot",
            native_id="2",
            title="Câmeras",
            status=Status(lifecycle=Lifecycle.CANCELLED, raw="Deserto", basis=Basis.STATUS),
            value=reais("10.1", ValueKind.ESTIMATE),
        ),
    )
    assert second.texts == (Text(pointer="/descricao", text="Câmeras"),)
    assert second.classifications == (
        Classification(scheme="NCM/NBS", id="85258919", description="Câmeras"),
        Classification(scheme="CATMAT", id="150120"),
    )
    # What the process itself says is left to the purchase.
    assert (second.title, second.status, second.value) == ("", Status(), None)


def test_the_same_item_of_two_purchases_is_two_releases() -> None:
    (here,), (there,) = parsed([item(1)], ITENS), parsed([item(1)], f"{INTEGRACAO}/compras/2026/68/itens")
    assert here.release_id != there.release_id
    assert (here.native_id, there.native_id) == (NUMBER, f"{CNPJ}-1-000068/2026")


def test_a_result_is_an_award() -> None:
    (release,) = parsed([result()], f"{ITENS}/1/resultados")
    assert release.native_id == NUMBER
    assert release.published_at == datetime(2026, 2, 22, 2, 30, tzinfo=UTC)
    assert release.parties == (SUPPLIER,)
    assert release.children == (
        Child(
            kind="award",
            native_id="1-1",
            lot_ids=("1",),
            status=Status(lifecycle=Lifecycle.ACTIVE, raw="Informado", basis=Basis.STATUS),
            signed_on=date(2026, 2, 20),
            value=reais("700000.5", ValueKind.AWARD),
            supplier_ids=(f"BR-CNPJ-{FIRM}",),
        ),
    )


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [
        ("PF", "12345678909", "FULANA DE EXEMPLO"),
        ("PF", "***.456.789-**", "FULANA DE EXEMPLO"),
        # Said to be a firm, with a person's number.
        ("PJ", "123.456.789-09", "FULANA DE EXEMPLO"),
        # Individual entrepreneurs: the CPF behind the name, the CNPJ's root before it.
        ("PJ", FIRM, "FULANA DE EXEMPLO 12345678909"),
        ("PJ", FIRM, "99.888.777 FULANA DE EXEMPLO"),
    ],
)
def test_a_person_keeps_neither_name_nor_number(kind: str, number: str, name: str) -> None:
    (release,) = parsed([result(tipoPessoa=kind, niFornecedor=number, nomeRazaoSocialFornecedor=name)])
    assert release.parties == (
        Party(local_id="person-award-1-1", name="", roles=(Role.SUPPLIER,), natural_person=True),
    )
    assert release.children[0].supplier_ids == ("person-award-1-1",)
    whole = release.model_dump_json()
    assert "FULANA" not in whole
    assert "12345678909" not in whole
    assert FIRM not in whole


def test_a_foreign_supplier_is_named_without_a_number() -> None:
    raw = result(tipoPessoa="PE", niFornecedor="XX-77", nomeRazaoSocialFornecedor="Example Vision GmbH")
    (release,) = parsed([raw])
    (party,) = release.parties
    assert (party.name, party.identifiers, party.country) == ("Example Vision GmbH", (), None)
    assert "XX-77" not in release.model_dump_json()


def test_a_cnpj_may_hold_letters_and_a_kind_of_person_may_be_new() -> None:
    (release,) = parsed([result(niFornecedor="12.ABC.345/01DE-35", tipoPessoa="XX")])
    assert release.parties[0].identifiers == (Identifier(scheme="BR-CNPJ", id="12ABC34501DE35"),)
    assert problems([result(niFornecedor="12ABC34501DE35", tipoPessoa="XX")]) == [("note", "unknown_code", "/0")]


def test_who_stands_second_was_awarded_nothing() -> None:
    first, second = parsed([result(ordemClassificacaoSrp=1), result(sequence=2, ordemClassificacaoSrp=2)])
    assert [len(r.children) for r in (first, second)] == [1, 0]
    assert second.parties[0].roles == (Role.TENDERER,)


def test_a_result_with_a_day_of_cancellation_is_cancelled_and_noted() -> None:
    raw = [result(dataCancelamento="2026-03-01T10:00:00")]
    assert parsed(raw)[0].children[0].status == Status(
        lifecycle=Lifecycle.CANCELLED, raw="Informado", basis=Basis.EVENT
    )
    assert problems(raw) == [("note", "contradiction", "/0")]


def test_a_contract_belongs_to_its_purchase() -> None:
    url = f"{INTEGRACAO}/contratos/contratacao/2026/67?pagina=1&tamanhoPagina=50"
    (item_,) = (i for i in pncp.parse_page(envelope(contract()), CARD, SHA, url) if isinstance(i, Parsed))
    release = item_.release
    assert item_.place.pointer == "/data/0"
    assert (release.native_id, release.portal_release_id, release.title) == (NUMBER, CONTRACT, "")
    assert release.parties == (BODY, UNIT, SUPPLIER)
    assert release.texts == (Text(pointer="/objetoContrato", text="Contrato nº 12"),)
    assert release.children == (
        Child(
            kind="contract",
            native_id=CONTRACT,
            title="Contrato nº 12",
            status=Status(lifecycle=Lifecycle.ACTIVE, basis=Basis.DATES),
            signed_on=date(2026, 3, 1),
            starts_on=date(2026, 3, 2),
            ends_on=date(2027, 3, 1),
            value=reais("700000.5", ValueKind.CONTRACT),
            supplier_ids=(f"BR-CNPJ-{FIRM}",),
        ),
    )


def test_a_contract_without_a_purchase_is_a_process_and_one_without_the_field_is_none() -> None:
    (release,) = parsed(contract(numeroControlePncpCompra=None), f"{INTEGRACAO}/contratos/2026/12")
    assert (release.native_id, release.title) == (CONTRACT, "Contrato nº 12")
    bare = {k: v for k, v in contract().items() if k != "numeroControlePncpCompra"}
    assert problems(bare, f"{INTEGRACAO}/contratos/2026/12") == [("rejected", "missing_field", "")]


def test_a_subcontractor_is_told_from_the_supplier() -> None:
    raw = contract(niFornecedorSubContratado="44555666000199", tipoPessoaSubContratada="PJ",
                   nomeFornecedorSubContratado="SUB EXEMPLO SA")  # fmt: skip
    (release,) = parsed([raw])
    assert [(p.name, p.roles) for p in release.parties[2:]] == [
        ("EXEMPLO RECONHECIMENTO LTDA", (Role.SUPPLIER,)),
        ("SUB EXEMPLO SA", (Role.SUBCONTRACTOR,)),
    ]
    assert release.children[0].supplier_ids == (f"BR-CNPJ-{FIRM}",)


def test_a_termination_ends_its_contract_and_an_amendment_moves_its_end() -> None:
    amendment = term(2, tipoTermoContratoId=2, tipoTermoContratoNome="Termo Aditivo", dataVigenciaFim="2028-03-01")
    ended_, moved = parsed([term(), amendment], TERMOS)
    assert (ended_.native_id, ended_.children) == (
        NUMBER,
        (
            Child(
                kind="contract",
                native_id=CONTRACT,
                status=Status(lifecycle=Lifecycle.TERMINATED, raw="Termo de Rescisão", basis=Basis.EVENT),
            ),
        ),
    )
    assert moved.children == (Child(kind="contract", native_id=CONTRACT, ends_on=date(2028, 3, 1)),)


@pytest.mark.parametrize(
    ("value", "url", "expected"),
    [
        ({k: v for k, v in purchase().items() if k != "situacaoCompraId"}, "", ("rejected", "missing_field", "")),
        (purchase(numeroControlePNCP="67/2026"), "", ("rejected", "unreadable_number", "")),
        (purchase(dataPublicacaoPncp="ontem"), "", ("rejected", "unreadable_date", "")),
        (purchase(objetoCompra=["x"]), "", ("rejected", "wrong_type", "")),
        (purchase(orgaoEntidade="x"), "", ("rejected", "wrong_type", "")),
        (purchase(situacaoCompraId=7), "", ("note", "unknown_code", "")),
        (purchase(novoCampo=1), "", ("note", "unknown_field", "")),
        ([item(1), {"numeroItem": 2}], ITENS, ("rejected", "missing_field", "/1")),
        ({"erro": 1}, ITENS, ("rejected", "wrong_type", "")),
        ([item(1)], "https://portal.example/", ("rejected", "missing_field", "/0")),
        ({"estranho": 1}, "https://portal.example/", ("rejected", "missing_field", "")),
    ],
)
def test_what_does_not_fit_is_named(value: Any, url: str, expected: tuple[str, str, str]) -> None:
    assert problems(value, url or f"{CONSULTA}/compras/2026/67") == [expected]


def test_no_bytes_are_an_empty_list_but_no_record() -> None:
    assert list(pncp.parse_page(b"", CARD, SHA, ITENS)) == []
    (problem,) = pncp.parse_page(b"", CARD, SHA, f"{CONSULTA}/compras/2026/67")
    assert isinstance(problem, Problem)
    assert problem.kind == "malformed_json"


def test_times_are_those_of_brasilia() -> None:
    assert brasilia("2025-04-22T17:50:39.737436688") == datetime(2025, 4, 22, 20, 50, 39, 737436, UTC)
    assert brasilia("2025-04-22") == datetime(2025, 4, 22, 3, tzinfo=UTC)
    assert brasilia("2025-04-22T17:50:39Z") == datetime(2025, 4, 22, 17, 50, 39, tzinfo=UTC)


def test_control_numbers_are_read_whole_or_not_at_all() -> None:
    number = read_number("06140404000167-1-000067/2024-000003")
    assert (number.cnpj, number.segment, number.sequence, number.year) == ("06140404000167", "1", 67, 2024)
    assert str(number.purchase) == "06140404000167-1-000067/2024"
    with pytest.raises(Misfit, match="not a PNCP control number"):
        read_number("06140404000167-0-000067/2024")


def read_file(data: bytes) -> list[tuple[str, str]]:
    """What a file gives: a pointer with a process, or with the kind of its problem."""
    found = pncp.parse_file(lambda: io.BytesIO(data), CARD, SHA, "file:x.json", None)
    return [
        (i.place.pointer, i.release.native_id) if isinstance(i, Parsed) else (i.pointer, i.kind)
        for i in found
        if isinstance(i, Parsed | Problem)
    ]


def test_files_are_lists_envelopes_records_and_lines() -> None:
    other = f"{CNPJ}-1-000068/2026"
    both = [("/0", NUMBER), ("/1", other)]
    assert read_file(dumped([purchase(), purchase(68)])) == both
    assert read_file(gzip.compress(dumped([purchase(), purchase(68)]))) == both
    assert read_file(dumped({"totalRegistros": 2, "data": [contract(), purchase(68)]})) == [
        ("/data/0", NUMBER), ("/data/1", other),
    ]  # fmt: skip
    assert read_file(dumped(purchase())) == [("", NUMBER)]
    lines = dumped(purchase()) + b"\n{broken\n\n" + envelope(contract(), purchase(68)) + b"\n"
    assert read_file(lines) == [
        ("line=1", NUMBER), ("line=2", "malformed_json"), ("line=4;at=/data/0", NUMBER), ("line=4;at=/data/1", other),
    ]  # fmt: skip
    # Nothing says whose an item is.
    assert read_file(dumped([item(1), result()])) == [("/0", "missing_field"), ("/1", NUMBER)]
    assert read_file(dumped([purchase()])[:-9]) == [("", "malformed_json")]


@pytest.mark.parametrize(
    ("head", "said"),
    [(b" ", "is empty"), (b"<html>", "a page of markup"), (b"a;b\n", "does not hold records of PNCP as JSON")],
)
def test_a_file_of_another_kind_is_refused(head: bytes, said: str) -> None:
    with pytest.raises(BadData, match=said):
        pncp.check_head(head, "x")


def unflattened(row: dict[str, str]) -> dict[str, Any]:
    """A flattened row of the consultation API as the record it was."""
    record: dict[str, Any] = {}
    for column, cell in row.items():
        if column.startswith("data."):
            *holders, key = column.removeprefix("data.").split(".")
            inner = record
            for holder in holders:
                inner = inner.setdefault(holder, {})
            if cell or not isinstance(inner.get(key), dict):
                inner[key] = cell or None
    return record


def test_real_rows_of_the_consultation_api(real: Path) -> None:
    with (real / "br-pncp-api-rows" / "amostra_contratacoes_first4.csv").open(encoding="utf-8", newline="") as stream:
        records = [unflattened(row) for row in csv.DictReader(stream)]
    found = list(pncp.parse_page(dumped({"data": records}), CARD, SHA, "https://pncp.gov.br/api/consulta/v1/x"))
    releases = [i.release for i in found if isinstance(i, Parsed)]
    assert (len(records), len(releases), [i.kind for i in found if isinstance(i, Problem)]) == (4, 4, [])
    assert [(r.native_id, r.status.lifecycle, r.value) for r in releases] == [
        ("06140404000167-1-000067/2024", Lifecycle.TENDER, reais("763200", ValueKind.ESTIMATE)),
        ("08084014000142-1-000057/2024", Lifecycle.TENDER, reais("151192.18", ValueKind.ESTIMATE)),
        ("10572022000180-1-000329/2024", Lifecycle.TENDER, reais("58663.73", ValueKind.AWARD)),
        ("27080530000143-1-002618/2024", Lifecycle.TENDER, reais("146643", ValueKind.AWARD)),
    ]
    assert releases[0].published_at == datetime(2025, 1, 2, 4, 45, 56, tzinfo=UTC)
    assert [r.tender_ends_on for r in releases] == [
        date(2025, 1, 15), date(2025, 1, 14), date(2024, 10, 24), date(2024, 12, 12),
    ]  # fmt: skip
    # Who typed it in is kept nowhere.
    assert not any("TOP DOWN" in r.model_dump_json() for r in releases)


def test_real_control_numbers_and_a_file_of_another_shape(real: Path) -> None:
    path = real / "br-pncp-monitor" / "licitacoes.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert len(rows) == 479
    for row in rows:
        number = read_number(row["numero_pncp"])
        assert str(number) == row["numero_pncp"]
        assert row["link"] == f"https://pncp.gov.br/app/editais/{number.cnpj}/{number.year}/{number.sequence}"
    # A private monitor's own columns: none of its rows is taken for a record of the portal's.
    with path.open("rb") as stream:
        pncp.check_head(stream.read(4096), path.name)
    kinds = Counter(
        i.kind if isinstance(i, Problem) else "parsed"
        for i in pncp.parse_file(lambda: path.open("rb"), CARD, SHA, "", None)
    )
    assert kinds == {"missing_field": 479}

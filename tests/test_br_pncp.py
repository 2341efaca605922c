"""PNCP's portal: how its lists and sub-collections are walked, and what their answers build to."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from scrapy import Request

from models.codes import Candidacy, Outcome
from models.ids import contract_id
from models.procurement import Release
from models.run import Query
from pipeline.archive import RunInfo
from pipeline.archive_writer import RunWriter
from pipeline.build import build
from pipeline.cards import load_source_card
from pipeline.derive import complete_contracts, derive_run
from pipeline.query import connect
from pipeline.store import DATA, Store
from spiders.documents import actual_type
from tests.answers.br_pncp import (
    CNPJ,
    CONSULTA,
    CONTRACT,
    INTEGRACAO,
    NUMBER,
    asked_of,
    contract,
    dumped,
    envelope,
    find,
    item,
    portal,
    purchase,
    result,
    term,
)
from tests.driver import NOW, SINCE, Portal, Reply, drive, ended, make_spider, query

CARD = load_source_card(DATA / "sources", "br_pncp")
ITENS = f"{INTEGRACAO}/compras/2026/67/itens"
TERMOS = f"{INTEGRACAO}/contratos/2026/12/termos?pagina=1&tamanhoPagina=50&compra={CNPJ}-1-000067%2F2026"
FACIAL = (query("reconhecimento facial", "pt"),)
MARK = "reconhecimento facial"


class ByText:
    """A candidate is what speaks of facial recognition anywhere in its texts."""

    def decide(self, release: Release) -> tuple[Candidacy | None, tuple[str, ...]]:
        found = any(MARK in text.text.lower() for text in release.texts)
        return (Candidacy.TEXT, ("facial",)) if found else (None, ())

    def glance(self, record: bytes) -> bool:
        return True


def spider_of(folder: Path, queries: tuple[Query, ...] = FACIAL, **policy: Any) -> Any:
    card = CARD.model_copy(update={"query": CARD.query.model_copy(update=policy)}) if policy and CARD.query else CARD
    return make_spider(folder, card, queries, decide=ByText().decide)


def paths(asked: Sequence[Request]) -> list[str]:
    """What was asked, without the host: a search as list and page, others as their path."""
    told = []
    for request in asked:
        path, params = asked_of(request)
        if path == "/api/search/":
            told.append(f"{params['tipos_documento']} {params['pagina']}")
        else:
            told.append(path.removeprefix("/api/").replace(CNPJ, "C"))
    return told


def files(*documents: dict[str, Any]) -> Reply:
    return Reply(dumped([{"sequencialDocumento": n, "statusAtivo": True, **d} for n, d in enumerate(documents, 1)]))


def whole_portal() -> dict[str, Reply]:
    """A purchase with two items, one of them decided, a contract with a termination, and documents of both."""
    path = f"/api/pncp/v1/orgaos/{CNPJ}"
    return {
        f"/api/consulta/v1/orgaos/{CNPJ}/compras/2026/67": Reply(dumped(purchase(objetoCompra="Solução de vídeo"))),
        f"{path}/compras/2026/67/itens": Reply(
            dumped([
                item(1, descricao="Reconhecimento facial", situacaoCompraItem=2, situacaoCompraItemNome="Homologado",
                     temResultado=True),
                item(2),
            ])
        ),
        f"{path}/compras/2026/67/itens/1/resultados": Reply(dumped([result()])),
        f"{path}/contratos/contratacao/2026/67": Reply(envelope(contract())),
        f"{path}/contratos/2026/12/termos": Reply(dumped([term()])),
        f"{path}/contratos/2026/12/arquivos": files(
            {"titulo": "Contrato 12.PDF", "url": "https://pncp.gov.br/d/contrato", "tipoDocumentoNome": "Contrato"}
        ),
        f"{path}/compras/2026/67/arquivos": files(
            {"titulo": "Edital 67/2026", "url": "https://pncp.gov.br/d/edital", "tipoDocumentoNome": "Edital"},
            {"titulo": "velho.pdf", "url": "https://pncp.gov.br/d/velho", "statusAtivo": False},
            {"titulo": "planta.dwg", "url": "https://pncp.gov.br/d/planta"},
        ),
        "/d/contrato": Reply(b"%PDF-1.7 x", content_type="application/octet-stream"),
        "/d/edital": Reply(b"Rar!", content_type="application/octet-stream"),
    }  # fmt: skip


def test_a_candidate_is_followed_to_its_last_document(tmp_path: Path) -> None:
    spider = spider_of(tmp_path)
    asked = drive(spider, portal([[find(67)]], whole_portal()))
    assert paths(asked) == [
        "edital 1",
        "consulta/v1/orgaos/C/compras/2026/67",
        "contrato 1",
        "pncp/v1/orgaos/C/compras/2026/67/itens",
        "ata 1",
        "pncp/v1/orgaos/C/compras/2026/67/itens/1/resultados",
        "pncp/v1/orgaos/C/contratos/contratacao/2026/67",
        "pncp/v1/orgaos/C/compras/2026/67/arquivos",
        "pncp/v1/orgaos/C/contratos/2026/12/termos",
        "pncp/v1/orgaos/C/contratos/2026/12/arquivos",
        "/d/edital",
        "/d/contrato",
    ]
    assert ended(spider)[0] is Outcome.COMPLETE
    # Purchase, two items, result, contract, termination.
    assert spider.records == 6
    assert [(d.title, d.outcome, d.contract_id) for d in spider.desk.rows()] == [
        ("Edital 67/2026", "wrong_type", contract_id("br-pncp", NUMBER)),
        ("planta.dwg", "wrong_type", contract_id("br-pncp", NUMBER)),
        ("Contrato 12.PDF", "ok", contract_id("br-pncp", NUMBER)),
    ]
    search = asked_of(asked[0])[1]
    assert search == {
        "q": '"reconhecimento facial"', "tipos_documento": "edital", "ordenacao": "-data", "pagina": "1",
        "tam_pagina": "100", "status": "todos",
    }  # fmt: skip
    (told,) = spider.query_results()
    assert (told.outcome, told.expected, told.received) == (Outcome.COMPLETE, 1, 1)


def test_what_is_no_candidate_is_asked_for_its_items_only(tmp_path: Path) -> None:
    spider = spider_of(tmp_path)
    asked = drive(spider, portal([[find(1)]]))
    assert paths(asked)[-2:] == ["pncp/v1/orgaos/C/compras/2026/1/itens", "ata 1"]
    assert ended(spider)[0] is Outcome.COMPLETE


@pytest.mark.parametrize("empty", [Reply(b"", 204), Reply(b""), Reply(b'{"status": 404}', 404), Reply(b"[]")])
def test_an_empty_sub_collection_is_no_failure(tmp_path: Path, empty: Reply) -> None:
    below = {
        path: empty if "/pncp/" in path else reply for path, reply in whole_portal().items()
    } | {f"/api/consulta/v1/orgaos/{CNPJ}/compras/2026/67": Reply(dumped(purchase(objetoCompra=MARK)))}  # fmt: skip
    spider = spider_of(tmp_path)
    asked = drive(spider, portal([[find(67)]], below))
    assert len(asked) == 7
    assert (ended(spider)[0], spider.records, spider.failures, spider.notes) == (Outcome.COMPLETE, 1, [], [])


@pytest.mark.parametrize(
    ("lost", "outcome"),
    [
        ("/compras/2026/67/itens", Outcome.PARTIAL),
        ("/compras/2026/67/itens/1/resultados", Outcome.PARTIAL),
        ("/contratos/contratacao/2026/67", Outcome.PARTIAL),
        ("/contratos/2026/12/termos", Outcome.COMPLETE),
        ("/compras/2026/67/arquivos", Outcome.COMPLETE),
    ],
)
@pytest.mark.parametrize("reply", [Reply(b'{"error": "x"}', 500), Reply(None)])
def test_a_lost_part_is_told_and_the_walk_goes_on(tmp_path: Path, lost: str, outcome: Outcome, reply: Reply) -> None:
    below = whole_portal()
    below[f"/api/consulta/v1/orgaos/{CNPJ}/compras/2026/67"] = Reply(dumped(purchase(objetoCompra=MARK)))
    below[f"/api/pncp/v1/orgaos/{CNPJ}{lost}"] = reply
    spider = spider_of(tmp_path)
    asked = drive(spider, portal([[find(67)]], below))
    kind = "download_failed" if reply.body is None else "http_500"
    (told,) = spider.query_results()
    assert (ended(spider)[0], told.outcome) == (outcome, outcome)
    assert "ata 1" in paths(asked)
    if outcome is Outcome.PARTIAL:
        assert [f.kind for f in spider.failures] == [kind]
    else:
        assert [(n.kind, n.detail.partition(":")[0]) for n in spider.notes] == [("part_lost", kind)]
    # Its documents are fetched all the same, but those of a contract that never came.
    assert [r.cb_kwargs["url"][-6:] for r in asked if "url" in r.cb_kwargs] == [
        *(["edital"] if not lost.endswith("arquivos") else []),
        *(["ntrato"] if "contratacao" not in lost else []),
    ]


def test_a_firewall_on_the_way_blocks_the_crawl_and_moves_no_watermark(tmp_path: Path) -> None:
    below = whole_portal() | {f"/api/pncp/v1/orgaos/{CNPJ}/compras/2026/67/itens": Reply(b"<html>x</html>", 200)}
    spider = spider_of(tmp_path)
    drive(spider, portal([[find(67)]], below))
    assert ended(spider)[0] is Outcome.BLOCKED
    assert spider.query_results()[0].outcome is not Outcome.COMPLETE


def test_items_are_walked_to_the_last_page_whatever_their_size(tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        path, params = asked_of(request)
        if path.endswith("/itens"):
            first = 10 * (int(params["pagina"]) - 1) + 1
            # Pages of ten where fifty were asked for; the last one holds three.
            return Reply(dumped([item(n) for n in range(first, min(first + 10, 24))]))
        return found(request)

    found: Portal = portal([[find(1)]])
    spider = spider_of(tmp_path)
    asked = drive(spider, answer)
    assert [asked_of(r)[1]["pagina"] for r in asked if r.url.partition("?")[0].endswith("/itens")] == ["1", "2", "3"]
    assert spider.records == 24


def test_a_collection_that_is_not_paged_is_not_asked_for_ever(tmp_path: Path) -> None:
    below = {f"/api/pncp/v1/orgaos/{CNPJ}/compras/2026/1/itens": Reply(dumped([item(n) for n in range(1, 21)]))}
    spider = spider_of(tmp_path)
    asked = drive(spider, portal([[find(1)]], below))
    assert sum("/itens" in r.url for r in asked) == 2
    assert [n.kind for n in spider.notes] == ["pages_repeat"]
    assert ended(spider)[0] is Outcome.COMPLETE


def test_a_list_ends_on_the_first_page_older_than_the_window(tmp_path: Path) -> None:
    pages = [
        [find(1, "2026-11-02"), find(2, "2026-10-31")],
        [find(3, "2026-10-30"), find(4, "2026-10-29")],
        [find(5, "2026-10-28")],
    ]
    spider = spider_of(tmp_path)
    asked = drive(spider, portal(pages, total=5_000))
    assert [p for p in paths(asked) if "itens" not in p] == [
        "edital 1", "consulta/v1/orgaos/C/compras/2026/1", "edital 2", "contrato 1", "ata 1",
    ]  # fmt: skip
    (told,) = spider.query_results()
    # The portal's total counts what lies before the window: it is no measure then.
    assert (told.outcome, told.expected, told.received) == (Outcome.COMPLETE, None, 1)


def test_the_window_begins_at_the_hour_it_begins_in_brasilia(tmp_path: Path) -> None:
    assert datetime(2026, 11, 1, tzinfo=UTC) == SINCE
    finds = [
        find(1, data_atualizacao_pncp="2026-10-31T21:00:00"),
        find(2, data_atualizacao_pncp="2026-10-31T20:59:59"),
        # Without a day of its own a find is looked at.
        find(3, data_atualizacao_pncp=None, data_publicacao_pncp=None),
    ]
    asked = drive(spider_of(tmp_path), portal([finds]))
    assert [p[-1] for p in paths(asked) if p.startswith("consulta")] == ["1", "3"]


@pytest.mark.parametrize(("total", "kinds"), [(4, ["result_cap"]), (3, [])])
def test_a_list_beyond_the_cap_makes_its_query_partial(tmp_path: Path, total: int, kinds: list[str]) -> None:
    pages = [[find(1), find(2)], [find(3)], [find(4)]][: total - 1]
    spider = spider_of(tmp_path, max_results=3)
    asked = drive(spider, portal(pages, total=total))
    (told,) = spider.query_results()
    outcome = Outcome.PARTIAL if kinds else Outcome.COMPLETE
    assert ([f.kind for f in spider.failures], told.outcome, ended(spider)[0]) == (kinds, outcome, outcome)
    # The other lists are asked for all the same, and what came is kept.
    assert paths(asked)[-2:].count("ata 1") == 1
    assert spider.records == 3


def test_contracts_and_registrations_lead_to_their_purchase_once(tmp_path: Path) -> None:
    registrations = [find(9, numero_controle_pncp=f"{NUMBER}-00000{n}", document_type="ata") for n in (1, 2)]
    contracts = [find(12, numero_controle_pncp=CONTRACT, item_url=f"/contratos/{CNPJ}/2026/12")]
    below = whole_portal() | {
        f"/api/pncp/v1/orgaos/{CNPJ}/contratos/2026/12": Reply(dumped(contract(objetoContrato=MARK)))
    }
    spider = spider_of(tmp_path)
    told = paths(drive(spider, portal([], below, contrato=[contracts], ata=[registrations])))
    assert told.count("pncp/v1/orgaos/C/contratos/2026/12") == 1
    assert told.count("consulta/v1/orgaos/C/compras/2026/67") == 1
    assert told.count("pncp/v1/orgaos/C/contratos/2026/12/arquivos") == 1
    assert "pncp/v1/orgaos/C/compras/2026/67/itens/1/resultados" in told
    assert spider.query_results()[0].model_dump(include={"outcome", "expected", "received"}) == {
        "outcome": Outcome.COMPLETE, "expected": 3, "received": 3,
    }  # fmt: skip


def test_a_purchase_that_a_contract_led_to_and_that_is_lost_makes_the_query_partial(tmp_path: Path) -> None:
    contracts = [find(12, numero_controle_pncp=CONTRACT)]
    below = {
        f"/api/pncp/v1/orgaos/{CNPJ}/contratos/2026/12": Reply(dumped(contract())),
        f"/api/consulta/v1/orgaos/{CNPJ}/compras/2026/67": Reply(None),
    }
    spider = spider_of(tmp_path)
    drive(spider, portal([], below, contrato=[contracts]))
    assert spider.query_results()[0].outcome is Outcome.PARTIAL


def test_a_candidate_contract_without_a_purchase_has_its_own_documents(tmp_path: Path) -> None:
    contracts = [find(12, numero_controle_pncp=CONTRACT)]
    below = whole_portal() | {
        f"/api/pncp/v1/orgaos/{CNPJ}/contratos/2026/12": Reply(
            dumped(contract(objetoContrato=MARK, numeroControlePncpCompra=None))
        )
    }
    spider = spider_of(tmp_path)
    asked = drive(spider, portal([], below, contrato=[contracts]))
    assert [(d.contract_id, d.outcome) for d in spider.desk.rows()] == [(contract_id("br-pncp", CONTRACT), "ok")]
    termos = next(r for r in asked if "/termos" in r.url)
    assert asked_of(termos)[1]["compra"] == CONTRACT


@pytest.mark.parametrize(
    ("purchase_status", "stage"),
    [((1, "Divulgada no PNCP"), "in_the_making"), ((4, "Suspensa"), "suspended"), ((2, "Revogada"), "ended")],
)
def test_lots_do_not_outlive_a_purchase_that_stands_still(
    tmp_path: Path, purchase_status: tuple[int, str], stage: str
) -> None:
    code, word = purchase_status
    rows = built(
        tmp_path,
        [
            (f"{CONSULTA}/compras/2026/67", dumped(purchase(situacaoCompraId=code, situacaoCompraNome=word,
                                                            objetoCompra=MARK))),
            (ITENS, dumped([item(1)])),
        ],
        "SELECT lifecycle_raw, (SELECT stage FROM contract_stage_at(DATE '2026-03-01')) FROM contract",
    )  # fmt: skip
    assert rows == [(word, stage)]


def test_answers_of_one_process_become_one_contract(tmp_path: Path) -> None:
    pages = [
        (f"{CONSULTA}/compras/2026/67", dumped(purchase(objetoCompra="Solução de vídeo"))),
        (ITENS, dumped([item(1, descricao="Reconhecimento facial"), item(2)])),
        (f"{ITENS}/1/resultados", dumped([result(), result(sequence=2, tipoPessoa="PF", niFornecedor="12345678909",
                                                           nomeRazaoSocialFornecedor="FULANA DE EXEMPLO")])),
        (f"{INTEGRACAO}/contratos/contratacao/2026/67", envelope(contract())),
        (TERMOS, dumped([term()])),
    ]  # fmt: skip
    rows = built(
        tmp_path,
        pages,
        "SELECT c.native_id, c.title, c.buyer, c.lifecycle_raw, c.published_on, k.kind, k.native_id, k.lifecycle, "
        "k.ends_on FROM contract AS c JOIN child AS k USING (contract_id) ORDER BY k.kind, k.native_id",
    )
    process = (NUMBER, "Solução de vídeo", "MUNICIPIO DE EXEMPLO", "Divulgada no PNCP", date(2026, 1, 2))
    assert rows == [
        (*process, "award", "1-1", "active", None),
        (*process, "award", "1-2", "active", None),
        (*process, "contract", CONTRACT, "terminated", date(2027, 3, 1)),
        (*process, "lot", "1", "tender", None),
        (*process, "lot", "2", "tender", None),
    ]


class NoVendors:
    vendors: dict[str, Any] = {}  # noqa: RUF012 (never written to)
    version = "none"


def built(folder: Path, pages: Sequence[tuple[str, bytes]], sql: str) -> list[tuple[Any, ...]]:
    """Rows of a database made of those archived answers."""
    store = Store(folder)
    writer = RunWriter(store, RunInfo("r1", CARD.id, "crawl", NOW, {}))
    for url, body in pages:
        writer.write_response(
            url=url, requested_url=url, role="page", method="GET", request_headers=[], request_body=b"", status=200,
            headers=[("Content-Type", "application/json")], body=body, fetched_at=NOW,
        )  # fmt: skip
    counts = derive_run(store, writer.seal(), CARD, ByText())
    assert not counts.rejected
    complete_contracts(store, CARD.id, {CARD.id: CARD})
    build(store, registry=NoVendors(), rules_version="r", cards=[CARD], now=NOW)
    with connect(store) as connection:
        return connection.execute(sql).fetchall()


def zipped(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return target.getvalue()


def test_documents_are_told_by_their_bytes() -> None:
    office = "application/vnd.openxmlformats-officedocument."
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
    octets = "application/octet-stream"
    found = {
        actual_type(body, octets, octets)
        for body in (
            zipped("[Content_Types].xml", "word/document.xml"),
            zipped("[Content_Types].xml", "xl/workbook.xml"),
        )
    }
    assert found == {f"{office}wordprocessingml.document", f"{office}spreadsheetml.sheet"}
    assert actual_type(zipped("word/edital.pdf"), octets, octets) == "application/zip"
    assert actual_type(zipped("edital.pdf")[:-30], octets, octets) == "application/zip"
    assert actual_type(ole + "WordDocument\0".encode("utf-16-le"), octets, octets) == "application/msword"
    assert actual_type(ole + "Workbook\0".encode("utf-16-le"), octets, octets) == "application/vnd.ms-excel"
    assert actual_type(ole, octets, octets) == "application/x-ole-storage"
    assert actual_type(b"\x1a\x45\xdf\xa3", octets, octets) == ""

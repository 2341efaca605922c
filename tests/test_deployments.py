"""The deployments of prefect.yaml against the cards: every source is crawled by exactly one of them."""

from typing import Any

import pytest
import yaml

from flows.house import House
from pipeline.cards import load_source_cards
from pipeline.errors import WrongUse
from pipeline.store import CHECKOUT, DATA, Store


@pytest.fixture(scope="module")
def deployments() -> list[dict[str, Any]]:
    said: dict[str, Any] = yaml.safe_load((CHECKOUT / "prefect.yaml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = said["deployments"]
    return found


def test_every_group_of_sources_has_one_deployment(deployments: list[dict[str, Any]]) -> None:
    groups = [d["parameters"]["group"] for d in deployments]
    assert len(groups) == len(set(groups))
    assert {card.group for card in load_source_cards(DATA / "sources").values()} <= set(groups)
    assert [d["name"] for d in deployments] == groups


def test_every_deployment_runs_at_an_hour_of_its_own(deployments: list[dict[str, Any]]) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    crons = [schedule["cron"] for d in deployments for schedule in d["schedules"]]
    for cron in crons:
        CronSchedule(cron=cron, timezone="UTC")
    assert len({cron.split()[1] for cron in crons}) == len(deployments)
    assert {d["entrypoint"] for d in deployments} == {"flows/nightly.py:nightly"}


def test_a_night_of_a_group_is_of_its_sources_alone(tmp_path: Any) -> None:
    from flows.nightly import chosen_sources

    house = House(Store(tmp_path))
    assert "uk_contracts_finder" in chosen_sources(house, None, "pages")
    assert all(house.cards[s].group == "pages" for s in chosen_sources(house, None, "pages"))
    assert chosen_sources(house, None, None) == sorted(house.cards)
    with pytest.raises(WrongUse, match=r"no group of sources `nightly`; the cards name .*pages"):
        chosen_sources(house, None, "nightly")

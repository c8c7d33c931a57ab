"""The answer of a commit is lost with its connection, so that nobody knows whether it was done."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.pair.load import Acknowledged, flows, load, nothing_is_lost
from tests.support.answer_cutter import AnswerCutter, answer_cutter
from tests.support.engine import running_engine
from tests.support.trader_client import new_trader
from tests.support.waiting import eventually

CUTS = 25


async def _lose_answers(cutter: AnswerCutter, users: list[Acknowledged]) -> None:
    """Lose one answer after another, each once orders are placed again."""
    for number in range(CUTS):
        cutter.cut_next()
        await eventually(lambda: not cutter.is_armed, "an answer is lost")
        if number % 5 == 0:
            await flows(users, 1)
        await asyncio.sleep(0.05)  # so that the cuts meet different statements


@pytest.mark.timeout(300)
async def test_orders_events_and_logins_are_neither_lost_nor_doubled_when_answers_of_commits_are(
    data_folder: Path, database_dsn: str
) -> None:
    async with (
        answer_cutter(database_dsn) as (cutter, dsn),
        running_engine(data_folder / "data", "--seed", "11", settings={"R3EDGE_DATABASE_URL": dsn}) as engine,
    ):
        traders = [await new_trader(engine.client()) for _ in range(2)]
        async with load(traders) as users:
            await _lose_answers(cutter, users)
            await flows(users)
        assert cutter.cuts["COMMIT"] > 0
        await nothing_is_lost(engine, users)
        print(dict(cutter.cuts))  # noqa: T201

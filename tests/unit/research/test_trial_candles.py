"""The candles that a node holds for the trials of several optimizations."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from domain.backtest.market_bars import MarketCandles
from domain.core.errors import Unavailable
from domain.model.optimizations import Optimization
from domain.research.trial_candles import MOST_HELD, TrialCandles
from tests.support.searches import OPTIMIZATION


class Loader:
    """Counts what it is asked for, and answers when the others had their turn."""

    def __init__(self) -> None:
        self.loaded: list[int] = []
        self.is_away = False

    async def __call__(self, optimization: Optimization) -> Sequence[MarketCandles]:
        self.loaded.append(optimization.id.int)
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable("the database is away")
        return []


def an_optimization(number: int) -> Optimization:
    return replace(OPTIMIZATION, id=UUID(int=number))


async def test_searches_that_alternate_are_read_once_each_by_all_slots() -> None:
    loader = Loader()
    candles = TrialCandles(loader)
    for _ in range(3):
        await asyncio.gather(*(candles.read(an_optimization(number)) for number in (1, 2, 1, 2)))
    assert loader.loaded == [1, 2]


async def test_what_no_longer_runs_is_dropped_and_what_was_used_last_is_kept() -> None:
    loader = Loader()
    candles = TrialCandles(loader)
    for number in (1, 2):
        await candles.read(an_optimization(number))
    candles.keep({UUID(int=2)})
    for number in (2, 1):
        await candles.read(an_optimization(number))
    assert loader.loaded == [1, 2, 1]
    for number in range(3, MOST_HELD + 2):
        await candles.read(an_optimization(number))
    await candles.read(an_optimization(1))
    await candles.read(an_optimization(2))
    assert loader.loaded == [1, 2, 1, *range(3, MOST_HELD + 2), 2]


async def test_candles_that_could_not_be_read_are_read_at_the_next_trial() -> None:
    loader = Loader()
    candles = TrialCandles(loader)
    loader.is_away = True
    with pytest.raises(Unavailable):
        await candles.read(an_optimization(1))
    loader.is_away = False
    assert await candles.read(an_optimization(1)) == []
    assert loader.loaded == [1, 1]

"""Holds the candles of the optimizations that a node works on, each read once for all of its trials."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from domain.backtest.market_bars import MarketCandles
from domain.model.optimizations import Optimization

MOST_HELD: Final = 8
"""The candles of so many optimizations at most are held; of more, those that were used last."""

LoadCandles = Callable[[Optimization], Awaitable[Sequence[MarketCandles]]]
"""Returns the stored candles that the trials of an optimization need; raises `Unavailable`."""


@dataclass(slots=True)
class _Held:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    candles: Sequence[MarketCandles] | None = None


class TrialCandles:
    """The candles of optimizations, which take turns; those that wait for the same ones wait for one reading."""

    def __init__(self, load: LoadCandles) -> None:
        self._load = load
        self._held: dict[UUID, _Held] = {}
        """By optimization, the one that was used last at the end."""

    def keep(self, running: Collection[UUID]) -> None:
        """Drop the candles of all other optimizations: they may be many."""
        self._held = {key: held for key, held in self._held.items() if key in running}

    async def read(self, optimization: Optimization) -> Sequence[MarketCandles]:
        """Return the candles of an optimization; raises what reading them does."""
        held = self._held.pop(optimization.id) if optimization.id in self._held else _Held()
        self._held[optimization.id] = held
        while len(self._held) > MOST_HELD:
            del self._held[next(iter(self._held))]
        async with held.lock:
            if held.candles is None:
                held.candles = await self._load(optimization)
            return held.candles

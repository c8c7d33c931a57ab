"""Reads the prices that a report needs: for each market about as many as an equity curve has points."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from domain.model.conversion import CurrencyGraph, Path
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.prices import Mark
from domain.ports.reports import PriceRepository

MARKS_PER_MARKET = 1_500


class PriceSource:
    """Prices of one venue from `start` to `end`, from stored candles of whichever timeframes."""

    def __init__(self, prices: PriceRepository, graph: CurrencyGraph, start: datetime, end: datetime) -> None:
        self._prices = prices
        self._graph = graph
        self._start = start
        self._end = end
        self._timeframe = timeframe_of(end - start)
        self._step = max(self._timeframe.duration, (end - start) / MARKS_PER_MARKET)

    async def marks(
        self,
        traded: Iterable[MarketSymbol],
        currencies: Mapping[str, Iterable[datetime]],
        into: str,
        priced: Iterable[MarketSymbol] = (),
    ) -> list[Mark]:
        """Return prices of the traded markets, and of those that connect the currencies to `into`.

        For each currency they include the last price until each of its times, from the shortest timeframe that is
        stored. `priced` are markets whose prices are known otherwise, such as those of fills.
        """
        exact: dict[MarketSymbol, set[datetime]] = {market: set() for market in traded}
        for currency, moments in currencies.items():
            for market in await self._connecting_markets(currency, into, set(priced)):
                exact.setdefault(market, set()).update(moments)
        marks: list[Mark] = []
        for market in sorted(exact):
            marks += await self._market_marks(market, exact[market])
        return sorted(marks, key=lambda mark: mark.at)

    async def _connecting_markets(self, currency: str, into: str, priced: set[MarketSymbol]) -> set[MarketSymbol]:
        """Return the markets of the paths whose prices are stored; of the shortest path if there are none."""
        possible = self._graph.all_paths(currency, into)
        stored = priced | await self._stored({step.market for path in possible for step in path})
        paths = [path for path in possible if all(step.market in stored for step in path)]
        if not paths and possible:
            all_priced = priced | await self._stored(self._graph.markets)
            paths = list(self._graph.paths(currency, into, all_priced.__contains__))
        return _markets(paths or possible[:1])

    async def _stored(self, markets: Iterable[MarketSymbol]) -> set[MarketSymbol]:
        return await self._prices.priced_markets(sorted(markets), self._end)

    async def _market_marks(self, market: MarketSymbol, exact: Iterable[datetime]) -> list[Mark]:
        """Return the closes within the period, and the last ones until its start, its end and the exact times.

        Candles of longer timeframes are included, and those of shorter ones if there are no others.
        """
        timeframes = [timeframe for timeframe in Timeframe if timeframe.duration >= self._timeframe.duration]
        within = await self._prices.closes(market, timeframes, self._start, self._end)
        boundaries = [(market, self._start), (market, self._end)]
        marks = {mark.at: mark for mark in [*within, *await self._prices.last_closes(boundaries)]}
        if len(timeframes) < len(Timeframe):
            # A price that is older than a step at an exact time is found by filling the gaps anyway.
            moments = [*self._gap_times(sorted(marks)), *exact]
            finer = await self._prices.last_closes([(market, moment) for moment in moments], self._step)
            marks |= {mark.at: mark for mark in finer}
        return [marks[at] for at in sorted(marks)]

    def _gap_times(self, known: Sequence[datetime]) -> list[datetime]:
        """Return times, one step apart, that cover the gaps in which no price is known."""
        step, moments = self._step, list[datetime]()
        for before, after in pairwise([self._start, *(at for at in known if at > self._start), self._end]):
            for number in range(1, -((before - after) // step)):
                moments.append(before + number * step)
        return moments


def _markets(paths: Iterable[Path]) -> set[MarketSymbol]:
    return {step.market for path in paths for step in path}


def timeframe_of(period: timedelta) -> Timeframe:
    """Return the shortest timeframe of which the period has no more than `MARKS_PER_MARKET` candles."""
    fitting = (timeframe for timeframe in Timeframe if period / timeframe.duration <= MARKS_PER_MARKET)
    return next(fitting, Timeframe.D1)

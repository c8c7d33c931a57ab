"""Reads the prices that a report needs: of each market about as many as a curve has points, of whichever timeframes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from domain.model.conversion import CurrencyGraph, Path
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.prices import Mark
from domain.ports.reports import PriceRepository

MARKS_A_MARKET = 1_500


class PriceSource:
    """The prices of one venue from `start` to `end`."""

    def __init__(self, prices: PriceRepository, graph: CurrencyGraph, start: datetime, end: datetime) -> None:
        self._prices = prices
        self._graph = graph
        self._start = start
        self._end = end
        self._timeframe = timeframe_of(end - start)
        self._step = max(self._timeframe.duration, (end - start) / MARKS_A_MARKET)

    async def marks(
        self,
        traded: Iterable[MarketSymbol],
        currencies: Mapping[str, Iterable[datetime]],
        into: str,
        priced: Iterable[MarketSymbol] = (),
    ) -> list[Mark]:
        """Return the prices of the traded markets, and of those that lead from the currencies to `into`.

        Of each currency there is the last price until each of its moments, as exact as any candle has it. `priced` are
        markets of which prices are known otherwise, such as those of fills.
        """
        exact: dict[MarketSymbol, set[datetime]] = {market: set() for market in traded}
        for currency, moments in currencies.items():
            for market in await self._leading(currency, into, set(priced)):
                exact.setdefault(market, set()).update(moments)
        marks: list[Mark] = []
        for market in sorted(exact):
            marks += await self._of_market(market, exact[market])
        return sorted(marks, key=lambda mark: mark.at)

    async def _leading(self, currency: str, into: str, priced: set[MarketSymbol]) -> set[MarketSymbol]:
        """Return the markets of those ways that prices are stored of; of the shortest way where there are none."""
        possible = self._graph.all_paths(currency, into)
        stored = priced | await self._stored({step.market for path in possible for step in path})
        ways = [path for path in possible if all(step.market in stored for step in path)]
        if not ways and possible:
            everywhere = priced | await self._stored(self._graph.markets)
            ways = list(self._graph.paths(currency, into, everywhere.__contains__))
        return _markets(ways or possible[:1])

    async def _stored(self, markets: Iterable[MarketSymbol]) -> set[MarketSymbol]:
        return await self._prices.priced_markets(sorted(markets), self._end)

    async def _of_market(self, market: MarketSymbol, exact: Iterable[datetime]) -> list[Mark]:
        """Return the closes within the period, and the last ones until its start, its end and the exact moments.

        Longer candles than wanted are taken along, and shorter ones where there are no others.
        """
        wanted = [timeframe for timeframe in Timeframe if timeframe.duration >= self._timeframe.duration]
        within = await self._prices.closes(market, wanted, self._start, self._end)
        asked = [(market, self._start), (market, self._end)]
        marks = {mark.at: mark for mark in [*within, *await self._prices.last_closes(asked)]}
        if len(wanted) < len(Timeframe):
            # What is older than a step at an exact moment is found by what fills the holes anyway.
            moments = [*self._holes(sorted(marks)), *exact]
            finer = await self._prices.last_closes([(market, moment) for moment in moments], self._step)
            marks |= {mark.at: mark for mark in finer}
        return [marks[at] for at in sorted(marks)]

    def _holes(self, known: Sequence[datetime]) -> list[datetime]:
        """Return moments, one step apart, that cover the stretches in which no price is known."""
        step, moments = self._step, list[datetime]()
        for before, after in pairwise([self._start, *(at for at in known if at > self._start), self._end]):
            for number in range(1, -((before - after) // step)):
                moments.append(before + number * step)
        return moments


def _markets(ways: Iterable[Path]) -> set[MarketSymbol]:
    return {step.market for way in ways for step in way}


def timeframe_of(period: timedelta) -> Timeframe:
    """Return the shortest timeframe of which a period has no more candles than a curve has points."""
    return next((one for one in Timeframe if period / one.duration <= MARKS_A_MARKET), Timeframe.D1)

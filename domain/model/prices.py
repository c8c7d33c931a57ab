"""Historical prices, and the value of amounts of one currency in another at a point in time."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain, pairwise
from operator import attrgetter

from domain.core.money import ZERO
from domain.model.conversion import CurrencyGraph, Path, convert
from domain.model.markets import MarketSymbol
from domain.model.orders import Fill

STALE_AFTER = timedelta(days=1)
"""Longer gaps without a price are noted in a report."""

NEAREST = timedelta(minutes=5)
"""A first price that is at most this much later counts as the price at the time: the minute of a payment has to end
before its price is stored."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The price of a market at a time, in quote per base."""

    at: datetime
    market: MarketSymbol
    price: Decimal


class Prices:
    """The known prices of markets: closes of candles, and prices of fills."""

    def __init__(self, marks: Iterable[Mark], fills: Iterable[Fill]) -> None:
        self._times: dict[MarketSymbol, list[datetime]] = {}
        self._prices: dict[MarketSymbol, list[Decimal]] = {}
        for known in sorted(chain[Mark | Fill](marks, fills), key=attrgetter("at")):
            market = known.market
            if market not in self._times:
                self._times[market], self._prices[market] = [], []
            self._times[market].append(known.at)
            self._prices[market].append(known.price)

    def has(self, market: MarketSymbol) -> bool:
        """Return whether any price of the market is known."""
        return market in self._times

    def at(self, market: MarketSymbol, moment: datetime) -> Decimal | None:
        """Return the last price until `moment`; None if there is none."""
        times = self._times.get(market)
        count = bisect_right(times, moment) if times else 0
        return self._prices[market][count - 1] if count else None

    def first(self, market: MarketSymbol) -> tuple[datetime, Decimal]:
        """Return the first known price of a market that has any, with its time."""
        return self._times[market][0], self._prices[market][0]

    def gaps(self, market: MarketSymbol, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return the gaps longer than `STALE_AFTER` between prices (start, end), oldest first."""
        times = [*self._times.get(market, ()), end]
        return [
            (max(before, start), min(after, end))
            for before, after in pairwise(times)
            if after - before > STALE_AFTER and before < end and after > start
        ]


@dataclass(frozen=True, slots=True)
class MissingPrice:
    """A currency that had to be valued between `start` and `end`, when no price of it was known."""

    currency: str
    start: datetime
    end: datetime


class Valuation:
    """Values amounts in `currency` by the markets of one venue, and records which prices were used and missing."""

    def __init__(self, graph: CurrencyGraph, currency: str, prices: Prices, end: datetime) -> None:
        self.currency = currency
        self.prices = prices
        self._graph = graph
        self.end = end
        self._paths: dict[tuple[str, str], tuple[Path, ...]] = {}
        self._missing: dict[str, MissingPrice] = {}
        self._used: dict[MarketSymbol, tuple[datetime, datetime]] = {}

    @property
    def missing(self) -> list[MissingPrice]:
        """What had to be valued without a price, ordered by currency."""
        return [self._missing[currency] for currency in sorted(self._missing)]

    @property
    def used(self) -> dict[MarketSymbol, tuple[datetime, datetime]]:
        """The markets whose prices were used, each with the first and the last time."""
        return self._used

    def worth(self, currency: str, amount: Decimal, moment: datetime) -> Decimal:
        """Return the value of the amount at `moment`, by the last prices until then, over as many markets as needed.

        Before the first known price, that one counts; a currency without any price counts as zero. Both are recorded
        as `missing`, unless the first price is at most `NEAREST` later.
        """
        if not amount or currency == self.currency:
            return amount
        paths = self._priced_paths(currency, self.currency)
        price_of = self.prices.at
        for path in paths:
            value = convert(amount, path, lambda market: price_of(market, moment))
            if value is not None:
                self._note_use(path, moment)
                return value
        if not paths:
            self._note_missing(currency, moment, self.end)
            return ZERO
        known_from = max(self.prices.first(step.market)[0] for step in paths[0])
        if known_from - moment > NEAREST:
            self._note_missing(currency, moment, known_from)
        return convert(amount, paths[0], lambda market: self.prices.at(market, known_from)) or ZERO

    def rate(self, currency: str, into: str, moment: datetime) -> Decimal | None:
        """Return the price of one unit of a currency in another at `moment`; None if it isn't known."""
        for path in self._priced_paths(currency, into):
            value = convert(Decimal(1), path, lambda market: self.prices.at(market, moment))
            if value is not None:
                return value
        return None

    def connects(self, currency: str) -> bool:
        """Return whether markets that are traded, or have a price, connect the currency to `currency`."""
        return self._graph.connects(currency, self.currency, self.prices.has)

    def _priced_paths(self, currency: str, into: str) -> tuple[Path, ...]:
        paths = self._paths.get((currency, into))
        if paths is None:
            paths = self._paths[currency, into] = tuple(self._graph.paths(currency, into, self.prices.has))
        return paths

    def _note_use(self, path: Path, moment: datetime) -> None:
        for step in path:
            first, last = self._used.get(step.market, (moment, moment))
            if moment < first or moment >= last:
                self._used[step.market] = (min(first, moment), max(last, moment))

    def _note_missing(self, currency: str, start: datetime, end: datetime) -> None:
        known = self._missing.get(currency, MissingPrice(currency, start, end))
        self._missing[currency] = MissingPrice(currency, min(start, known.start), max(end, known.end))

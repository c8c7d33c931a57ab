"""Prices over a period, and what amounts in one currency are worth in another at a moment."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from domain.core.money import ZERO
from domain.model.conversion import CurrencyGraph, Path, convert
from domain.model.markets import Candle, MarketSymbol
from domain.model.orders import Fill

STALE_AFTER = timedelta(days=1)
"""A stretch without a price that is longer than this is told."""

NEAREST = timedelta(minutes=5)
"""A first price that comes no later than this counts as the price of the moment: the minute of a payment has to end
before its price is stored."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The price of a market at a moment, in quote per base."""

    at: datetime
    market: MarketSymbol
    price: Decimal


def closing_marks(candles: Iterable[Candle]) -> list[Mark]:
    """Return each candle's close as the price at its end."""
    return [Mark(candle.close_time, candle.market, candle.close) for candle in candles]


class Prices:
    """What is known of the markets' prices: closes of candles, and the fills' own."""

    def __init__(self, marks: Iterable[Mark], fills: Iterable[Fill]) -> None:
        known = [*marks, *(Mark(fill.at, fill.market, fill.price) for fill in fills)]
        self._times: defaultdict[MarketSymbol, list[datetime]] = defaultdict(list)
        self._prices: defaultdict[MarketSymbol, list[Decimal]] = defaultdict(list)
        for mark in sorted(known, key=lambda mark: mark.at):
            self._times[mark.market].append(mark.at)
            self._prices[mark.market].append(mark.price)

    def has(self, market: MarketSymbol) -> bool:
        """Tell whether any price of the market is known."""
        return market in self._times

    def at(self, market: MarketSymbol, moment: datetime) -> Decimal | None:
        """Return the last price until then; None where there is none."""
        place = bisect_right(self._times[market], moment) if market in self._times else 0
        return self._prices[market][place - 1] if place else None

    def first(self, market: MarketSymbol) -> tuple[datetime, Decimal]:
        """Return the first price that is known of a market that has any."""
        return self._times[market][0], self._prices[market][0]

    def gaps(self, market: MarketSymbol, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return the stretches longer than `STALE_AFTER` in which the last price had to do, oldest first."""
        times = [*self._times[market], end]
        return [
            (max(before, start), min(after, end))
            for before, after in pairwise(times)
            if after - before > STALE_AFTER and before < end and after > start
        ]


@dataclass(frozen=True, slots=True)
class MissingPrice:
    """A currency that was to be valued from `start` to `end`, when no price of it was known."""

    currency: str
    start: datetime
    end: datetime


class Valuation:
    """Tells what amounts are worth in `currency` by the markets of one venue, and remembers what it couldn't tell."""

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
        """What was to be valued and had no price then, by currency."""
        return [self._missing[currency] for currency in sorted(self._missing)]

    @property
    def used(self) -> dict[MarketSymbol, tuple[datetime, datetime]]:
        """The markets whose prices were used, each with the first and the last moment."""
        return self._used

    def worth(self, currency: str, amount: Decimal, moment: datetime) -> Decimal:
        """Return the worth then, by the last prices until then, over as many markets as it needs.

        Before the first price that one counts; what no market prices counts as nothing. Both are among the `missing`,
        unless the first price is one of the next minutes (`NEAREST`).
        """
        if not amount or currency == self.currency:
            return amount
        paths = self._priced_paths(currency, self.currency)
        for path in paths:
            value = convert(amount, path, lambda market: self.prices.at(market, moment))
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
        """Return the worth of one unit of a currency in another one then; None where it isn't known."""
        for path in self._priced_paths(currency, into):
            value = convert(Decimal(1), path, lambda market: self.prices.at(market, moment))
            if value is not None:
                return value
        return None

    def connects(self, currency: str) -> bool:
        """Tell whether markets that are traded, or have a price, lead from the currency to that of the report."""
        return self._graph.connects(currency, self.currency, self.prices.has)

    def _priced_paths(self, currency: str, into: str) -> tuple[Path, ...]:
        if (currency, into) not in self._paths:
            self._paths[currency, into] = tuple(self._graph.paths(currency, into, self.prices.has))
        return self._paths[currency, into]

    def _note_use(self, path: Path, moment: datetime) -> None:
        for step in path:
            first, last = self._used.get(step.market, (moment, moment))
            self._used[step.market] = (min(first, moment), max(last, moment))

    def _note_missing(self, currency: str, start: datetime, end: datetime) -> None:
        known = self._missing.get(currency, MissingPrice(currency, start, end))
        self._missing[currency] = MissingPrice(currency, min(start, known.start), max(end, known.end))

"""Prices over a period, and what amounts in one currency are worth in another at a moment."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.markets.types import Candle, MarketSymbol
from domain.money import ZERO
from domain.orders.types import Fill
from domain.trading.equity import equity
from domain.trading.types import Balance


@dataclass(frozen=True, slots=True)
class Mark:
    """The price of a market at a moment, in quote per base."""

    at: datetime
    market: MarketSymbol
    price: Decimal


def marks_of(candles: Iterable[Candle]) -> list[Mark]:
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

    def at(self, market: MarketSymbol, moment: datetime) -> Decimal | None:
        """Return the last price until then, before the first one that one; None for a market without any."""
        if market not in self._times:
            return None
        place = bisect_right(self._times[market], moment)
        return self._prices[market][max(place - 1, 0)]


@dataclass(frozen=True, slots=True)
class Valuation:
    """Tells what amounts are worth in `currency`, by the markets of one venue."""

    venue: str
    currency: str
    prices: Prices

    def worth(self, currency: str, amount: Decimal, moment: datetime) -> Decimal:
        """Return the worth then; an amount in a currency that no market prices counts as nothing, at every moment."""
        balance = Balance(currency, amount, amount)
        value = equity(self.venue, self.currency, [balance], lambda market: self.prices.at(market, moment))
        return value if value is not None else ZERO

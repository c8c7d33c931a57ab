"""The conversion rate of a fee in a third currency, such as BNB, into the market's quote."""

from datetime import datetime, timedelta
from decimal import Decimal

from domain.model.conversion import convert
from domain.model.markets import Market
from domain.ports.execution_client import FillReport
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import UnitOfWork

_ONE = Decimal(1)
_MAXIMUM_PRICE_AGE = timedelta(days=1)
"""How far the time of a price, stored or present, may be from that of the fill."""

_PRESENT = timedelta(minutes=1)
"""For how long after a fill the present price is taken as that of the fill."""


def needs_rate(fill: FillReport, market: Market) -> bool:
    """Return whether the fill has a fee in neither the base nor the quote of its market."""
    return bool(fill.fee) and fill.fee_currency not in {market.base, market.quote}


async def fee_rate(
    reading: UnitOfWork, markets: MarketView, fill: FillReport, market: Market, now: datetime
) -> Decimal | None:
    """Return the price of one unit of the fee's currency in quote at the time of the fill.

    This is the stored price if it is nearer to the fill than the present one. None if the fee needs no rate, and if no
    price from within a day of the fill is known.
    """
    if not needs_rate(fill, market):
        return None
    age = now - fill.at
    if age > _PRESENT:
        rate = await _stored_rate(reading, markets, fill, market, min(age, _MAXIMUM_PRICE_AGE))
        if rate is not None or age >= _MAXIMUM_PRICE_AGE:
            return rate
    rate = markets.convert(market.symbol.venue, _ONE, fill.fee_currency, market.quote)
    return await _stored_rate(reading, markets, fill, market, _MAXIMUM_PRICE_AGE) if rate is None else rate


async def _stored_rate(
    reading: UnitOfWork, markets: MarketView, fill: FillReport, market: Market, maximum_age: timedelta
) -> Decimal | None:
    for path in markets.graph(market.symbol.venue).all_paths(fill.fee_currency, market.quote):
        times = [(step.market, fill.at) for step in path]
        prices = {mark.market: mark.price for mark in await reading.prices.last_closes(times, maximum_age)}
        rate = convert(_ONE, path, prices.get)
        if rate is not None:
            return rate
    return None

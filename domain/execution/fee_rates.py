"""What a fee in a third currency, such as BNB, is worth in the quote of the market that it was paid on."""

from datetime import datetime, timedelta
from decimal import Decimal

from domain.model.conversion import convert
from domain.model.markets import Market
from domain.ports.execution_client import FillReport
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import UnitOfWork

ONE = Decimal(1)
REACH = timedelta(days=1)
"""How far from the fill a price may be, whichever it is."""

PRESENT = timedelta(minutes=1)
"""For how long after a fill the present price is that of the fill."""


def needs_rate(fill: FillReport, market: Market) -> bool:
    """Tell whether the fill cost a fee in a currency that isn't the market's own."""
    return bool(fill.fee) and fill.fee_currency not in {market.base, market.quote}


async def fee_rate(
    reading: UnitOfWork, markets: MarketView, fill: FillReport, market: Market, now: datetime
) -> Decimal | None:
    """Return the worth of one unit of the fee's currency in quote when the fill was made.

    That is the stored price where it is nearer to the fill than the present one. None where the fee is in the market's
    own currencies or there is none, and where no price of within a day is known.
    """
    if not needs_rate(fill, market):
        return None
    age = now - fill.at
    if age > PRESENT:
        rate = await _stored_rate(reading, markets, fill, market, min(age, REACH))
        if rate is not None or age >= REACH:
            return rate
    rate = markets.convert(market.symbol.venue, ONE, fill.fee_currency, market.quote)
    return await _stored_rate(reading, markets, fill, market, REACH) if rate is None else rate


async def _stored_rate(
    reading: UnitOfWork, markets: MarketView, fill: FillReport, market: Market, reach: timedelta
) -> Decimal | None:
    for path in markets.graph(market.symbol.venue).all_paths(fill.fee_currency, market.quote):
        asked = [(step.market, fill.at) for step in path]
        prices = {mark.market: mark.price for mark in await reading.prices.last_closes(asked, reach)}
        rate = convert(ONE, path, prices.get)
        if rate is not None:
            return rate
    return None

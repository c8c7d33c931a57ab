"""What a fee in a third currency, such as BNB, is worth in the quote of the market that it was paid on."""

from datetime import timedelta
from decimal import Decimal

from domain.markets.conversion import convert
from domain.markets.types import Market
from domain.orders.ports import MarketView
from domain.orders.venue import VenueFill
from domain.storage import Transaction

ONE = Decimal(1)
STORED_REACH = timedelta(days=1)
"""How old a stored price may be where the market isn't followed at present."""


async def fee_rate(reading: Transaction, markets: MarketView, fill: VenueFill, market: Market) -> Decimal | None:
    """Return the worth of one unit of the fee's currency in quote, at present prices or at stored ones of the fill.

    None where the fee is in the market's own currencies or there is none, and where no price is known.
    """
    if not fill.fee or fill.fee_currency in {market.base, market.quote}:
        return None
    venue = market.symbol.venue
    rate = markets.convert(venue, ONE, fill.fee_currency, market.quote)
    if rate is not None:
        return rate
    for path in markets.graph(venue).paths(fill.fee_currency, market.quote, lambda _market: True):
        asked = [(step.market, fill.at) for step in path]
        prices = {mark.market: mark.price for mark in await reading.prices.last_closes(asked, STORED_REACH)}
        rate = convert(ONE, path, prices.get)
        if rate is not None:
            return rate
    return None

"""What ccxt tells of a venue's abilities on its spot markets, without asking the venue.

https://docs.ccxt.com/#/README?id=features
"""

from domain.model.markets import Timeframe
from domain.model.orders import OrderType, TimeInForce
from domain.model.venue_abilities import VenueAbilities
from infra.venues.ccxt.longer_candles import parts_of
from infra.venues.ccxt.types import Ccxt

_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)


def abilities(exchange: Ccxt) -> VenueAbilities:
    """Return what the engine can have done at the venue."""
    told = ((exchange.features or {}).get("spot") or {}).get("createOrder") or {}
    in_force = told.get("timeInForce") or {}
    types = [OrderType.MARKET] if exchange.has.get("createMarketOrder") is not False else []
    types.append(OrderType.LIMIT)
    if told.get("stopLossPrice"):
        types += [OrderType.STOP, OrderType.STOP_LIMIT]
    if told.get("takeProfitPrice"):
        types += [OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT]
    return VenueAbilities(
        order_types=tuple(types),
        times_in_force=(TimeInForce.GTC, *(one for one in _AT_ONCE if in_force.get(one.value)), TimeInForce.GTD),
        post_only=bool(in_force.get("PO")),
        timeframes=tuple(each for each in Timeframe if parts_of(each, exchange.timeframes or {}) is not None),
    )

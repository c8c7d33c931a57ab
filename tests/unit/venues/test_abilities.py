"""What ccxt tells of a venue's abilities."""

import ccxt
import pytest

from domain.model.markets import Timeframe
from domain.model.orders import OrderType, TimeInForce
from infra.venues.abilities import abilities

STOPS = {OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}


@pytest.mark.parametrize("name", ["binance", "kraken", "okx", "bybit", "coinbase"])
def test_a_venue_takes_the_orders_that_ccxt_knows_of(name: str) -> None:
    told = abilities(getattr(ccxt, name)())
    assert {OrderType.MARKET, OrderType.LIMIT} | STOPS == set(told.order_types)
    assert set(told.times_in_force) == set(TimeInForce)
    assert told.post_only


def test_no_venue_takes_a_trailing_stop_yet() -> None:
    assert OrderType.TRAILING_STOP not in abilities(ccxt.bybit()).order_types


def test_what_a_venue_lacks_of_timeframes_is_made_of_shorter_ones() -> None:
    assert set(abilities(ccxt.kraken()).timeframes) == set(Timeframe)


def test_a_venue_of_which_nothing_is_known_takes_the_plainest_orders() -> None:
    exchange = ccxt.binance()
    exchange.features, exchange.timeframes = None, None
    told = abilities(exchange)
    assert told.order_types == (OrderType.MARKET, OrderType.LIMIT)
    assert told.times_in_force == (TimeInForce.GTC, TimeInForce.GTD)
    assert (told.post_only, told.timeframes) == (False, ())

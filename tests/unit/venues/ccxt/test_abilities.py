"""What ccxt declares of a venue's abilities."""

import ccxt
import pytest

from domain.model.markets import Timeframe
from domain.model.orders import OrderType, TimeInForce
from infra.venues.ccxt.connection import venue_abilities

STOPS = {OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}


@pytest.mark.parametrize("name", ["binance", "kraken", "okx", "bybit", "coinbase"])
def test_a_venue_takes_the_orders_that_ccxt_knows_of(name: str) -> None:
    abilities = venue_abilities(getattr(ccxt, name)())
    assert {OrderType.MARKET, OrderType.LIMIT} | STOPS == set(abilities.order_types)
    assert set(abilities.times_in_force) == set(TimeInForce)
    assert abilities.post_only


def test_no_venue_takes_a_trailing_stop_yet() -> None:
    assert OrderType.TRAILING_STOP not in venue_abilities(ccxt.bybit()).order_types


def test_what_a_venue_lacks_of_timeframes_is_made_of_shorter_ones() -> None:
    assert set(venue_abilities(ccxt.kraken()).timeframes) == set(Timeframe)


def test_a_venue_of_which_nothing_is_known_takes_the_plainest_orders() -> None:
    exchange = ccxt.binance()
    exchange.features, exchange.timeframes = None, None
    abilities = venue_abilities(exchange)
    assert abilities.order_types == (OrderType.MARKET, OrderType.LIMIT)
    assert abilities.times_in_force == (TimeInForce.GTC, TimeInForce.GTD)
    assert (abilities.post_only, abilities.timeframes) == (False, ())

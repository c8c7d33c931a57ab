"""A venue's abilities by its profile; ccxt's own declarations promise more than its classes do."""

import ccxt
import pytest

from domain.model.markets import Timeframe
from domain.model.orders import OrderType, TimeInForce
from domain.model.venue_abilities import ReportSource, VenueAbilities
from infra.venues.ccxt.connection import venue_abilities
from infra.venues.ccxt.profiles.registry import profile_of

HELD = {OrderType.TRAILING_STOP}
STOPS = {OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}


def of_profile(name: str) -> VenueAbilities:
    return venue_abilities(getattr(ccxt, name)(), profile_of(name))


@pytest.mark.parametrize("name", ["binance", "kraken", "okx", "bybit", "coinbase"])
def test_a_profile_allows_what_follows_an_order_from_its_placing_to_its_end(name: str) -> None:
    abilities = of_profile(name)
    assert abilities.live_accounts
    assert {OrderType.MARKET, OrderType.LIMIT} <= set(abilities.order_types)
    assert {TimeInForce.GTC, TimeInForce.GTD} <= set(abilities.times_in_force)
    assert abilities.orders is ReportSource.STREAM
    assert abilities.client_order_id_length in {32, 35}


@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("binance", STOPS),
        ("kraken", STOPS),
        ("coinbase", {OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT}),
        ("okx", set()),
        ("bybit", set()),
    ],
)
def test_an_order_that_waits_for_a_price_rests_where_its_id_finds_it(name: str, stops: set[OrderType]) -> None:
    assert set(of_profile(name).order_types) == HELD | {OrderType.MARKET, OrderType.LIMIT} | stops


def test_a_venue_that_streams_no_balances_is_polled() -> None:
    abilities = of_profile("coinbase")
    assert (abilities.fills, abilities.balances) == (ReportSource.POLL, ReportSource.POLL)


def test_a_venue_without_a_profile_takes_no_orders_and_has_candles() -> None:
    assert profile_of("gemini") is None
    abilities = venue_abilities(ccxt.gemini())
    assert (abilities.live_accounts, abilities.order_types, abilities.times_in_force) == (False, (), ())
    assert not abilities.post_only
    assert Timeframe.M1 in abilities.timeframes


def test_a_trailing_stop_is_the_engines_own_where_market_orders_are_taken() -> None:
    abilities = of_profile("bybit")
    assert (OrderType.TRAILING_STOP in abilities.order_types, abilities.trailing_stop) == (True, False)


def test_what_a_venue_lacks_of_timeframes_is_made_of_shorter_ones() -> None:
    assert set(venue_abilities(ccxt.kraken()).timeframes) == set(Timeframe)


def test_a_venue_without_candles_has_no_timeframes() -> None:
    exchange = ccxt.binance()
    exchange.timeframes = None
    assert venue_abilities(exchange).timeframes == ()

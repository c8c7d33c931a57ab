"""What is put where a venue leaves candles out, and how candles are demanded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.market_data.backfill import MAXIMUM_CANDLES, demand_horizon
from domain.market_data.candles import fill_gaps
from domain.market_data.codec import CandlesDemand, decode_demand, encode_demand
from domain.market_data.history_download import BEFORE_ALL_MARKETS
from domain.model.markets import Candle, MarketSymbol, Timeframe

BTC = MarketSymbol("sandbox", "BTC/USDT")
START = datetime(2026, 11, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(index: int) -> datetime:
    return START + index * MINUTE


def candle(index: int, volume: int = 1) -> Candle:
    price = Decimal(100 + index)
    return Candle(BTC, Timeframe.M1, at(index), price, price, price, price, Decimal(volume), closed=True)


def test_minutes_in_which_nothing_was_traded_are_put_in_at_the_last_close() -> None:
    filled = fill_gaps([candle(0), candle(2), candle(5)])
    assert [candle.open_time for candle in filled] == [at(index) for index in range(6)]
    assert [(candle.close, candle.volume) for candle in filled if not candle.volume] == [(100, 0), (102, 0), (102, 0)]
    assert all(candle.closed for candle in filled)


@pytest.mark.parametrize("timeframe", Timeframe)
def test_no_demand_reaches_further_back_than_markets_do(timeframe: Timeframe) -> None:
    oldest = demand_horizon(timeframe, timeframe.open_time(START))
    assert timeframe.open_time(oldest) == oldest
    assert BEFORE_ALL_MARKETS - timeframe.duration < oldest < START
    assert (START - oldest) // timeframe.duration <= MAXIMUM_CANDLES


def test_a_demand_survives_its_journey() -> None:
    demand = CandlesDemand(BTC, Timeframe.H4, START)
    assert decode_demand(encode_demand(demand)) == demand

"""Which candles of the past are fetched, and what is put where a venue leaves some out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.markets.backfill import gaps, without_gaps
from domain.markets.codec import CandlesDemand, decode_demand, encode_demand
from domain.markets.types import Candle, MarketSymbol, Timeframe

BTC = MarketSymbol("sandbox", "BTC/USDT")
START = datetime(2026, 11, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(index: int) -> datetime:
    return START + index * MINUTE


def candle(index: int, volume: int = 1) -> Candle:
    price = Decimal(100 + index)
    return Candle(BTC, Timeframe.M1, at(index), price, price, price, price, Decimal(volume), closed=True)


def test_nothing_is_missing_where_all_is_stored() -> None:
    assert gaps([candle(index) for index in range(5)], at(0), at(5), MINUTE) == []


def test_what_is_missing_is_named_by_stretches() -> None:
    stored = [candle(2), candle(3), candle(6)]
    assert gaps(stored, at(0), at(9), MINUTE) == [(at(0), at(2)), (at(4), at(6)), (at(7), at(9))]
    assert gaps([], at(0), at(9), MINUTE) == [(at(0), at(9))]


def test_minutes_in_which_nothing_was_traded_are_put_in_at_the_last_close() -> None:
    filled = without_gaps(candle(0), [candle(2), candle(5)])
    assert [each.open_time for each in filled] == [at(1), at(2), at(3), at(4), at(5)]
    assert [(each.close, each.volume) for each in filled if not each.volume] == [(100, 0), (102, 0), (102, 0)]
    assert all(each.closed for each in filled)


def test_a_demand_survives_its_journey() -> None:
    demand = CandlesDemand(BTC, Timeframe.H4, START)
    assert decode_demand(encode_demand(demand)) == demand

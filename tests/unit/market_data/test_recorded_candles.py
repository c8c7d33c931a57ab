"""Candles out of the recorded trades of a real venue, against a plain grouping of them."""

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.market_data.trade_sequencer import TradeSequencer
from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade
from domain.model.order_side import OrderSide
from tests.support.fake_venue import FakeVenue
from tests.support.recorded_data import BINANCE, skip_without

MARKET = MarketSymbol("binance", "BTC/USDT")
LONGEST = max(timeframe.duration for timeframe in Timeframe)


def recorded(day: str) -> list[Trade]:
    """Return the recorded trades of a day."""
    path = BINANCE / f"btcusdt_{day}.gz"
    skip_without(path)
    with gzip.open(path, "rt") as lines:
        messages = [json.loads(line.partition(" ")[2])["data"] for line in lines if '@trade"' in line]
    return [
        Trade(
            MARKET,
            str(message["t"]),
            datetime.fromtimestamp(message["T"] // 1000, UTC) + timedelta(milliseconds=message["T"] % 1000),
            Decimal(message["p"]),
            Decimal(message["q"]),
            OrderSide.SELL if message["m"] else OrderSide.BUY,
        )
        for message in messages
    ]


async def collected(venue: FakeVenue, cut: range) -> tuple[list[Candle], list[str]]:
    """Stream all trades in batches of up to 50, but for those at `cut`, after which the stream starts again."""
    sequencer = TradeSequencer(MARKET, venue)
    trades = venue.trades
    venue.now = trades[0].at
    result = await sequencer.resync()
    new, _ = sequencer.handle(result.trades)
    candles, new_trades = [], [trade.venue_trade_id for trade in new]
    for begin in range(0, len(trades), 50):
        batch = trades[begin : begin + 50]
        venue.now = batch[-1].at
        if begin in cut:
            continue
        if begin - 50 in cut:
            sequencer.reset()
            result = await sequencer.resync()
            candles += result.missed
            batch = [*result.trades]
        new, closed = sequencer.handle(batch)
        candles += closed
        new_trades += [trade.venue_trade_id for trade in new]
    venue.now += LONGEST
    return candles + sequencer.candles.close_due(venue.now), new_trades


@pytest.mark.parametrize("day", ["20240808", "20240809"])
def test_the_candles_of_a_recording_are_those_of_a_plain_grouping_also_across_a_cut(day: str) -> None:
    venue = FakeVenue(recorded(day))
    closed, new_trades = asyncio.run(collected(venue, range(5_000, 5_500)))
    venue.now = venue.trades[-1].at + LONGEST
    for timeframe in Timeframe:
        mine = [candle for candle in closed if candle.timeframe is timeframe and candle.volume]
        right = [candle for candle in venue.candles(timeframe) if candle.volume]
        assert mine == right, timeframe
    assert new_trades == [trade.venue_trade_id for trade in venue.trades]

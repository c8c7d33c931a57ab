from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from domain.market_data import codec
from domain.model.markets import Candle, FeedState, FeedStatus, MarketSymbol, Ticker, Timeframe, Trade
from domain.model.order_side import OrderSide

MARKET = MarketSymbol("sandbox", "BTC/USDT")
NOW = datetime(2024, 8, 8, 12, 0, 0, 123456, tzinfo=UTC)


def test_trades_survive_their_encoding() -> None:
    trades = tuple(
        Trade(MARKET, str(number), NOW + timedelta(milliseconds=number), Decimal("0.10"), Decimal("1E-8"), side)
        for number, side in enumerate(OrderSide)
    )
    assert codec.decode_trades(codec.encode_trades(trades)) == trades


def test_candles_of_all_timeframes_survive_their_encoding() -> None:
    prices = (Decimal("1.1"), Decimal(3), Decimal("0.5"), Decimal(2))
    candles = tuple(
        Candle(
            MARKET,
            timeframe,
            timeframe.open_time(NOW),
            *prices,
            volume=Decimal("12.5"),
            closed=timeframe is Timeframe.M1,
        )
        for timeframe in Timeframe
    )
    assert codec.decode_candles(codec.encode_candles(candles)) == candles


def test_a_ticker_survives_its_encoding_with_what_is_unknown() -> None:
    ticker = Ticker(MARKET, NOW, Decimal(1), None, Decimal("2.5"), None, Decimal("-0.3"))
    assert codec.decode_ticker(codec.encode_ticker(ticker)) == ticker


def test_a_state_survives_its_encoding() -> None:
    status = FeedStatus(MARKET, FeedState.RECONNECTING, NOW)
    assert codec.decode_status(codec.encode_status(status)) == status


def test_foreign_bytes_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        codec.decode_candles(b"\x93\x01\x02\x03")

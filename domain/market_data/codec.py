"""Market data as bytes for the bus and the cache: MessagePack, arrays instead of names where there are many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import starmap

import msgspec

from domain.model.markets import (
    Candle,
    Depth,
    FeedState,
    FeedStatus,
    MarketSymbol,
    PriceLevel,
    Ticker,
    Timeframe,
    Trade,
)
from domain.model.order_side import OrderSide

_encoder = msgspec.msgpack.Encoder()


class _Depth(msgspec.Struct, array_like=True):
    market: str
    epoch: str
    sequence: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    venue_time: datetime | None
    received_at: datetime


class _Trade(msgspec.Struct, array_like=True):
    venue_trade_id: str
    at: datetime
    price: Decimal
    quantity: Decimal
    side: OrderSide


class _Trades(msgspec.Struct, array_like=True):
    market: str
    trades: list[_Trade]


class _Candle(msgspec.Struct, array_like=True):
    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool


class _Candles(msgspec.Struct, array_like=True):
    market: str
    candles: list[_Candle]


class _Ticker(msgspec.Struct, array_like=True):
    market: str
    at: datetime
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    volume_24h: Decimal | None
    change_percent_24h: Decimal | None
    high_24h: Decimal | None = None
    low_24h: Decimal | None = None
    quote_volume_24h: Decimal | None = None


class _Status(msgspec.Struct, array_like=True):
    market: str
    state: FeedState
    since: datetime


@dataclass(frozen=True, slots=True)
class CandlesDemand:
    """A request that all candles of a market that opened at `start` or later, and have closed, be stored."""

    market: MarketSymbol
    timeframe: Timeframe
    start: datetime


class _Demand(msgspec.Struct, array_like=True):
    market: str
    timeframe: Timeframe
    start: datetime


_depth = msgspec.msgpack.Decoder(_Depth)
_trades = msgspec.msgpack.Decoder(_Trades)
_candles = msgspec.msgpack.Decoder(_Candles)
_ticker = msgspec.msgpack.Decoder(_Ticker)
_status = msgspec.msgpack.Decoder(_Status)
_demand = msgspec.msgpack.Decoder(_Demand)


def encode_depth(depth: Depth) -> bytes:
    """Return the bytes of a book."""
    return _encoder.encode(
        _Depth(
            str(depth.market),
            depth.epoch,
            depth.sequence,
            [(str(level.price), str(level.quantity)) for level in depth.bids],
            [(str(level.price), str(level.quantity)) for level in depth.asks],
            depth.venue_time,
            depth.received_at,
        )
    )


def decode_depth(data: bytes) -> Depth:
    """Return the book that `encode_depth` wrote; raises `msgspec.DecodeError` on anything else."""
    raw = _depth.decode(data)
    return Depth(
        MarketSymbol.parse(raw.market),
        raw.epoch,
        raw.sequence,
        tuple(starmap(_level, raw.bids)),
        tuple(starmap(_level, raw.asks)),
        raw.venue_time,
        raw.received_at,
    )


@lru_cache(maxsize=16_384)
def _level(price: str, quantity: str) -> PriceLevel:
    """Return a level; most are those of the book before, so their objects are cached."""
    return PriceLevel(Decimal(price), Decimal(quantity))


def encode_trades(trades: Sequence[Trade]) -> bytes:
    """Return the bytes of trades of one market, at least one."""
    rows = [_Trade(trade.venue_trade_id, trade.at, trade.price, trade.quantity, trade.side) for trade in trades]
    return _encoder.encode(_Trades(str(trades[0].market), rows))


def decode_trades(data: bytes) -> tuple[Trade, ...]:
    """Return the trades that `encode_trades` wrote."""
    raw = _trades.decode(data)
    market = MarketSymbol.parse(raw.market)
    return tuple(
        Trade(market, trade.venue_trade_id, trade.at, trade.price, trade.quantity, trade.side) for trade in raw.trades
    )


def encode_candles(candles: Sequence[Candle]) -> bytes:
    """Return the bytes of candles of one market, at least one."""
    rows = [
        _Candle(row.timeframe, row.open_time, row.open, row.high, row.low, row.close, row.volume, row.closed)
        for row in candles
    ]
    return _encoder.encode(_Candles(str(candles[0].market), rows))


def decode_candles(data: bytes) -> tuple[Candle, ...]:
    """Return the candles that `encode_candles` wrote."""
    raw = _candles.decode(data)
    market = MarketSymbol.parse(raw.market)
    return tuple(
        Candle(market, row.timeframe, row.open_time, row.open, row.high, row.low, row.close, row.volume, row.closed)
        for row in raw.candles
    )


def encode_ticker(ticker: Ticker) -> bytes:
    """Return the bytes of a ticker."""
    day = (
        ticker.volume_24h, ticker.change_percent_24h, ticker.high_24h, ticker.low_24h, ticker.quote_volume_24h
    )  # fmt: skip
    return _encoder.encode(_Ticker(str(ticker.market), ticker.at, ticker.bid, ticker.ask, ticker.last, *day))


def decode_ticker(data: bytes) -> Ticker:
    """Return the ticker that `encode_ticker` wrote."""
    raw = _ticker.decode(data)
    day = (raw.volume_24h, raw.change_percent_24h, raw.high_24h, raw.low_24h, raw.quote_volume_24h)
    return Ticker(MarketSymbol.parse(raw.market), raw.at, raw.bid, raw.ask, raw.last, *day)


def encode_status(status: FeedStatus) -> bytes:
    """Return the bytes of a feed's state."""
    return _encoder.encode(_Status(str(status.market), status.state, status.since))


def decode_status(data: bytes) -> FeedStatus:
    """Return the state that `encode_status` wrote."""
    raw = _status.decode(data)
    return FeedStatus(MarketSymbol.parse(raw.market), raw.state, raw.since)


def encode_demand(demand: CandlesDemand) -> bytes:
    """Return the bytes of a demand for candles."""
    return _encoder.encode(_Demand(str(demand.market), demand.timeframe, demand.start))


def decode_demand(data: bytes) -> CandlesDemand:
    """Return the demand that `encode_demand` wrote."""
    raw = _demand.decode(data)
    return CandlesDemand(MarketSymbol.parse(raw.market), raw.timeframe, raw.start)

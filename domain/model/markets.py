"""Markets and their data: symbols, timeframes, books, trades, candles and tickers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.core.columns import Decimals, Times
from domain.model.order_side import OrderSide

_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
"""Weeks begin on Mondays at 00:00 UTC; all shorter timeframes divide a day, so their candles are aligned to it too."""


@dataclass(frozen=True, slots=True, order=True)
class MarketSymbol:
    """The name of a market throughout the engine: the venue and ccxt's unified symbol, as in `sandbox:BTC/USDT`."""

    venue: str
    symbol: str

    @classmethod
    def parse(cls, text: str) -> "MarketSymbol":
        """Return the symbol of `text`; raises ValueError with an explanation."""
        venue, colon, symbol = text.partition(":")
        base, slash, quote = symbol.partition("/")
        if not (colon and slash and venue and base and quote) or len(text) > 80 or not text.isprintable():  # noqa: PLR2004
            raise ValueError(f"{text[:80]!r} is not a market; write it as venue:BASE/QUOTE, such as sandbox:BTC/USDT")
        return cls(venue, symbol)

    def __str__(self) -> str:
        return f"{self.venue}:{self.symbol}"


class Timeframe(StrEnum):
    """The length of a candle, shortest first; the value is the name in the schema."""

    M1 = "M1"
    M3 = "M3"
    M5 = "M5"
    M15 = "M15"
    M30 = "M30"
    H1 = "H1"
    H2 = "H2"
    H4 = "H4"
    H6 = "H6"
    H12 = "H12"
    D1 = "D1"
    W1 = "W1"

    @property
    def seconds(self) -> int:
        """The length in seconds."""
        return _SECONDS[self]

    @property
    def venue_name(self) -> str:
        """The name that ccxt and the venues use, such as `1m`."""
        return f"{self.value[1:]}{self.value[0].lower()}"

    @property
    def duration(self) -> timedelta:
        """The length."""
        return _DURATIONS[self]

    def open_time(self, at: datetime) -> datetime:
        """Return when the candle that contains `at` opens, in UTC: a week's on Monday, a day's at midnight."""
        return at - (at - _FIRST_MONDAY) % _DURATIONS[self]

    def next_open_time(self, at: datetime) -> datetime:
        """Return when the first candle opens at `at` or later."""
        opened = self.open_time(at)
        return opened if opened == at else opened + self.duration

    def divides(self, longer: "Timeframe") -> bool:
        """Return whether a whole number, more than one, of candles of this timeframe makes one of `longer`."""
        return self.seconds < longer.seconds and longer.seconds % self.seconds == 0


_UNIT_SECONDS = {"M": 60, "H": 3_600, "D": 86_400, "W": 604_800}
_SECONDS = {timeframe: int(timeframe.value[1:]) * _UNIT_SECONDS[timeframe.value[0]] for timeframe in Timeframe}
_DURATIONS = {timeframe: timedelta(seconds=seconds) for timeframe, seconds in _SECONDS.items()}
VENUE_TIMEFRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1)
"""The timeframes that are requested when a feed starts; the others are resampled, which saves a request each."""


@dataclass(frozen=True, slots=True)
class Venue:
    """A trading platform; on a `live` one real money moves.

    `has_profile`: whether the engine knows how it treats orders, without which real money isn't risked there.
    """

    name: str
    live: bool
    has_profile: bool = True


@dataclass(frozen=True, slots=True)
class Market:
    """One tradable instrument on one venue, with its filters.

    Increments are steps of price (quote per base) and quantity (base). `minimum_market_quantity` and
    `maximum_market_quantity` are further limits of orders that trade at the market's price, if the venue has such;
    `notional_at_market` is false if `minimum_notional` doesn't apply to them. Fees are fractions of what is received:
    0.001 is 0.1 %; None if unknown.
    """

    symbol: MarketSymbol
    base: str
    quote: str
    active: bool
    price_increment: Decimal
    quantity_increment: Decimal
    minimum_quantity: Decimal
    maximum_quantity: Decimal | None
    minimum_notional: Decimal | None
    maker_fee: Decimal | None
    taker_fee: Decimal | None
    maximum_market_quantity: Decimal | None = None
    minimum_market_quantity: Decimal | None = None
    notional_at_market: bool = True

    def minimum_order_quantity(self, *, at_market: bool) -> Decimal:
        """Return the least quantity of a MARKET order, or of other orders."""
        if not at_market or self.minimum_market_quantity is None:
            return self.minimum_quantity
        return max(self.minimum_quantity, self.minimum_market_quantity)

    def minimum_order_notional(self, *, at_market: bool) -> Decimal | None:
        """Return the least value of a MARKET order, or of other orders, in quote; None without a limit."""
        return self.minimum_notional if self.notional_at_market or not at_market else None

    def maximum_order_quantity(self, *, at_market: bool) -> Decimal | None:
        """Return the greatest quantity of a MARKET order, or of other orders; None without a limit."""
        limits = [self.maximum_quantity, self.maximum_market_quantity if at_market else None]
        return min((limit for limit in limits if limit is not None), default=None)


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """A price of the book (quote per base) and the quantity there (base)."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Depth:
    """The book at one moment: best level first on both sides, never crossed.

    `sequence` is the venue's update id; it grows within an `epoch` and means nothing across epochs. A collector starts
    an epoch when it starts and after every gap.
    """

    market: MarketSymbol
    epoch: str
    sequence: int
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]
    venue_time: datetime | None
    received_at: datetime


class FeedState(StrEnum):
    """Whether a market's data can be trusted now."""

    LIVE = "LIVE"
    STALE = "STALE"
    RECONNECTING = "RECONNECTING"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """A change of a feed's state."""

    market: MarketSymbol
    state: FeedState
    since: datetime


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution on the venue, of anybody; `side` is the taker's."""

    market: MarketSymbol
    venue_trade_id: str
    at: datetime
    price: Decimal
    quantity: Decimal
    side: OrderSide


@dataclass(frozen=True, slots=True)
class Candle:
    """Open, high, low, close (quote per base) and volume (base) of an interval; forming until `closed`."""

    market: MarketSymbol
    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool

    @property
    def close_time(self) -> datetime:
        """The first moment that is no longer part of the candle."""
        return self.open_time + self.timeframe.duration


@dataclass(frozen=True, slots=True)
class CandleColumns:
    """Closed candles of one market and timeframe, oldest first, as columns of equal length."""

    open_times: Times
    opens: Decimals
    highs: Decimals
    lows: Decimals
    closes: Decimals
    volumes: Decimals

    @classmethod
    def of(cls, rows: Sequence[tuple[datetime, Decimal, Decimal, Decimal, Decimal, Decimal]]) -> "CandleColumns":
        """Return the columns of rows with the open time, open, high, low, close and volume."""
        times, *values = zip(*rows, strict=True) if rows else ((),) * 6
        return cls(Times.of(times), *map(Decimals.of, values))

    def __len__(self) -> int:
        return len(self.open_times)

    def __getitem__(self, part: slice) -> "CandleColumns":
        times, *values = self.all()
        return CandleColumns(times[part], *(column[part] for column in values))

    def all(self) -> tuple[Times, Decimals, Decimals, Decimals, Decimals, Decimals]:
        """Return the columns in the order of the fields."""
        return self.open_times, self.opens, self.highs, self.lows, self.closes, self.volumes


@dataclass(frozen=True, slots=True)
class Ticker:
    """The best prices, the last trade, and the last 24 hours; `volume_24h` in base, `change_percent_24h` in percent."""

    market: MarketSymbol
    at: datetime
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    volume_24h: Decimal | None
    change_percent_24h: Decimal | None
    high_24h: Decimal | None = None
    low_24h: Decimal | None = None
    quote_volume_24h: Decimal | None = None

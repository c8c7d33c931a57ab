"""Binance's candles, and how shorter ones are merged into longer ones."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from infra.sandbox.fixed_point import format_units, notional

SECOND_MS = 1000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MONTH = "1M"
"""The interval without a span of its own: a calendar month."""
INTERVALS: dict[str, int] = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": WEEK_MS,
}
STREAMED_INTERVALS = tuple(name for name, span_ms in INTERVALS.items() if span_ms >= MINUTE_MS)
_FIRST_MONDAY_MS = 4 * DAY_MS
"""Binance's weeks begin on Mondays at 00:00 UTC; the epoch was a Thursday. Other spans count from the epoch."""


def span_start(at_ms: int, span_ms: int) -> int:
    """Return the start of the span that contains `at_ms`."""
    return at_ms - (at_ms - _origin(span_ms)) % span_ms


def next_start(at_ms: int, span_ms: int) -> int:
    """Return the start of the first span that starts at `at_ms` or later."""
    return at_ms + (_origin(span_ms) - at_ms) % span_ms


def month_start(at_ms: int, months: int = 0) -> int:
    """Return the start of the calendar month (UTC) that contains `at_ms`, or of one so many months later."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000


def _origin(span_ms: int) -> int:
    return _FIRST_MONDAY_MS if span_ms % WEEK_MS == 0 else 0


class Candle(NamedTuple):
    """Open, high, low, close and volumes of one span of time; amounts in units of 1e-8."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    quote: int = 0
    trades: int = 0
    taker_volume: int = 0
    taker_quote: int = 0

    @staticmethod
    def flat(open_ms: int, price: int) -> "Candle":
        """Return the candle of a span without trades."""
        return Candle(open_ms, price, price, price, price)

    def with_trade(self, price: int, quantity: int, *, taker_buys: bool) -> "Candle":
        """Return this candle and one more trade; the first one sets the open price."""
        quote = notional(price, quantity)
        first = self.trades == 0
        return Candle(
            self.open_ms,
            price if first else self.open,
            price if first else max(self.high, price),
            price if first else min(self.low, price),
            price,
            self.volume + quantity,
            self.quote + quote,
            self.trades + 1,
            self.taker_volume + quantity * taker_buys,
            self.taker_quote + quote * taker_buys,
        )

    def row(self, span_ms: int) -> list[int | str]:
        """Return the candle as `klines` lists it."""
        return [
            self.open_ms,
            format_units(self.open),
            format_units(self.high),
            format_units(self.low),
            format_units(self.close),
            format_units(self.volume),
            self.open_ms + span_ms - 1,
            format_units(self.quote),
            self.trades,
            format_units(self.taker_volume),
            format_units(self.taker_quote),
            "0",
        ]


def merge(candles: Sequence[Candle], open_ms: int) -> Candle:
    """Return the candle of a longer span, opening at `open_ms`, that is made of `candles` (at least one)."""
    return Candle(
        open_ms,
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        candles[-1].close,
        *(_sum(candles, field) for field in range(5, 10)),
    )


def group(candles: Iterable[Candle], span_ms: int) -> list[Candle]:
    """Return consecutive shorter `candles` merged into spans of `span_ms`."""
    buckets: dict[int, list[Candle]] = {}
    for candle in candles:
        buckets.setdefault(span_start(candle.open_ms, span_ms), []).append(candle)
    return [merge(bucket, open_ms) for open_ms, bucket in buckets.items()]


def _sum(candles: Sequence[Candle], field: int) -> int:
    return sum(candle[field] for candle in candles)

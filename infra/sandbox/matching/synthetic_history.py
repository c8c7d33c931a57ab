"""Prices before the market's first frame: a pure function of seed, market and time that ends at the first price.

Daily closes are a Brownian path built by midpoint displacement, so that any day is found in 15 steps. A day is then
split into 4-hour candles, those into hours, and so on down to minutes. A split keeps the parent's open, high, low,
close and volumes exactly, so every timeframe agrees with every other, and 1,000 daily candles cost no more than 1,000
minutes.
"""

from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from math import exp, sqrt
from random import Random
from typing import NamedTuple

from infra.sandbox.candles import MINUTE_MS, Candle, merge, next_start
from infra.sandbox.fixed_point import SCALE
from infra.sandbox.matching.market_specs import MarketSpec

DAY_MS = 1440 * MINUTE_MS
LEVELS_MS = (DAY_MS, 240 * MINUTE_MS, 60 * MINUTE_MS, 15 * MINUTE_MS, 5 * MINUTE_MS, MINUTE_MS)
DAYS = 1 << 15
DAILY_RETURN = 0.025
"""Standard deviation of daily returns; by the square root of time 6.6 bps a minute, the recording's 6.7."""
LISTED_MS = 1_546_300_800_000
"""2019-01-01: no candle is older."""


class _Span(NamedTuple):
    """A candle before its prices are put on the market's increments."""

    open: float
    high: float
    low: float
    close: float
    volume: int
    quote: int
    trades: int


class SyntheticHistory:
    """The synthetic past of one market, up to `birth_ms` (a whole minute), at which the price is `first_price`."""

    def __init__(self, seed: int, spec: MarketSpec, birth_ms: int, first_price: int) -> None:
        self._spec = spec
        self._seed = seed
        self.birth_ms = birth_ms
        self.first_price = first_price
        self._known_scale: float | None = None
        self._log_price = lru_cache(4096)(self._make_log_price)
        self._span = lru_cache(8192)(self._make_span)
        self._split = lru_cache(1024)(self._make_split)
        self._taker_share = lru_cache(1024)(self._make_taker_share)

    @property
    def _scale(self) -> float:
        """By what the path is multiplied to end at the first price; found when it is first needed."""
        if self._known_scale is None:
            self._known_scale = 1.0
            self._known_scale = self.first_price / self._price_at(self.birth_ms)
            self._span.cache_clear()
            self._split.cache_clear()
        return self._known_scale

    def candles(self, span_ms: int, start: int, end: int) -> list[Candle]:
        """Return the candles of `span_ms` that open within [start, end) ms and end by the birth, oldest first."""
        first = next_start(max(start, LISTED_MS), span_ms)
        last = min(end, self.birth_ms - span_ms + 1)
        level = next(index for index, size in enumerate(LEVELS_MS) if span_ms % size == 0)
        size = LEVELS_MS[level]
        if size == span_ms:
            return [self._candle(level, open_ms // size) for open_ms in range(first, last, size)]
        spans = range(first, last, span_ms)
        return [
            merge([self._candle(level, at // size) for at in range(open_ms, open_ms + span_ms, size)], open_ms)
            for open_ms in spans
        ]

    def minutes(self, start: int, end: int) -> list[Candle]:
        """Return the one-minute candles that open within [start, end) ms, oldest first."""
        return self.candles(MINUTE_MS, start, end)

    def _price_at(self, at_ms: int) -> float:
        return self._span(len(LEVELS_MS) - 1, at_ms // MINUTE_MS).open

    def _candle(self, level: int, index: int) -> Candle:
        span = self._span(level, index)
        share = self._taker_share(index * LEVELS_MS[level] // DAY_MS)
        before_volume, before_quote = self._before(level, index)
        return Candle(
            index * LEVELS_MS[level],
            self._on_tick(span.open),
            self._on_tick(span.high),
            self._on_tick(span.low),
            self._on_tick(span.close),
            span.volume,
            span.quote,
            span.trades,
            int((before_volume + span.volume) * share) - int(before_volume * share),
            int((before_quote + span.quote) * share) - int(before_quote * share),
        )

    def _before(self, level: int, index: int) -> tuple[int, int]:
        """Return volume and quote traded that day before this span: shares of running sums add up exactly."""
        volume = quote = 0
        for above in range(level, 0, -1):
            count = LEVELS_MS[above - 1] // LEVELS_MS[above]
            parent, place = divmod(index, count)
            for sibling in range(index - place, index):
                span = self._span(above, sibling)
                volume, quote = volume + span.volume, quote + span.quote
            index = parent
        return volume, quote

    def _on_tick(self, price: float) -> int:
        ticks = round(price * self._scale / self._spec.tick)
        return max(1, ticks) * self._spec.tick

    def _random(self, kind: str, index: int) -> Random:
        text = f"{self._seed}:{self._spec.symbol}:{kind}:{index}"
        return Random(int.from_bytes(blake2b(text.encode(), digest_size=8).digest()))  # noqa: S311 - no secret

    def _make_log_price(self, day: int) -> float:
        step = day & -day
        if day in {0, DAYS}:
            return 0.0
        middle = (self._log_price(day - step) + self._log_price(day + step)) / 2
        return middle + self._random("path", day).gauss(0.0, DAILY_RETURN * sqrt(step / 2))

    def _make_span(self, level: int, index: int) -> _Span:
        if level == 0:
            return self._day(index)
        count = LEVELS_MS[level - 1] // LEVELS_MS[level]
        return self._split(level - 1, index // count, count)[index % count]

    def _day(self, day: int) -> _Span:
        random = self._random("day", day)
        opened, closed = (SCALE * exp(self._log_price(at)) for at in (day, day + 1))
        high = max(opened, closed) * (1 + abs(random.gauss(0.0, 0.4 * DAILY_RETURN)))
        low = min(opened, closed) * (1 - abs(random.gauss(0.0, 0.4 * DAILY_RETURN)))
        flow = self._spec.flow
        volume = int(flow.daily_volume * random.lognormvariate(0.0, 0.4) * SCALE) // self._spec.step * self._spec.step
        quote = int(volume * (opened + high + low + closed) / 4 * self._scale / SCALE)
        return _Span(opened, high, low, closed, volume, quote, int(86_400 * flow.taker_orders_per_second * 3))

    def _make_taker_share(self, day: int) -> float:
        return 0.45 + 0.1 * self._random("taker", day).random()

    def _make_split(self, level: int, index: int, count: int) -> list[_Span]:
        parent = self._span(level, index)
        random = self._random(f"split{level}", index)
        ranges = split_prices(parent, count, random)
        weights = [random.lognormvariate(0.0, 0.5) for _ in range(count)]
        volumes = [part * self._spec.step for part in shares(parent.volume // self._spec.step, weights)]
        values = [volume * sum(prices) for volume, prices in zip(volumes, ranges, strict=True)]
        quotes = shares(parent.quote, values)
        trades = shares(parent.trades, weights)
        return [_Span(*prices, *rest) for prices, *rest in zip(ranges, volumes, quotes, trades, strict=True)]


class EmptyHistory:
    """The history of a mirrored market: empty, because its candles are the live venue's."""

    birth_ms = LISTED_MS
    first_price = 0

    def candles(self, span_ms: int, start: int, end: int) -> list[Candle]:  # noqa: ARG002  # as in `SyntheticHistory`
        """Return nothing."""
        return []

    def minutes(self, start: int, end: int) -> list[Candle]:  # noqa: ARG002  # as above
        """Return nothing."""
        return []


def shares(whole: int, weights: list[float] | list[int]) -> list[int]:
    """Return `whole` in parts by `weights` that add up to it exactly."""
    total, running, marks = sum(weights) or 1, 0.0, [0]
    for weight in weights:
        running += weight
        marks.append(min(whole, int(whole * (running / total))))
    marks[-1] = whole
    return [after - before for before, after in pairwise(marks)]


def split_prices(parent: _Span | Candle, count: int, random: Random) -> list[tuple[float, float, float, float]]:
    """Return (open, high, low, close) of `count` parts of a candle: a bridge that stays within its high and low."""
    sigma = 0.5 * (parent.high - parent.low) / sqrt(count)
    points = [parent.open]
    for left in range(count, 1, -1):
        step = (parent.close - points[-1]) / left + random.gauss(0.0, sigma * sqrt((left - 1) / left))
        points.append(min(max(points[-1] + step, parent.low), parent.high))
    points.append(parent.close)
    ends = list(pairwise(points))
    highs = [min(parent.high, max(pair) + abs(random.gauss(0.0, sigma / 3))) for pair in ends]
    lows = [max(parent.low, min(pair) - abs(random.gauss(0.0, sigma / 3))) for pair in ends]
    highs[highs.index(max(highs))] = parent.high
    lows[lows.index(min(lows))] = parent.low
    return [(pair[0], high, low, pair[1]) for pair, high, low in zip(ends, highs, lows, strict=True)]

"""A simulated market: its book, its public trades, its candles, and the sequences of its ids."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from infra.sandbox.candles import HOUR_MS, MINUTE_MS, Candle, group, merge, next_start, span_start
from infra.sandbox.faults import CandleFaults
from infra.sandbox.fixed_point import SCALE, notional
from infra.sandbox.matching.book import Book
from infra.sandbox.matching.market_specs import MarketSpec
from infra.sandbox.matching.second_candles import SecondCandles
from infra.sandbox.matching.stops import WaitingStops
from infra.sandbox.matching.synthetic_history import DAY_MS, LISTED_MS
from infra.sandbox.state.store import Store
from infra.sandbox.trades import AggregateTrade, PublicTrade

ID_RESERVE = 100_000
KEPT_TRADES = 1000
AVERAGE_MINUTES = 5
MIRROR_FILL_IDS_FROM = 5 * 10**15
"""Ids of a mirror's fills, which aren't public trades: above all ids of those, and below 2**53."""


class IdSequence:
    """Ids that never repeat in a state folder: a block is reserved durably before any of it is used."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self.last = self._reserved = int(store.meta(name, "0"))

    def next(self, count: int = 1) -> int:
        """Advance by `count` and return the number reached."""
        self.last += count
        if self.last > self._reserved - ID_RESERVE // 2:
            self._reserve()
        return self.last

    def _reserve(self) -> None:
        self._reserved = self.last + ID_RESERVE
        self._store.set_meta(self._name, str(self._reserved))


class PriceHistory(Protocol):
    """The candles before a market's first trade on this exchange."""

    birth_ms: int
    first_price: int

    def candles(self, span_ms: int, start: int, end: int) -> list[Candle]:
        """Return the candles of `span_ms` that open within [start, end) ms and end by the birth, oldest first."""
        ...

    def minutes(self, start: int, end: int) -> list[Candle]:
        """Return the one-minute candles that open within [start, end) ms, oldest first."""
        ...


LiveCandles = Callable[[int, int | None, int], Awaitable[list[Candle]]]
"""Fetches candles of a mirrored venue: span and first open time in ms (None: the newest), and how many at most."""


class SimulatedMarket:
    """The running state of one market.

    `closed_because` is why a mirror's market can't be traded now; `live_candles` fetches the live venue's candles. A
    market that `is_asleep` has no order flow; `is_looked_at` means that it was asked for lately.
    """

    def __init__(self, spec: MarketSpec, store: Store, history: PriceHistory, last_price: int, now_ms: int) -> None:
        self.spec = spec
        self.book = Book()
        self.stops = WaitingStops()
        self.history = history
        self.last_price = last_price
        self.update_ids = IdSequence(store, f"{spec.symbol}.update_id")
        self.published_update_id = self.update_ids.last
        self.publish_book: Callable[[], None] = lambda: None
        self.is_mirror = False
        self.is_asleep = False
        self.is_looked_at = False
        self.closed_because: str | None = None
        self.live_candles: LiveCandles | None = None
        self.trades: deque[PublicTrade] = deque(maxlen=KEPT_TRADES)
        self.aggregates: deque[AggregateTrade] = deque(maxlen=KEPT_TRADES)
        self.on_trade: list[Callable[[SimulatedMarket, PublicTrade], None]] = []
        self.on_aggregate: list[Callable[[SimulatedMarket, AggregateTrade], None]] = []
        self.on_candle: list[Callable[[SimulatedMarket, Candle], None]] = []
        self.candle_faults = CandleFaults()
        self._trade_ids = IdSequence(store, f"{spec.symbol}.trade_id")
        self._fill_ids = IdSequence(store, f"{spec.symbol}.fill_id")
        self._aggregate_ids = IdSequence(store, f"{spec.symbol}.aggregate_id")
        self._open_aggregate: list[PublicTrade] = []
        self._store = store
        self._now = now_ms
        self._minute = self._load_minute(now_ms)
        self._seconds = SecondCandles(spec.symbol)
        self._day: tuple[int, Candle] | None = None
        self._closed: dict[int, tuple[int, list[Candle]]] = {}
        self._averages: dict[int, tuple[int, int, int]] = {}
        """By count of minutes: the forming minute, and quote and volume of those before it."""

    def trade(
        self, price: int, quantity: int, time_ms: int, *, buyer_is_maker: bool, number: int | None = None
    ) -> PublicTrade:
        """Record and publish one execution; return it with its id, which is `number` if a mirrored venue has set one.

        A trade before the forming minute changes no candle: the mirrored venue's own candles include it.
        """
        self.roll_candle(time_ms)
        number = self._trade_ids.next() if number is None else number
        trade = PublicTrade(number, price, quantity, time_ms, buyer_is_maker)
        self.last_price = price
        if self.stops.orders and self.closed_because is None:
            self.stops.prices.append(price)
        self.trades.append(trade)
        if time_ms >= self._minute.open_ms:
            self._seconds.trades.append(trade)
            self._minute = self._minute.with_trade(price, quantity, taker_buys=not buyer_is_maker)
        for notify in self.on_trade:
            notify(self, trade)
        if self._open_aggregate and self._open_aggregate[-1].price != price:
            self.flush_aggregate()
        self._open_aggregate.append(trade)
        return trade

    def fill(self, price: int, quantity: int, time_ms: int, *, buyer_is_maker: bool) -> PublicTrade:
        """Record one execution of a user's order. A mirror doesn't publish it: the live venue has no such trade."""
        if not self.is_mirror:
            return self.trade(price, quantity, time_ms, buyer_is_maker=buyer_is_maker)
        # Of a sequence of their own: an id that public trades skip looks like a lost trade to their subscribers.
        number = MIRROR_FILL_IDS_FROM + self._fill_ids.next()
        return PublicTrade(number, price, quantity, time_ms, buyer_is_maker)

    def flush_aggregate(self) -> None:
        """Publish the aggregate trade of the taker order that has just ended, if it traded."""
        if not self._open_aggregate:
            return
        first, last = self._open_aggregate[0], self._open_aggregate[-1]
        quantity = first.quantity if first is last else sum(trade.quantity for trade in self._open_aggregate)
        self._open_aggregate = []
        aggregate = AggregateTrade(
            self._aggregate_ids.next(), first.price, quantity, first.id, last.id, last.time_ms, first.buyer_is_maker
        )
        self.aggregates.append(aggregate)
        for notify in self.on_aggregate:
            notify(self, aggregate)

    def roll_candle(self, now_ms: int) -> None:
        """Close the minute's candle if it has ended, and open the present one."""
        while now_ms >= self._minute.open_ms + MINUTE_MS:
            closed = self._minute
            self._seconds.close(closed)
            self._store.save_candle(self.spec.symbol, self.candle_faults.apply(closed))
            self._minute = Candle.flat(max(closed.open_ms + MINUTE_MS, now_ms - now_ms % MINUTE_MS), closed.close)
            for notify in self.on_candle:
                notify(self, closed)
        self._now = max(self._now, now_ms)

    def reopen(self, price: int) -> None:
        """Continue at `price` if the forming minute has no trade; the minutes before it were replaced."""
        if not self._minute.trades:
            self.last_price = price
            self._minute = Candle.flat(self._minute.open_ms, price)
        self._day = None
        self._closed.clear()
        self._averages.clear()

    def restore_trade(
        self, price: int, quantity: int, time_ms: int, *, buyer_is_maker: bool, number: int | None
    ) -> None:
        """Add a trade of before a restart to the newest ones; one without the venue's id can't be restored."""
        if number is not None:
            self.trades.append(PublicTrade(number, price, quantity, time_ms, buyer_is_maker))

    def save(self) -> None:
        """Save the forming candle, so that a restart continues it."""
        self._store.save_candle(self.spec.symbol, self._minute)

    @property
    def minute(self) -> Candle:
        """The forming one-minute candle."""
        return self._minute

    def candles(self, span_ms: int, start: int, end: int) -> list[Candle]:
        """Return the candles of `span_ms` that open within [start, end) ms, the forming one last."""
        old = self.history.candles(span_ms, start, end)
        first = old[-1].open_ms + span_ms if old else next_start(start, span_ms)
        parts = self._parts(span_ms, max(first, self._oldest_mixed(span_ms)), end + span_ms)
        return old + [candle for candle in group(parts, span_ms) if first <= candle.open_ms < end]

    def seconds(self, start: int, end: int) -> list[Candle]:
        """Return the one-second candles that open within [start, end) ms, the present one last."""
        minutes = self._minutes(span_start(start, MINUTE_MS), end)
        found = [
            candle
            for minute in minutes
            for candle in self._seconds.of_minute(minute, self.spec.tick, is_forming=minute is self._minute)
        ]
        return [candle for candle in found if start <= candle.open_ms < min(end, self._now + 1)]

    def window(self, start: int, end: int) -> Candle:
        """Return [start, end) ms, from a whole minute on, as one candle."""
        first, last = next_start(start, HOUR_MS), span_start(end, HOUR_MS)
        if first >= last:
            return merge(self._minutes(start, end), start)
        hours = self.candles(HOUR_MS, first, last)
        return merge([*self._minutes(start, first), *hours, *self._minutes(last, end)], start)

    def history_start(self) -> int:
        """Return when the oldest candle opens."""
        return LISTED_MS

    def forming(self, span_ms: int) -> Candle:
        """Return the unfinished candle of `span_ms`."""
        minute = self._minute.open_ms
        start = span_start(minute, span_ms)
        if self._closed.get(span_ms, (0, []))[0] != minute:
            before = self._parts(span_ms, start, minute)
            self._closed[span_ms] = (minute, [merge(before, start)] if before else [])
        return merge([*self._closed[span_ms][1], self._minute], start)

    def day(self) -> Candle:
        """Return the last 24 hours as one candle; for a market asleep that has never traded, a usual one."""
        minute = self._minute.open_ms
        if self.is_asleep and self.last_price == self.history.first_price:
            return self._quiet_day()
        if self._day is None or self._day[0] != minute:
            self._day = (minute, merge(self._minutes(minute - DAY_MS + MINUTE_MS, minute), minute - DAY_MS))
        return merge([self._day[1], self._minute], self._day[1].open_ms)

    def _quiet_day(self) -> Candle:
        """Return a flat day of the usual turnover: a whole history each would take seconds for thousands of markets."""
        price, flow = self.last_price, self.spec.flow
        volume = int(flow.daily_volume * SCALE) // self.spec.step * self.spec.step
        trades = int(DAY_MS / 1000 * flow.taker_orders_per_second)
        return Candle.flat(self._now - DAY_MS, price)._replace(
            volume=volume, quote=notional(price, volume), trades=trades
        )

    def average_price(self, minutes: int = AVERAGE_MINUTES) -> int:
        """Return the volume-weighted price of the last minutes; the last price for 0 of them, or without trades."""
        if not minutes:
            return self.last_price
        minute = self._minute.open_ms
        if self._averages.get(minutes, (0, 0, 0))[0] != minute:
            spans = self._minutes(minute - minutes * MINUTE_MS, minute)
            quote, volume = sum(span.quote for span in spans), sum(span.volume for span in spans)
            self._averages[minutes] = (minute, quote, volume)
        _, quote, volume = self._averages[minutes]
        volume += self._minute.volume
        return ((quote + self._minute.quote) * SCALE // volume if volume else 0) or self.last_price

    def _oldest_mixed(self, span_ms: int) -> int:
        """Return the start of the first span that isn't entirely in the history."""
        birth = self.history.birth_ms
        return span_start(birth, span_ms)

    def _parts(self, span_ms: int, start: int, end: int) -> list[Candle]:
        """Return the candles that a span consists of: minutes, preceded by whole days for spans above a day."""
        today = span_start(min(end, self._minute.open_ms), DAY_MS)
        if span_ms <= DAY_MS or today <= start:
            return self._minutes(start, end)
        return [*self.candles(DAY_MS, start, today), *self._minutes(today, end)]

    def _minutes(self, start: int, end: int) -> list[Candle]:
        """Return every minute of [start, end) ms up to the forming one, flat while the exchange was down."""
        found = self.history.minutes(start, min(end, self.history.birth_ms))
        at = max(start + -start % MINUTE_MS, self.history.birth_ms)
        stop = min(end, self._minute.open_ms)
        kept = {row[0]: Candle(*row) for row in self._store.candles(self.spec.symbol, at, stop)} if at < stop else {}
        close = self._close_before(at, found)
        for open_ms in range(at, stop, MINUTE_MS):
            candle = kept.get(open_ms) or Candle.flat(open_ms, close)
            close = candle.close
            found.append(candle)
        if start <= self._minute.open_ms < end:
            found.append(self._minute)
        return found

    def _close_before(self, at: int, found: list[Candle]) -> int:
        if found:
            return found[-1].close
        row = self._store.last_candle(self.spec.symbol, at)
        return row[4] if row else self.last_price

    def _load_minute(self, now_ms: int) -> Candle:
        open_ms = now_ms - now_ms % MINUTE_MS
        row = self._store.last_candle(self.spec.symbol, open_ms + MINUTE_MS)
        if row and row[0] == open_ms:
            return Candle(*row)
        return Candle.flat(open_ms, row[4] if row else self.last_price)

"""Watches the protections of positions on one market: by each trade, and by the candles whose trades weren't seen."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.core.background import BackgroundTasks, TaskGroup
from domain.core.errors import Unavailable
from domain.core.money import EXACT
from domain.core.pagination import TimeKeysetPage
from domain.core.wakeup import Wakeup
from domain.model.markets import Candle, Market, MarketSymbol, Timeframe, Trade
from domain.model.protection import PositionProtection
from domain.ports.leases import StaleLease
from domain.ports.market_data import CandleSubscription
from domain.rules.direction import Direction
from domain.rules.protected_position import protection_state, step_missed_candle, step_time, step_trade, stepped
from domain.rules.protection import Exit
from domain.trading.keeper_context import KeeperContext
from domain.trading.stored_candles import request_candles

log = logging.getLogger(__name__)

CANDLES_AT_ONCE = 500
REMEMBERED_TRADES = 1_000
RETRY_SECONDS = 2.0
GAP_PATIENCE = timedelta(minutes=1)
"""How long missing candles are waited for, before those after them are looked at."""
CLOSING_TIME = timedelta(seconds=5)
"""How long after its end a candle may take to be stored."""


class WatchedProtection:
    """An active protection and its state after the trades that were seen; `due` is what closes the position.

    `is_certain`: that is the venue's own word, so that no order at the venue can do it any more.

    The row has the state at the end of the last candle, from which the next candle is stepped. What trades have moved
    since then is here alone: it follows again from the row and the candles.
    """

    def __init__(self, protection: PositionProtection, market: Market, direction: Direction) -> None:
        self.protection = protection
        self.market = market
        self.direction = direction
        self.state = protection_state(protection, market, direction)
        self.due: Exit | None = None
        self.is_certain = False
        self.newest_trade: Trade | None = None
        self.gap_since: float | None = None
        """When a candle was found to be missing, in monotonic seconds; None while none is."""

    def __repr__(self) -> str:
        return f"WatchedProtection({self.protection.id}, due={self.due})"

    @property
    def since(self) -> datetime:
        """The time from which on trades count, by the venue's clock."""
        assert self.protection.watched_until is not None
        return self.protection.watched_until

    def renew(self, protection: PositionProtection, market: Market, direction: Direction) -> None:
        """Take over a changed row or market; how far trades have moved a trailing stop stays."""
        if (protection, market, direction) == (self.protection, self.market, self.direction):
            return
        state = protection_state(protection, market, direction)
        if market == self.market and self.state.high_water > state.high_water:
            state = replace(state, high_water=self.state.high_water)
        self.protection, self.market, self.direction, self.state = protection, market, direction, state

    def restart(self, protection: PositionProtection) -> None:
        """Watch from the row again: what was due could not be acted on."""
        state = protection_state(protection, self.market, self.direction)
        self.protection, self.state = (
            protection,
            replace(state, high_water=max(state.high_water, self.state.high_water)),
        )

    @property
    def high_water(self) -> Decimal | None:
        """The best price since the entry, trades of the last minute included; None without a trailing stop."""
        return stepped(self.protection, self.state, self.since, self.market, self.direction).high_water

    @property
    def stop_price(self) -> Decimal | None:
        """The nearer of both stops now; None without one."""
        stops = [stop for stop in (self.state.stop_loss, self.state.trailing_stop) if stop is not None]
        if not stops:
            return None
        return EXACT.multiply(self.market.price_increment, Decimal(self.direction * max(stops)))

    def on_trade(self, trade: Trade) -> None:
        """Step by a trade, unless it is no later than the fill or was seen, or the position is to be closed already."""
        self.newest_trade = trade
        if self.due is None and trade.at >= self.since:
            self.state, self.due = step_trade(self.state, trade.price, trade.at, self.market, self.direction)

    def on_time(self, at: datetime) -> None:
        """Check the longest holding time."""
        if self.due is None:
            self.due = step_time(self.state, at)

    def on_candles(self, candles: Sequence[Candle]) -> PositionProtection:
        """Step the row's state by closed candles, oldest first, and return the row to be stored.

        It goes no further than to the candle that closes the position, which is so found again after a crash.
        """
        state, until = protection_state(self.protection, self.market, self.direction), self.since
        for candle in candles:
            after, exit_ = step_missed_candle(state, candle, until, self.market, self.direction)
            if exit_ is not None:
                self.due = self.due or exit_
                break
            state, until = after, candle.close_time
        return stepped(self.protection, state, until, self.market, self.direction)


class MarketWatch:
    """Follows the trades and candles of one market for the protections in `watched`, by their ids.

    `wake` is called when something is due. The newest trades are remembered: those between a fill and the moment at
    which the engine knows of it count too.
    """

    def __init__(self, context: KeeperContext, symbol: MarketSymbol, wake: Callable[[], None]) -> None:
        self.watched: dict[UUID, WatchedProtection] = {}
        self._context = context
        self._symbol = symbol
        self._wake = wake
        self._wakeup = Wakeup()
        self._recent: deque[Trade] = deque(maxlen=REMEMBERED_TRADES)
        self._behind: tuple[datetime, float] | None = None

    def __repr__(self) -> str:
        return f"MarketWatch({self._symbol}, {len(self.watched)})"

    @property
    def lacks_candles(self) -> bool:
        """Whether candles that should be there haven't come for so long that they aren't waited for any more."""
        waited = None if self._behind is None else self._context.clock.monotonic() - self._behind[1]
        return waited is not None and waited > GAP_PATIENCE.total_seconds()

    def watch(self, protection: PositionProtection, market: Market, direction: Direction) -> None:
        """Watch an active protection as it is stored now; does nothing if it is watched in this state."""
        known = self.watched.get(protection.id)
        if known is not None and known.protection.reference_price == protection.reference_price:
            known.renew(protection, market, direction)
            return
        added = self.watched[protection.id] = WatchedProtection(protection, market, direction)
        for trade in self._recent:
            added.on_trade(trade)
        self._wakeup.set()

    async def run(self) -> None:
        """Follow the market until cancelled."""
        while True:
            try:
                async with TaskGroup() as group:
                    group.create_task(self._trade_loop())
                    group.create_task(self._candle_loop())
            except* Exception as group_error:
                stale, others = group_error.split(StaleLease)
                if stale is not None:
                    raise StaleLease(f"the lease of account {self._context.account.id} was lost") from None
                assert others is not None
                log.exception("the watch of %s failed and is started again", self._symbol, extra=self._context.log_ids)
            await asyncio.sleep(RETRY_SECONDS)

    async def _trade_loop(self) -> None:
        async for trades in self._context.feed.trade_stream(self._symbol):
            self._recent.extend(trades)
            for watched in self.watched.values():
                for trade in trades:
                    watched.on_trade(trade)
            self._wake_if_due()

    async def _candle_loop(self) -> None:
        async with (
            self._context.feed.closed_candles(self._symbol, Timeframe.M1) as arrivals,
            BackgroundTasks() as tasks,
        ):
            tasks.start(self._wake_by(arrivals))
            while True:
                self._wakeup.clear()
                try:
                    is_current = await self._step_candles()
                except Unavailable:
                    is_current = False
                self._wake_if_due()
                await self._wakeup.wait(None if is_current else RETRY_SECONDS)

    async def _wake_by(self, arrivals: CandleSubscription) -> None:
        async for _ in arrivals:
            self._wakeup.set()

    def _wake_if_due(self) -> None:
        now = self._context.feed.venue_now(self._symbol.venue)
        for watched in self.watched.values():
            watched.on_time(now)
        if any(watched.due for watched in self.watched.values()):
            self._wake()

    async def _step_candles(self) -> bool:
        """Step by the candles that closed since the last time; return whether that is all that there should be."""
        open_ones = [watched for watched in self.watched.values() if watched.due is None]
        if not open_ones:
            self._behind = None
            return True
        page = TimeKeysetPage(CANDLES_AT_ONCE, Timeframe.M1.open_time(min(watched.since for watched in open_ones)))
        async with self._context.database.read_only() as reading:
            candles = await reading.market_data.candles(self._symbol, Timeframe.M1, page)
        for watched in open_ones:
            fitting = await self._without_gap(candles, watched)
            if fitting:
                await self._save(watched, watched.on_candles(fitting))
        newest = min(watched.since for watched in open_ones)
        overdue = Timeframe.M1.duration + CLOSING_TIME
        is_current = self._context.feed.venue_now(self._symbol.venue) - newest < overdue
        if is_current:
            self._behind = None
        elif self._behind is None or self._behind[0] != newest:
            self._behind = newest, self._context.clock.monotonic()
        return is_current

    async def _without_gap(self, candles: Sequence[Candle], watched: WatchedProtection) -> Sequence[Candle]:
        """Return the candles that the protection hasn't seen, up to the first that is missing.

        Missing ones are requested, and waited for, but not for ever. The candle in which `since` lies may be missing.
        """
        since = watched.since
        fitting = [candle for candle in candles if candle.close_time > since]
        if fitting and fitting[0].open_time > since and fitting[0].open_time - since < Timeframe.M1.duration:
            since = fitting[0].open_time
        expected = Timeframe.M1.open_time(since)
        for index, candle in enumerate(fitting):
            if candle.open_time != expected and not await self._has_waited(watched, expected):
                return fitting[:index]
            expected = candle.close_time
        watched.gap_since = None
        return fitting

    async def _has_waited(self, watched: WatchedProtection, missing: datetime) -> bool:
        now = self._context.clock.monotonic()
        if watched.gap_since is None:
            watched.gap_since = now
            await request_candles(self._context.bus, self._symbol, Timeframe.M1, missing)
        return now - watched.gap_since > GAP_PATIENCE.total_seconds()

    async def _save(self, watched: WatchedProtection, stepped_row: PositionProtection) -> None:
        """Store how far the candles were looked at, unless a fill has changed the row meanwhile."""
        before = watched.protection
        if stepped_row == before:
            return
        async with self._context.transaction() as unit_of_work:
            locked = await unit_of_work.protection.get_for_update(before.id)
            if locked != before:
                return
            await unit_of_work.protection.save(stepped_row)
        watched.renew(stepped_row, watched.market, watched.direction)

"""Holds the trailing stops of an account: watches the trades of their markets, and has those sent that are triggered.

The best price is stored in the order's row, at most once a second, and when the order is triggered. After a restart an
order goes on from there, by the trades that come then.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from cachetools import LRUCache

from domain.core.background import TaskGroup
from domain.core.backoff import Backoff
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.execution.account_context import AccountContext
from domain.execution.feed_outages import FeedOutages
from domain.execution.risk_assessment import assess
from domain.model.markets import MarketSymbol, Trade
from domain.model.orders import CancelCode, Order, RiskCode
from domain.ports.unit_of_work import UnitOfWork
from domain.risk.context import RiskContext
from domain.risk.protected_coins import holding_protection
from domain.rules.arrival_price import arrival_price
from domain.rules.order_lifecycle import Transition, cancel_held, hold, submit, trail_to, trigger
from domain.rules.trailing_order import Trail, start_trail, step_trail

_SAVE_SECONDS = 1.0
_MAXIMUM_RETRIES = 10_000
"""Of how many orders that could not be sent it is remembered when they are tried again."""
_PASSING = frozenset({RiskCode.STALE_MARKET_DATA, RiskCode.NOT_RECONCILED, RiskCode.MARKET_INACTIVE})
"""What a triggered order waits for instead of being given up."""


@dataclass(slots=True)
class _HeldOrder:
    """A held order, and where it stands by the trades so far, which its row may not have yet."""

    order: Order
    trail: Trail
    since: datetime
    is_saved: bool = True


@dataclass(slots=True)
class _Retry:
    """When a triggered order that could not be sent is tried again, in monotonic seconds."""

    backoff: Backoff
    at: float = 0.0


class TrailingOrders:
    """The held orders of an account; `wake` has the executor decide about one."""

    def __init__(self, context: AccountContext, wake: Callable[[UUID | None], None]) -> None:
        self._context = context
        self._wake = wake
        self._held: dict[UUID, _HeldOrder] = {}
        self._watches: dict[MarketSymbol, asyncio.Task[NoReturn]] = {}
        self._wakeup = Wakeup()
        self._retries: LRUCache[UUID, _Retry] = LRUCache(_MAXIMUM_RETRIES)
        self._outages = FeedOutages(context.markets, context.clock, context.timings.unwatched_after)
        self._is_watched: dict[MarketSymbol, bool] = {}
        """Whether prices of a market come, by the last alert; a run doesn't know of those of an earlier one."""

    def __repr__(self) -> str:
        return f"TrailingOrders({self._context!r}, held={len(self._held)})"

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        await self._load()
        async with TaskGroup() as group:
            while True:
                self._wakeup.clear()
                self._follow_markets(group)
                try:
                    await self._save()
                    await self._alert_of_outages()
                except Unavailable:
                    await asyncio.sleep(self._context.timings.retry_delay)
                self._wake_triggered()
                await self._wakeup.wait(_SAVE_SECONDS if self._held else None)

    def on_committed(self, order: Order) -> None:
        """Begin to watch an order that is held now, or let go of one that isn't any more."""
        if not order.is_held:
            self._held.pop(order.id, None)
        elif order.id not in self._held and order.high_water is not None and order.stop_price is not None:
            trail = Trail(order.high_water, order.stop_price, order.triggered_at is not None)
            # If this node's clock was set back since, the order would seem to be placed only later.
            since = min(self._context.to_venue_time(order.created_at), self._context.venue.venue_now())
            self._held[order.id] = _HeldOrder(order, trail, since)
            self._wakeup.set()

    async def on_unsent(self, order: Order, reason: str) -> None:
        """Hold a triggered order again that could not be sent, alert of it, and try it again after a growing delay."""
        timings = self._context.timings
        retry = self._retries.setdefault(order.id, _Retry(Backoff(timings.retry_delay, timings.longest_retry_delay)))
        retry.at = self._context.clock.monotonic() + retry.backoff.next_delay()
        self.on_committed(order)
        message = (
            f"The trailing stop {order.side} {order.quantity} {order.market} was triggered and could not be sent: "
            f"{reason}. It is tried again until it is sent or cancelled."
        )
        with suppress(Unavailable):
            await self._context.alerts.raise_alert(f"unsent:{order.id}", message)

    def start(self, order: Order, risk: RiskContext, at: datetime) -> Transition:
        """Return an order that passed the risk checks as held, with the present price as its best one so far."""
        market = self._context.market(order.market)
        price = risk.best_price(order.side)
        assert price is not None  # a check wants a fresh book
        trail = start_trail(order, price, at, market)
        return hold(order, at, trail.high_water, trail.stop_price)

    def is_triggered(self, order: Order) -> bool:
        """Return whether a held order is triggered, by the trades that were seen so far."""
        held = self._held.get(order.id)
        return order.triggered_at is not None or (held is not None and held.trail.is_triggered)

    def take_over(self, amendment: Order, replaced: Order, at: datetime) -> tuple[Transition, Transition]:
        """Return a held order as it ends, and its amendment as held: the best price so far is the amendment's too."""
        held = self._held.get(replaced.id)
        best = replaced.high_water if held is None else held.trail.high_water
        assert best is not None
        trail = step_trail(amendment, Trail(best, best), best, at, self._context.market(amendment.market))
        ended = cancel_held(replace(replaced, cancel_code=CancelCode.AMENDED), at)
        return ended, hold(amendment, at, trail.high_water, trail.stop_price)

    async def decide(self, transaction: UnitOfWork, order: Order, at: datetime) -> Transition:
        """Return what becomes of a held order now: sent if it is triggered, cancelled if that was asked for."""
        context, held = self._context, self._held.get(order.id)
        if order.cancel_requested_at is not None:
            return cancel_held(order, at)
        if not self.is_triggered(order):
            return Transition(order)
        moved = order if held is None else trail_to(order, at, held.trail.high_water, held.trail.stop_price)
        triggered = trigger(moved, at, f"the market has come back to {moved.stop_price}")
        risk, denials = await assess(context, moved, at, transaction)
        if not denials:
            venue_now = context.venue.venue_now()
            return triggered.then(submit(triggered.order, at, arrival_price(moved, risk.depth), venue_now))
        if _PASSING.issuperset(denial.code for denial in denials) or holding_protection(moved, risk):
            return triggered
        return triggered.then(cancel_held(triggered.order, at, denials))

    # ---- prices

    async def _load(self) -> None:
        while True:
            try:
                async with self._context.database.read_only() as transaction:
                    orders = await transaction.orders.list_active(self._context.account.id)
            except Unavailable:
                await asyncio.sleep(self._context.timings.retry_delay)
            else:
                for order in orders:
                    self.on_committed(order)
                return

    def _follow_markets(self, group: TaskGroup) -> None:
        markets = {held.order.market for held in self._held.values()}
        for market in self._watches.keys() - markets:
            self._watches.pop(market).cancel()
        for market in markets - self._watches.keys():
            self._watches[market] = group.create_task(self._watch(market), name=f"trailing:{market}")

    async def _watch(self, market: MarketSymbol) -> NoReturn:
        """Follow a market's trades for ever; what goes wrong with them is no fault of the account's other orders."""
        while True:
            try:
                async for trades in self._context.markets.trade_stream(market):
                    self._on_trades(market, trades)
            except Exception as error:  # noqa: BLE001  # whatever it is, the watch goes on
                with suppress(Unavailable):
                    await self._context.alerts.raise_error(f"the watch of {market} for trailing stops", error)
            await asyncio.sleep(self._context.timings.retry_delay)

    async def _alert_of_outages(self) -> None:
        """Alert once of each market whose prices don't come, and of it again if that ends and begins again."""
        self._outages.forget_all_but(set(self._watches))
        for market in self._watches:
            outage, key = self._outages.of(market), f"unwatched-trailing-stop:{market}"
            if outage is None and not self._is_watched.get(market, False):
                await self._context.alerts.clear(key)
                self._is_watched[market] = True
            elif outage is not None and outage.is_long and self._is_watched.get(market, True):
                message = (
                    f"Trailing stops on {market} can't follow its price: {outage.reason} They are kept, and go on by "
                    "themselves once prices come again."
                )
                await self._context.alerts.raise_alert(key, message)
                self._is_watched[market] = False

    def _on_trades(self, symbol: MarketSymbol, trades: tuple[Trade, ...]) -> None:
        market = self._context.market(symbol)
        for held in self._held.values():
            if held.order.market != symbol or held.trail.is_triggered:
                continue
            before = held.trail
            for trade in trades:
                if trade.at > held.since and not held.trail.is_triggered:
                    held.trail = step_trail(held.order, held.trail, trade.price, trade.at, market)
            held.is_saved &= held.trail == before
            if held.trail.is_triggered:
                self._wake(held.order.id)

    async def _save(self) -> None:
        """Store where the orders stand that have moved since."""
        for held in [held for held in self._held.values() if not held.is_saved]:
            held.is_saved = True
            try:
                await self._save_trail(held.order.id, held.trail)
            except Unavailable:
                held.is_saved = False
                raise

    async def _save_trail(self, order_id: UUID, trail: Trail) -> None:
        at = self._context.clock.now()
        await self._context.update(
            order_id,
            lambda order: Transition(
                trail_to(order, at, trail.high_water, trail.stop_price) if order.is_held else order
            ),
        )

    def _wake_triggered(self) -> None:
        """Have those decided again that were triggered and could not be sent, for want of a fresh book for example."""
        now = self._context.clock.monotonic()
        for order_id, held in self._held.items():
            retry = self._retries.get(order_id)
            if held.trail.is_triggered and (retry is None or retry.at <= now):
                self._wake(order_id)

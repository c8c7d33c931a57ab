"""Keeps the positions of one account protected, and closes those that are to be closed, whatever became of their cause.

It starts to act when the account has reconciled. Nothing that matters is in memory alone: protections, intents and
orders are rows, and what a restart loses of the trades that were seen is found again in the candles.
"""

import asyncio
import logging
from contextlib import suppress
from decimal import Decimal
from typing import NoReturn
from uuid import UUID

from domain.core.background import TaskGroup
from domain.core.errors import Unavailable
from domain.core.money import EXACT, rounded
from domain.core.wakeup import Wakeup
from domain.model.markets import MarketSymbol
from domain.model.protection import PositionIntent, PositionProtection
from domain.ports.leases import StaleLease
from domain.rules.direction import Direction
from domain.rules.protected_position import EXIT_ROLES, exit_reason, targets_share
from domain.rules.protection import Exit, ExitCause
from domain.trading.close_requests import close_halted_positions
from domain.trading.exit_retry import is_late
from domain.trading.keeper_context import KeeperContext
from domain.trading.market_watch import MarketWatch, WatchedProtection
from domain.trading.position_closer import PositionCloser, internal_error_key
from domain.trading.protection_updater import ProtectedAccount, ProtectionUpdater
from domain.trading.reduce_only_orders import fit_reduce_only
from domain.trading.unwatched_protection import UnwatchedProtection
from domain.trading.venue_protector import VenueProtector

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.02
DEBOUNCE_SECONDS_EACH = 0.002
LONGEST_DEBOUNCE_SECONDS = 0.5
"""With many protections it takes longer to look, and more events come: the delay of a wake-up grows with them."""

_ALL = Decimal(1)
_NOTHING = ProtectedAccount((), (), (), (), {})


class PositionKeeper:
    """One task an account, independent of strategies and trading sessions."""

    def __init__(self, context: KeeperContext) -> None:
        self._context = context
        self._closer = PositionCloser(context)
        self._protections = 0
        self._wakeup = Wakeup()
        self._watches: dict[MarketSymbol, MarketWatch] = {}
        self._tasks: dict[MarketSymbol, asyncio.Task[None]] = {}
        self._retry_at: dict[UUID, float] = {}
        self._updater = ProtectionUpdater(context, self._live_high_water)
        self._protector = VenueProtector(context, self._watched)
        self._unwatched = UnwatchedProtection(context)

    def __repr__(self) -> str:
        return f"PositionKeeper({self._context.account.id}, markets={len(self._watches)})"

    def wake(self) -> None:
        """Have the account's rows read now instead of at the next poll."""
        self._wakeup.set()

    async def run(self) -> NoReturn:
        """Work until cancelled; raises `StaleLease` if the account's lease is lost."""
        try:
            async with TaskGroup() as group:
                await self._poll_loop(group)
        except* StaleLease:
            pass
        finally:
            self._watches.clear()
            self._tasks.clear()
        raise StaleLease(f"account {self._context.account.id} may be traded by another node")

    async def _poll_loop(self, group: TaskGroup) -> None:
        while True:
            self._wakeup.clear()
            seconds: float | None = self._context.timings.poll_interval
            with suppress(Unavailable):
                seconds = await self._poll(group)
            if await self._wakeup.wait(seconds):
                await asyncio.sleep(self._debounce_seconds)

    @property
    def _debounce_seconds(self) -> float:
        return min(DEBOUNCE_SECONDS + DEBOUNCE_SECONDS_EACH * self._protections, LONGEST_DEBOUNCE_SECONDS)

    async def _poll(self, group: TaskGroup) -> float | None:
        """Do all that is to be done now, and return in how many seconds to look again: None if only when woken."""
        timings = self._context.timings
        if not self._context.executor.has_reconciled:
            return timings.keeper_wait
        if not await self._is_needed():
            await self._watch(_NOTHING, group)
            return None
        await self._close_halted()
        state = await self._load_and_watch(group)
        has_changed = await self._updater.update(state)
        behind = {symbol for symbol, watch in self._watches.items() if watch.lacks_candles}
        if await self._unwatched.update(state, behind) or has_changed:
            state = await self._load_and_watch(group)
        await fit_reduce_only(self._context, state)
        has_more = await self._protector.update(state)
        if await self._form_intents(state):
            state = await self._load_and_watch(group)
        open_ids = {intent.id for intent in state.intents}
        self._retry_at = {key: at for key, at in self._retry_at.items() if key in open_ids}
        for intent in state.intents:
            await self._advance(intent, state)
        if state.intents or has_more:
            return timings.poll_interval
        return self._seconds_to_next_exit() if state.protections else timings.rest_interval

    async def _is_needed(self) -> bool:
        """Return whether there is anything to do or to watch, which most events of the account's user don't change."""
        async with self._context.database.read_only() as reading:
            return await reading.protection.needs_keeper(self._context.account.id)

    async def _load_and_watch(self, group: TaskGroup) -> ProtectedAccount:
        state = await self._load()
        await self._watch(state, group)
        return state

    async def _load(self) -> ProtectedAccount:
        account_id = self._context.account.id
        # One moment for all of it: an order with fills but no position has none any more.
        async with self._context.database.snapshot() as reading:
            protections = await reading.protection.list_open(account_id)
            intents = await reading.protection.list_open_intents(account_id)
            positions = await reading.positions.list_open(account_id)
            active = await reading.orders.list_active(account_id)
            entry_ids = [row.entry_order_id for row in protections if row.entry_order_id is not None]
            entries = {order.id: order for order in await reading.orders.get_many(entry_ids)}
        self._protections = len(protections)
        return ProtectedAccount(tuple(protections), tuple(intents), tuple(positions), tuple(active), entries)

    async def _close_halted(self) -> None:
        """Form the intents to close what a halt in force closes, also if a fill has just opened it."""
        accounts = [self._context.account.id]
        async with self._context.database.read_only() as reading:
            if not await reading.positions.list_halted(accounts):
                return
        async with self._context.transaction() as unit_of_work:
            await close_halted_positions(unit_of_work, accounts, self._context.ids, self._context.clock.now())

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _watch(self, state: ProtectedAccount, group: TaskGroup) -> None:
        """Follow the markets of the protections, and forget those that ended or whose position is being closed.

        A market is followed before the entry is filled, so that no trade after the fill is missed.
        """
        watched: dict[MarketSymbol, set[UUID]] = {}
        for protection in state.protections:
            market = self._context.feed.catalogue.get(protection.market)
            if market is None or protection.rules.is_empty or state.is_being_closed(protection):
                continue
            ids = watched.setdefault(protection.market, set())
            watch = self._watches.get(protection.market) or self._start_watch(protection.market, group)
            position = state.position_of(protection)
            if position is not None and protection.is_active and protection.position_id == position.id:
                ids.add(protection.id)
                try:
                    watch.watch(protection, market, Direction.of(position.quantity))
                except Exception as error:  # noqa: BLE001  # of one protection, which must harm no other
                    await self._context.report(protection, error)
        for symbol, watch in list(self._watches.items()):
            for key in watch.watched.keys() - watched.get(symbol, set()):
                del watch.watched[key]
            if symbol not in watched:
                self._tasks.pop(symbol).cancel()
                del self._watches[symbol]

    def _start_watch(self, symbol: MarketSymbol, group: TaskGroup) -> MarketWatch:
        watch = MarketWatch(self._context, symbol, self.wake)
        self._watches[symbol] = watch
        self._tasks[symbol] = group.create_task(watch.run(), name=f"watch:{symbol}")
        return watch

    def _seconds_to_next_exit(self) -> float:
        """Return when to look again while positions are held: at the latest when one was held for long enough."""
        timings = self._context.timings
        seconds = min(timings.rest_interval, timings.execution.unwatched_after)
        for symbol, watch in self._watches.items():
            now = self._context.feed.venue_now(symbol.venue)
            for watched in watch.watched.values():
                if watched.due is not None:
                    return timings.keeper_wait
                exit_at = watched.protection.exit_at
                if exit_at is not None:
                    seconds = min(seconds, max((exit_at - now).total_seconds(), 0.0))
        return max(seconds, DEBOUNCE_SECONDS)

    def _live_high_water(self, protection: PositionProtection) -> Decimal | None:
        """Return how far the trades of the last minute have moved a trailing stop: what a fill changes goes on from."""
        watched = self._watched(protection)
        return None if watched is None else watched.high_water

    def _watched(self, protection: PositionProtection) -> WatchedProtection | None:
        watch = self._watches.get(protection.market)
        return None if watch is None else watch.watched.get(protection.id)

    # -- from what is due to intents ---------------------------------------------------------------------------------

    async def _form_intents(self, state: ProtectedAccount) -> bool:
        """Store an intent for each protection of which something is due; return whether there was any.

        An order that rests at the venue for it is given the time to do it first.
        """
        has_formed = False
        for symbol, watch in self._watches.items():
            now = self._context.feed.venue_now(symbol.venue)
            for watched in list(watch.watched.values()):
                watched.on_time(now)
                if watched.due is not None and not self._is_the_venues(watched, watched.due, state):
                    try:
                        await self._form_intent(watched, watched.due)
                    except (StaleLease, Unavailable):
                        raise
                    except Exception as error:  # noqa: BLE001  # of one protection, which must harm no other
                        await self._context.report(watched.protection, error)
                        continue
                    watched.due, watched.is_certain = None, False
                    has_formed = True
        return has_formed

    def _is_the_venues(self, watched: WatchedProtection, exit_: Exit, state: ProtectedAccount) -> bool:
        return not watched.is_certain and self._protector.waits_for_venue(watched, exit_, state)

    async def _form_intent(self, watched: WatchedProtection, exit_: Exit) -> None:
        known, state = watched.protection, watched.state
        async with self._context.transaction() as unit_of_work:
            protection = await unit_of_work.protection.get_for_update(known.id)
            if protection is None or protection.ended_at is not None:
                return
            position = await unit_of_work.positions.get_open_for_update(
                protection.account_id, protection.market, protection.trading_session_id
            )
            if position is None or position.id != protection.position_id:
                return
            share = targets_share(protection, exit_) if exit_.cause is ExitCause.TARGET else _ALL
            protected = abs(position.quantity) if protection.quantity is None else protection.quantity
            intent = PositionIntent(
                id=self._context.ids.next_id(),
                user_id=protection.user_id,
                account_id=protection.account_id,
                market=protection.market,
                role=EXIT_ROLES[exit_.cause],
                reason=exit_reason(exit_, protection, state, watched.market),
                since=self._context.clock.now(),
                trading_session_id=protection.trading_session_id,
                position_id=position.id,
                protection_id=protection.id,
                quantity=None if share == _ALL else rounded(EXACT.multiply(protected, share)),
            )
            if not await unit_of_work.protection.add_intent(intent):
                # A target is reached again by the next trade, once the part before it is closed.
                watched.restart(protection)
                return
            self._context.publish_position(unit_of_work, position, intent.reason)
            if exit_.cause is ExitCause.TARGET:
                done = tuple(sorted({*protection.targets_done, *exit_.targets}))
                await unit_of_work.protection.save(protection.changed(targets_done=done))

    # -- from intents to orders --------------------------------------------------------------------------------------

    async def _advance(self, intent: PositionIntent, state: ProtectedAccount) -> None:
        """Do the next step of an intent; an error of the engine's own in it harms no other."""
        if intent.order_id is not None and state.is_active(intent.order_id):
            return
        is_due = is_late(intent, self._context.clock.now()) or not state.has_position_of(intent)
        if not is_due or self._retry_at.get(intent.id, 0.0) > self._context.clock.monotonic():
            return
        try:
            if intent.quantity is not None and any(_supersedes(other, intent) for other in state.intents):
                await self._closer.drop(intent)
            else:
                await self._closer.advance(intent)
        except (StaleLease, Unavailable):
            raise
        except Exception:
            log.exception("closing a position of intent %s failed", intent.id, extra=self._context.log_ids)
            self._retry_at[intent.id] = self._context.clock.monotonic() + self._context.timings.poll_interval
            async with self._context.transaction() as unit_of_work:
                message = f"The engine met an error of its own while it closed a position on {intent.market}."
                await self._context.alert(unit_of_work, internal_error_key(intent), message)


def _supersedes(other: PositionIntent, part: PositionIntent) -> bool:
    """Return whether another intent closes all of what `part` closes a part of."""
    if other.quantity is not None:
        return False
    if part.trading_session_id is not None:
        return (other.market, other.trading_session_id) == (part.market, part.trading_session_id)
    return other.protection_id == part.protection_id

"""Settles what is not known of an order by asking the venue, never by sending again."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext
from domain.execution.execution_reports import ReportHandler
from domain.model.orders import Order, OrderStatus
from domain.ports.execution_client import FillReport, OrderReport
from domain.ports.market_data import VenueUnreachable
from domain.rules.order_lifecycle import Step, cancel_refused, confirm_absent, doubt, is_missing_fills

_TRADE_MARGIN = timedelta(seconds=5)
_PATIENCE = 3
"""How many times an end is asked for again because fills of it are missing, before it is believed without them."""
_GIVE_UP = 40
_IN_FLIGHT_PAUSE = 0.02


@dataclass(slots=True)
class Case:
    """One order to be asked about: when the last request about it left, and when to ask next (monotonic seconds)."""

    order_id: UUID
    sent_at: float
    next_at: float
    asked: int = 0
    cancel_refusal: str | None = None


class InDoubtResolver:
    """Asks for orders one by one, first at once and then with growing pauses, until nothing is open about them."""

    def __init__(
        self, desk: AccountContext, cancel_again: Callable[[UUID], None], *, cancel_foreign: bool = False
    ) -> None:
        self._desk = desk
        self._cancel_again = cancel_again
        self._cases: dict[UUID, Case] = {}
        self._more = asyncio.Event()
        self.news = ReportHandler(desk, self.ask_soon, cancel_foreign=cancel_foreign)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open about any order."""
        return not self._cases

    def ask(self, order_id: UUID, *, sent_at: float | None = None, cancel_refusal: str | None = None) -> None:
        """Ask for the order now; `sent_at` is when a request about it left last, by the monotonic clock."""
        now = self._desk.clock.monotonic()
        before = self._cases.get(order_id)
        left = sent_at if sent_at is not None else before.sent_at if before else now
        self._cases[order_id] = Case(order_id, left, now, cancel_refusal=cancel_refusal)
        self._more.set()

    def ask_soon(self, order_id: UUID) -> None:
        """Ask for the order unless the venue tells the rest by itself in the meantime."""
        if order_id not in self._cases:
            now = self._desk.clock.monotonic()
            self._cases[order_id] = Case(order_id, now, now + self._desk.timing.settle_first)
            self._more.set()

    async def run(self) -> None:
        """Settle what there is, for ever."""
        while True:
            self._more.clear()
            for case in self._due():
                await self._attend(case)
            await self._wait()

    async def attend(self, order_id: UUID) -> None:
        """Ask once for the order at once, and go on asking in `run` while anything is open.

        Raises `VenueUnreachable` where the venue doesn't answer.
        """
        now = self._desk.clock.monotonic()
        case = self._cases.setdefault(order_id, Case(order_id, now, now))
        await self._settle(case)

    async def _attend(self, case: Case) -> None:
        try:
            await self._settle(case)
        except (VenueUnreachable, Unavailable) as error:
            wanted = getattr(error, "retry_after_seconds", None)
            self._again(case, wanted)

    async def _settle(self, case: Case) -> None:
        case.asked += 1
        order = await self._read(case.order_id)
        if order is None or order.status is OrderStatus.PENDING or order.status is OrderStatus.DENIED:
            self._close(case)
        elif order.id in self._desk.in_flight:
            # Its outcome is being written down this very moment.
            case.asked -= 1
            case.next_at = self._desk.clock.monotonic() + _IN_FLIGHT_PAUSE
        else:
            await self._ask_venue(case, order)

    async def _ask_venue(self, case: Case, order: Order) -> None:
        if order.status is OrderStatus.SUBMITTED:
            reason = "the answer of the venue is not known"
            at = self._desk.clock.now()
            changed = await self._desk.change(
                order.id, lambda now: doubt(now, at, reason) if now == order else Step(now)
            )
            order = changed or order
        told = await self._desk.venue.find(order)
        if told is None:
            await self._absent(case, order)
        else:
            await self._found(case, told)

    async def _found(self, case: Case, told: OrderReport) -> None:
        order = await self.news.take_order(told, complete=case.asked > _PATIENCE)
        if order is None:
            self._close(case)
        elif is_missing_fills(order, told):
            await self._miss_fills(case, order)
        elif order.status is OrderStatus.PENDING_CANCEL:
            await self._not_cancelled(case, order)
        else:
            self._close(case)

    async def _miss_fills(self, case: Case, order: Order) -> None:
        if case.asked < _GIVE_UP:
            self._again(case)
            return
        self._close(case)
        await self._desk.alert(f"fills:{order.id}", f"The venue never told all fills of order {order.client_order_id}.")

    async def _not_cancelled(self, case: Case, order: Order) -> None:
        """The order rests although its cancel was sent: refused, on its way, or lost."""
        if case.cancel_refusal is not None:
            at, reason = self._desk.clock.now(), case.cancel_refusal
            await self._desk.change(order.id, lambda o: cancel_refused(o, at, reason))
            self._close(case)
        elif self._could_still_arrive(case):
            self._again(case)
        else:
            # To cancel twice harms nothing: the id is this order's alone.
            self._close(case)
            self._cancel_again(order.id)

    async def _absent(self, case: Case, order: Order) -> None:
        if order.status.is_final:
            self._close(case)
        elif self._could_still_arrive(case) or await self._left_a_trade(order):
            self._again(case)
        else:
            at = self._desk.clock.now()
            after = await self._desk.change(order.id, lambda o: confirm_absent(o, at))
            if after is None or after.status.is_final:
                self._close(case)
            else:
                self._again(case)

    async def _left_a_trade(self, order: Order) -> bool:
        """Tell whether a trade of the order, or one that may be of it, is known to the venue."""
        since = (order.submitted_at or order.created_at) - _TRADE_MARGIN
        async with self._desk.database.read_only() as transaction:
            for known in await transaction.orders.recent(self._desk.account.id, since):
                self.news.remember(known)
        for fill in await self._desk.venue.fills(order.market, self._desk.at_venue(since)):
            if fill.client_order_id == order.client_order_id or fill.venue_order_id == order.venue_order_id:
                await self.news.take_fill(replace(fill, client_order_id=order.client_order_id))
                return True
            if self._may_be_of(order, fill):
                return True
        return False

    def _may_be_of(self, order: Order, fill: FillReport) -> bool:
        return (
            fill.client_order_id is None
            and order.venue_order_id is None
            and fill.side is order.side
            and fill.quantity <= order.quantity
            and not self.news.knows(fill)
        )

    async def _read(self, order_id: UUID) -> Order | None:
        async with self._desk.database.read_only() as transaction:
            found = await transaction.orders.many([order_id])
        return found[0] if found else None

    def _could_still_arrive(self, case: Case) -> bool:
        return self._desk.clock.monotonic() - case.sent_at < self._desk.timing.absence

    def _again(self, case: Case, wanted_pause: float | None = None) -> None:
        timing, now = self._desk.timing, self._desk.clock.monotonic()
        pause = min(timing.settle_first * 2 ** min(case.asked, 16), timing.settle_longest)
        certain_at = case.sent_at + timing.absence
        if now < certain_at:
            pause = min(pause, certain_at - now)
        elif wanted_pause is None and case.asked < _GIVE_UP:
            pause = min(pause, timing.absence / 9)
        case.next_at = now + max(pause, wanted_pause or 0)

    def _close(self, case: Case) -> None:
        if self._cases.get(case.order_id) is case:
            del self._cases[case.order_id]

    def _due(self) -> list[Case]:
        now = self._desk.clock.monotonic()
        return [case for case in list(self._cases.values()) if case.next_at <= now]

    async def _wait(self) -> None:
        now = self._desk.clock.monotonic()
        next_at = min((case.next_at for case in self._cases.values()), default=None)
        with suppress(TimeoutError):
            # Not wait_for: on Python 3.11 it loses a cancellation that comes with the event.
            async with asyncio.timeout(None if next_at is None else max(next_at - now, 0)):
                await self._more.wait()

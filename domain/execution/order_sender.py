"""Sends committed orders and cancels to the venue, each once, and saves the outcome."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from domain.core.errors import Unavailable
from domain.core.tracing import order_span
from domain.execution.account_context import AccountContext, Change
from domain.execution.in_doubt import HeldAgain, InDoubtResolver
from domain.model.orders import CancelCode, Order, OrderStatus, RejectCode
from domain.ports.execution_client import NotSent, OrderPair, OrderReport, OutcomeUnknown, VenueRefused
from domain.ports.leases import StaleLease
from domain.rules.order_lifecycle import Transition, cancel_unsent, hold_again, is_held_again, mark_in_doubt, reject

_OF_FILTERS = frozenset(
    {RejectCode.PRICE, RejectCode.QUANTITY, RejectCode.NOTIONAL, RejectCode.MARKET_CLOSED, RejectCode.UNSUPPORTED}
)
"""Rejections that say that the market's filters are others than those that the order was checked by."""

_log = logging.getLogger(__name__)

Request = Callable[[], Awaitable[OrderReport]]
"""Sends an order, once, and returns the venue's report of it."""


class _TooOld(NotSent):
    """The order has waited too long for its turn."""


@dataclass(frozen=True, slots=True)
class _Unsent:
    """That the order was certainly not sent, and why."""

    reason: str
    code: CancelCode


class OrderSender:
    """The only caller of the venue's `place`, `place_group` and `replace`, and of its `cancel` for own orders.

    `held_again` is called with a triggered trailing stop that could not be sent and is to be tried again, and why.
    """

    def __init__(self, context: AccountContext, resolver: InDoubtResolver, held_again: HeldAgain) -> None:
        self._context = context
        self._resolver = resolver
        self._held_again = held_again

    async def place(self, order: Order) -> None:
        """Send a SUBMITTED order and save its outcome; an unknown outcome is resolved by querying the venue."""
        await self._deliver(order, lambda: self._context.venue.place(order, lambda: self._check_sendable(order)))

    async def place_group(self, orders: OrderPair) -> None:
        """Send two SUBMITTED orders of which one ends the other, in one request, and save what became of both.

        The venue takes both or neither, so what becomes of the first becomes of the second too. Whatever isn't known is
        asked of each by its own id.
        """
        first, second = orders

        def check_sendable() -> None:
            for order in orders:
                self._check_sendable(order)

        async def request() -> OrderReport:
            reports = await self._context.venue.place_group(orders, check_sendable)
            await self._resolver.report_handler.on_order(reports[1])
            return reports[0]

        await self._deliver(first, request)
        after, known = (self._context.order_cache.get(order.client_order_id) for order in orders)
        if known is not None and not _is_submitted(known):
            return
        try:
            changed = await self._context.update(
                second.id,
                lambda current: self._follow(current, after) if _is_submitted(current) else Transition(current),
            )
        except Unavailable:
            changed = None
        if changed is None or changed.status is OrderStatus.IN_DOUBT:
            self._resolve(second)

    def _follow(self, order: Order, first: Order | None) -> Transition:
        """Return what becomes of a SUBMITTED order by what the same request has made of the first one."""
        now = self._context.clock.now()
        if first is not None and first.status is OrderStatus.REJECTED:
            return reject(order, now, first.reject_reason or "", first.reject_code or RejectCode.UNKNOWN)
        if first is not None and first.status is OrderStatus.CANCELED and first.venue_order_id is None:
            return cancel_unsent(order, now, "not sent, as the other order of its group", CancelCode.NOT_SENT)
        return mark_in_doubt(order, now, "what became of the request is not known")

    async def replace(self, replaced: Order, order: Order) -> None:
        """Have the venue cancel a PENDING_CANCEL order and place a SUBMITTED one, in one request.

        The outcome of the new order is saved as that of any other. What has become of the replaced order is asked if
        the answer didn't say that it was cancelled.
        """
        await self._deliver(order, lambda: self._replace(replaced, order))
        known = self._context.order_cache.get(replaced.client_order_id)
        if known is None or not known.status.is_final:
            self._resolve(replaced)

    async def _replace(self, replaced: Order, order: Order) -> OrderReport:
        report = await self._context.venue.replace(replaced, order, lambda: self._check_sendable(order))
        await self._resolver.report_handler.on_order(report.canceled)
        if report.placed is None:
            raise report.refusal or VenueRefused("the venue refused the order and gave no reason")
        return report.placed

    async def _deliver(self, order: Order, request: Request) -> None:
        with order_span("order.send", order.id, venue=order.market.venue, type=order.type.value):
            await self._send_and_save(order, request)

    async def _send_and_save(self, order: Order, request: Request) -> None:
        try:
            outcome = await self._send(order, request)
            if isinstance(outcome, _Unsent):
                await self._save_unsent(order, outcome)
            elif isinstance(outcome, OrderReport):
                await self._resolver.report_handler.on_order(outcome)
            else:
                after = await self._context.update(order.id, outcome)
                if after is not None and after.reject_code in _OF_FILTERS:
                    await self._context.markets.request_reload(order.market.venue)
        except Unavailable:
            # It was sent, and the outcome can't be saved now: the resolver saves it when it can.
            self._resolve(order)

    async def _save_unsent(self, order: Order, unsent: _Unsent) -> None:
        """Save that the order wasn't sent; a triggered trailing stop protects, so that it is held instead of ended."""
        context = self._context

        def change(current: Order) -> Transition:
            if not _is_submitted(current):
                return Transition(current)
            if is_held_again(current):
                return hold_again(current, context.clock.now(), unsent.reason)
            return cancel_unsent(current, context.clock.now(), unsent.reason, unsent.code)

        while True:
            try:
                after = await context.update(order.id, change)
            except Unavailable:
                if not is_held_again(order):
                    raise
                # To ask the venue for it would end it: the venue doesn't know it.
                await asyncio.sleep(context.timings.retry_delay)
            else:
                break
        if after is not None and after.is_held:
            await self._held_again(after, unsent.reason)

    async def cancel(self, order: Order) -> Order | None:
        """Send the cancel of a PENDING_CANCEL order, save its outcome, and return the order; None if it isn't known."""
        with order_span("order.cancel", order.id, venue=order.market.venue):
            return await self._cancel(order)

    async def _cancel(self, order: Order) -> Order | None:
        after: Order | None = None
        try:
            report = await self._context.venue.cancel(order, self._context.check_lease)
            after = None if report is None else await self._resolver.report_handler.on_order(report)
        except VenueRefused as refused:
            self._resolve(order, cancel_refusal=refused.reason)
        except (OutcomeUnknown, NotSent, Unavailable):
            self._resolve(order)
        else:
            if after is None or not after.status.is_final:
                self._resolve(order)
        return after

    async def _send(self, order: Order, request: Request) -> OrderReport | _Unsent | Change:
        """Return the venue's report, that there was no request, or what follows from the venue's refusal or silence."""
        context = self._context
        try:
            return await request()
        except VenueRefused as refused:
            reason, reject_code = refused.reason, refused.code
            return lambda current: reject(current, context.clock.now(), reason, reject_code)
        except NotSent as unsent:
            code = CancelCode.TOO_OLD if isinstance(unsent, _TooOld) else CancelCode.NOT_SENT
            return _Unsent(f"not sent: {unsent}", code)
        except (StaleLease, Unavailable):
            raise
        except OutcomeUnknown as unknown:
            reason = str(unknown) or "the venue did not answer"
        except Exception as error:  # noqa: BLE001  # whatever went wrong, the order may be at the venue
            ids = {"user_id": str(order.user_id), "account_id": str(order.account_id), "order_id": str(order.id)}
            _log.error("order %s: unexpected %r while it was sent", order.id, error, extra=ids)  # no traceback
            reason = "the answer of the venue could not be understood"
        self._resolve(order)
        return lambda current: (
            mark_in_doubt(current, context.clock.now(), reason) if _is_submitted(current) else Transition(current)
        )

    def _check_sendable(self, order: Order) -> None:
        """Raise `NotSent` if the lease may have been lost, or the order was withdrawn or is too old for its turn."""
        self._context.check_lease()
        if order.id in self._context.withdrawn:
            raise NotSent("its cancel was requested before its turn came")
        age = self._context.order_ages.of(order.id)
        maximum_age = self._context.maximum_age(order)
        if age >= maximum_age:
            raise _TooOld(f"its turn came {age:.1f} s after it was due, and it may be sent within {maximum_age:g} s")

    def _resolve(self, order: Order, *, cancel_refusal: str | None = None) -> None:
        self._resolver.enqueue(order.id, sent_at=self._context.clock.monotonic(), cancel_refusal=cancel_refusal)


def _is_submitted(order: Order) -> bool:
    return order.status is OrderStatus.SUBMITTED

"""Sends committed orders and cancels to the venue, each once, and saves the outcome."""

import logging
from collections.abc import Awaitable, Callable

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext, Change
from domain.execution.in_doubt import InDoubtResolver
from domain.model.orders import CancelCode, Order, OrderStatus, OrderType, RejectCode
from domain.ports.execution_client import NotSent, OrderReport, OutcomeUnknown, VenueRefused
from domain.rules.order_lifecycle import Transition, cancel_unsent, mark_in_doubt, reject

_OF_FILTERS = frozenset(
    {RejectCode.PRICE, RejectCode.QUANTITY, RejectCode.NOTIONAL, RejectCode.MARKET_CLOSED, RejectCode.UNSUPPORTED}
)
"""Rejections that say that the market's filters are others than those that the order was checked by."""

_log = logging.getLogger(__name__)

Request = Callable[[], Awaitable[OrderReport]]
"""Sends an order, once, and returns the venue's report of it."""


class _TooOld(NotSent):
    """The order has waited too long for its turn."""


class OrderSender:
    """The only caller of the venue's `place` and `replace`, and of its `cancel` for the engine's own orders."""

    def __init__(self, context: AccountContext, resolver: InDoubtResolver) -> None:
        self._context = context
        self._resolver = resolver

    async def place(self, order: Order) -> None:
        """Send a SUBMITTED order and save its outcome; an unknown outcome is resolved by querying the venue."""
        await self._deliver(order, lambda: self._context.venue.place(order, lambda: self._check_sendable(order)))

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
        report = await self._context.venue.replace(replaced, order, self._context.check_lease)
        await self._resolver.report_handler.on_order(report.canceled)
        if report.placed is None:
            raise report.refusal or VenueRefused("the venue refused the order and gave no reason")
        return report.placed

    async def _deliver(self, order: Order, request: Request) -> None:
        try:
            outcome = await self._send(order, request)
            if isinstance(outcome, OrderReport):
                await self._resolver.report_handler.on_order(outcome)
            else:
                after = await self._context.update(order.id, outcome)
                if after is not None and after.reject_code in _OF_FILTERS:
                    await self._context.markets.request_reload(order.market.venue)
        except Unavailable:
            # It was sent, and the outcome can't be saved now: the resolver saves it when it can.
            self._resolve(order)

    async def cancel(self, order: Order) -> Order | None:
        """Send the cancel of a PENDING_CANCEL order, save its outcome, and return the order; None if it isn't known."""
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

    async def _send(self, order: Order, request: Request) -> OrderReport | Change:
        """Return the venue's report, or the change of the order that follows from its refusal or silence."""
        context = self._context
        try:
            return await request()
        except VenueRefused as refused:
            reason, code = refused.reason, refused.code
            return lambda current: reject(current, context.clock.now(), reason, code)
        except NotSent as unsent:
            reason = f"not sent: {unsent}"
            unsent_code = CancelCode.TOO_OLD if isinstance(unsent, _TooOld) else CancelCode.NOT_SENT
            return lambda current: (
                cancel_unsent(current, context.clock.now(), reason, unsent_code)
                if _is_submitted(current)
                else Transition(current)
            )
        except Unavailable:
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
        """Raise `NotSent` if the lease may have been lost, or if the order has waited too long for its turn."""
        self._context.check_lease()
        # A trailing stop was placed long ago: it is due since the price triggered it and it passed the risk checks.
        due_at = order.submitted_at if order.type is OrderType.TRAILING_STOP else None
        age = (self._context.clock.now() - (due_at or order.created_at)).total_seconds()
        maximum_age = self._context.timings.maximum_age(order)
        if age >= maximum_age:
            raise _TooOld(f"its turn came {age:.1f} s after it was due, and it may be sent within {maximum_age:g} s")

    def _resolve(self, order: Order, *, cancel_refusal: str | None = None) -> None:
        self._resolver.enqueue(order.id, sent_at=self._context.clock.monotonic(), cancel_refusal=cancel_refusal)


def _is_submitted(order: Order) -> bool:
    return order.status is OrderStatus.SUBMITTED

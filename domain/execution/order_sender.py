"""Sends what has been committed, once, and records what came of it."""

import logging

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext, Change
from domain.execution.in_doubt import InDoubtResolver
from domain.model.orders import Order, OrderStatus
from domain.ports.execution_client import NotSent, OrderReport, OutcomeUnknown, VenueRefused
from domain.rules.order_lifecycle import Step, cancel_unsent, doubt, reject

_log = logging.getLogger(__name__)


class Sender:
    """The only caller of the venue's `place` and `cancel`."""

    def __init__(self, desk: AccountContext, settler: InDoubtResolver) -> None:
        self._desk = desk
        self._settler = settler

    async def place(self, order: Order) -> None:
        """Send a SUBMITTED order and record its outcome; what is not definite is settled by asking."""
        try:
            told = await self._place(order)
            if isinstance(told, OrderReport):
                await self._settler.news.take_order(told)
            else:
                await self._desk.change(order.id, told)
        except Unavailable:
            # It was sent, and that can't be written down now: the settler writes it when it can.
            self._ask(order)

    async def cancel(self, order: Order) -> None:
        """Send the cancel of an order that is PENDING_CANCEL, and record its outcome."""
        try:
            told = await self._desk.venue.cancel(order, self._desk.guard)
            after = None if told is None else await self._settler.news.take_order(told)
        except VenueRefused as refused:
            self._ask(order, cancel_refusal=refused.reason)
        except (OutcomeUnknown, NotSent, Unavailable):
            self._ask(order)
        else:
            if after is None or not after.status.is_final:
                self._ask(order)

    async def _place(self, order: Order) -> OrderReport | Change:
        """Return what the venue told, or the change that its silence or refusal makes."""
        desk = self._desk
        try:
            return await desk.venue.place(order, desk.guard)
        except VenueRefused as refused:
            reason, code = refused.reason, refused.code
            return lambda now: reject(now, desk.clock.now(), reason, code)
        except NotSent as unsent:
            reason = f"not sent: {unsent}"
            return lambda now: cancel_unsent(now, desk.clock.now(), reason) if _is_submitted(now) else Step(now)
        except OutcomeUnknown as unknown:
            reason = str(unknown) or "the venue did not answer"
        except Exception as error:  # noqa: BLE001  # whatever went wrong, the order may be at the venue
            ids = {"user_id": str(order.user_id), "account_id": str(order.account_id), "order_id": str(order.id)}
            _log.error("order %s: unexpected %r while it was sent", order.id, error, extra=ids)  # no traceback
            reason = "the answer of the venue could not be understood"
        self._ask(order)
        return lambda now: doubt(now, desk.clock.now(), reason) if _is_submitted(now) else Step(now)

    def _ask(self, order: Order, *, cancel_refusal: str | None = None) -> None:
        self._settler.ask(order.id, sent_at=self._desk.clock.monotonic(), cancel_refusal=cancel_refusal)


def _is_submitted(order: Order) -> bool:
    return order.status is OrderStatus.SUBMITTED

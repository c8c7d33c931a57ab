"""Which pending orders are not to be sent any more, although no risk check denies them, and why."""

from collections.abc import Sequence
from contextlib import nullcontext

from domain.model.orders import CancelCode, Order, OrderRole
from domain.model.protection import PositionIntent
from domain.ports.unit_of_work import Database, UnitOfWork


async def why_withdrawn(
    database: Database,
    unit_of_work: UnitOfWork | None,
    order: Order,
    intents: Sequence[PositionIntent] | None = None,
) -> tuple[str, CancelCode] | None:
    """Return the reason in words and as a code; None if the order may be sent.

    What it depends on is read by the `unit_of_work` that decides, or from the `database` if there is none; `intents`
    are the account's open ones if they were read after the order was placed.
    """
    if order.cancel_requested_at is not None:
        return "cancelled before it was sent", CancelCode.REQUESTED
    if order.role is not OrderRole.ENTRY:
        return None
    if intents is None:
        async with database.read_only() if unit_of_work is None else nullcontext(unit_of_work) as reading:
            intents = await reading.protection.list_open_intents(order.account_id)
    is_closed = _enters_what_is_being_closed(order, intents)
    return ("the position that it enters is being closed", CancelCode.EXIT) if is_closed else None


def _enters_what_is_being_closed(order: Order, intents: Sequence[PositionIntent]) -> bool:
    """Return whether the position of the order's trading session is to be closed whole.

    The position keeper cancels the entries that it sees when it closes. It doesn't see one that another transaction is
    about to commit: the same price can lead to a further entry and to the stop-loss.
    """
    owner = (order.market, order.trading_session_id)
    return any((intent.market, intent.trading_session_id) == owner and intent.quantity is None for intent in intents)

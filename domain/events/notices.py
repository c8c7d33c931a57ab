"""What a commit means for those who trade an account: the content of the bus message that a user's log has grown.

Only an optimisation. Readers of the log need to know only that it has grown; and a message that isn't understood means
that anything may have changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderEvent, OrderRole
from domain.model.trading import Account, Position, TradingSession

ANYTHING = b""
"""The message that says nothing of what has changed."""

_WITHOUT_EFFECT = frozenset({UserEventKind.ALERT, UserEventKind.ACTIVITY, UserEventKind.JOB, UserEventKind.REPORT})
_FORMAT = "1"


@dataclass(frozen=True, slots=True)
class EventNotice:
    """That something of an account has changed; of any of the user's accounts if `account_id` is None.

    With a `market` it is no more than a step of an order by hand on it, from which nothing follows but that the
    market's prices are needed.
    """

    account_id: UUID | None = None
    market: MarketSymbol | None = None


def notices_of(events: Iterable[NewEvent]) -> dict[UUID, set[EventNotice]]:
    """Return what events mean, by the users whose logs they are in; each of these users has an entry."""
    notices: dict[UUID, set[EventNotice]] = {}
    for event in events:
        of_user = notices.setdefault(event.user_id, set())
        if event.kind not in _WITHOUT_EFFECT:
            of_user.add(_notice_of(event))
    return notices


def encode_notices(notices: Iterable[EventNotice]) -> bytes:
    """Return the bus message that carries the notices, of which there may be none."""
    return "\n".join([_FORMAT, *map(_line, notices)]).encode()


def decode_notices(message: bytes) -> list[EventNotice]:
    """Return the notices of a bus message; that anything may have changed if it has none that are understood."""
    head, *lines = message.decode(errors="replace").split("\n")
    try:
        return [_notice(line) for line in lines] if head == _FORMAT else [EventNotice()]
    except ValueError:
        return [EventNotice()]


def _notice_of(event: NewEvent) -> EventNotice:
    match event.subject:
        case OrderEvent(order=order) if event.kind is UserEventKind.ORDER and _is_by_hand(order):
            return EventNotice(order.account_id, order.market)
        case OrderEvent(order=order):
            return EventNotice(order.account_id)
        case Position() | TradingSession():
            return EventNotice(event.subject.account_id)
        case Account():
            return EventNotice(event.subject.id)
        case _:
            return EventNotice()


def _is_by_hand(order: Order) -> bool:
    """Return whether an active order stands for itself: no trading session, position or other order depends on it."""
    depends = order.trading_session_id or order.parent_id or order.replaces_id or order.signal_id
    return order.role is OrderRole.MANUAL and not (depends or order.reduce_only or order.status.is_final)


def _line(notice: EventNotice) -> str:
    account = "*" if notice.account_id is None else notice.account_id.hex
    return account if notice.market is None else f"{account} {notice.market}"


def _notice(line: str) -> EventNotice:
    account, _, market = line.partition(" ")
    account_id = None if account == "*" else UUID(hex=account)
    return EventNotice(account_id, MarketSymbol.parse(market) if market else None)

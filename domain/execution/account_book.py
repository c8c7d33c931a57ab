"""What the risk checks need of an account, in memory: under the lease nobody else changes it, so it isn't read again.

Three things come from elsewhere, and none of them lets an order through that shouldn't be. Halts and the account's
limits are compared by the statement that commits a decision. A deposit makes the balances grow: no order is denied by
what is remembered.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from cachetools import LRUCache

from domain.model.orders import Order, OrderStatus
from domain.model.trading import Account, Balance, Position, TradingSession
from domain.ports.orders import RiskSnapshot

_MAXIMUM_SESSIONS = 500
"""Of how many trading sessions of an account the limits are remembered; those of others are read when needed."""


@dataclass(slots=True)
class _Pages:
    """The account as it was last committed. `recent` are the orders that were submitted from `since` on."""

    account: Account
    limits: str
    since: datetime
    balances: dict[str, Balance]
    positions: dict[UUID, Position]
    active: dict[UUID, Order]
    recent: dict[UUID, Order]


class AccountBook:
    """An account's active and recent orders, open positions and balances, or nothing of them until they are read.

    What is committed is put here at once, by the task that has committed it. If it isn't certain what the database has
    now, `forget` is called: the next decision reads it again.
    """

    def __init__(self) -> None:
        self._pages: _Pages | None = None
        self._version = 0
        self._read_at = float("-inf")
        self._expected: dict[UUID, Order] = {}
        self._sessions: LRUCache[UUID, TradingSession] = LRUCache(_MAXIMUM_SESSIONS)

    def __repr__(self) -> str:
        return f"AccountBook(version={self._version}, read={self._pages is not None})"

    @property
    def version(self) -> int:
        """What changes with each change: who reads from the database notes it before, for `learn`."""
        return self._version

    @property
    def limits(self) -> str | None:
        """The account's limits as they are stored; None if nothing is known."""
        return None if self._pages is None else self._pages.limits

    def forget(self) -> None:
        """Forget everything."""
        self._version += 1
        self._pages = None

    def learn(self, snapshot: RiskSnapshot, since: datetime, version: int, began: float) -> None:
        """Remember what was read, unless something has changed since `version`, or a halt is in force.

        `began` is when it began to be read, in monotonic seconds.
        """
        if version != self._version or snapshot.halts:
            return
        self._read_at = began
        if snapshot.session is not None:
            self._sessions[snapshot.session.id] = snapshot.session
        self._pages = _Pages(
            account=snapshot.account,
            limits=snapshot.limits,
            since=since,
            balances={balance.currency: balance for balance in snapshot.balances},
            positions={position.id: position for position in snapshot.positions},
            active={order.id: order for order in snapshot.active},
            recent={order.id: order for order in snapshot.recent},
        )

    def snapshot(self, order: Order, since: datetime) -> RiskSnapshot | None:
        """Return the input of the risk checks of an order; None if it must be read from the database."""
        pages = self._pages
        if pages is None or since < pages.since:
            return None
        session = None if order.trading_session_id is None else self._sessions.get(order.trading_session_id)
        if order.trading_session_id is not None and session is None:
            return None
        self._drop_old(pages, since)
        return RiskSnapshot(
            halts=(),
            account=pages.account,
            limits=pages.limits,
            session=session,
            balances=tuple(pages.balances.values()),
            positions=tuple(pages.positions.values()),
            active=tuple(other for other in pages.active.values() if other.id != order.id),
            recent=tuple(pages.recent.values()),
        )

    def was_read_after(self, monotonic_seconds: float) -> bool:
        """Return whether all that is known was read later than that, or has been committed since."""
        return self._pages is not None and self._read_at > monotonic_seconds

    def lacks_session(self, order: Order) -> bool:
        """Return whether the order's trading session is not known."""
        return order.trading_session_id is not None and order.trading_session_id not in self._sessions

    def put_sessions(self, sessions: Iterable[TradingSession]) -> None:
        """Take trading sessions as they are stored; nothing of them that the risk checks use ever changes."""
        for session in sessions:
            self._sessions[session.id] = session

    def expect(self, order: Order) -> None:
        """Have `with_expected` show an order as it will be if the transaction that is being prepared commits."""
        self._expected[order.id] = order

    def expect_nothing(self) -> None:
        """End that; what is committed is put here by `put_order`."""
        self._expected.clear()

    def with_expected(self, snapshot: RiskSnapshot) -> RiskSnapshot:
        """Return the input of the risk checks with the expected orders in it."""
        if not self._expected:
            return snapshot
        others = [order for order in snapshot.active if order.id not in self._expected]
        before = [order for order in snapshot.recent if order.id not in self._expected]
        expected = self._expected.values()
        return replace(
            snapshot,
            active=(*others, *(order for order in expected if _may_fill(order))),
            recent=(*before, *(order for order in expected if order.submitted_at is not None)),
        )

    def put_order(self, order: Order) -> None:
        """Take an order as it was committed."""
        self._version += 1
        pages = self._pages
        if pages is None:
            return
        if _may_fill(order):
            pages.active[order.id] = order
        else:
            pages.active.pop(order.id, None)
        if order.submitted_at is None:
            pages.recent.pop(order.id, None)
        elif order.submitted_at >= pages.since:
            pages.recent[order.id] = order

    def put_positions(self, positions: Iterable[Position]) -> None:
        """Take positions as they were committed."""
        self._version += 1
        if self._pages is None:
            return
        for position in positions:
            if position.closed_at is None:
                self._pages.positions[position.id] = position
            else:
                self._pages.positions.pop(position.id, None)

    def put_balances(self, balances: Iterable[Balance]) -> None:
        """Take balances as they were stored: those that aren't older than the known ones."""
        self._version += 1
        if self._pages is None:
            return
        for balance in balances:
            known = self._pages.balances.get(balance.currency)
            if known is None or known.at is None or balance.at is None or known.at <= balance.at:
                self._pages.balances[balance.currency] = balance

    @staticmethod
    def _drop_old(pages: _Pages, since: datetime) -> None:
        """Drop the orders that were submitted before `since`; they are in the order in which they were submitted."""
        for order_id, order in list(pages.recent.items()):
            if order.submitted_at is not None and order.submitted_at >= since:
                break
            del pages.recent[order_id]
        pages.since = since


def _may_fill(order: Order) -> bool:
    return bool(order.outstanding_quantity) if order.status.is_final else order.status is not OrderStatus.PENDING

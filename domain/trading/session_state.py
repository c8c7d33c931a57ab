"""What is stored of a trading session: its row, and its open positions, active orders and intents to be flat."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol, TypeVar
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderRole
from domain.model.protection import PositionIntent
from domain.model.trading import Position, TradingSession
from domain.portfolio.reservations import held_by_sessions
from domain.ports.unit_of_work import UnitOfWork


class TradingSessionEnded(Exception):
    """The trading session is stopped or failed; its runner must end."""


@dataclass(frozen=True, slots=True)
class TradingSessionState:
    """A trading session's row, its open positions, its active orders and its intents to be flat, as stored.

    `held` is what positions of all the account's trading sessions hold, by currency.

    What isn't named after all of its markets is that of `symbol` alone.
    """

    session: TradingSession
    symbol: MarketSymbol
    all_positions: tuple[Position, ...]
    all_orders: tuple[Order, ...]
    all_intents: tuple[PositionIntent, ...]
    held: Mapping[str, Decimal]

    def of(self, symbol: MarketSymbol) -> "TradingSessionState":
        """Return the state of another of its markets."""
        return replace(self, symbol=symbol)

    @property
    def position(self) -> Position | None:
        """The open position."""
        return next((position for position in self.all_positions if position.market == self.symbol), None)

    @property
    def orders(self) -> tuple[Order, ...]:
        """The active orders, oldest first."""
        return tuple(order for order in self.all_orders if order.market == self.symbol)

    @property
    def intent(self) -> PositionIntent | None:
        """The intent to be flat."""
        return next((intent for intent in self.all_intents if intent.market == self.symbol), None)

    @property
    def has_place(self) -> bool:
        """Whether a position may be opened: fewer other markets than allowed have one, or an entry order."""
        most = self.session.max_open_positions
        entries = {order.market for order in self.all_orders if order.role is OrderRole.ENTRY}
        used = entries.union(position.market for position in self.all_positions) - {self.symbol}
        return most is None or len(used) < most

    @property
    def entries(self) -> tuple[Order, ...]:
        """The active orders that may still open or enlarge a position."""
        return tuple(order for order in self.orders if order.role is OrderRole.ENTRY)

    @property
    def is_flat(self) -> bool:
        """Whether nothing is open or under way."""
        return self.position is None and not self.orders


class _OfSession(Protocol):
    @property
    def trading_session_id(self) -> UUID | None: ...


T = TypeVar("T", bound=_OfSession)


class TradingSessionRows:
    """The open positions, active orders and intents of an account, by its trading sessions; each oldest first."""

    def __init__(
        self, positions: Sequence[Position], orders: Sequence[Order], intents: Sequence[PositionIntent]
    ) -> None:
        self._positions = _by_session(positions)
        self._orders = _by_session(orders)
        self._held = held_by_sessions(positions, orders)
        self._intents = _by_session(intent for intent in intents if intent.quantity is None)

    def state(self, session: TradingSession | None, symbol: MarketSymbol) -> TradingSessionState:
        """Return the state of a trading session; raises `TradingSessionEnded`."""
        if session is None or session.status.is_final:
            raise TradingSessionEnded
        key = session.id
        positions, orders = tuple(self._positions.get(key, ())), tuple(self._orders.get(key, ()))
        return TradingSessionState(session, symbol, positions, orders, tuple(self._intents.get(key, ())), self._held)


async def load_session_rows(unit_of_work: UnitOfWork, account_id: UUID) -> TradingSessionRows:
    """Return what the account's trading sessions have: three statements, however many trading sessions there are."""
    positions = await unit_of_work.positions.list_open(account_id)
    intents = await unit_of_work.protection.list_open_intents(account_id)
    return TradingSessionRows(positions, await unit_of_work.orders.list_active(account_id), intents)


def _by_session(rows: Iterable[T]) -> dict[UUID, list[T]]:
    of_sessions: defaultdict[UUID, list[T]] = defaultdict(list)
    for row in rows:
        if row.trading_session_id is not None:
            of_sessions[row.trading_session_id].append(row)
    return of_sessions

"""The port through which an account's orders reach a venue, and what the venue says of them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.reject_codes import RejectCode
from domain.model.trading import Balance
from domain.ports.market_data import VenueUnreachable


@dataclass(frozen=True, slots=True)
class FillReport:
    """One execution as the venue tells it; the client order id is None where the venue doesn't repeat it."""

    market: MarketSymbol
    venue_order_id: str
    client_order_id: str | None
    venue_trade_id: str
    at: datetime
    side: OrderSide
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    maker: bool | None


@dataclass(frozen=True, slots=True)
class OrderReport:
    """An order as the venue tells it: OPEN, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED or REJECTED.

    `fills` holds what came with the answer; it may be fewer than `filled_quantity` says.
    """

    market: MarketSymbol
    client_order_id: str
    venue_order_id: str
    status: OrderStatus
    side: OrderSide
    type: OrderType
    quantity: Decimal
    filled_quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    at: datetime | None
    fills: tuple[FillReport, ...] = ()


@dataclass(frozen=True, slots=True)
class BalanceReport:
    """Balances as the venue tells them; currencies that are not named have not changed."""

    balances: tuple[Balance, ...]


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The account's stream is (again) open; what happened before may have been missed."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The account's stream broke; it is being opened again."""


VenueUpdate = OrderReport | FillReport | BalanceReport | StreamOpened | StreamLost


class CredentialsRejected(VenueUnreachable):
    """A question was not answered because the venue doesn't take its signature: a wrong, revoked or restricted key."""


class VenueRefused(Exception):
    """The venue said no, and meant it: the order was not accepted, or the cancel had nothing to cancel."""

    def __init__(self, reason: str, code: RejectCode = RejectCode.UNKNOWN) -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


class OutcomeUnknown(Exception):
    """A request was sent, and nothing definite is known: a time-out, a broken connection, a 5xx, an unknown error."""


class NotSent(Exception):
    """The request did not leave: the guard forbade it."""


SendGuard = Callable[[], None]
"""Called after the request's timestamp is taken and before its bytes leave; raises `NotSent` where they must not."""


class ExecutionClient(Protocol):
    """One account at one venue. Questions raise `VenueUnreachable` (of `domain.ports.market_data`) where unanswered."""

    async def place(self, order: Order, guard: SendGuard) -> OrderReport:
        """Send the order once; raises `VenueRefused`, `OutcomeUnknown` or `NotSent`."""
        ...

    async def cancel(self, order: Order, guard: SendGuard) -> OrderReport | None:
        """Cancel by client order id; raises as `place`. None where the venue's answer doesn't show the order."""
        ...

    async def find(self, order: Order) -> OrderReport | None:
        """Ask for an order by its client order id, its fills with it; None where the venue says "no such order"."""
        ...

    async def fills(self, market: MarketSymbol, since: datetime) -> list[FillReport]:
        """Return the account's executions on a market since then, oldest first."""
        ...

    async def open_orders(self) -> list[OrderReport]:
        """Return all that rests at the venue for this account."""
        ...

    async def balances(self) -> tuple[Balance, ...]:
        """Return what the account holds; currencies of which it holds nothing are left out."""
        ...

    def updates(self) -> AsyncIterator[VenueUpdate]:
        """Yield what the venue tells of the account, for ever: it reconnects by itself and says so."""
        ...

    def venue_now(self) -> datetime:
        """Return the venue's time by the measured offset."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...

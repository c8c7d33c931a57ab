"""The port to one account at a venue: it sends orders and cancels, and reports what became of them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType, RejectCode
from domain.model.trading import Balance
from domain.ports.market_data import VenueUnreachable


@dataclass(frozen=True, slots=True)
class FillReport:
    """One execution as reported by the venue; `client_order_id` is None if the venue doesn't include it."""

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
    """An order as reported by the venue: OPEN, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED or REJECTED.

    `fills` are those that came with the report; their sum may be less than `filled_quantity`. `triggered` means that
    the market has reached the stop price; False if it hasn't, or if the venue doesn't report it.
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
    triggered: bool = False


@dataclass(frozen=True, slots=True)
class BalanceReport:
    """Balances as reported by the venue; currencies that aren't named haven't changed."""

    balances: tuple[Balance, ...]


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The account's stream is open, for the first time or again; reports from before may have been missed."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The account's stream broke; the client is reconnecting."""


VenueReport = OrderReport | FillReport | BalanceReport | StreamOpened | StreamLost


class CredentialsRejected(VenueUnreachable):
    """A query failed because the venue doesn't accept the credentials: a wrong, revoked or restricted key."""


class VenueRefused(Exception):
    """The venue answered and did nothing: it rejected the order, or had nothing to cancel."""

    def __init__(self, reason: str, code: RejectCode = RejectCode.UNKNOWN) -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


class OutcomeUnknown(Exception):
    """A request was sent and its outcome isn't known: a time-out, a broken connection, a 5xx or an unknown error."""


@dataclass(frozen=True, slots=True)
class ReplacementReport:
    """What a venue made of a request to cancel one order and place another: the first was cancelled in any case.

    `placed` is the new order, or None if the venue refused it, for which `refusal` has the reason.
    """

    canceled: OrderReport
    placed: OrderReport | None
    refusal: VenueRefused | None = None


class NotSent(Exception):
    """The request was not sent, because the send guard forbade it."""


OrderPair = tuple[Order, Order]
"""Two orders that close the same quantity: the one that cuts a loss, and the one that takes a profit."""

SendGuard = Callable[[], None]
"""Called after the request's timestamp is taken and before its bytes are sent; raises `NotSent` to stop it."""


class ExecutionClient(Protocol):
    """One account at one venue. Queries raise `VenueUnreachable` (of `domain.ports.market_data`) without an answer."""

    @property
    def absent_after_seconds(self) -> float:
        """For how long after an order was sent the venue's answer "no such order" proves nothing."""
        ...

    async def place(self, order: Order, guard: SendGuard) -> OrderReport:
        """Send the order once, never again; raises `VenueRefused`, `OutcomeUnknown` or `NotSent`."""
        ...

    async def cancel(self, order: Order, guard: SendGuard) -> OrderReport | None:
        """Cancel by client order id; raises as `place`. None if the venue's answer doesn't contain the order."""
        ...

    def can_replace(self, market: MarketSymbol) -> bool:
        """Return whether the venue cancels an order of a market and places another in one request."""
        ...

    async def replace(self, replaced: Order, order: Order, guard: SendGuard) -> ReplacementReport:
        """Cancel an order of which nothing has filled, and place another in its stead, in one request sent once.

        Raises `VenueRefused` if the venue did neither, above all if the replaced order has filled in part or ended by
        then; `OutcomeUnknown` or `NotSent` as `place`.
        """
        ...

    async def place_group(self, orders: OrderPair, guard: SendGuard) -> tuple[OrderReport, ...]:
        """Place two orders of which one ends the other, both or neither, in one request; raises as `place`."""
        ...

    async def query_order(self, order: Order) -> OrderReport | None:
        """Return an order by its client order id, with its fills; None if the venue answers "no such order"."""
        ...

    async def query_client_order_id(self, market: MarketSymbol, venue_order_id: str) -> str | None:
        """Return the client order id of an order that the venue has, also of one of another program; empty without one.

        None if the venue answers "no such order".
        """
        ...

    async def fills(self, market: MarketSymbol, since: datetime) -> list[FillReport]:
        """Return the account's executions on a market since a time of the venue's clock, oldest first."""
        ...

    async def open_orders(self) -> list[OrderReport]:
        """Return all resting orders of the account, those of other programs included."""
        ...

    async def balances(self) -> tuple[Balance, ...]:
        """Return the account's balances; currencies with nothing are left out."""
        ...

    def reports(self) -> AsyncIterator[VenueReport]:
        """Yield the reports of the account's stream, for ever; it reconnects by itself and reports that too."""
        ...

    def venue_now(self) -> datetime:
        """Return the venue's time, by the measured offset of its clock."""
        ...

    def earliest_venue_now(self) -> datetime:
        """Return the earliest time that the venue's clock may show now: a measured offset is known within bounds."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...

"""What an order is: the instruction, its state, and one step of its life."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.core.money import ZERO, divide
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.reject_codes import RejectCode


class OrderType(StrEnum):
    """How an order is to be executed."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"

    @property
    def has_price(self) -> bool:
        """Whether the order carries a limit price."""
        return self in {OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT}

    @property
    def has_stop_price(self) -> bool:
        """Whether the order waits for a price before it acts."""
        return self in {
            OrderType.STOP,
            OrderType.STOP_LIMIT,
            OrderType.TAKE_PROFIT,
            OrderType.TAKE_PROFIT_LIMIT,
        }


class OrderRole(StrEnum):
    """Why an order exists."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"
    TRAILING_STOP = "TRAILING_STOP"
    CLOSE = "CLOSE"
    MANUAL = "MANUAL"
    FOREIGN = "FOREIGN"


class TimeInForce(StrEnum):
    """How long an order rests."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"


class OrderStatus(StrEnum):
    """Where an order is in its life; `domain.model.order_transitions` says what may follow what."""

    PENDING = "PENDING"
    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    IN_DOUBT = "IN_DOUBT"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        """Whether nothing but a late word of the venue can change it."""
        return self in FINAL


FINAL = frozenset(
    {OrderStatus.DENIED, OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)
ACTIVE = frozenset(OrderStatus) - FINAL


class OrderEventKind(StrEnum):
    """One kind of step in an order's life."""

    SNAPSHOT = "SNAPSHOT"
    PENDING = "PENDING"
    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    IN_DOUBT = "IN_DOUBT"
    ACCEPTED = "ACCEPTED"
    FILL = "FILL"
    TRIGGERED = "TRIGGERED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    RECONCILED = "RECONCILED"


class RiskCode(StrEnum):
    """Why an order was denied before it was sent."""

    TRADING_HALTED = "TRADING_HALTED"
    REDUCE_ONLY = "REDUCE_ONLY"
    STALE_MARKET_DATA = "STALE_MARKET_DATA"
    MARKET_INACTIVE = "MARKET_INACTIVE"
    NOT_RECONCILED = "NOT_RECONCILED"
    PRICE_PRECISION = "PRICE_PRECISION"
    QUANTITY_PRECISION = "QUANTITY_PRECISION"
    QUANTITY_TOO_SMALL = "QUANTITY_TOO_SMALL"
    QUANTITY_TOO_LARGE = "QUANTITY_TOO_LARGE"
    NOTIONAL_TOO_SMALL = "NOTIONAL_TOO_SMALL"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    PRICE_COLLAR = "PRICE_COLLAR"
    MAX_ORDER_NOTIONAL = "MAX_ORDER_NOTIONAL"
    MAX_POSITION_NOTIONAL = "MAX_POSITION_NOTIONAL"
    MAX_OPEN_ORDERS = "MAX_OPEN_ORDERS"
    ORDER_RATE = "ORDER_RATE"
    MAX_DAILY_LOSS = "MAX_DAILY_LOSS"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    COOL_DOWN = "COOL_DOWN"
    PLAN_LIMIT = "PLAN_LIMIT"
    UNSUPPORTED_ORDER = "UNSUPPORTED_ORDER"


@dataclass(frozen=True, slots=True)
class RiskDenial:
    """One failed risk check: what was allowed (`limit`) and what was asked (`actual`), in the code's own unit."""

    code: RiskCode
    message: str
    limit: Decimal | None = None
    actual: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An instruction to a venue and all that is known of its fate.

    Quantities are in base, prices in quote per base; `filled_cost` is the sum of price times quantity over the fills.
    `revision` grows by one with every change. `cancel_requested_at` is the command to cancel: set by whoever asks,
    acted on by the node that holds the account's lease. `absences` counts clean "no such order" answers while in
    doubt. `arrival_price` is what its slippage is measured from: the price that it waits for, or else the middle of the
    book when it was sent.
    """

    id: UUID
    user_id: UUID
    account_id: UUID
    market: MarketSymbol
    client_order_id: str
    side: OrderSide
    type: OrderType
    role: OrderRole
    quantity: Decimal
    created_at: datetime
    updated_at: datetime
    status: OrderStatus = OrderStatus.PENDING
    revision: int = 1
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    expires_at: datetime | None = None
    post_only: bool = False
    reduce_only: bool = False
    trading_session_id: UUID | None = None
    signal_id: UUID | None = None
    parent_id: UUID | None = None
    replaces_id: UUID | None = None
    venue_order_id: str | None = None
    filled_quantity: Decimal = ZERO
    filled_cost: Decimal = ZERO
    denials: tuple[RiskDenial, ...] = ()
    reject_reason: str | None = None
    submitted_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    absences: int = 0
    reject_code: RejectCode | None = None
    arrival_price: Decimal | None = None

    @property
    def remaining_quantity(self) -> Decimal:
        """What is not filled yet, in base."""
        return self.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal | None:
        """The mean price of the fills weighted by quantity; None before the first."""
        return divide(self.filled_cost, self.filled_quantity) if self.filled_quantity else None

    def changed(self, at: datetime, **changes: object) -> "Order":
        """Return the order with `changes`, one revision on, updated at `at`."""
        return replace(self, updated_at=at, revision=self.revision + 1, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of part of an order; unique by account, market and the venue's trade id.

    `fee` is in `fee_currency`, which may be the base, the quote or another one. `fee_rate` is what one unit of another
    one was worth in quote then; None where it isn't needed, and where no price was known.
    """

    id: UUID
    order_id: UUID
    user_id: UUID
    account_id: UUID
    market: MarketSymbol
    side: OrderSide
    venue_trade_id: str
    at: datetime
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    maker: bool | None
    trading_session_id: UUID | None = None
    fee_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One step of an order's life, with the order as it stood after the step."""

    kind: OrderEventKind
    order: Order
    fill: Fill | None = None
    reason: str | None = None

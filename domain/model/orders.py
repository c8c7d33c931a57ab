"""Orders: the instruction to a venue, its status, its fills and the events of its life."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.core.money import EXACT, ZERO, divide
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide


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
    def trades_at_market(self) -> bool:
        """Whether the order takes any price, and is sent as a market order."""
        return self in {OrderType.MARKET, OrderType.TRAILING_STOP}

    @property
    def has_stop_price(self) -> bool:
        """Whether the order waits for a price that the user has set before it acts."""
        return self in {
            OrderType.STOP,
            OrderType.STOP_LIMIT,
            OrderType.TAKE_PROFIT,
            OrderType.TAKE_PROFIT_LIMIT,
        }

    @property
    def waits_for_trigger(self) -> bool:
        """Whether the order does nothing until the market reaches a price."""
        return self.has_stop_price or self is OrderType.TRAILING_STOP


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

    @property
    def is_exit(self) -> bool:
        """Whether such an order closes a position that the engine watches."""
        return self not in {OrderRole.ENTRY, OrderRole.MANUAL, OrderRole.FOREIGN}


class TimeInForce(StrEnum):
    """How long an order rests: GTC until it is cancelled, GTD until `expires_at`, IOC and FOK not at all.

    IOC fills at once what it can, FOK the whole quantity or nothing.
    """

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"


class OrderStatus(StrEnum):
    """The status of an order; `domain.model.order_transitions` has the legal transitions."""

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
        """Whether only a late report of the venue can still change the order."""
        return self in FINAL


FINAL = frozenset(
    {OrderStatus.DENIED, OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)
ACTIVE = frozenset(OrderStatus) - FINAL


class OrderEventKind(StrEnum):
    """What happened to an order."""

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
    INTERNAL = "INTERNAL"


class RejectCode(StrEnum):
    """Why a venue rejected an order, for programs to act on; the venue's own text is the order's `reject_reason`."""

    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    PRICE = "PRICE"
    QUANTITY = "QUANTITY"
    NOTIONAL = "NOTIONAL"
    STOP_PRICE = "STOP_PRICE"
    WOULD_TAKE = "WOULD_TAKE"
    NOT_FILLABLE = "NOT_FILLABLE"
    TOO_MANY_ORDERS = "TOO_MANY_ORDERS"
    MARKET_CLOSED = "MARKET_CLOSED"
    UNSUPPORTED = "UNSUPPORTED"
    NOT_PERMITTED = "NOT_PERMITTED"
    CLOCK = "CLOCK"
    NOT_RECEIVED = "NOT_RECEIVED"
    RATE_LIMITED = "RATE_LIMITED"
    UNKNOWN = "UNKNOWN"


class CancelCode(StrEnum):
    """Why the engine cancelled an order, or asked the venue to; the venue may have ended it for another reason."""

    REQUESTED = "REQUESTED"
    TRADING_SESSION = "TRADING_SESSION"
    HALT = "HALT"
    EXPIRED = "EXPIRED"
    TOO_OLD = "TOO_OLD"
    NOT_SENT = "NOT_SENT"
    AMENDED = "AMENDED"
    NOT_REPLACED = "NOT_REPLACED"
    DENIED = "DENIED"
    EXIT = "EXIT"
    PROTECTION = "PROTECTION"
    NO_POSITION = "NO_POSITION"


@dataclass(frozen=True, slots=True)
class RiskDenial:
    """One failed risk check: the allowed value (`limit`) and the order's (`actual`), both in the unit of the code."""

    code: RiskCode
    message: str
    limit: Decimal | None = None
    actual: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An instruction to a venue and its state.

    Quantities are in base, prices in quote per base; `filled_cost` is the sum of price times quantity over the fills,
    in quote. `revision` grows by one with every change. `cancel_requested_at` is the command to cancel, and
    `cancel_code` its reason: any node sets them, and the node that holds the account's lease carries it out. `absences`
    counts definite answers "no such order" while the order is in doubt. `accepted_at` is the venue's time at which it
    first had the order. `arrival_price` is the price that slippage is measured from: the stop price, or else the middle
    of the book when the order was sent. A TRAILING_STOP follows the price at `trail_percent` or `trail_absolute`,
    `high_water` is the best price since it was placed, and `stop_price` the one that triggers it. `triggered_at` is
    when an order that waited for a price was triggered. `reported_quantity` is what the venue counts as filled of an
    order that has ended, if that is more than the known trades; while they are asked for, the order `awaits_fills`.
    `protection_id` is what the order keeps at the venue, and `group_id` is shared by two orders of which one ends the
    other.
    `venue_submitted_at` is the time of submission by the venue's clock, before which the venue hasn't had the order.
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
    accepted_at: datetime | None = None
    cancel_code: CancelCode | None = None
    triggered_at: datetime | None = None
    trail_percent: Decimal | None = None
    trail_absolute: Decimal | None = None
    high_water: Decimal | None = None
    reported_quantity: Decimal = ZERO
    awaits_fills: bool = False
    protection_id: UUID | None = None
    group_id: UUID | None = None
    venue_submitted_at: datetime | None = None

    @property
    def is_held(self) -> bool:
        """Whether the engine holds the order and watches the price for it; the venue doesn't know of it yet."""
        return self.type is OrderType.TRAILING_STOP and self.status is OrderStatus.OPEN and self.venue_order_id is None

    @property
    def remaining_quantity(self) -> Decimal:
        """The quantity that isn't filled yet, in base."""
        return EXACT.subtract(self.quantity, self.filled_quantity)

    @property
    def missing_quantity(self) -> Decimal:
        """What the venue counts as filled and no known trade explains, in base."""
        return max(EXACT.subtract(self.reported_quantity, self.filled_quantity), ZERO)

    @property
    def executed_quantity(self) -> Decimal:
        """What has filled by the known trades or, if that is more, by the venue's count, in base."""
        return max(self.filled_quantity, self.reported_quantity)

    @property
    def outstanding_quantity(self) -> Decimal:
        """What trades that aren't known yet may still fill, in base."""
        if not self.status.is_final:
            return self.remaining_quantity
        return self.missing_quantity if self.awaits_fills else ZERO

    @property
    def reduces_risk(self) -> bool:
        """Whether the order closes a position by an exit rule, its protection or a request to close, and only that.

        Nothing but the venue, and what it closes, may stand in the way of such an order. A reduce-only order that is
        placed by hand isn't one of them.
        """
        return self.reduce_only and self.role.is_exit

    @property
    def average_price(self) -> Decimal | None:
        """The mean price of the fills weighted by quantity, in quote per base; None before the first fill."""
        return divide(self.filled_cost, self.filled_quantity) if self.filled_quantity else None

    def changed(self, at: datetime, **changes: object) -> "Order":
        """Return a copy with `changes`, the next revision and `updated_at` = `at`."""
        return replace(self, updated_at=at, revision=self.revision + 1, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of part of an order; unique by account, market, the venue's trade id and the order.

    Both orders of a trade with oneself may have the same trade id.

    `fee` is in `fee_currency`, which may be the base, the quote or a third currency. `fee_rate` is the price of one
    unit of a third currency in quote at that time; None if it isn't needed or no price was known.
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
    """One event of an order's life, with the order as it was after the event."""

    kind: OrderEventKind
    order: Order
    fill: Fill | None = None
    reason: str | None = None

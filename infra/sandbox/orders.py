"""Users' orders and their executions, with Binance's names for their types and states."""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def other(self) -> "Side":
        """The side that this one trades against."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Binance Spot's order types."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    """Binance's order states that the sandbox reaches; PENDING_NEW waits for another order of its list."""

    NEW = "NEW"
    PENDING_NEW = "PENDING_NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class SelfTrade(StrEnum):
    """What happens when two orders of one account would match."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


STOP_TYPES = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)
STOP_LOSSES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
LIMIT_STOPS = frozenset({OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
PRICED_TYPES = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER}) | LIMIT_STOPS
OPEN_STATES = frozenset({Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_NEW})
WHOLE_BPS = 10_000
NO_LIST = -1
"""The list of an order that is in none, as Binance writes it."""


@dataclass(slots=True, eq=False)
class Order:
    """One order; amounts are units of 1e-8, times milliseconds. It changes as it trades, so it isn't frozen.

    An open order is in the book, or it is `waiting` for its trigger, or it is pending until another order of its list
    is filled. A trailing stop triggers `trailing_delta` basis points from the `best_price` that it has seen since
    `trailing_ms`; of an iceberg only `iceberg` is shown at a time.
    """

    id: int
    uid: int
    symbol: str
    client_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: int
    quantity: int
    quote_quantity: int
    stop_price: int
    self_trade: SelfTrade
    created_ms: int
    updated_ms: int
    status: Status = Status.NEW
    executed: int = 0
    quote_executed: int = 0
    locked: int = 0
    waiting: bool = False
    working_ms: int = -1
    cancel_id: str = ""
    prevented: int = 0
    list_id: int = NO_LIST
    trailing_delta: int = 0
    trailing_ms: int = -1
    best_price: int = 0
    iceberg: int = 0
    strategy_id: int = -1
    strategy_type: int = -1
    prevented_match: int = -1

    @property
    def is_open(self) -> bool:
        """Whether it may still trade."""
        return self.status in OPEN_STATES

    @property
    def remaining(self) -> int:
        """What is left to trade, in base units."""
        return self.quantity - self.executed

    @property
    def has_price(self) -> bool:
        """Whether it has a limit price."""
        return self.type in PRICED_TYPES

    @property
    def is_resting(self) -> bool:
        """Whether it has a price, of its own or a trigger's, by which its cost is known."""
        return self.type is not OrderType.MARKET

    @property
    def is_untriggered(self) -> bool:
        """Whether it has a trigger that hasn't come."""
        return self.type in STOP_TYPES and self.working_ms < 0

    @property
    def is_pending(self) -> bool:
        """Whether it waits for another order of its list to be filled."""
        return self.status is Status.PENDING_NEW

    def copy(self) -> "Order":
        """Return the order as it is now."""
        return Order(*_values_of(self))

    def triggers_at(self, last_price: int) -> bool:
        """Return whether a trade at `last_price` triggers this waiting stop or take-profit."""
        falls = (self.side is Side.SELL) == (self.type in STOP_LOSSES)
        return last_price <= self.stop_price if falls else last_price >= self.stop_price

    def follow(self, price: int, now_ms: int) -> bool:
        """Note a traded price; return whether it triggers this trailing stop.

        Source: developers.binance.com/docs/binance-spot-api-docs/faqs/trailing-stop-faq.
        """
        if not self.best_price:
            if self.triggers_at(price):
                self.best_price, self.trailing_ms = price, now_ms
            return False
        if self.side is Side.SELL:
            self.best_price = max(self.best_price, price)
            return price * WHOLE_BPS <= self.best_price * (WHOLE_BPS - self.trailing_delta)
        self.best_price = min(self.best_price, price)
        return price * WHOLE_BPS >= self.best_price * (WHOLE_BPS + self.trailing_delta)


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of one user's order; `trade_id` is unique in its market."""

    trade_id: int
    order_id: int
    uid: int
    symbol: str
    side: Side
    price: int
    quantity: int
    quote: int
    fee: int
    fee_asset: str
    maker: bool
    time_ms: int
    list_id: int = NO_LIST


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A client's new order; amounts in units of 1e-8, 0 if not given."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    client_id: str
    price: int = 0
    quantity: int = 0
    quote_quantity: int = 0
    stop_price: int = 0
    self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER
    trailing_delta: int = 0
    iceberg: int = 0
    strategy_id: int = -1
    strategy_type: int = -1


@dataclass(frozen=True, slots=True)
class PreventedMatch:
    """A trade of an account with itself that was prevented; a quantity is 0 if that order wasn't ended."""

    id: int
    uid: int
    symbol: str
    taker_id: int
    maker_id: int
    mode: SelfTrade
    price: int
    taker_quantity: int
    maker_quantity: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Amendment:
    """A reduction of an open order's quantity, with the client ids before and after."""

    id: int
    uid: int
    symbol: str
    order_id: int
    old_client_id: str
    new_client_id: str
    old_quantity: int
    new_quantity: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """The answer to a new order: a copy of the order, its fills so far, and trades with itself that were prevented."""

    order: Order
    fills: list[Fill] = field(default_factory=list)
    prevented: list[PreventedMatch] = field(default_factory=list)


_values_of = attrgetter(*(field.name for field in fields(Order)))

"""Users' orders and their executions, with Binance's names for their types and states."""

from dataclasses import dataclass
from enum import StrEnum


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
    """Binance's order states that the sandbox reaches."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
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
LIMIT_STOPS = frozenset({OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
PRICED_TYPES = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER}) | LIMIT_STOPS
OPEN_STATES = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


@dataclass(slots=True)
class Order:
    """One order; amounts are units of 1e-8, times milliseconds. It changes as it trades, so it isn't frozen."""

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

    def triggers_at(self, last_price: int) -> bool:
        """Return whether a trade at `last_price` triggers this waiting stop or take-profit."""
        falls = (self.side is Side.SELL) == (self.type in {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
        return last_price <= self.stop_price if falls else last_price >= self.stop_price


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

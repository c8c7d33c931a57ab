"""What the orders' domain needs of the outside: where orders are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.conversion import CurrencyGraph
from domain.model.markets import Depth, FeedStatus, Market, MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, Order, OrderRole, OrderStatus, OrderType
from domain.model.trading import Account, Balance, Position, TradingSession
from domain.model.trading_state import TradingState
from domain.ports.leases import Lease


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders or fills of a user are wanted; None where it doesn't matter. `start` is included, `end` is not."""

    account_id: UUID | None = None
    trading_session_id: UUID | None = None
    market: MarketSymbol | None = None
    side: OrderSide | None = None
    statuses: tuple[OrderStatus, ...] | None = None
    start: datetime | None = None
    end: datetime | None = None
    types: tuple[OrderType, ...] | None = None
    roles: tuple[OrderRole, ...] | None = None
    strategy_id: UUID | None = None


class DuplicateOrder(Exception):
    """The account has an order by that client order id; the transaction can go on and read it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"account {order.account_id} has an order by the client order id {order.client_order_id}")


class StaleOrder(Exception):
    """The stored order is not older than the one to be saved; read it again, `locked`, and decide anew."""

    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"order {order.id} is not stored, or is stored at revision {order.revision} or later")


@dataclass(frozen=True, slots=True)
class RiskSnapshot:
    """What is stored of an order's account and the risk checks look at, all of one moment.

    `session` is the order's. `active` are the account's other orders that may still fill; those that are PENDING are
    left out, since each is checked when its own turn comes. The counts are of orders submitted since a given time.
    """

    engine_state: TradingState
    user_state: TradingState
    account: Account
    session: TradingSession | None
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...]
    active: tuple[Order, ...]
    sent_by_account: int
    sent_by_session: int


class OrderRepository(Protocol):
    """Orders and fills."""

    async def add(self, order: Order) -> None:
        """Store a new order; raises `DuplicateOrder` where its account has that client order id already."""
        ...

    async def save(self, order: Order) -> None:
        """Store a changed order; raises `StaleOrder` unless its revision is higher than the stored one."""
        ...

    def advance(self, before: Order, after: Order, lease: Lease | None = None) -> None:
        """Replace `before` by `after` when the transaction commits, in one statement with the events of it.

        The commit raises `StaleOrder` unless the stored order is still at the revision of `before` and `lease`, where
        one is given, is held; the transaction has then done nothing.
        """
        ...

    async def get(self, user_id: UUID, order_id: UUID) -> Order | None:
        """Return an order of the user."""
        ...

    async def locked(self, order_id: UUID) -> Order | None:
        """Return an order and hold its row until the transaction ends."""
        ...

    async def locked_by_client_id(self, account_id: UUID, client_order_id: str) -> Order | None:
        """Return an order by its client order id and hold its row."""
        ...

    async def locked_by_venue_id(self, account_id: UUID, market: MarketSymbol, venue_order_id: str) -> Order | None:
        """Return an order by the id that its venue gave it on that market, and hold its row."""
        ...

    async def recorded_trades(
        self, account_id: UUID, market: MarketSymbol, venue_trade_ids: Sequence[str]
    ) -> set[tuple[str, str]]:
        """Return which of the venue's trades are stored as fills: the trade's id with the venue's id of its order."""
        ...

    async def commands(self, account_id: UUID) -> list[Order]:
        """Return what the account's executor has to do, oldest first.

        PENDING orders, and active ones whose cancel is requested and that are not PENDING_CANCEL.
        """
        ...

    async def active(self, account_id: UUID) -> list[Order]:
        """Return the account's orders that are not final, oldest first."""
        ...

    async def expired(self, account_id: UUID, now: datetime) -> list[Order]:
        """Return active orders whose `expires_at` has passed and whose cancel is not requested yet."""
        ...

    async def recent(self, account_id: UUID, since: datetime) -> list[Order]:
        """Return the account's orders, final ones too, that changed since then, oldest first."""
        ...

    async def page(self, user_id: UUID, window: KeysetPage, wanted: OrderFilter) -> list[Order]:
        """Return the user's orders."""
        ...

    async def many(self, ids: Sequence[UUID]) -> list[Order]:
        """Return the orders that exist, in any order (for batches)."""
        ...

    async def replacing(self, ids: Sequence[UUID]) -> list[Order]:
        """Return the orders that replace one of `ids` (for batches)."""
        ...

    async def protecting(self, parent_ids: Sequence[UUID]) -> list[Order]:
        """Return the orders whose parent is one of `parent_ids` (for batches)."""
        ...

    async def risk_facts(self, order: Order, sent_since: datetime) -> RiskSnapshot:
        """Return what the risk checks of an order look at, read in one statement."""
        ...

    async def request_cancels(
        self,
        user_id: UUID,
        account_id: UUID,
        market: MarketSymbol | None,
        trading_session_id: UUID | None,
        at: datetime,
    ) -> list[Order]:
        """Ask for the cancel of every active order that fits and isn't being cancelled; return them, oldest first."""
        ...

    async def add_fill(self, fill: Fill) -> bool:
        """Store a fill; False where that venue trade of the account and market is there already."""
        ...

    async def fill(self, user_id: UUID, fill_id: UUID) -> Fill | None:
        """Return a fill of the user."""
        ...

    async def fills(self, user_id: UUID, window: KeysetPage, wanted: OrderFilter) -> list[Fill]:
        """Return the user's fills."""
        ...

    async def fills_of_order(self, order_id: UUID) -> list[Fill]:
        """Return the fills of one order, oldest first."""
        ...

    async def fills_of_orders(self, order_ids: Sequence[UUID]) -> list[Fill]:
        """Return the fills of several orders, newest first (for batches)."""
        ...

    async def ledger(self, user_id: UUID, wanted: OrderFilter) -> list[Fill]:
        """Return every fill that fits, oldest first (for reports)."""
        ...

    async def outcome_counts(self, user_id: UUID, wanted: OrderFilter) -> dict[OrderStatus, int]:
        """Return how many orders that fit are in each state (for reports)."""
        ...


class MarketCatalogue(Protocol):
    """The markets of every venue by their symbols."""

    def get(self, symbol: MarketSymbol) -> Market | None:
        """Return the market, or None where there is none of that name."""
        ...


class MarketView(Protocol):
    """What the risk checks see of the markets, from memory."""

    @property
    def catalogue(self) -> MarketCatalogue:
        """The markets with their filters and fees."""
        ...

    def latest_depth(self, market: MarketSymbol) -> Depth | None:
        """Return the newest book that is fresh; None where there is none."""
        ...

    def status(self, market: MarketSymbol) -> FeedStatus | None:
        """Return whether the market's feed can be trusted; None where nothing was told of it yet."""
        ...

    async def depth(self, market: MarketSymbol, timeout_seconds: float) -> Depth | None:
        """Return a fresh book, starting its feed where it is cold; None where there is none within the time."""
        ...

    def graph(self, venue: str) -> CurrencyGraph:
        """Return the currencies of a venue and the markets between them."""
        ...

    def convert(self, venue: str, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount's worth in another currency at present prices; None where they aren't known."""
        ...

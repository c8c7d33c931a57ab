"""The ports of execution: the repository of orders and fills, and the view of the markets."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.conversion import CurrencyGraph
from domain.model.markets import Depth, FeedStatus, Market, MarketSymbol, Trade
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Fill, Order, OrderRole, OrderStatus, OrderType
from domain.model.plans import PlanUsage
from domain.model.trading import Account, Balance, Position, TradingSession
from domain.model.trading_state import TradingState
from domain.ports.idempotency import KeyReservation
from domain.ports.leases import Lease


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Selects orders or fills of a user; None selects all. `start` is included, `end` is not."""

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
    """The account already has an order with that client order id; the transaction stays usable."""

    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"account {order.account_id} has an order with the client order id {order.client_order_id}")


class StaleOrder(Exception):
    """An order is not stored any more as the writer knew it, or what its step counted on has changed: decide again."""

    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"order {order.id} has changed, or may not become what it was to become")


@dataclass(frozen=True, slots=True)
class OrderChange:
    """An order's row before and after a step; `unless` are the states of halts which forbid the step."""

    before: Order
    after: Order
    unless: tuple[TradingState, ...] = ()


@dataclass(frozen=True, slots=True)
class StepConditions:
    """What steps counted on that nothing has locked: `lease` is held, and the account's limits are `limits`.

    None leaves it out.
    """

    lease: Lease | None = None
    limits: str | None = None


NO_CONDITIONS = StepConditions()


@dataclass(frozen=True, slots=True)
class RiskSnapshot:
    """The stored input of an order's risk checks, all as of one moment.

    `session` is the order's, and `halts` are the trading states of the halts that apply to it. `active` are the
    account's other orders that may still fill, or have ended with trades that are asked for; PENDING ones are left out,
    since each is checked before it is sent. `recent` are all orders submitted within the last minute. `limits` are the
    account's limits as they are stored, by which `write` knows whether they still are the same.
    """

    halts: tuple[TradingState, ...]
    account: Account
    limits: str
    session: TradingSession | None
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...]
    active: tuple[Order, ...]
    recent: tuple[Order, ...]
    age_seconds: float = 0.0
    """How long ago the order was placed, by the database's clock."""


@dataclass(frozen=True, slots=True)
class PlacingConditions:
    """What the decision about a new order counted on, and what its commit compares.

    `lease` is held; the account has the `limits`; no halt that concerns the order is in one of the states `unless`; and
    the user's plan allows at least `placed_at_once` more active orders.
    """

    lease: Lease
    limits: str
    unless: Sequence[TradingState]
    placed_at_once: int


class OrderRepository(Protocol):
    """Stores orders and their fills, finds those that an executor must act on, and reads the risk checks' input."""

    async def add(self, order: Order) -> PlanUsage:
        """Store a new order; raises `DuplicateOrder` if its account already has that client order id.

        Returns the use of the user's plan without it, of which orders that are placed at this moment may be missing.
        """
        ...

    async def add_many(self, orders: Sequence[Order]) -> PlanUsage:
        """Store new orders of one user, which are sent together, and return the use of the plan without any of them.

        Raises `DuplicateOrder` if one of them can't be stored; the transaction must then be rolled back.
        """
        ...

    async def lock_plan_usage(self, user_id: UUID, without: Sequence[UUID]) -> PlanUsage:
        """Return the use of the user's plan without those orders, once no other transaction has it locked."""
        ...

    async def plan_usage(self, user_id: UUID) -> PlanUsage:
        """Return the use of the user's plan, of which orders that are placed at this moment may be missing."""
        ...

    def add_once(self, order: Order, reservation: KeyReservation, conditions: PlacingConditions) -> None:
        """Store a new order and its key at the commit, in one statement together with the transaction's events.

        The commit raises `StaleOrder`, and changes nothing, if the key or the client order id was used before, if the
        account is archived or isn't the order's user's, or if one of the conditions doesn't hold.
        """
        ...

    def write(self, changes: Sequence[OrderChange], conditions: StepConditions = NO_CONDITIONS) -> None:
        """Write changed rows at the commit, a single one together with the transaction's events in one statement.

        They are written earlier if another statement of the transaction follows, which so sees them. Raises
        `StaleOrder`, then or at the commit, unless every stored order still has the revision that it had before, and if
        one of the conditions doesn't hold; the transaction must then be rolled back. Call it once a transaction, or
        after the statements that wrote what came before.
        """
        ...

    async def get(self, user_id: UUID, order_id: UUID) -> Order | None:
        """Return an order of the user; None if there is none by that id."""
        ...

    async def get_for_update(self, order_id: UUID) -> Order | None:
        """Return an order and lock its row until the transaction ends."""
        ...

    async def get_by_client_id(self, account_id: UUID, client_order_id: str) -> Order | None:
        """Return an order by its client order id."""
        ...

    async def get_for_update_by_client_id(self, account_id: UUID, client_order_id: str) -> Order | None:
        """Return an order by its client order id and lock its row."""
        ...

    async def get_for_update_by_venue_id(
        self, account_id: UUID, market: MarketSymbol, venue_order_id: str
    ) -> Order | None:
        """Return an order by its venue's id, which is unique per market, and lock its row."""
        ...

    async def is_followed(self, venue: str, client_order_id: str) -> bool:
        """Return whether any account at the venue that isn't archived has an order with the client order id."""
        ...

    async def recorded_trades(
        self, account_id: UUID, market: MarketSymbol, venue_trade_ids: Sequence[str]
    ) -> set[tuple[str, str]]:
        """Return those of the venue's trades that are stored as fills, as (trade id, the venue's order id)."""
        ...

    async def list_commands(self, account_id: UUID) -> list[Order]:
        """Return the orders that the account's executor has to send or to cancel, oldest first.

        These are PENDING orders, active ones with a requested cancel that are not PENDING_CANCEL, and those without one
        that a halt stops (see `request_cancels_by_halts`).
        """
        ...

    async def list_commanded_accounts(self, now: datetime) -> list[UUID]:
        """Return the accounts whose executor has something to do: a command, a halt or an expired order.

        Of all accounts, so that the statement doesn't grow with their number. Orders in doubt are left out: their
        cancel waits for their outcome.
        """
        ...

    async def list_active(self, account_id: UUID) -> list[Order]:
        """Return the account's orders that are not final, or of which trades are asked for, oldest first."""
        ...

    async def ages(self, order_ids: Sequence[UUID]) -> dict[UUID, float]:
        """Return how many seconds ago the orders were placed, by the database's clock."""
        ...

    async def list_missing_fills(self, account_id: UUID) -> list[Order]:
        """Return the account's orders of which the venue has counted more as filled than is known, oldest first."""
        ...

    async def list_refused_cancels(self, account_id: UUID) -> list[Order]:
        """Return the account's orders that a trading session wants cancelled and the venue has not, oldest first."""
        ...

    async def list_expired(self, account_id: UUID, now: datetime) -> list[Order]:
        """Return active orders whose `expires_at` has passed and whose cancel isn't requested yet, oldest first."""
        ...

    async def list_changed_since(self, account_id: UUID, since: datetime) -> list[Order]:
        """Return the account's orders, final ones too, that changed since then, oldest first."""
        ...

    async def list_unconfirmed(self, account_id: UUID, since: datetime) -> list[Order]:
        """Return the orders sent since then whose id at the venue isn't known, final ones too, oldest first."""
        ...

    async def list_page(self, user_id: UUID, page: KeysetPage, order_filter: OrderFilter) -> list[Order]:
        """Return a page of the user's orders."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[Order]:
        """Return those of the orders that exist, in no particular order."""
        ...

    async def list_group_for_update(self, group_id: UUID) -> list[Order]:
        """Return the orders of a group, oldest first, and lock their rows until the transaction ends."""
        ...

    async def list_groups(self, group_ids: Sequence[UUID]) -> list[Order]:
        """Return the orders of these groups, oldest first (for batches)."""
        ...

    async def list_latest_of_protections(self, protection_ids: Sequence[UUID]) -> list[Order]:
        """Return the two newest orders that each of these protections has made at the venue, oldest first."""
        ...

    async def filled_of_protection(self, protection_id: UUID) -> Decimal:
        """Return how much all orders that a protection has made at the venue have filled, in base."""
        ...

    async def list_replacements(self, ids: Sequence[UUID]) -> list[Order]:
        """Return the orders that replace one of `ids`, or were to, oldest first."""
        ...

    async def list_children(self, parent_ids: Sequence[UUID]) -> list[Order]:
        """Return the orders whose parent is one of `parent_ids`."""
        ...

    async def risk_snapshot(self, order: Order, sent_since: datetime) -> RiskSnapshot:
        """Return the stored input of an order's risk checks, read in one statement."""
        ...

    async def request_cancels(
        self, user_id: UUID, selected: OrderFilter, code: CancelCode, at: datetime
    ) -> list[Order]:
        """Request the cancel of every matching active order without one; return these orders, oldest first."""
        ...

    async def request_cancels_by_halts(
        self, accounts: Sequence[UUID] | None, at: datetime, retried: Sequence[UUID] = ()
    ) -> list[Order]:
        """Request the cancel of the sent orders that halts in force stop; return these orders, oldest first.

        `accounts` are those to look at; None for all. An order whose cancel, for a halt or at its end, was refused by
        the venue is left alone unless it is one of `retried`.
        """
        ...

    async def add_fill(self, fill: Fill) -> bool:
        """Store a fill; return False if that venue trade is stored already for the order."""
        ...

    async def get_fill(self, user_id: UUID, fill_id: UUID) -> Fill | None:
        """Return a fill of the user; None if there is none by that id."""
        ...

    async def list_fills_of_order(self, order_id: UUID) -> list[Fill]:
        """Return the fills of one order, oldest first."""
        ...

    async def get_last_entry(self, trading_session_id: UUID, market: MarketSymbol) -> Order | None:
        """Return the trading session's newest entry order on a market that was filled, at least in part."""
        ...

    async def list_fills_of_orders(self, order_ids: Sequence[UUID]) -> list[Fill]:
        """Return the fills of several orders, newest first."""
        ...

    async def list_all_fills(self, user_id: UUID, order_filter: OrderFilter) -> list[Fill]:
        """Return every matching fill, oldest first."""
        ...

    async def count_by_status(self, user_id: UUID, order_filter: OrderFilter) -> dict[OrderStatus, int]:
        """Return the number of matching orders by status."""
        ...


class MarketLookup(Protocol):
    """The markets of all venues by symbol."""

    def get(self, symbol: MarketSymbol) -> Market | None:
        """Return the market; None if no venue lists it."""
        ...


class MarketView(Protocol):
    """The markets as execution sees them; only `depth` waits, all else is answered from memory."""

    @property
    def catalogue(self) -> MarketLookup:
        """All markets, with their filters and fees."""
        ...

    def latest_depth(self, market: MarketSymbol) -> Depth | None:
        """Return the newest book; None if there is none or it is stale."""
        ...

    def status(self, market: MarketSymbol) -> FeedStatus | None:
        """Return the status of the market's feed; None if none was reported yet."""
        ...

    def trade_stream(self, market: MarketSymbol) -> AsyncIterator[tuple[Trade, ...]]:
        """Yield the market's trades in batches, for ever, starting its feed if necessary."""
        ...

    def price_of(self, market: MarketSymbol) -> Decimal | None:
        """Return the present price in quote per base; None if it isn't known."""
        ...

    async def depth(self, market: MarketSymbol, timeout_seconds: float) -> Depth | None:
        """Return a fresh book, starting its feed if necessary; None if there is none within the time."""
        ...

    def graph(self, venue: str) -> CurrencyGraph:
        """Return the graph of a venue's currencies, whose edges are markets."""
        ...

    async def request_reload(self, venue: str) -> None:
        """Request that the venue's markets be loaded again: it has refused an order for one of their filters."""
        ...

    def convert(self, venue: str, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount converted into another currency at present prices; None if a price is missing."""
        ...

"""Accounts, strategies, sessions and orders to put into a test's database, each with the rows that it refers to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, Order, OrderRole, OrderStatus, OrderType
from domain.model.strategies import Strategy, StrategyVersion
from domain.model.trading import Account, AccountKind, Position, Signal, SignalAction, TradingSession
from domain.model.trading_state import TradingState
from domain.model.users import User, UserRole
from domain.ports.orders import NO_CONDITIONS, OrderChange
from infra.clock import TimeOrderedIds
from infra.postgres.connection import Connection
from infra.postgres.repositories.accounts import PostgresAccounts
from infra.postgres.repositories.order_updates import OrderUpdateStatement, write_rows
from infra.postgres.repositories.strategies import PostgresStrategies
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from infra.postgres.repositories.users import PostgresUsers

NOW = datetime(2026, 11, 5, 12, 30, 0, 123_456, UTC)
BTC = MarketSymbol("sandbox", "BTC/USDT")
ETH = MarketSymbol("sandbox", "ETH/USDT")

_ids = TimeOrderedIds()


def new_id() -> UUID:
    """Return an id that is greater than all before it."""
    return _ids.next_id()


def at(seconds: float) -> datetime:
    """Return a moment that many seconds after `NOW`."""
    return NOW + timedelta(seconds=seconds)


@dataclass(frozen=True)
class World:
    """A user with one account, and one trading session of one strategy on it; all of them are stored."""

    user: User
    account: Account
    strategy: Strategy
    version: StrategyVersion
    session: TradingSession

    def order(self, **changes: object) -> Order:
        """Return a new order of the account, not stored yet."""
        id_ = new_id()
        fields: dict[str, object] = {
            "id": id_,
            "user_id": self.user.id,
            "account_id": self.account.id,
            "market": BTC,
            "client_order_id": f"c-{id_}",
            "side": OrderSide.BUY,
            "type": OrderType.LIMIT,
            "role": OrderRole.MANUAL,
            "quantity": Decimal("0.5"),
            "price": Decimal("60000.10"),
            "created_at": NOW,
            "updated_at": NOW,
        }
        return Order(**{**fields, **changes})  # type: ignore[arg-type]

    def fill(self, order: Order, **changes: object) -> Fill:
        """Return a new fill of the order, not stored yet."""
        id_ = new_id()
        fields: dict[str, object] = {
            "id": id_,
            "order_id": order.id,
            "user_id": self.user.id,
            "account_id": self.account.id,
            "market": order.market,
            "side": order.side,
            "venue_trade_id": f"t-{id_}",
            "at": NOW,
            "price": Decimal("60000.10"),
            "quantity": Decimal("0.1"),
            "fee": Decimal("0.0001"),
            "fee_currency": "BTC",
            "maker": True,
            "trading_session_id": order.trading_session_id,
        }
        return Fill(**{**fields, **changes})  # type: ignore[arg-type]

    def position(self, **changes: object) -> Position:
        """Return a new position of the account, not stored yet."""
        fields: dict[str, object] = {
            "id": new_id(),
            "user_id": self.user.id,
            "account_id": self.account.id,
            "market": BTC,
            "trading_session_id": None,
            "opened_at": NOW,
        }
        return Position(**{**fields, **changes})  # type: ignore[arg-type]

    def signal(self, **changes: object) -> Signal:
        """Return a new signal of the session, not stored yet."""
        fields: dict[str, object] = {
            "id": new_id(),
            "user_id": self.user.id,
            "trading_session_id": self.session.id,
            "at": NOW,
            "action": SignalAction.ENTER_LONG,
            "price": Decimal(60_000),
            "reason": "ema(close, 12) crossed above ema(close, 26)",
            "market": BTC,
        }
        return Signal(**{**fields, **changes})  # type: ignore[arg-type]

    def new_session(self, **changes: object) -> TradingSession:
        """Return a new session of the strategy on the account, not stored yet."""
        return new_session(self.user.id, self.account.id, self.version.id, **changes)


def new_user() -> User:
    """Return a new user, not stored yet."""
    id_ = new_id()
    return User(id_, f"{id_}@example.com", None, NOW, UserRole.USER, TradingState.ACTIVE)


def new_account(user_id: UUID, **changes: object) -> Account:
    """Return a new account, not stored yet."""
    fields: dict[str, object] = {
        "id": new_id(),
        "user_id": user_id,
        "name": "paper",
        "kind": AccountKind.PAPER,
        "venue": "sandbox",
        "currency": "USDT",
        "created_at": NOW,
    }
    return Account(**{**fields, **changes})  # type: ignore[arg-type]


def new_strategy(user_id: UUID, **changes: object) -> Strategy:
    """Return a new strategy, not stored yet."""
    fields: dict[str, object] = {"id": new_id(), "user_id": user_id, "name": "cross", "description": None}
    return Strategy(**{**fields, "created_at": NOW, **changes})  # type: ignore[arg-type]


def new_version(strategy: Strategy, number: int = 1, **changes: object) -> StrategyVersion:
    """Return a version of the strategy, not stored yet."""
    fields: dict[str, object] = {
        "id": new_id(),
        "strategy_id": strategy.id,
        "user_id": strategy.user_id,
        "number": number,
        "created_at": NOW,
        "definition": StrategyDefinition(sizing=Sizing(quote_amount=Decimal(100)), enter_long="close > 1"),
        "language_version": 1,
    }
    return StrategyVersion(**{**fields, **changes})  # type: ignore[arg-type]


def new_session(user_id: UUID, account_id: UUID, version_id: UUID, **changes: object) -> TradingSession:
    """Return a new trading session, not stored yet."""
    fields: dict[str, object] = {
        "id": new_id(),
        "user_id": user_id,
        "strategy_version_id": version_id,
        "account_id": account_id,
        "market": BTC,
        "timeframe": Timeframe.M1,
        "parameters": (),
        "started_at": NOW,
    }
    return TradingSession(**{**fields, **changes})  # type: ignore[arg-type]


async def stored_user(connection: Connection) -> User:
    """Return a new user, stored."""
    user = new_user()
    await PostgresUsers(connection).add(user, "argon2id")
    return user


async def stored_world(connection: Connection) -> World:
    """Return a new user with an account and a session on it, all stored."""
    user = await stored_user(connection)
    account, strategy = new_account(user.id), new_strategy(user.id)
    version = new_version(strategy)
    session = new_session(user.id, account.id, version.id)
    await PostgresAccounts(connection).add(account, b"sealed")
    await PostgresStrategies(connection).add(strategy, version)
    await PostgresTradingSessions(connection).add(session)
    return World(user, account, strategy, version, session)


ACTIVE_STATUSES = tuple(status for status in OrderStatus if not status.is_final)
FINAL_STATUSES = tuple(status for status in OrderStatus if status.is_final)


async def store_change(connection: Connection, before: Order, after: Order) -> None:
    """Store a changed order; raises `StaleOrder`."""
    await write_rows(connection, [OrderUpdateStatement(OrderChange(before, after), NO_CONDITIONS)])

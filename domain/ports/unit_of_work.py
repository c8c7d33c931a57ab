"""The port of everything that must not be lost: a transaction, and the repositories that are seen through it.

A transaction is all or nothing. What it appends to the event log gets its sequence numbers last, and listeners are
told after the commit. Every list is newest first unless its name says otherwise, and every private read names the
user it is for.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from domain.ports.accounts import AccountRepository, HaltRepository, TransferRepository
from domain.ports.event_log import EventLog
from domain.ports.idempotency import IdempotencyRepository
from domain.ports.leases import LeaseRepository
from domain.ports.lists import Lists
from domain.ports.market_data import MarketDataRepository, MarketHistoryRepository
from domain.ports.orders import OrderRepository
from domain.ports.positions import PositionRepository
from domain.ports.reports import PriceRepository, ReportRepository
from domain.ports.strategies import StrategyRepository
from domain.ports.trading_sessions import TradingSessionRepository
from domain.ports.users import UserRepository


class UnitOfWork(Protocol):
    """The repositories, all on one connection."""

    @property
    def users(self) -> UserRepository:
        """Users, login sessions, API keys, activity."""
        ...

    @property
    def idempotency(self) -> IdempotencyRepository:
        """The table of keys that mutations were called with."""
        ...

    @property
    def events(self) -> EventLog:
        """The users' event logs."""
        ...

    @property
    def accounts(self) -> AccountRepository:
        """Accounts, their sealed credentials and balances."""
        ...

    @property
    def transfers(self) -> TransferRepository:
        """The money that came into accounts and left them otherwise than by fills."""
        ...

    @property
    def strategies(self) -> StrategyRepository:
        """Strategies and their versions."""
        ...

    @property
    def trading_sessions(self) -> TradingSessionRepository:
        """Trading sessions and their signals."""
        ...

    @property
    def positions(self) -> PositionRepository:
        """Positions, open and closed."""
        ...

    @property
    def orders(self) -> OrderRepository:
        """Orders and fills."""
        ...

    @property
    def reports(self) -> ReportRepository:
        """Jobs and reports."""
        ...

    @property
    def market_data(self) -> MarketDataRepository:
        """Markets, candles, trades and depth snapshots."""
        ...

    @property
    def prices(self) -> PriceRepository:
        """Prices of the past, out of stored candles."""
        ...

    @property
    def market_history(self) -> MarketHistoryRepository:
        """Volume by price, and books of the past."""
        ...

    @property
    def halts(self) -> HaltRepository:
        """The halts that hold."""
        ...

    @property
    def lists(self) -> Lists:
        """Everything that is listed a page at a time."""
        ...

    @property
    def leases(self) -> LeaseRepository:
        """Who owns what, until when."""
        ...


class Database(Protocol):
    """Where transactions come from."""

    def transaction(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin; commit at the end of the block, roll back where it raises.

        Raises `Unavailable` where the database can't be reached. A commit that broke on the wire may have happened.
        """
        ...

    def read_only(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A connection for reads alone: each statement sees what was committed when it began."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A connection for reads alone that belong together: all see what was committed when the first began."""
        ...

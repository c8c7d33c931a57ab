"""The ports of lists that are paged and counted, for one owner or for many at once, with their filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.administration import ManagedUser, UserFilter
from domain.model.alert_rules import AlertRule
from domain.model.backtests import Backtest
from domain.model.jobs import Job, JobStatus
from domain.model.markets import MarketSymbol
from domain.model.notifications import ChannelDelivery
from domain.model.optimizations import Optimization
from domain.model.orders import Fill, Order
from domain.model.report_schedules import ReportSchedule
from domain.model.reports import Report, ReportScope
from domain.model.strategies import Strategy, StrategyVersion
from domain.model.trading import Account, AccountKind, AccountTransfer, Position, Signal, TradingSession
from domain.model.users import Activity
from domain.ports.orders import OrderFilter
from domain.ports.trading_sessions import TradingSessionFilter

MAX_COUNT = 10_000
"""Up to how many items are counted: counting more would read more of an index than a page does."""


class Owner(StrEnum):
    """The kind of object whose items a list holds, such as the orders of an ACCOUNT."""

    USER = "USER"
    ACCOUNT = "ACCOUNT"
    TRADING_SESSION = "TRADING_SESSION"
    POSITION = "POSITION"
    STRATEGY = "STRATEGY"
    STRATEGY_VERSION = "STRATEGY_VERSION"
    ENGINE = "ENGINE"
    NOTIFICATION_CHANNEL = "NOTIFICATION_CHANNEL"


@dataclass(frozen=True, slots=True)
class NoFilter:
    """The filter of a list that has none."""


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Selects accounts; None selects any."""

    kind: AccountKind | None = None
    archived: bool | None = None


@dataclass(frozen=True, slots=True)
class PositionFilter:
    """Selects positions; None selects any."""

    account_id: UUID | None = None
    trading_session_id: UUID | None = None
    market: MarketSymbol | None = None
    strategy_id: UUID | None = None
    is_open: bool | None = None


@dataclass(frozen=True, slots=True)
class StrategyFilter:
    """Selects either the archived strategies or the others."""

    archived: bool = False


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Selects jobs; None selects any."""

    statuses: tuple[JobStatus, ...] | None = None


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Selects reports by what they are about; None selects any."""

    scope: ReportScope | None = None
    scope_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """Selects activities; None selects any. `start` is included, `end` is not."""

    actions: tuple[str, ...] | None = None
    start: datetime | None = None
    end: datetime | None = None


T = TypeVar("T")
F_contra = TypeVar("F_contra", contravariant=True)


class ListRepository(Protocol[T, F_contra]):
    """One kind of list. The caller has checked that the owners are the user's."""

    async def pages(self, owner: Owner, ids: Sequence[UUID], page: KeysetPage, filter: F_contra) -> dict[UUID, list[T]]:
        """Return a page of each owner's list, by one statement for all owners."""
        ...

    async def counts(self, owner: Owner, ids: Sequence[UUID], filter: F_contra) -> dict[UUID, int | None]:
        """Return how many matching items each owner has, by one statement; None if more than `MAX_COUNT`."""
        ...


class Lists(Protocol):
    """The lists that the API pages and counts, one repository for each kind of item."""

    @property
    def accounts(self) -> ListRepository[Account, AccountFilter]:
        """Accounts of a user."""
        ...

    @property
    def strategies(self) -> ListRepository[Strategy, StrategyFilter]:
        """Strategies of a user."""
        ...

    @property
    def strategy_versions(self) -> ListRepository[StrategyVersion, NoFilter]:
        """Versions of a strategy."""
        ...

    @property
    def trading_sessions(self) -> ListRepository[TradingSession, TradingSessionFilter]:
        """Trading sessions of a user, an account, a strategy or a version of one."""
        ...

    @property
    def signals(self) -> ListRepository[Signal, NoFilter]:
        """Signals of a trading session."""
        ...

    @property
    def orders(self) -> ListRepository[Order, OrderFilter]:
        """Orders of a user, an account, a trading session or a position."""
        ...

    @property
    def fills(self) -> ListRepository[Fill, OrderFilter]:
        """Fills of a user, an account, a trading session or a position."""
        ...

    @property
    def positions(self) -> ListRepository[Position, PositionFilter]:
        """Positions of a user, an account or a trading session; a `dated` page is ordered by when they closed."""
        ...

    @property
    def transfers(self) -> ListRepository[AccountTransfer, NoFilter]:
        """Deposits, withdrawals and adjustments of an account."""
        ...

    @property
    def jobs(self) -> ListRepository[Job, JobFilter]:
        """Jobs of a user."""
        ...

    @property
    def backtests(self) -> ListRepository[Backtest, NoFilter]:
        """Backtests of a user."""
        ...

    @property
    def optimizations(self) -> ListRepository[Optimization, NoFilter]:
        """Optimizations of a user."""
        ...

    @property
    def reports(self) -> ListRepository[Report, ReportFilter]:
        """Reports of a user."""
        ...

    @property
    def users(self) -> ListRepository[ManagedUser, UserFilter]:
        """All users of the engine who aren't erased, as operators see them."""
        ...

    @property
    def alert_rules(self) -> ListRepository[AlertRule, NoFilter]:
        """Alert rules of a user."""
        ...

    @property
    def report_schedules(self) -> ListRepository[ReportSchedule, NoFilter]:
        """Schedules of a user's reports."""
        ...

    @property
    def channel_deliveries(self) -> ListRepository[ChannelDelivery, NoFilter]:
        """Deliveries of a notification channel."""
        ...

    @property
    def activity(self) -> ListRepository[Activity, ActivityFilter]:
        """The activity log of a user."""
        ...

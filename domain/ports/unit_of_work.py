"""The port of the database: transactions, and the repositories that work inside of them.

A transaction is all or nothing. Events that it appends to the log get their sequence numbers at its end, and listeners
are notified after the commit. Every list is newest first unless its docstring says otherwise, and every read of private
data names the user whose it is.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from domain.ports.accounts import AccountRepository, HaltRepository, TransferRepository
from domain.ports.administration import AdministrationReads
from domain.ports.alert_rules import AlertRuleRepository
from domain.ports.backtests import BacktestRepository
from domain.ports.drift import DriftRepository
from domain.ports.equity import EquityRepository
from domain.ports.event_log import EventHistory, EventLog
from domain.ports.idempotency import IdempotencyRepository
from domain.ports.invitations import InvitationRepository
from domain.ports.jobs import JobRepository
from domain.ports.leases import LeaseRepository
from domain.ports.lists import Lists
from domain.ports.mail import EmailCodeRepository, MailOutbox
from domain.ports.market_data import MarketDataRepository, MarketHistoryRepository
from domain.ports.monitoring import MonitoringRepository
from domain.ports.notifications import ChannelRepository
from domain.ports.oidc import OidcRepository
from domain.ports.operator_reports import OperatorReportReads
from domain.ports.optimizations import OptimizationRepository
from domain.ports.orders import OrderRepository
from domain.ports.overview import OverviewRepository
from domain.ports.persisted_documents import PersistedDocumentRepository
from domain.ports.personal_data import DataExports, PersonalData
from domain.ports.plans import PlanRepository
from domain.ports.positions import PositionRepository
from domain.ports.profit import ProfitRepository
from domain.ports.protection import ProtectionRepository
from domain.ports.recommendations import RecommendationRepository
from domain.ports.report_files import ReportFiles
from domain.ports.report_schedules import ReportScheduleRepository
from domain.ports.reports import PriceRepository, ReportRepository
from domain.ports.restores import RestoreRepository
from domain.ports.signal_webhooks import SignalWebhookRepository
from domain.ports.strategies import StrategyRepository
from domain.ports.trading_sessions import TradingSessionRepository
from domain.ports.users import TwoFactorRepository, UserRepository


class UnitOfWork(Protocol):
    """The repositories, all on one connection."""

    @property
    def users(self) -> UserRepository:
        """Users, login sessions, API keys, activity."""
        ...

    @property
    def administration(self) -> AdministrationReads:
        """What operators see of users and of the engine."""
        ...

    @property
    def overview(self) -> OverviewRepository:
        """How the engine is doing, over all users."""
        ...

    @property
    def personal_data(self) -> PersonalData:
        """All that is stored about a user."""
        ...

    @property
    def data_exports(self) -> DataExports:
        """Exports of users' data."""
        ...

    @property
    def two_factors(self) -> TwoFactorRepository:
        """Second factors of sign-ins, and recovery codes."""
        ...

    @property
    def mails(self) -> MailOutbox:
        """The mails to users that wait to be sent."""
        ...

    @property
    def plans(self) -> PlanRepository:
        """Plans, which user has which, and what is used of them by the day."""
        ...

    @property
    def email_codes(self) -> EmailCodeRepository:
        """The codes that mails to users contain."""
        ...

    @property
    def invitations(self) -> InvitationRepository:
        """Invitations of new users."""
        ...

    @property
    def alert_rules(self) -> AlertRuleRepository:
        """The alert rules of users."""
        ...

    @property
    def operator_reports(self) -> OperatorReportReads:
        """The numbers of a period, over all users."""
        ...

    @property
    def report_schedules(self) -> ReportScheduleRepository:
        """The schedules of users' reports."""
        ...

    @property
    def channels(self) -> ChannelRepository:
        """The notification channels of users, and their deliveries."""
        ...

    @property
    def oidc(self) -> OidcRepository:
        """Sign-ins at OpenID providers, and identities that are linked to users."""
        ...

    @property
    def idempotency(self) -> IdempotencyRepository:
        """The idempotency keys of mutations."""
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
        """Deposits, withdrawals and adjustments: what changed balances otherwise than by fills."""
        ...

    @property
    def equity(self) -> EquityRepository:
        """Stored points of equity, and what losses are measured from."""
        ...

    @property
    def profit(self) -> ProfitRepository:
        """What closed positions have earned, and their tags."""
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
    def signal_webhooks(self) -> SignalWebhookRepository:
        """Webhooks that submit signals to trading sessions."""
        ...

    @property
    def positions(self) -> PositionRepository:
        """Positions, open and closed."""
        ...

    @property
    def protection(self) -> ProtectionRepository:
        """What protects positions, and the intents to close them."""
        ...

    @property
    def orders(self) -> OrderRepository:
        """Orders and fills."""
        ...

    @property
    def jobs(self) -> JobRepository:
        """Jobs, queued, running and ended."""
        ...

    @property
    def report_files(self) -> ReportFiles:
        """The files of reports."""
        ...

    @property
    def reports(self) -> ReportRepository:
        """Reports."""
        ...

    @property
    def backtests(self) -> BacktestRepository:
        """Backtests."""
        ...

    @property
    def recommendations(self) -> RecommendationRepository:
        """How strategies did on markets, and the jobs that find it out."""
        ...

    @property
    def optimizations(self) -> OptimizationRepository:
        """Optimizations and their trials."""
        ...

    @property
    def drift(self) -> DriftRepository:
        """How far trading sessions have drifted from their backtests."""
        ...

    @property
    def market_data(self) -> MarketDataRepository:
        """Markets, candles, trades and depth snapshots."""
        ...

    @property
    def prices(self) -> PriceRepository:
        """Historical prices from stored candles."""
        ...

    @property
    def market_history(self) -> MarketHistoryRepository:
        """Volume by price, and historical books."""
        ...

    @property
    def halts(self) -> HaltRepository:
        """The halts in force."""
        ...

    @property
    def lists(self) -> Lists:
        """The lists that are paged and counted."""
        ...

    @property
    def monitoring(self) -> MonitoringRepository:
        """Figures over all users, for those who watch the engine."""
        ...

    @property
    def persisted_documents(self) -> PersistedDocumentRepository:
        """The documents that clients ask for by identifiers, and that the operator added."""
        ...

    @property
    def restores(self) -> RestoreRepository:
        """What a database that was restored to an earlier moment doesn't know."""
        ...

    @property
    def leases(self) -> LeaseRepository:
        """Leases: which node owns an account or a feed, until when."""
        ...


Reads = Callable[[], AbstractAsyncContextManager[UnitOfWork]]
"""Opens readings, as `Database.read_only` does."""


class Database(Protocol):
    """Opens transactions, and connections for reads alone."""

    def event_history(self, reads: Reads | None = None) -> EventHistory:
        """Return the users' event logs, with what is archived of them, as `reads` open readings of this database."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin a transaction; it commits at the end of the block and rolls back if the block raises.

        Raises `Unavailable` if the database can't be reached. After `Unavailable` from the commit itself the
        transaction may or may not have been committed.
        """
        ...

    def read_only(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a connection for reads: each statement sees what was committed when it began (READ COMMITTED)."""
        ...

    def read_past(self, until: datetime) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a connection for reads of what was committed by `until`: what was committed later may not be seen.

        They may be answered by a replica. Never for what somebody has just changed and looks for, nor for what decides.
        """
        ...

    def snapshot(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a connection for reads that belong together: all see what was committed when the first began."""
        ...

"""What each kind of list is made of."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

from domain.model.orders import Fill, Order
from domain.model.reports import Job, Report
from domain.model.strategies import Strategy, StrategyVersion
from domain.model.trading import Account, AccountTransfer, Position, Signal, TradingSession
from domain.model.users import Activity
from domain.ports.lists import (
    AccountFilter,
    ActivityFilter,
    JobFilter,
    NoFilter,
    Owner,
    PositionFilter,
    ReportFilter,
    StrategyFilter,
)
from domain.ports.orders import OrderFilter
from domain.ports.trading_sessions import TradingSessionFilter
from infra.postgres.connection import Connection
from infra.postgres.repositories import accounts, positions, reports, strategies, transfers, users
from infra.postgres.repositories.lists import ListTable, PostgresList
from infra.postgres.repositories.orders import fills_that_fit, orders_that_fit
from infra.postgres.repositories.trading_sessions import OF_STRATEGY, trading_session_conditions
from infra.postgres.rows.orders import SELECT_FILL, SELECT_ORDER, fill_of, order_of
from infra.postgres.rows.trading_sessions import (
    SELECT_SIGNAL,
    SELECT_TRADING_SESSION,
    signal_from_row,
    trading_session_from_row,
)
from infra.postgres.sql import Condition

OF_USER: Final = {Owner.USER: "user_id = {}"}
OF_ACCOUNT: Final = {Owner.ACCOUNT: "account_id = {}"}
OF_SESSION: Final = {Owner.TRADING_SESSION: "trading_session_id = {}"}

# A fill doesn't name its position; account, market, session and time do. One that closes a position and opens the
# opposite one belongs to both.
FILL_OF_POSITION: Final = (
    "EXISTS (SELECT FROM positions AS held WHERE held.id = {} AND held.account_id = fills.account_id"
    " AND held.market = fills.market AND held.trading_session_id IS NOT DISTINCT FROM fills.trading_session_id"
    " AND fills.at >= held.opened_at AND (held.closed_at IS NULL OR fills.at <= held.closed_at))"
)
ORDER_OF_POSITION: Final = f"id IN (SELECT fills.order_id FROM fills WHERE {FILL_OF_POSITION})"


def _accounts(wanted: AccountFilter) -> Sequence[Condition]:
    return [("kind = {}", wanted.kind), ("(archived_at IS NOT NULL) = {}", wanted.archived)]


def _positions(wanted: PositionFilter) -> Sequence[Condition]:
    # By a text of its own, which the partial indexes of open and of closed positions answer.
    is_open = {None: [], True: [("closed_at IS NULL",)], False: [("closed_at IS NOT NULL",)]}[wanted.is_open]
    return [
        *is_open,
        ("account_id = {}", wanted.account_id),
        ("trading_session_id = {}", wanted.trading_session_id),
        ("market = {}", None if wanted.market is None else str(wanted.market)),
        (
            f"trading_session_id IN (SELECT session.id FROM trading_sessions AS session WHERE {OF_STRATEGY})",
            wanted.strategy_id,
        ),
    ]


def _strategies(wanted: StrategyFilter) -> Sequence[Condition]:
    return [(f"archived_at IS {'NOT ' if wanted.archived else ''}NULL",)]


def _jobs(wanted: JobFilter) -> Sequence[Condition]:
    return [("status = ANY({}::text[])", wanted.statuses)]


def _reports(wanted: ReportFilter) -> Sequence[Condition]:
    return [("scope = {}", wanted.scope), ("scope_id = {}", wanted.scope_id)]


def _activity(wanted: ActivityFilter) -> Sequence[Condition]:
    return [("action = ANY({}::text[])", wanted.actions), ("at >= {}", wanted.start), ("at < {}", wanted.end)]


def _everything(_wanted: NoFilter) -> Sequence[Condition]:
    return []


ACCOUNTS: Final = ListTable(accounts.SELECT, "accounts", OF_USER, _accounts, accounts.account_from_row)
STRATEGIES: Final = ListTable(strategies.SELECT, "strategies", OF_USER, _strategies, strategies.strategy_from_row)
VERSIONS: Final = ListTable(
    strategies.SELECT_VERSION,
    "strategy_versions",
    {Owner.STRATEGY: "strategy_id = {}"},
    _everything,
    strategies.version_from_row,
)
SESSIONS: Final = ListTable(
    SELECT_TRADING_SESSION,
    "trading_sessions",
    {**OF_USER, **OF_ACCOUNT, Owner.STRATEGY: OF_STRATEGY, Owner.STRATEGY_VERSION: "strategy_version_id = {}"},
    trading_session_conditions,
    trading_session_from_row,
)
SIGNALS: Final = ListTable(SELECT_SIGNAL, "signals", OF_SESSION, _everything, signal_from_row)
ORDERS: Final = ListTable(
    SELECT_ORDER,
    "orders",
    {**OF_USER, **OF_ACCOUNT, **OF_SESSION, Owner.POSITION: ORDER_OF_POSITION},
    orders_that_fit,
    order_of,
)
FILLS: Final = ListTable(
    SELECT_FILL, "fills", {**OF_USER, **OF_ACCOUNT, **OF_SESSION, Owner.POSITION: FILL_OF_POSITION},
    fills_that_fit, fill_of,
)  # fmt: skip
POSITIONS: Final = ListTable(
    positions.SELECT,
    "positions",
    {**OF_USER, **OF_ACCOUNT, **OF_SESSION},
    _positions,
    positions.position_from_row,
    dated="closed_at",
)
TRANSFERS: Final = ListTable(
    transfers.SELECT, "account_transfers", OF_ACCOUNT, _everything, transfers.transfer_from_row
)
JOBS: Final = ListTable(reports.SELECT_JOB, "jobs", OF_USER, _jobs, reports.job_of)
REPORTS: Final = ListTable(reports.SELECT_REPORT, "reports", OF_USER, _reports, reports.report_of)
ACTIVITY: Final = ListTable(users.SELECT_ACTIVITY, "activities", OF_USER, _activity, users.activity_of)


class PostgresLists:
    """Implements `domain.ports.lists.Lists`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def accounts(self) -> PostgresList[Account, AccountFilter]:
        """Accounts of a user."""
        return PostgresList(self._connection, ACCOUNTS)

    @cached_property
    def strategies(self) -> PostgresList[Strategy, StrategyFilter]:
        """Strategies of a user."""
        return PostgresList(self._connection, STRATEGIES)

    @cached_property
    def strategy_versions(self) -> PostgresList[StrategyVersion, NoFilter]:
        """Versions of a strategy."""
        return PostgresList(self._connection, VERSIONS)

    @cached_property
    def trading_sessions(self) -> PostgresList[TradingSession, TradingSessionFilter]:
        """Trading sessions of a user, an account, a strategy or a version of one."""
        return PostgresList(self._connection, SESSIONS)

    @cached_property
    def signals(self) -> PostgresList[Signal, NoFilter]:
        """Signals of a trading session."""
        return PostgresList(self._connection, SIGNALS)

    @cached_property
    def orders(self) -> PostgresList[Order, OrderFilter]:
        """Orders of a user, an account, a trading session or a position."""
        return PostgresList(self._connection, ORDERS)

    @cached_property
    def fills(self) -> PostgresList[Fill, OrderFilter]:
        """Fills of a user, an account, a trading session or a position."""
        return PostgresList(self._connection, FILLS)

    @cached_property
    def positions(self) -> PostgresList[Position, PositionFilter]:
        """Positions of a user, an account or a trading session; a `dated` window is by when they closed."""
        return PostgresList(self._connection, POSITIONS)

    @cached_property
    def transfers(self) -> PostgresList[AccountTransfer, NoFilter]:
        """What came into an account and left it otherwise than by fills."""
        return PostgresList(self._connection, TRANSFERS)

    @cached_property
    def jobs(self) -> PostgresList[Job, JobFilter]:
        """Jobs of a user."""
        return PostgresList(self._connection, JOBS)

    @cached_property
    def reports(self) -> PostgresList[Report, ReportFilter]:
        """Reports of a user."""
        return PostgresList(self._connection, REPORTS)

    @cached_property
    def activity(self) -> PostgresList[Activity, ActivityFilter]:
        """What a user did."""
        return PostgresList(self._connection, ACTIVITY)

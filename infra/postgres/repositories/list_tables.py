"""Where each kind of list is stored, and the conditions of its filter."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

from domain.model.administration import ManagedUser, UserFilter
from domain.model.alert_rules import AlertRule
from domain.model.backtests import Backtest
from domain.model.jobs import Job
from domain.model.notifications import ChannelDelivery
from domain.model.optimizations import Optimization
from domain.model.orders import Fill, Order
from domain.model.report_schedules import ReportSchedule
from domain.model.reports import Report
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
from infra.postgres.repositories import (
    administration,
    alert_rules,
    backtests,
    channels,
    jobs,
    optimizations,
    report_schedules,
    reports,
    strategies,
    users,
)
from infra.postgres.repositories.lists import ListTable, PostgresList
from infra.postgres.repositories.order_conditions import fill_conditions, order_conditions
from infra.postgres.repositories.trading_sessions import OF_STRATEGY, trading_session_conditions
from infra.postgres.rows.accounts import (
    SELECT_ACCOUNT,
    SELECT_POSITION,
    SELECT_TRANSFER,
    account_from_row,
    position_from_row,
    transfer_from_row,
)
from infra.postgres.rows.orders import SELECT_FILL, SELECT_ORDER, fill_from_row, order_from_row
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


def _account_conditions(filter: AccountFilter) -> Sequence[Condition]:
    return [("kind = {}", filter.kind), ("(archived_at IS NOT NULL) = {}", filter.archived)]


def _position_conditions(filter: PositionFilter) -> Sequence[Condition]:
    # Not as a parameter: the partial indexes of open and of closed positions need the condition in the text.
    is_open = {None: [], True: [("closed_at IS NULL",)], False: [("closed_at IS NOT NULL",)]}[filter.is_open]
    return [
        *is_open,
        ("account_id = {}", filter.account_id),
        ("trading_session_id = {}", filter.trading_session_id),
        ("market = {}", None if filter.market is None else str(filter.market)),
        (
            f"trading_session_id IN (SELECT session.id FROM trading_sessions AS session WHERE {OF_STRATEGY})",
            filter.strategy_id,
        ),
    ]


def _strategy_conditions(filter: StrategyFilter) -> Sequence[Condition]:
    return [(f"archived_at IS {'NOT ' if filter.archived else ''}NULL",)]


def _job_conditions(filter: JobFilter) -> Sequence[Condition]:
    return [("status = ANY({}::text[])", filter.statuses)]


def _report_conditions(filter: ReportFilter) -> Sequence[Condition]:
    return [("scope = {}", filter.scope), ("scope_id = {}", filter.scope_id)]


def _activity_conditions(filter: ActivityFilter) -> Sequence[Condition]:
    return [("action = ANY({}::text[])", filter.actions), ("at >= {}", filter.start), ("at < {}", filter.end)]


def _no_conditions(_filter: NoFilter) -> Sequence[Condition]:
    return []


ACCOUNTS: Final = ListTable(SELECT_ACCOUNT, "accounts", OF_USER, _account_conditions, account_from_row)
STRATEGIES: Final = ListTable(
    strategies.SELECT_STRATEGY, "strategies", OF_USER, _strategy_conditions, strategies.strategy_from_row
)
VERSIONS: Final = ListTable(
    strategies.SELECT_VERSION,
    "strategy_versions",
    {Owner.STRATEGY: "strategy_id = {}"},
    _no_conditions,
    strategies.version_from_row,
)
SESSIONS: Final = ListTable(
    SELECT_TRADING_SESSION,
    "trading_sessions",
    {**OF_USER, **OF_ACCOUNT, Owner.STRATEGY: OF_STRATEGY, Owner.STRATEGY_VERSION: "strategy_version_id = {}"},
    trading_session_conditions,
    trading_session_from_row,
)
SIGNALS: Final = ListTable(SELECT_SIGNAL, "signals", OF_SESSION, _no_conditions, signal_from_row)
ORDERS: Final = ListTable(
    SELECT_ORDER,
    "orders",
    {**OF_USER, **OF_ACCOUNT, **OF_SESSION, Owner.POSITION: ORDER_OF_POSITION},
    order_conditions,
    order_from_row,
)
FILLS: Final = ListTable(
    SELECT_FILL, "fills", {**OF_USER, **OF_ACCOUNT, **OF_SESSION, Owner.POSITION: FILL_OF_POSITION},
    fill_conditions, fill_from_row,
)  # fmt: skip
POSITIONS: Final = ListTable(
    SELECT_POSITION,
    "positions",
    {**OF_USER, **OF_ACCOUNT, **OF_SESSION},
    _position_conditions,
    position_from_row,
    dated="closed_at",
)
TRANSFERS: Final = ListTable(SELECT_TRANSFER, "account_transfers", OF_ACCOUNT, _no_conditions, transfer_from_row)
JOBS: Final = ListTable(jobs.SELECT_JOB, "jobs", OF_USER, _job_conditions, jobs.job_from_row)
BACKTESTS: Final = ListTable(
    backtests.SELECT_BACKTEST, "backtests", OF_USER, _no_conditions, backtests.backtest_from_row
)
OPTIMIZATIONS: Final = ListTable(
    optimizations.SELECT_OPTIMIZATION, "optimizations", OF_USER, _no_conditions, optimizations.optimization_from_row
)
REPORTS: Final = ListTable(reports.SELECT_REPORT, "reports", OF_USER, _report_conditions, reports.report_from_row)
ALERT_RULES: Final = ListTable(
    alert_rules.SELECT_RULE, "alert_rules", OF_USER, _no_conditions, alert_rules.rule_from_row
)
REPORT_SCHEDULES: Final = ListTable(
    report_schedules.SELECT_SCHEDULE, "report_schedules", OF_USER, _no_conditions, report_schedules.schedule_from_row
)
DELIVERIES: Final = ListTable(
    channels.SELECT_DELIVERY,
    "channel_deliveries",
    {Owner.NOTIFICATION_CHANNEL: "channel_id = {}"},
    _no_conditions,
    channels.delivery_from_row,
)
ACTIVITY: Final = ListTable(users.SELECT_ACTIVITY, "activities", OF_USER, _activity_conditions, users.activity_from_row)


USERS: Final = ListTable(
    administration.SELECT_USER,
    "users",
    {Owner.ENGINE: "{}::uuid IS NOT NULL"},
    administration.user_conditions,
    administration.managed_user_from_row,
)


class PostgresLists:
    """Implements `domain.ports.lists.Lists`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def accounts(self) -> PostgresList[Account, AccountFilter]:
        return PostgresList(self._connection, ACCOUNTS)

    @cached_property
    def strategies(self) -> PostgresList[Strategy, StrategyFilter]:
        return PostgresList(self._connection, STRATEGIES)

    @cached_property
    def strategy_versions(self) -> PostgresList[StrategyVersion, NoFilter]:
        return PostgresList(self._connection, VERSIONS)

    @cached_property
    def trading_sessions(self) -> PostgresList[TradingSession, TradingSessionFilter]:
        return PostgresList(self._connection, SESSIONS)

    @cached_property
    def signals(self) -> PostgresList[Signal, NoFilter]:
        return PostgresList(self._connection, SIGNALS)

    @cached_property
    def orders(self) -> PostgresList[Order, OrderFilter]:
        return PostgresList(self._connection, ORDERS)

    @cached_property
    def fills(self) -> PostgresList[Fill, OrderFilter]:
        return PostgresList(self._connection, FILLS)

    @cached_property
    def positions(self) -> PostgresList[Position, PositionFilter]:
        return PostgresList(self._connection, POSITIONS)

    @cached_property
    def transfers(self) -> PostgresList[AccountTransfer, NoFilter]:
        return PostgresList(self._connection, TRANSFERS)

    @cached_property
    def jobs(self) -> PostgresList[Job, JobFilter]:
        return PostgresList(self._connection, JOBS)

    @cached_property
    def backtests(self) -> PostgresList[Backtest, NoFilter]:
        return PostgresList(self._connection, BACKTESTS)

    @cached_property
    def optimizations(self) -> PostgresList[Optimization, NoFilter]:
        return PostgresList(self._connection, OPTIMIZATIONS)

    @cached_property
    def reports(self) -> PostgresList[Report, ReportFilter]:
        return PostgresList(self._connection, REPORTS)

    @cached_property
    def users(self) -> PostgresList[ManagedUser, UserFilter]:
        return PostgresList(self._connection, USERS)

    @cached_property
    def alert_rules(self) -> PostgresList[AlertRule, NoFilter]:
        return PostgresList(self._connection, ALERT_RULES)

    @cached_property
    def report_schedules(self) -> PostgresList[ReportSchedule, NoFilter]:
        return PostgresList(self._connection, REPORT_SCHEDULES)

    @cached_property
    def channel_deliveries(self) -> PostgresList[ChannelDelivery, NoFilter]:
        return PostgresList(self._connection, DELIVERIES)

    @cached_property
    def activity(self) -> PostgresList[Activity, ActivityFilter]:
        return PostgresList(self._connection, ACTIVITY)

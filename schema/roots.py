"""The three roots, assembled from all areas, and the schema."""

from typing import Final

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.accounts.mutations import AccountMutation
from schema.accounts.subscriptions import AccountSubscription
from schema.administration.mutations import AdministrationMutation
from schema.administration.queries import AdministrationQuery
from schema.alerts.mutations import AlertMutation
from schema.analytics.queries import AnalyticsQuery
from schema.backtests.mutations import BacktestMutation
from schema.common.engine_schema import EngineSchema
from schema.common.errors import InputError
from schema.common.node import NodeQuery
from schema.common.scalars import SCALARS
from schema.engine.mutations import HaltMutation
from schema.engine.node_mutations import EngineNodeMutation
from schema.engine.queries import EngineQuery
from schema.events.subscriptions import EventSubscription
from schema.jobs.mutations import JobMutation
from schema.markets.queries import MarketQuery
from schema.markets.subscriptions import MarketSubscription
from schema.notifications.mutations import NotificationMutation
from schema.optimizations.mutations import OptimizationMutation
from schema.orders.mutations import OrderMutation
from schema.orders.queries import OrderQuery
from schema.personal_data.mutations import DataExportMutation
from schema.plans.mutations import PlanMutation
from schema.plans.queries import PlanQuery
from schema.plans.types import PlanLimitError
from schema.positions.mutations import PositionMutation
from schema.positions.subscriptions import PositionSubscription
from schema.reports.mutations import ReportMutation
from schema.reports.schedule_mutations import ReportScheduleMutation
from schema.strategies.mutations import StrategyMutation
from schema.strategies.queries import StrategyQuery
from schema.trading.mutations import TradingMutation
from schema.trading.subscriptions import TradingSubscription
from schema.users.email_mutations import EmailMutation
from schema.users.invitations import InvitationMutation, InvitationQuery
from schema.users.mutations import UserMutation
from schema.users.oidc import OidcMutation
from schema.users.queries import UserQuery
from schema.users.two_factor_mutations import TwoFactorMutation


@strawberry.type(description="All queries. Private data is below `viewer`, or found with `node`.")
class Query(
    NodeQuery,
    UserQuery,
    PlanQuery,
    EngineQuery,
    MarketQuery,
    AnalyticsQuery,
    StrategyQuery,
    OrderQuery,
    InvitationQuery,
    AdministrationQuery,
): ...


@strawberry.type(description="All mutations. Errors in the input are in the `errors` of the payload.")
class Mutation(
    UserMutation,
    EmailMutation,
    InvitationMutation,
    OidcMutation,
    TwoFactorMutation,
    DataExportMutation,
    PlanMutation,
    AccountMutation,
    StrategyMutation,
    TradingMutation,
    HaltMutation,
    EngineNodeMutation,
    OrderMutation,
    PositionMutation,
    ReportMutation,
    ReportScheduleMutation,
    BacktestMutation,
    OptimizationMutation,
    JobMutation,
    AdministrationMutation,
    NotificationMutation,
    AlertMutation,
): ...


@strawberry.type(description="All subscriptions.")
class Subscription(
    MarketSubscription, PositionSubscription, AccountSubscription, TradingSubscription, EventSubscription
): ...


SCHEMA: Final = EngineSchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[InputError, PlanLimitError],
    config=StrawberryConfig(scalar_map=SCALARS),
)
"""The public schema."""

"""The three roots, put together of what each module gives, and the schema of them."""

from typing import Final

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.accounts import AccountMutation
from schema.analytics import AnalyticsQuery
from schema.depth import DepthSubscription
from schema.engine import EngineQuery
from schema.errors import EngineSchema, InputError
from schema.events import EventSubscription
from schema.market_lists import MarketListQuery, MarketListSubscription
from schema.markets import MarketQuery, MarketSubscription
from schema.node import NodeQuery
from schema.order_mutations import OrderMutation
from schema.portfolio import PortfolioSubscription
from schema.reports import ReportMutation
from schema.scalars import SCALARS
from schema.strategies import StrategyMutation, StrategyQuery
from schema.trading import TradingMutation
from schema.user_mutations import UserMutation
from schema.users import UserQuery


@strawberry.type(description="All queries. Private data is below `viewer`, or found with `node`.")
class Query(NodeQuery, UserQuery, EngineQuery, MarketQuery, MarketListQuery, AnalyticsQuery, StrategyQuery):
    """The query root."""


@strawberry.type(description="All mutations. Errors in the input are in the `errors` of the payload.")
class Mutation(UserMutation, AccountMutation, StrategyMutation, TradingMutation, OrderMutation, ReportMutation):
    """The mutation root."""


@strawberry.type(description="All subscriptions.")
class Subscription(
    DepthSubscription, MarketSubscription, MarketListSubscription, PortfolioSubscription, EventSubscription
):
    """The subscription root."""


SCHEMA: Final = EngineSchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[InputError],
    config=StrawberryConfig(scalar_map=SCALARS),
)
"""The public schema."""

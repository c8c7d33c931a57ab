"""Users as the API shows them: the viewer, their keys, sessions and activity."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.markets.types import MarketSymbol
from domain.orders.side import OrderSide
from domain.orders.types import OrderStatus
from domain.reports.types import JobStatus
from domain.trading.state import TradingState
from domain.trading.types import TradingSessionStatus
from domain.users import types as domain
from resolvers import nodes, orders, reports, strategies, trading, users
from resolvers.paging import PageArguments
from schema.context import Info
from schema.lazy import lazy
from schema.node import Node, serves
from schema.pagination import After, Before, Connection, Edge, First, Last

AccountConnection = lazy("accounts", "AccountConnection")
StrategyConnection = lazy("strategies", "StrategyConnection")
TradingSessionConnection = lazy("trading", "TradingSessionConnection")
OrderConnection = lazy("orders", "OrderConnection")
FillConnection = lazy("orders", "FillConnection")
PositionConnection = lazy("positions", "PositionConnection")
JobConnection = lazy("reports", "JobConnection")
ReportConnection = lazy("reports", "ReportConnection")

OfAccount = Annotated[strawberry.ID | None, strawberry.argument(description="Those of this account alone.")]
OfSession = Annotated[strawberry.ID | None, strawberry.argument(description="Those of this trading session alone.")]
OfMarket = Annotated[MarketSymbol | None, strawberry.argument(description="Those on this market alone.")]
OfSide = Annotated[OrderSide | None, strawberry.argument(description="Those of this side alone.")]
IsOpen = Annotated[bool | None, strawberry.argument(description="Open ones alone, or closed ones alone.")]
Archived = Annotated[bool | None, strawberry.argument(description="Archived ones alone, or none of them.")]
From = Annotated[datetime | None, strawberry.argument(name="from", description="From then on, that moment included.")]
To = Annotated[datetime | None, strawberry.argument(description="Up to then, that moment not included.")]

strawberry.enum(domain.UserRole, description="The first user is the operator; `r3edge user promote` makes others.")
strawberry.enum(
    domain.ApiScope,
    description="READ reads; TRADE also places orders and runs sessions; ADMIN also manages keys, credentials and, "
    "for an operator, the engine.",
)


@strawberry.type(description="What a user is entitled to.")
class Plan:
    """The schema's face of `domain.users.types.Plan`."""

    name: str = strawberry.field(description="The plan's name.")
    max_trading_sessions: int = strawberry.field(description="How many trading sessions may be alive at once.")
    max_subscriptions: int = strawberry.field(description="How many subscriptions a connection may have.")
    requests_per_minute: int = strawberry.field(description="How many requests a minute are answered.")


@strawberry.type(description="A long-lived credential; its secret was shown once.")
class ApiKey(Node):
    """The schema's face of `domain.users.types.ApiKey`."""

    is_type_of = serves(domain.ApiKey)

    name: str = strawberry.field(description="What the user calls it.")
    created_at: datetime = strawberry.field(description="When it was made.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to the minute.")
    expires_at: datetime | None = strawberry.field(description="When it ends; null where it doesn't.")

    @strawberry.field(description="What it may do.")
    def scopes(parent: strawberry.Parent[domain.ApiKey]) -> list[domain.ApiScope]:
        """Return the scopes in the order of their power."""
        return [scope for scope in domain.ApiScope if scope in parent.scopes]


@strawberry.type(description="A signed-in client.")
class LoginSession(Node):
    """The schema's face of `domain.users.types.LoginSession`."""

    is_type_of = serves(domain.LoginSession)

    created_at: datetime = strawberry.field(description="When it signed in.")
    last_seen_at: datetime = strawberry.field(description="When it was last seen, to the minute.")

    @strawberry.field(description="Whether it is the one that asks.")
    def current(parent: strawberry.Parent[domain.LoginSession], info: Info) -> bool:
        """Tell whether this request came with the session's token."""
        return users.is_current(info.context, parent)


@strawberry.type(description="One thing that a user did.")
class Activity(Node):
    """The schema's face of `domain.users.types.Activity`."""

    is_type_of = serves(domain.Activity)

    at: datetime = strawberry.field(description="When.")
    action: str = strawberry.field(description="The name of the mutation.")
    detail: str | None = strawberry.field(description="What there is to know beside the subject.")

    @strawberry.field(
        graphql_type=Node | None, description="What it was done to; null where that is gone or can't be named."
    )
    async def subject(parent: strawberry.Parent[domain.Activity], info: Info) -> object:
        """Return the object that the activity names."""
        return await nodes.subject(info.context, parent)


@strawberry.type(description="An activity in a list.")
class ActivityEdge(Edge[Activity]):
    """See `Edge`."""


@strawberry.type(description="What a user did, a page at a time.")
class ActivityConnection(Connection[Activity, ActivityEdge]):
    """See `Connection`."""


@strawberry.type(description="Somebody who acts on this engine, and all that is theirs.")
class User(Node):
    """The schema's face of `domain.users.types.User`; only ever the viewer."""

    is_type_of = serves(domain.User)

    email: str = strawberry.field(description="In lower case.")
    display_name: str | None = strawberry.field(description="What the user wants to be called.")
    created_at: datetime = strawberry.field(description="When the user registered.")
    role: domain.UserRole = strawberry.field(description="USER, or OPERATOR of this engine.")
    plan: Plan = strawberry.field(description="What the user is entitled to.")
    trading_state: TradingState = strawberry.field(description="Whether anything of the user may trade.")

    @strawberry.field(description="The head of the event log.")
    async def event_cursor(parent: strawberry.Parent[domain.User], info: Info) -> str:
        """Return the cursor."""
        return await users.event_cursor(info.context, parent)

    @strawberry.field(graphql_type=list[ApiKey], description="The keys that are good, newest first.")
    async def api_keys(parent: strawberry.Parent[domain.User], info: Info) -> object:
        """Return the keys."""
        return await users.api_keys(info.context, parent)

    @strawberry.field(graphql_type=list[LoginSession], description="The clients that are signed in, newest first.")
    async def login_sessions(parent: strawberry.Parent[domain.User], info: Info) -> object:
        """Return the sessions."""
        return await users.login_sessions(info.context, parent)

    @strawberry.field(graphql_type=AccountConnection | None, description="Archived ones too, newest first.")
    async def accounts(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await trading.accounts(info.context, parent, page)

    @strawberry.field(
        graphql_type=StrategyConnection | None, description="Newest first; archived ones alone, or none of them."
    )
    async def strategies(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        archived: Archived = False,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await strategies.of_user(info.context, parent, page, archived=bool(archived))

    @strawberry.field(graphql_type=TradingSessionConnection | None, description="Newest first.")
    async def trading_sessions(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: OfAccount = None,
        market: OfMarket = None,
        status: Annotated[
            list[TradingSessionStatus] | None, strawberry.argument(description="In one of these states.")
        ] = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await trading.sessions(info.context, parent, page, account, market, status)

    @strawberry.field(
        graphql_type=OrderConnection | None,
        description="Newest first, as all lists but candles. `from` is included, `to` is not.",
    )
    async def orders(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: OfAccount = None,
        trading_session: OfSession = None,
        market: OfMarket = None,
        side: OfSide = None,
        status: Annotated[list[OrderStatus] | None, strawberry.argument(description="In one of these states.")] = None,
        from_: From = None,
        to: To = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await orders.of_user(
            info.context, parent, page, account, trading_session, market, side, status, from_, to
        )

    @strawberry.field(graphql_type=FillConnection | None, description="Newest first. `from` is included, `to` is not.")
    async def fills(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: OfAccount = None,
        trading_session: OfSession = None,
        market: OfMarket = None,
        from_: From = None,
        to: To = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await orders.fills_of_user(info.context, parent, page, account, trading_session, market, from_, to)

    @strawberry.field(graphql_type=PositionConnection | None, description="Newest first.")
    async def positions(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: OfAccount = None,
        market: OfMarket = None,
        open: IsOpen = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await trading.positions(info.context, parent, page, account, market, is_open=open)

    @strawberry.field(graphql_type=JobConnection | None, description="Newest first.")
    async def jobs(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        status: Annotated[list[JobStatus] | None, strawberry.argument(description="In one of these states.")] = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await reports.jobs(info.context, parent, page, status)

    @strawberry.field(graphql_type=ReportConnection | None, description="Newest first.")
    async def reports(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await reports.of_user(info.context, parent, page)

    @strawberry.field(graphql_type=ActivityConnection | None, description="What the user did, newest first.")
    async def activity(
        parent: strawberry.Parent[domain.User],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await users.activity(info.context, parent, page)


@strawberry.type
class UserQuery:
    """The users' part of the query root."""

    @strawberry.field(
        graphql_type=User | None,
        description="Null for a stranger. Everything private hangs below it, so that an expired token never spoils the "
        "public half of a query.",
    )
    async def viewer(self, info: Info) -> object:
        """Return who asks."""
        return await users.viewer(info.context)

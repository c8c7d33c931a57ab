"""Users as the API shows them: the viewer, their keys, sessions and activity."""

from datetime import datetime

import strawberry

from domain.model import users as domain
from domain.model.trading_state import TradingState
from resolvers import nodes, users
from schema.context import Info
from schema.halts import HaltFields
from schema.node import Node, serves
from schema.pagination import CountedConnection, Edge
from schema.viewer_lists import ViewerLists


@strawberry.type(description="What a user is entitled to.")
class Plan:
    """The schema's face of `domain.model.users.Plan`."""

    name: str = strawberry.field(description="The plan's name.")
    max_trading_sessions: int = strawberry.field(description="How many trading sessions may be alive at once.")
    max_subscriptions: int = strawberry.field(
        description="How many subscriptions a connection may have. Not enforced yet: the limits of the engine hold."
    )
    requests_per_minute: int = strawberry.field(
        description="How many requests a minute are answered. Not enforced yet: the limits of the engine hold."
    )


@strawberry.type(description="A long-lived credential; its secret was shown once.")
class ApiKey(Node):
    """The schema's face of `domain.model.users.ApiKey`."""

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
    """The schema's face of `domain.model.users.LoginSession`."""

    is_type_of = serves(domain.LoginSession)

    created_at: datetime = strawberry.field(description="When it signed in.")
    last_seen_at: datetime = strawberry.field(description="When it was last seen, to the minute.")

    @strawberry.field(description="Whether it is the one that asks.")
    def current(parent: strawberry.Parent[domain.LoginSession], info: Info) -> bool:
        """Tell whether this request came with the session's token."""
        return users.is_current(info.context, parent)


@strawberry.type(description="One thing that a user did.")
class Activity(Node):
    """The schema's face of `domain.model.users.Activity`."""

    is_type_of = serves(domain.Activity)

    at: datetime = strawberry.field(description="When the user did it.")
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
class ActivityConnection(CountedConnection[Activity, ActivityEdge]):
    """See `Connection`."""


@strawberry.type(description="Somebody who acts on this engine, and all that is theirs.")
class User(Node, HaltFields, ViewerLists):
    """The schema's face of `domain.model.users.User`; only ever the viewer."""

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

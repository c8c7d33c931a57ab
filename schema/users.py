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


@strawberry.type(description="The limits that apply to a user.")
class Plan:
    """The schema's face of `domain.model.users.Plan`."""

    name: str = strawberry.field(description="The name of the plan.")
    max_trading_sessions: int = strawberry.field(
        description="The greatest number of trading sessions that can be active at the same time."
    )
    max_subscriptions: int = strawberry.field(
        description=(
            "The greatest number of subscriptions on one connection. Not enforced yet: the limits of the engine apply."
        )
    )
    requests_per_minute: int = strawberry.field(
        description="The greatest number of requests within one minute. Not enforced yet: the limits of the engine "
        "apply."
    )


@strawberry.type(
    description="An API key: a credential for programs, with scopes. Its secret is only shown when it is created."
)
class ApiKey(Node):
    """The schema's face of `domain.model.users.ApiKey`."""

    is_type_of = serves(domain.ApiKey)

    name: str = strawberry.field(description="The name that the user gave the key.")
    created_at: datetime = strawberry.field(description="When the key was created.")
    last_used_at: datetime | None = strawberry.field(
        description="When the key was last used, accurate to one minute. Null if it was never used."
    )
    expires_at: datetime | None = strawberry.field(description="When the key expires. Null if it doesn't expire.")

    @strawberry.field(description="What the key is allowed to do.")
    def scopes(parent: strawberry.Parent[domain.ApiKey]) -> list[domain.ApiScope]:
        """Return the scopes in the order of their power."""
        return [scope for scope in domain.ApiScope if scope in parent.scopes]


@strawberry.type(description="A client that signed in with email and password.")
class LoginSession(Node):
    """The schema's face of `domain.model.users.LoginSession`."""

    is_type_of = serves(domain.LoginSession)

    created_at: datetime = strawberry.field(description="When the client signed in.")
    last_seen_at: datetime = strawberry.field(description="When the client was last active, accurate to one minute.")

    @strawberry.field(description="True if this request is made with the session's token.")
    def current(parent: strawberry.Parent[domain.LoginSession], info: Info) -> bool:
        """Tell whether this request came with the session's token."""
        return users.is_current(info.context, parent)


@strawberry.type(description="An action of a user.")
class Activity(Node):
    """The schema's face of `domain.model.users.Activity`."""

    is_type_of = serves(domain.Activity)

    at: datetime = strawberry.field(description="When the user did it.")
    action: str = strawberry.field(description="The name of the mutation, such as `tradingHalt`.")
    detail: str | None = strawberry.field(
        description="Details of the action, such as a name or a reason. Null if there are none."
    )

    @strawberry.field(
        graphql_type=Node | None,
        description="The object of the action. Null if it no longer exists or the action has no object.",
    )
    async def subject(parent: strawberry.Parent[domain.Activity], info: Info) -> object:
        """Return the object that the activity names."""
        return await nodes.subject(info.context, parent)


@strawberry.type(description="An activity in a list, with its cursor.")
class ActivityEdge(Edge[Activity]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of activities.")
class ActivityConnection(CountedConnection[Activity, ActivityEdge]):
    """See `Connection`."""


@strawberry.type(description="A user of this engine, with everything that belongs to them.")
class User(Node, HaltFields, ViewerLists):
    """The schema's face of `domain.model.users.User`; only ever the viewer."""

    is_type_of = serves(domain.User)

    email: str = strawberry.field(description="The email address, in lower case.")
    display_name: str | None = strawberry.field(description="The name to display. Null if the user gave none.")
    created_at: datetime = strawberry.field(description="When the user registered.")
    role: domain.UserRole = strawberry.field(description="The role of the user on this engine.")
    plan: Plan = strawberry.field(description="The limits that apply to the user.")
    trading_state: TradingState = strawberry.field(
        description="What halts allow the user to do. A halt of the engine is not counted here: see `User.halts`."
    )

    @strawberry.field(description="The cursor of the newest event in the user's event log.")
    async def event_cursor(parent: strawberry.Parent[domain.User], info: Info) -> str:
        """Return the cursor."""
        return await users.event_cursor(info.context, parent)

    @strawberry.field(graphql_type=list[ApiKey], description="The valid API keys, newest first.")
    async def api_keys(parent: strawberry.Parent[domain.User], info: Info) -> object:
        """Return the keys."""
        return await users.api_keys(info.context, parent)

    @strawberry.field(
        graphql_type=list[LoginSession], description="The login sessions that are signed in, newest first."
    )
    async def login_sessions(parent: strawberry.Parent[domain.User], info: Info) -> object:
        """Return the sessions."""
        return await users.login_sessions(info.context, parent)


@strawberry.type
class UserQuery:
    """The users' part of the query root."""

    @strawberry.field(
        graphql_type=User | None,
        description=(
            "The user who makes the request. Null if the caller isn't signed in. All private data is below this "
            "field, so that an expired token affects only this part of a query."
        ),
    )
    async def viewer(self, info: Info) -> object:
        """Return who asks."""
        return await users.viewer(info.context)

"""Users: the viewer, API keys, login sessions and activities."""

from datetime import datetime

import strawberry

from domain.model import users as domain
from domain.model.trading_state import TradingState
from resolvers import administration, channels, data_exports, nodes, oidc, plans, users
from schema.accounts.portfolio import UserPortfolioField
from schema.accounts.profit import UserProfitField
from schema.accounts.taxes import UserTaxField
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info, lazy
from schema.engine.types import HaltFields
from schema.notifications.types import NotificationChannel
from schema.personal_data.types import DataExport
from schema.plans.types import EntitlementUsage, Plan, PlanChange
from schema.users.identities import LinkedIdentity
from schema.users.lists import ViewerLists


@strawberry.type(
    description="An API key: a credential for programs, with scopes. Its secret is only shown when it is created."
)
class ApiKey(Node):
    is_type_of = instance_of(domain.ApiKey)

    name: str = strawberry.field(description="The name that the user gave the key.")
    created_at: datetime = strawberry.field(description="When the key was created.")
    last_used_at: datetime | None = strawberry.field(
        description="When the key was last used, accurate to one minute. Null if it was never used."
    )
    expires_at: datetime | None = strawberry.field(description="When the key expires. Null if it doesn't expire.")
    requests_per_minute: int | None = strawberry.field(
        description="How many requests a minute the key was made for. Null if the plan alone limits them."
    )

    @strawberry.field(description="What the key is allowed to do.")
    def scopes(parent: strawberry.Parent[domain.ApiKey]) -> list[domain.ApiScope]:
        return [scope for scope in domain.ApiScope if scope in parent.scopes]


@strawberry.type(
    description="What a user receives mails about, besides changes of password, email address and second factor."
)
class NotificationSettings:
    @strawberry.field(description="True if a sign-in from a device that is new causes a mail.")
    def sign_in(parent: strawberry.Parent[domain.User]) -> bool:
        return parent.notify_sign_in


@strawberry.type(description="A client that signed in, by password or at an OpenID provider.")
class LoginSession(Node):
    is_type_of = instance_of(domain.LoginSession)

    created_at: datetime = strawberry.field(description="When the client signed in.")
    last_seen_at: datetime = strawberry.field(description="When the client was last active, accurate to one minute.")

    address: str | None = strawberry.field(
        description="The network address from which the client signed in. Null if it wasn't recorded."
    )
    user_agent: str | None = strawberry.field(
        description="The program that the client said it is (the header `User-Agent`). Null if it said nothing."
    )

    provider: str | None = strawberry.field(
        description="The name of the OpenID provider at which the client signed in. Null if it signed in by password."
    )

    @strawberry.field(description="True if this request is made with the session's token.")
    def current(parent: strawberry.Parent[domain.LoginSession], info: Info) -> bool:
        return users.is_current(info.context, parent)


@strawberry.type(description="An action of a user, or of an operator on the user.")
class Activity(Node):
    is_type_of = instance_of(domain.Activity)

    at: datetime = strawberry.field(description="When it was done.")
    action: str = strawberry.field(description="The name of the mutation, such as `tradingHalt`.")
    author: domain.ActivityAuthor = strawberry.field(description="Who did it.")
    reason: str | None = strawberry.field(
        description="The reason that an operator gave, in the activity of both. Null if none was given."
    )

    @strawberry.field(
        description="Details of the action, such as a name or a reason. Null if there are none, and to operators in "
        "what other users did."
    )
    def detail(parent: strawberry.Parent[domain.Activity], info: Info) -> str | None:
        return administration.activity_detail(info.context, parent)

    @strawberry.field(
        description="The display name of the operator who did it to the user. Null if no operator did, or if the "
        "operator gave no name."
    )
    async def operator_name(parent: strawberry.Parent[domain.Activity], info: Info) -> str | None:
        return await administration.operator_name(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("administration.types", "ManagedUser") | None,
        description="The operator who did it to the user. Null to everybody but operators.",
    )
    async def operator(parent: strawberry.Parent[domain.Activity], info: Info) -> object:
        return await administration.operator(info.context, parent)

    @strawberry.field(
        graphql_type=Node | None,
        description="The object of the action. Null if it no longer exists or the action has no object.",
    )
    async def subject(parent: strawberry.Parent[domain.Activity], info: Info) -> object:
        return await nodes.subject(info.context, parent)


ActivityConnection = connection(Activity, "activities")


@strawberry.type(description="A user of this engine, with everything that belongs to them.")
class User(Node, HaltFields, UserProfitField, UserTaxField, UserPortfolioField, ViewerLists):
    is_type_of = instance_of(domain.User)

    email: str = strawberry.field(description="The email address, in lower case.")
    email_verified_at: datetime | None = strawberry.field(
        description="When the user proved, by a code that was sent there, that the email address is theirs. Null if "
        "they haven't."
    )
    two_factor_enabled_at: datetime | None = strawberry.field(
        description="When two-factor authentication was turned on. Null if it is off."
    )
    display_name: str | None = strawberry.field(description="The name to display. Null if the user gave none.")
    time_zone: str = strawberry.field(
        description="The time zone of the user, by its name in the IANA database. Mails show times in it."
    )
    locale: str = strawberry.field(
        description="The language tag (BCP 47) of the user, for clients. The engine itself writes English."
    )
    report_currency: str | None = strawberry.field(
        description="The currency in which the user wants amounts shown, for clients. Accounts and reports have their "
        "own. Null if the user chose none."
    )
    created_at: datetime = strawberry.field(description="When the user registered.")
    role: domain.UserRole = strawberry.field(description="The role of the user on this engine.")
    plan: Plan = strawberry.field(description="The plan that the user has now: the limits that apply to the user.")
    trading_state: TradingState = strawberry.field(
        description="What halts allow the user to do. A halt of the engine is not counted here: see `User.halts`."
    )

    @strawberry.field(graphql_type=NotificationSettings, description="What the user receives mails about.")
    def notifications(parent: strawberry.Parent[domain.User]) -> object:
        return parent

    @strawberry.field(
        graphql_type=list[EntitlementUsage] | None,
        description="How much of the plan the user uses, one item for each entitlement that is counted.",
    )
    async def plan_usage(parent: strawberry.Parent[domain.User], info: Info) -> object:
        return await plans.usage(info.context, parent)

    @strawberry.field(
        graphql_type=list[PlanChange] | None,
        description="The decisions about which plan the user has, past and scheduled, the last decision first: the "
        "newest 100. The list is empty if the user has always had the default plan.",
    )
    async def plan_changes(parent: strawberry.Parent[domain.User], info: Info) -> object:
        return await plans.changes(info.context, parent)

    @strawberry.field(
        graphql_type=DataExport | None,
        description="The newest export of the user's data. Null if there is none, or it has expired.",
    )
    async def data_export(parent: strawberry.Parent[domain.User], info: Info) -> object:
        return await data_exports.latest(info.context, parent)

    @strawberry.field(description="The cursor of the newest event in the user's event log.")
    async def event_cursor(parent: strawberry.Parent[domain.User], info: Info) -> str:
        return await users.event_cursor(info.context, parent)

    @strawberry.field(
        graphql_type=int | None,
        description="How many recovery codes the user has left. Null if two-factor authentication is off.",
    )
    async def recovery_codes_left(parent: strawberry.Parent[domain.User], info: Info) -> object:
        return await users.recovery_codes_left(info.context, parent)

    @strawberry.field(
        graphql_type=list[NotificationChannel] | None,
        description="The notification channels of the user, oldest first.",
    )
    async def notification_channels(parent: strawberry.Parent[domain.User], info: Info) -> object:
        return await channels.channels(info.context, parent)

    @strawberry.field(
        graphql_type=list[LinkedIdentity] | None,
        description="The identities at OpenID providers by which the user can sign in, newest first.",
    )
    async def linked_identities(parent: strawberry.Parent[domain.User], info: Info) -> object:
        return await oidc.linked_identities(info.context, parent)

    @strawberry.field(description="True if the user can sign in by password.")
    async def has_password(parent: strawberry.Parent[domain.User], info: Info) -> bool | None:
        return await users.has_password(info.context, parent)

    @strawberry.field(graphql_type=list[ApiKey], description="The valid API keys, newest first.")
    async def api_keys(parent: strawberry.Parent[domain.User], info: Info) -> object:
        return await users.api_keys(info.context, parent)

    @strawberry.field(
        graphql_type=list[LoginSession], description="The login sessions that are signed in, newest first."
    )
    async def login_sessions(parent: strawberry.Parent[domain.User], info: Info) -> object:
        return await users.login_sessions(info.context, parent)

"""How the engine is doing, for operators."""

from datetime import datetime

import strawberry

from domain.model import overview as domain
from domain.model.orders import OrderStatus
from domain.model.trading import TradingSessionStatus, TradingSessionStatusCode
from resolvers import administration
from schema.administration.types import ManagedUser
from schema.common.types import Info
from schema.engine.nodes import EngineNode

Parent = strawberry.Parent[domain.Overview]


@strawberry.type(description="The numbers of users. Users who were erased aren't counted.")
class UserFigures:
    users: int = strawberry.field(name="total", description="How many users there are.")
    operators: int = strawberry.field(description="How many of them are operators.")
    disabled_users: int = strawberry.field(name="disabled", description="How many of them are disabled.")


@strawberry.type(description="The numbers of accounts. Archived accounts aren't counted.")
class AccountFigures:
    @strawberry.field(description="How many accounts have paper money.")
    def paper(parent: Parent) -> int:
        return parent.accounts_by_kind.get("PAPER", 0)

    @strawberry.field(description="How many accounts have real money.")
    def live(parent: Parent) -> int:
        return parent.accounts_by_kind.get("LIVE", 0)

    @strawberry.field(description="How many accounts have never agreed with their venue since they were created.")
    def unreconciled(parent: Parent) -> int:
        return parent.figures.unreconciled_accounts

    @strawberry.field(
        description="How many accounts no node looks after at this moment. After a crash it takes up to 8 s until "
        "another node does."
    )
    def unattended(parent: Parent) -> int:
        return parent.figures.unattended_accounts

    @strawberry.field(
        description="How many accounts have an alert of the last 24 hours, such as rejected credentials or an unknown "
        "order."
    )
    def alerting(parent: Parent) -> int:
        return parent.figures.alerting_accounts


@strawberry.type(description="A file of the archive that was given up: what it had is lost.")
class LostArchiveFile:
    name: str = strawberry.field(description="Its name below the archive's place.")
    table: str = strawberry.field(description="The table whose rows it had, such as `trades`.")
    part: str = strawberry.field(description="Whose rows it had: a market, or the id of the first user.")
    rows: int = strawberry.field(description="How many rows it had.")
    first: datetime = strawberry.field(description="The time of its first row.")
    last: datetime = strawberry.field(description="The time of its last row.")
    reason: str = strawberry.field(description="What was wrong with it.")
    given_up_at: datetime = strawberry.field(description="When it was given up.")


@strawberry.type(description="A trading session that failed in the last 24 hours.")
class FailedTradingSession:
    at: datetime = strawberry.field(description="When it failed.")
    code: TradingSessionStatusCode | None = strawberry.field(description="The reason. Null if it has no code.")

    @strawberry.field(graphql_type=ManagedUser | None, description="Whose it is. Null if the user was erased.")
    async def user(parent: strawberry.Parent[domain.FailedTradingSession], info: Info) -> object:
        return await administration.managed_user(info.context, parent.user_id)


@strawberry.type(description="The numbers of trading sessions.")
class TradingSessionFigures:
    @strawberry.field(description="How many wait to start.")
    def starting(parent: Parent) -> int:
        return parent.situation.trading_sessions.get(TradingSessionStatus.STARTING, 0)

    @strawberry.field(description="How many run.")
    def running(parent: Parent) -> int:
        return parent.situation.trading_sessions.get(TradingSessionStatus.RUNNING, 0)

    @strawberry.field(description="How many are paused.")
    def paused(parent: Parent) -> int:
        return parent.situation.trading_sessions.get(TradingSessionStatus.PAUSED, 0)

    @strawberry.field(description="How many are about to stop.")
    def stopping(parent: Parent) -> int:
        return parent.situation.trading_sessions.get(TradingSessionStatus.STOPPING, 0)

    @strawberry.field(description="How many failed in the last 24 hours.")
    def failed(parent: Parent) -> int:
        return parent.figures.failed_trading_sessions

    @strawberry.field(
        graphql_type=list[FailedTradingSession],
        description="The trading sessions that failed in the last 24 hours, newest first, at most 20.",
    )
    def failures(parent: Parent) -> object:
        return parent.failed


@strawberry.type(description="The numbers of orders and positions, on all accounts.")
class TradingFigures:
    @strawberry.field(description="How many orders are active.")
    def active_orders(parent: Parent) -> int:
        return sum(waiting.count for waiting in parent.situation.orders.values())

    @strawberry.field(description="How many orders are IN_DOUBT.")
    def orders_in_doubt(parent: Parent) -> int:
        orders = parent.situation.orders.items()
        return sum(waiting.count for (_, status), waiting in orders if status is OrderStatus.IN_DOUBT)

    @strawberry.field(description="How many positions are open.")
    def open_positions(parent: Parent) -> int:
        return sum(parent.situation.positions.values())

    @strawberry.field(description="How many positions are to be closed and aren't yet.")
    def exits_waiting(parent: Parent) -> int:
        return sum(waiting.count for waiting in parent.situation.exits.values())

    @strawberry.field(description="How many protections of positions can't be watched, since their market has no feed.")
    def unwatched_protections(parent: Parent) -> int:
        return sum(waiting.count for waiting in parent.situation.unwatched.values())

    @strawberry.field(description="How many halts are in force, at any level.")
    def halts(parent: Parent) -> int:
        return sum(parent.situation.halts.values())


@strawberry.type(description="The numbers of jobs.")
class JobFigures:
    queued_jobs: int = strawberry.field(name="queued", description="How many wait.")
    running_jobs: int = strawberry.field(name="running", description="How many run.")
    failed_jobs: int = strawberry.field(name="failed", description="How many failed in the last 24 hours.")
    oldest_job_seconds: float = strawberry.field(
        name="oldestWaitSeconds", description="How long the oldest job has waited. 0 if none waits."
    )


@strawberry.type(description="The numbers of mails to users.")
class MailFigures:
    @strawberry.field(description="How many wait to be sent.")
    def waiting(parent: Parent) -> int:
        return parent.situation.mails.count

    @strawberry.field(description="How many of these were refused by the mail server, and are tried again.")
    def retried(parent: Parent) -> int:
        return parent.figures.retried_mails

    @strawberry.field(description="How many were given up in the last 24 hours.")
    def given_up(parent: Parent) -> int:
        return parent.figures.given_up_mails

    @strawberry.field(description="How long the oldest has waited. 0 if none waits.")
    def oldest_wait_seconds(parent: Parent) -> float:
        return parent.situation.mails.oldest_seconds

    @strawberry.field(description="What the mail server said last to a mail that waits. Null if it refused none.")
    def error(parent: Parent) -> str | None:
        return parent.figures.mail_error


@strawberry.type(description="How the engine is doing, over all users and nodes, at one moment.")
class Overview:
    at: datetime = strawberry.field(description="The time of these numbers.")
    nodes: list[EngineNode] = strawberry.field(description="The nodes of the engine, by name.")

    @strawberry.field(graphql_type=UserFigures, description="The numbers of users.")
    def users(parent: Parent) -> object:
        return parent.figures

    @strawberry.field(graphql_type=AccountFigures, description="The numbers of accounts.")
    def accounts(parent: Parent) -> object:
        return parent

    @strawberry.field(graphql_type=TradingSessionFigures, description="The numbers of trading sessions.")
    def trading_sessions(parent: Parent) -> object:
        return parent

    @strawberry.field(graphql_type=TradingFigures, description="The numbers of orders and positions.")
    def trading(parent: Parent) -> object:
        return parent

    @strawberry.field(graphql_type=JobFigures, description="The numbers of jobs.")
    def jobs(parent: Parent) -> object:
        return parent.figures

    @strawberry.field(graphql_type=MailFigures, description="The numbers of mails to users.")
    def mails(parent: Parent) -> object:
        return parent

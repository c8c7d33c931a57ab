"""How the engine is doing, for operators."""

from datetime import datetime

import strawberry

from domain.model import node_reports as reports
from domain.model import overview as domain
from domain.model.markets import FeedState
from domain.model.orders import OrderStatus
from domain.model.trading import TradingSessionStatus, TradingSessionStatusCode
from resolvers import administration
from schema.administration.types import ManagedUser
from schema.common.types import Info

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


@strawberry.type(description="The feed of a market, as the node that collects it reported it last.")
class NodeFeed:
    market: str = strawberry.field(description="The market, as `venue:BASE/QUOTE`.")
    state: FeedState = strawberry.field(description="Whether the market's data can be relied on.")
    since: datetime = strawberry.field(description="When the feed entered this state.")


@strawberry.type(description="An error in the log of a node. Its fields and its traceback are in the log alone.")
class LoggedError:
    at: datetime = strawberry.field(description="When it was logged.")
    logger: str = strawberry.field(description="The part of the engine that logged it.")
    message: str = strawberry.field(description="The line's event or text, at most 300 characters.")


@strawberry.type(description="A node of the engine, as it reported itself last. Nodes report every five seconds.")
class EngineNode:
    @strawberry.field(description="The name of the node. It is another one after each start.")
    def name(parent: strawberry.Parent[reports.NodeState]) -> str:
        return parent.report.name

    @strawberry.field(description="The version of the engine that it runs.")
    def version(parent: strawberry.Parent[reports.NodeState]) -> str:
        return parent.report.version

    @strawberry.field(description="What it does: web, collector, trader, worker.")
    def roles(parent: strawberry.Parent[reports.NodeState]) -> list[str]:
        return list(parent.report.roles)

    @strawberry.field(description="When it started.")
    def started_at(parent: strawberry.Parent[reports.NodeState]) -> datetime:
        return parent.report.started_at

    seen_at: datetime = strawberry.field(description="When it reported itself last, by the database's clock.")

    is_lost: bool = strawberry.field(
        name="lost",
        description="True if it hasn't reported for 20 seconds: it is dead, or cut off from the database. A node that "
        "stops properly isn't listed any more, a lost one for a day.",
    )

    @strawberry.field(description="What it waits for, as `/readyz` says. Empty if it is ready.")
    def pending(parent: strawberry.Parent[reports.NodeState]) -> list[str]:
        return list(parent.report.pending)

    @strawberry.field(description="How many sockets and event streams of clients are open on it.")
    def connections(parent: strawberry.Parent[reports.NodeState]) -> int:
        return parent.report.connections

    @strawberry.field(description="How many errors it has logged since it started.")
    def error_count(parent: strawberry.Parent[reports.NodeState]) -> int:
        return parent.report.error_count

    @strawberry.field(description="How many warnings it has logged since it started.")
    def warning_count(parent: strawberry.Parent[reports.NodeState]) -> int:
        return parent.report.warning_count

    @strawberry.field(
        graphql_type=list[LoggedError], description="The newest errors of its log, newest first, at most 20."
    )
    def errors(parent: strawberry.Parent[reports.NodeState]) -> object:
        return parent.report.errors

    @strawberry.field(description="How many markets it collects. 0 if it is lost.")
    def feed_count(parent: strawberry.Parent[reports.NodeState]) -> int:
        return len(parent.feeds)

    @strawberry.field(
        graphql_type=list[NodeFeed], description="The feeds of the markets that it collects which aren't LIVE."
    )
    def failing_feeds(parent: strawberry.Parent[reports.NodeState]) -> object:
        return [feed for feed in parent.feeds if feed.state is not FeedState.LIVE]


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

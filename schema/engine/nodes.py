"""The nodes of the engine, for operators."""

from datetime import datetime

import strawberry

from domain.model import node_reports as reports
from domain.model.markets import FeedState
from domain.model.node_reports import NodeStatus
from schema.common.enums import describe_enum

Parent = strawberry.Parent[reports.NodeState]

describe_enum(
    NodeStatus,
    "How far a node is.",
    {
        "STARTING": "It has started, and waits for something before it can serve.",
        "READY": "It serves.",
        "WAITING": "It has served, and waits for something that has gone, such as the database.",
        "DRAINING": "It gives its work to other nodes, or has done so, and takes no other: it is about to be stopped.",
    },
)


@strawberry.type(description="How many leases of one kind a node holds.")
class NodeLeases:
    kind: str = strawberry.field(
        description="`account` for the trading of an account, `feed` for the feed of a market, else the name of what "
        "one node does for all, such as `alerts`."
    )
    count: int = strawberry.field(description="How many.")


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


@strawberry.type(description="A node of the engine, as it reported itself last. Nodes report every two seconds.")
class EngineNode:
    @strawberry.field(description="The name of the node. It is another one after each start.")
    def name(parent: Parent) -> str:
        return parent.report.name

    @strawberry.field(description="The version of the engine that it runs.")
    def version(parent: Parent) -> str:
        return parent.report.version

    @strawberry.field(description="What it does: web, collector, trader, worker.")
    def roles(parent: Parent) -> list[str]:
        return list(parent.report.roles)

    @strawberry.field(description="When it started.")
    def started_at(parent: Parent) -> datetime:
        return parent.report.started_at

    status: NodeStatus = strawberry.field(
        description="How far it is, by its last report. After `engineNodeResume` it is DRAINING until the next one."
    )

    seen_at: datetime = strawberry.field(description="When it reported itself last, by the database's clock.")

    is_lost: bool = strawberry.field(
        name="lost",
        description="True if it hasn't reported for 20 seconds: it is dead, or cut off from the database. A node that "
        "stops properly isn't listed any more, a lost one for a day.",
    )

    @strawberry.field(description="What it waits for, as `/readyz` says. Empty if it is ready.")
    def pending(parent: Parent) -> list[str]:
        return list(parent.report.pending)

    @strawberry.field(description="How many sockets and event streams of clients are open on it.")
    def connections(parent: Parent) -> int:
        return parent.report.connections

    @strawberry.field(
        graphql_type=list[NodeLeases],
        description="The leases that it holds at this moment, by kind. A lost node may still hold some for 6 seconds.",
    )
    def leases(parent: Parent) -> object:
        return [NodeLeases(kind=kind, count=count) for kind, count in sorted(parent.leases.items())]

    trading_sessions: int = strawberry.field(
        description="How many live trading sessions the accounts have that it trades."
    )
    running_jobs: int = strawberry.field(description="How many jobs it computes.")

    @strawberry.field(
        description="How long something that was due had to wait at most between the last two reports, in seconds. "
        "Above 1 the node has too much to do, or its machine."
    )
    def event_loop_lag_seconds(parent: Parent) -> float:
        return parent.report.event_loop_lag_seconds

    @strawberry.field(
        description="How much of one processor core its process used between the last two reports. 1.0 is all that it "
        "can use; what computes backtests and the like in processes of their own comes on top."
    )
    def cpu_share(parent: Parent) -> float:
        return parent.report.cpu_share

    @strawberry.field(description="How many errors it has logged since it started.")
    def error_count(parent: Parent) -> int:
        return parent.report.error_count

    @strawberry.field(description="How many warnings it has logged since it started.")
    def warning_count(parent: Parent) -> int:
        return parent.report.warning_count

    @strawberry.field(
        graphql_type=list[LoggedError], description="The newest errors of its log, newest first, at most 20."
    )
    def errors(parent: Parent) -> object:
        return parent.report.errors

    @strawberry.field(description="How many markets it collects. 0 if it is lost.")
    def feed_count(parent: Parent) -> int:
        return len(parent.feeds)

    @strawberry.field(
        graphql_type=list[NodeFeed], description="The feeds of the markets that it collects which aren't LIVE."
    )
    def failing_feeds(parent: Parent) -> object:
        return [feed for feed in parent.feeds if feed.state is not FeedState.LIVE]

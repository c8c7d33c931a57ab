"""What an event of the log carries: things as they once stood, each of a type of its own."""

from typing import Annotated

import strawberry

from domain.model import reports, trading
from resolvers import events
from schema.accounts import Account, AccountFacts
from schema.context import Info
from schema.node import encode_id, serves
from schema.order_events import OrderState
from schema.positions import Position, PositionFacts
from schema.reports import Job, JobFacts, Report, ReportFacts
from schema.trading import Signal, SignalFacts, TradingSession, TradingSessionFacts
from schema.users import Activity


@strawberry.type(
    description=(
        "An account as it was at the time of an event. It has the account's id but a type of its own, so that a "
        "client's cache doesn't mix it with the current account."
    )
)
class AccountState(AccountFacts):
    """The schema's face of `domain.model.trading.Account` as an event carries it."""

    is_type_of = serves(trading.Account)

    @strawberry.field(description="The id of the account.")
    def id(parent: strawberry.Parent[trading.Account]) -> strawberry.ID:
        """Return the account's global id."""
        return encode_id("Account", parent.id)

    @strawberry.field(graphql_type=Account, description="The account as it is now.")
    async def current(parent: strawberry.Parent[trading.Account], info: Info) -> object:
        """Return the account as it is now."""
        return await events.current(info.context, parent)


@strawberry.type(
    description=(
        "A job as it was at the time of an event. It has the job's id but a type of its own, so that a client's cache "
        "doesn't mix it with the current job."
    )
)
class JobState(JobFacts):
    """The schema's face of `domain.model.reports.Job` as an event carries it."""

    is_type_of = serves(reports.Job)

    @strawberry.field(description="The id of the job.")
    def id(parent: strawberry.Parent[reports.Job]) -> strawberry.ID:
        """Return the job's global id."""
        return encode_id("Job", parent.id)

    @strawberry.field(graphql_type=Job, description="The job as it is now.")
    async def current(parent: strawberry.Parent[reports.Job], info: Info) -> object:
        """Return the job as it is now."""
        return await events.current(info.context, parent)


@strawberry.type(
    description=(
        "A position as it was at the time of an event. It has the position's id but a type of its own, so that a "
        "client's cache doesn't mix it with the current position."
    )
)
class PositionState(PositionFacts):
    """The schema's face of `domain.model.trading.Position` as an event carries it."""

    is_type_of = serves(trading.Position)

    @strawberry.field(description="The id of the position.")
    def id(parent: strawberry.Parent[trading.Position]) -> strawberry.ID:
        """Return the position's global id."""
        return encode_id("Position", parent.id)

    @strawberry.field(graphql_type=Position, description="The position as it is now.")
    async def current(parent: strawberry.Parent[trading.Position], info: Info) -> object:
        """Return the position as it is now."""
        return await events.current(info.context, parent)


@strawberry.type(
    description=(
        "A report as it was at the time of an event. It has the report's id but a type of its own, so that a client's "
        "cache doesn't mix it with the current report."
    )
)
class ReportState(ReportFacts):
    """The schema's face of `domain.model.reports.Report` as an event carries it."""

    is_type_of = serves(reports.Report)

    @strawberry.field(description="The id of the report.")
    def id(parent: strawberry.Parent[reports.Report]) -> strawberry.ID:
        """Return the report's global id."""
        return encode_id("Report", parent.id)

    @strawberry.field(graphql_type=Report, description="The report as it is now.")
    async def current(parent: strawberry.Parent[reports.Report], info: Info) -> object:
        """Return the report as it is now."""
        return await events.current(info.context, parent)


@strawberry.type(
    description=(
        "A signal as it was at the time of an event. It has the signal's id but a type of its own, so that a client's "
        "cache doesn't mix it with the current signal."
    )
)
class SignalState(SignalFacts):
    """The schema's face of `domain.model.trading.Signal` as an event carries it."""

    is_type_of = serves(trading.Signal)

    @strawberry.field(description="The id of the signal.")
    def id(parent: strawberry.Parent[trading.Signal]) -> strawberry.ID:
        """Return the signal's global id."""
        return encode_id("Signal", parent.id)

    @strawberry.field(graphql_type=Signal, description="The signal as it is now.")
    async def current(parent: strawberry.Parent[trading.Signal], info: Info) -> object:
        """Return the signal as it is now."""
        return await events.current(info.context, parent)


@strawberry.type(
    description=(
        "A trading session as it was at the time of an event. It has the trading session's id but a type of its own, "
        "so that a client's cache doesn't mix it with the current trading session."
    )
)
class TradingSessionState(TradingSessionFacts):
    """The schema's face of `domain.model.trading.TradingSession` as an event carries it."""

    is_type_of = serves(trading.TradingSession)

    @strawberry.field(description="The id of the trading session.")
    def id(parent: strawberry.Parent[trading.TradingSession]) -> strawberry.ID:
        """Return the trading session's global id."""
        return encode_id("TradingSession", parent.id)

    @strawberry.field(graphql_type=TradingSession, description="The trading session as it is now.")
    async def current(parent: strawberry.Parent[trading.TradingSession], info: Info) -> object:
        """Return the trading session as it is now."""
        return await events.current(info.context, parent)


EventState = Annotated[
    AccountState | Activity | JobState | OrderState | PositionState | ReportState | SignalState | TradingSessionState,
    strawberry.union(
        "EventState",
        description=(
            "The object of an event, as it was when the event happened. An activity never changes, so it is the "
            "activity itself."
        ),
    ),
]

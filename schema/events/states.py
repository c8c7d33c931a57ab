"""The objects of events, as they were when the event happened."""

from typing import Annotated

import strawberry

from schema.accounts.types import Account, AccountFacts
from schema.alerts.types import FiredAlertState
from schema.common.states import state_of
from schema.engine.types import HaltState
from schema.jobs.types import Job, JobFacts
from schema.orders.events import OrderState
from schema.positions.types import Position, PositionFacts
from schema.reports.schedules import ScheduledReportState
from schema.reports.types import Report, ReportFacts
from schema.trading.types import Signal, SignalFacts, TradingSession, TradingSessionFacts
from schema.users.types import Activity


@state_of(Account)
class AccountState(AccountFacts): ...


@state_of(Job)
class JobState(JobFacts): ...


@state_of(Position)
class PositionState(PositionFacts): ...


@state_of(Report)
class ReportState(ReportFacts): ...


@state_of(Signal)
class SignalState(SignalFacts): ...


@state_of(TradingSession)
class TradingSessionState(TradingSessionFacts): ...


EventState = Annotated[
    AccountState
    | Activity
    | FiredAlertState
    | HaltState
    | JobState
    | OrderState
    | PositionState
    | ReportState
    | ScheduledReportState
    | SignalState
    | TradingSessionState,
    strawberry.union(
        "EventState",
        description=(
            "The object of an event, as it was when the event happened. An activity never changes, so it is the "
            "activity itself."
        ),
    ),
]

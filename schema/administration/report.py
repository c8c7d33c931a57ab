"""What happened on the engine in a period, for operators."""

from collections.abc import Mapping
from datetime import datetime

import strawberry

from domain.model import operator_reports as domain
from domain.model.orders import OrderStatus, RiskCode

Parent = strawberry.Parent[domain.OperatorReport]
Errors = strawberry.Parent[domain.ErrorCounts]


@strawberry.type(description="How many users did something in a period.")
class UserActivity:
    registered: int = strawberry.field(description="How many registered and weren't erased since.")
    active: int = strawberry.field(description="How many did something by themselves that their activity has.")
    trading: int = strawberry.field(description="How many had an order.")


@strawberry.type(description="How many orders have a status.")
class OrderStatusCount:
    status: OrderStatus = strawberry.field(description="The status that they have now.")
    count: int = strawberry.field(description="How many there are.")


@strawberry.type(description="How often a risk check denied an order.")
class DenialCount:
    code: RiskCode = strawberry.field(description="The risk check.")
    count: int = strawberry.field(description="How often it denied an order.")


@strawberry.type(description="How many jobs of a kind failed.")
class FailedJobCount:
    kind: str = strawberry.field(description="The kind of the jobs.")
    count: int = strawberry.field(description="How many failed.")


@strawberry.type(
    description=(
        "How long orders took from their submission to the first answer of the venue that took them, in milliseconds "
        "by the engine's clock. Null if no order was taken."
    )
)
class OrderLatency:
    orders: int = strawberry.field(
        description="How many orders the figures are of: none whose events are in the archive."
    )
    median: float | None = strawberry.field(description="The time within which half of the orders were taken.")
    p90: float | None = strawberry.field(description="The time within which 90 of 100 orders were taken.")
    p99: float | None = strawberry.field(description="The time within which 99 of 100 orders were taken.")
    longest: float | None = strawberry.field(description="The longest time.")


@strawberry.type(description="What went wrong in a period.")
class ErrorCounts:
    trading_sessions: int = strawberry.field(description="How many trading sessions failed.")
    mails: int = strawberry.field(description="How many mails were given up.")
    account_alerts: int = strawberry.field(description="How many alerts of accounts there were, such as of lost keys.")

    @strawberry.field(graphql_type=list[FailedJobCount], description="How many jobs failed, by their kind.")
    def jobs(parent: Errors) -> object:
        return [FailedJobCount(kind=kind, count=count) for kind, count in parent.jobs.items()]


@strawberry.type(
    description=(
        "What happened on the engine in a period, over all users. These are numbers alone: no user, market or amount "
        "is named."
    )
)
class OperatorReport:
    from_: datetime = strawberry.field(name="from", description="The start of the period, inclusive.")
    to: datetime = strawberry.field(description="The end of the period, exclusive.")
    users: UserActivity = strawberry.field(description="How many users did something.")
    fills: int = strawberry.field(description="How many fills there were.")
    latency: OrderLatency = strawberry.field(description="How fast orders were taken.")
    errors: ErrorCounts = strawberry.field(description="What went wrong.")

    @strawberry.field(
        graphql_type=list[OrderStatusCount],
        description="The orders that were created in the period, without those that were made elsewhere.",
    )
    def orders(parent: Parent) -> object:
        return _counts(OrderStatusCount, "status", parent.orders)

    @strawberry.field(
        graphql_type=list[DenialCount], description="Why orders were denied. An order may have several reasons."
    )
    def denials(parent: Parent) -> object:
        return _counts(DenialCount, "code", parent.denials)


def _counts(kind: type, name: str, counts: Mapping[OrderStatus, int] | Mapping[RiskCode, int]) -> list[object]:
    return [kind(**{name: key, "count": count}) for key, count in counts.items()]

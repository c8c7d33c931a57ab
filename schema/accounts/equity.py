"""The equity of an account over time."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model import equity as domain
from domain.model.trading import Account
from resolvers import equity
from schema.common.enums import describe_enum
from schema.common.types import Info

describe_enum(
    domain.EquityInterval,
    "The length of the intervals of an equity history.",
    {
        "MINUTE": "A minute. Minutes are kept for 7 days.",
        "HOUR": "An hour. Hours are kept for 400 days.",
        "DAY": "A day in UTC. Days are kept for as long as the account.",
    },
)


@strawberry.type(description="The equity of an account at the end of an interval.")
class EquityHistoryPoint:
    at: datetime = strawberry.field(description="The start of the interval; that of the first one is at least `from`.")
    recorded_at: datetime = strawberry.field(
        description=(
            "The time at which the equity was recorded. It is before the interval if nothing could change the equity "
            "since, because the account held its own currency alone, or if it is less than three minutes old."
        )
    )
    equity: Decimal = strawberry.field(description="The equity, in the account's currency.")
    net_deposits: Decimal = strawberry.field(
        description=(
            "All that was ever paid in, minus all that was withdrawn, each amount at its value when it moved, in the "
            "account's currency. `equity` includes it."
        )
    )
    profit: Decimal = strawberry.field(
        description="What trading has earned since the account was opened: `equity` minus `netDeposits`."
    )
    return_percent: float = strawberry.field(
        description=(
            "The time-weighted return since the account was opened, in percent. Deposits and withdrawals don't "
            "change it."
        )
    )
    drawdown_percent: float = strawberry.field(
        description=(
            "The fall of the time-weighted return below its highest value since the account was opened, in percent of "
            "that value. It counts every recorded value, also those between the points."
        )
    )
    unpriced: list[str] = strawberry.field(
        description=(
            "The currencies that the account held and that `equity` leaves out, because no market connects them with "
            "the account's currency."
        )
    )


@strawberry.type(description="A time at which the equity of an account isn't known.")
class EquityGap:
    from_: datetime = strawberry.field(name="from", description="The start of the gap.")
    to: datetime = strawberry.field(description="The end of the gap.")


@strawberry.type(
    description=(
        "The equity of an account over a period. Each interval of the period is a point or part of a gap: nothing is "
        "filled in. While a price of a coin that the account holds is missing, or no node trades the account, its "
        "equity isn't known."
    )
)
class EquityHistory:
    currency: str = strawberry.field(description="The currency of the account, in which all amounts are.")
    interval: domain.EquityInterval = strawberry.field(description="The length of the intervals.")
    return_percent: float | None = strawberry.field(
        description=(
            "The time-weighted return over the period, in percent. Null if the equity is known at less than two times."
        )
    )

    @strawberry.field(
        name="from",
        description="The start of the period, inclusive. It is not before the interval of the account's opening.",
    )
    def from_(parent: strawberry.Parent[domain.EquityHistory]) -> datetime:
        return parent.start

    @strawberry.field(description="The end of the period, exclusive: not in the future, nor after the archiving.")
    def to(parent: strawberry.Parent[domain.EquityHistory]) -> datetime:
        return parent.end

    @strawberry.field(graphql_type=list[EquityHistoryPoint], description="The points, oldest first.")
    def points(parent: strawberry.Parent[domain.EquityHistory]) -> object:
        return parent.points

    @strawberry.field(graphql_type=list[EquityGap], description="The gaps, oldest first.")
    def gaps(parent: strawberry.Parent[domain.EquityHistory]) -> object:
        return [EquityGap(from_=gap.start, to=gap.end) for gap in parent.gaps]


@strawberry.type
class EquityHistoryField:
    """The equity of an account over time."""

    @strawberry.field(
        graphql_type=EquityHistory | None,
        description=(
            "The equity of the account over time, as the engine recorded it every minute and at each fill, deposit and "
            "withdrawal. A period can have at most 1,000 intervals."
        ),
    )
    async def equity_history(
        parent: strawberry.Parent[Account],
        info: Info,
        interval: Annotated[
            domain.EquityInterval, strawberry.argument(description="The length of the intervals.")
        ] = domain.EquityInterval.DAY,
        from_: Annotated[
            datetime | None,
            strawberry.argument(
                name="from",
                description="The start of the period, inclusive. The default is 365 intervals before its end.",
            ),
        ] = None,
        to: Annotated[
            datetime | None,
            strawberry.argument(description="The end of the period, exclusive. The default is now."),
        ] = None,
    ) -> object:
        return await equity.account_history(info.context, parent, interval, from_, to)

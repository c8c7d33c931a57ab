"""Realised profit of an account or a user, by period and group."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.core.money import rounded
from domain.model import profit as domain
from domain.model.markets import MarketSymbol
from domain.model.orders import OrderRole
from domain.model.trading import Account
from domain.model.users import User
from resolvers import profit
from schema.common.arguments import ArgumentGroup
from schema.common.enums import describe_enum
from schema.common.rounded import rounded_field
from schema.common.types import Info, lazy

describe_enum(
    domain.ProfitPeriod,
    "The length of the parts that a profit summary is divided into, in the user's time zone.",
    {
        "DAY": "A day. Where clocks change, it has 23 or 25 hours.",
        "WEEK": "A week, which begins on Monday.",
        "MONTH": "A month.",
    },
)
describe_enum(
    domain.ProfitGrouping,
    "What the positions of a profit summary are grouped by.",
    {
        "MARKET": "The market.",
        "STRATEGY": "The strategy of the trading session, all its versions together. Positions by hand have none.",
        "TAG": "The tag that the user gave the position by `positionTag`.",
        "EXIT_REASON": "The role of the order that closed the position, such as STOP_LOSS.",
    },
)


@strawberry.type(description="An amount of a currency.")
class CurrencyAmount:
    currency: str = strawberry.field(description="The currency's code, such as USDT.")
    amount: Decimal = rounded_field("The amount. It is negative for a loss.")


@strawberry.type(description="What positions that closed in a period have earned.")
class ProfitGroup:
    @strawberry.field(
        name="from", description="The start of the period, inclusive. Null if it goes back to the first position."
    )
    def from_(parent: strawberry.Parent[domain.ProfitGroup]) -> datetime | None:
        return parent.start

    @strawberry.field(description="The end of the period, exclusive.")
    def to(parent: strawberry.Parent[domain.ProfitGroup]) -> datetime:
        return parent.end

    @strawberry.field(description="The market. Null if the summary isn't grouped by it.")
    def market(parent: strawberry.Parent[domain.ProfitGroup]) -> MarketSymbol | None:
        return parent.key if isinstance(parent.key, MarketSymbol) else None

    @strawberry.field(
        graphql_type=lazy("strategies.types", "Strategy") | None,
        description="The strategy. Null if the positions have none, or the summary isn't grouped by it.",
    )
    async def strategy(parent: strawberry.Parent[domain.ProfitGroup], info: Info) -> object:
        return await profit.strategy(info.context, parent)

    @strawberry.field(description="The tag. Null if the positions have none, or the summary isn't grouped by it.")
    def tag(parent: strawberry.Parent[domain.ProfitGroup]) -> str | None:
        return parent.key if isinstance(parent.key, str) and not isinstance(parent.key, OrderRole) else None

    @strawberry.field(
        description=(
            "The role of the orders that closed the positions. Null if it isn't known, as for a position that the "
            "account no longer held, or if the summary isn't grouped by it."
        )
    )
    def exit_reason(parent: strawberry.Parent[domain.ProfitGroup]) -> OrderRole | None:
        return parent.key if isinstance(parent.key, OrderRole) else None

    @strawberry.field(
        description=(
            "The profit after fees, in the summary's currency. Null if there are profits and none can be converted."
        )
    )
    def profit(parent: strawberry.Parent[domain.ProfitGroup]) -> Decimal | None:
        return None if parent.profit is None else rounded(parent.profit)

    @strawberry.field(description="The fees, which `profit` has in it. Null if `profit` is.")
    def fees(parent: strawberry.Parent[domain.ProfitGroup]) -> Decimal | None:
        return None if parent.fees is None else rounded(parent.fees)

    round_trips: int = strawberry.field(description="The number of positions that closed.")
    wins: int = strawberry.field(description="The number of those that earned something after fees.")
    losses: int = strawberry.field(description="The number of those that lost something after fees.")

    @strawberry.field(description="The part of the positions that were wins, in percent. Null if none closed.")
    def win_rate(parent: strawberry.Parent[domain.ProfitGroup]) -> float | None:
        return parent.wins / parent.round_trips * 100 if parent.round_trips else None

    unpriced: list[CurrencyAmount] = strawberry.field(
        description="The profits that `profit` leaves out, because no rate of their currency is known for their day."
    )
    unpriced_fees: list[str] = strawberry.field(
        description="The currencies of fees that `profit` and `fees` leave out: see `Position.unpricedFees`."
    )


@strawberry.type(
    description=(
        "What the positions of an account, or of all accounts of a user, have earned. A position counts with all that "
        "it earned after fees at the time at which it closed. What open positions have earned is not counted."
    )
)
class ProfitSummary:
    currency: str = strawberry.field(
        description=(
            "The currency of the amounts. A profit in another currency is converted by the rate at the end of the day "
            "(UTC) on which the position closed, or by the newest of this day."
        )
    )
    time_zone: str = strawberry.field(description="The time zone of the periods: that of the user.")
    total: ProfitGroup = strawberry.field(description="All positions together.")
    groups: list[ProfitGroup] = strawberry.field(
        description=(
            "The positions by period and group, the oldest period first and the greatest profit first in it. A period "
            "or group in which no position closed is left out. Empty if neither `period` nor `by` is given."
        )
    )


def _arguments(
    period: Annotated[
        domain.ProfitPeriod | None,
        strawberry.argument(description="The length of the parts to divide the time into, at most 1,000."),
    ] = None,
    by: Annotated[
        domain.ProfitGrouping | None, strawberry.argument(description="What to group the positions by.")
    ] = None,
    from_: Annotated[
        datetime | None,
        strawberry.argument(
            name="from",
            description=(
                "Only positions that closed at this time or later. By default 31 periods are shown, and all positions "
                "without `period`."
            ),
        ),
    ] = None,
    to: Annotated[
        datetime | None, strawberry.argument(description="Only positions that closed before this time. By default all.")
    ] = None,
) -> profit.ProfitArguments:
    return profit.ProfitArguments(period, by, from_, to)


@strawberry.type
class AccountProfitField:
    """What the positions of an account have earned."""

    @strawberry.field(
        graphql_type=ProfitSummary | None,
        description="What the account's positions have earned, in its currency.",
        extensions=[ArgumentGroup("arguments", _arguments)],
    )
    async def profit_summary(
        parent: strawberry.Parent[Account], info: Info, arguments: profit.ProfitArguments
    ) -> object:
        return await profit.account_profit(info.context, parent, arguments)


@strawberry.type
class UserProfitField:
    """What the positions on all accounts of a user have earned."""

    @strawberry.field(
        graphql_type=ProfitSummary | None,
        description="What the positions on all accounts of the user have earned, archived ones included.",
        extensions=[ArgumentGroup("arguments", _arguments)],
    )
    async def profit_summary(
        parent: strawberry.Parent[User],
        info: Info,
        arguments: profit.ProfitArguments,
        currency: Annotated[
            str | None,
            strawberry.argument(
                description=(
                    "The currency of the amounts. The default is `User.reportCurrency`, or else the currency that all "
                    "accounts have."
                )
            ),
        ] = None,
    ) -> object:
        return await profit.user_profit(info.context, parent, currency, arguments)

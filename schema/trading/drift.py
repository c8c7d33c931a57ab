"""How far a trading session has drifted from a backtest over the same candles."""

from datetime import datetime

import strawberry

from domain.model import drift as domain
from resolvers import markets
from schema.common.types import Info, lazy


@strawberry.type(description="One difference between a trading session and its backtest.")
class DriftItem:
    cause: domain.DriftCause = strawberry.field(description="The kind of difference.")
    at: datetime = strawberry.field(description="When the difference shows.")
    message: str = strawberry.field(description="The difference in words.")
    price_bps: float | None = strawberry.field(
        description=(
            "How much worse the session's price was, in basis points; less than 0 if it was better. Null if the "
            "difference is not about prices."
        )
    )

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market") | None, description="The market. Null if it is no longer listed."
    )
    def market(parent: strawberry.Parent[domain.DriftItem], info: Info) -> object:
        return markets.market(info.context, parent.market)


def _drift(row: domain.BacktestDrift) -> domain.Drift:
    assert row.drift is not None  # only what was computed is returned
    return row.drift


@strawberry.type(
    description=(
        "How far a trading session has drifted from a backtest over the same candles with the same parameters, the "
        "market's fees and no slippage. Round trips are the same if they opened within a candle of one another."
    )
)
class BacktestDrift:
    computed_at: datetime = strawberry.field(description="When it was computed.")
    until: datetime = strawberry.field(description="Up to when the session and the backtest were compared.")

    @strawberry.field(
        name="from",
        description=(
            "Since when round trips were compared, if only the newest 10,000 signals of the session were read. Null if "
            "they were compared since its start."
        ),
    )
    def since(parent: strawberry.Parent[domain.BacktestDrift]) -> datetime | None:
        return _drift(parent).since

    @strawberry.field(description="How many round trips both made.")
    def matched(parent: strawberry.Parent[domain.BacktestDrift]) -> int:
        return _drift(parent).matched

    @strawberry.field(description="How many round trips the backtest made alone.")
    def missed(parent: strawberry.Parent[domain.BacktestDrift]) -> int:
        return _drift(parent).missed

    @strawberry.field(description="How many round trips the session made alone.")
    def extra(parent: strawberry.Parent[domain.BacktestDrift]) -> int:
        return _drift(parent).extra

    @strawberry.field(description="How many candles of the period are neither stored nor at the venue.")
    def missing_candles(parent: strawberry.Parent[domain.BacktestDrift]) -> int:
        return _drift(parent).missing_candles

    @strawberry.field(
        description="The profits of the session's closed round trips, each in percent of its entries, added up."
    )
    def live_profit_percent(parent: strawberry.Parent[domain.BacktestDrift]) -> float:
        return _drift(parent).live_profit_percent

    @strawberry.field(
        description="The profits of the backtest's closed round trips, each in percent of its entries, added up."
    )
    def backtest_profit_percent(parent: strawberry.Parent[domain.BacktestDrift]) -> float:
        return _drift(parent).backtest_profit_percent

    @strawberry.field(
        description=(
            "How much worse the session's entries were priced on average, in basis points. Null without any to compare."
        )
    )
    def entry_bps(parent: strawberry.Parent[domain.BacktestDrift]) -> float | None:
        return _drift(parent).entry_bps

    @strawberry.field(
        description=(
            "How much worse the session's exits were priced on average, in basis points. Null without any to compare: "
            "only round trips that both left alike are."
        )
    )
    def exit_bps(parent: strawberry.Parent[domain.BacktestDrift]) -> float | None:
        return _drift(parent).exit_bps

    @strawberry.field(
        graphql_type=list[DriftItem], description="The differences, oldest first; of many, the newest 100."
    )
    def items(parent: strawberry.Parent[domain.BacktestDrift]) -> object:
        return _drift(parent).items

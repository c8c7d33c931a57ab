"""The figures of how a period went, as the API shows them."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import reports as domain
from schema.described import describe_enum
from schema.rounded import rounded_field

describe_enum(
    domain.ReportNoteCode,
    "What a reader of a report's figures has to know.",
    {
        "PRICE_MISSING": "No price was known of something that was held. Where that lasted over the end of a day, the "
        "figures of returns are null.",
        "PRICE_STALE": "Prices of a market are missing for more than a day, and the last one counts there.",
        "NO_MARKET": "No market that is traded leads from a currency to that of the account; it isn't counted.",
        "PERIOD_TOO_SHORT": "There are too few days for figures of daily returns.",
        "OPENING_ESTIMATED": "What came in and went out before transfers were recorded isn't known.",
        "START_UNKNOWN": "The equity at the start of the trading session isn't known.",
        "MARKET_UNKNOWN": "Fills on a market that isn't listed any more are left out.",
        "BALANCE_UNEXPLAINED": "The balance of a currency isn't what transfers and fills come to now. The difference "
        "isn't counted; if it lasts, it is recorded as an adjustment at the time at which it was noticed.",
    },
)


@strawberry.type(
    description="What a reader of the figures has to know: which prices were missing, why a figure is null."
)
class ReportNote:
    """The schema's face of `domain.model.reports.ReportNote`."""

    code: domain.ReportNoteCode = strawberry.field(description="What kind of note it is, for programs.")
    message: str = strawberry.field(description="What was missing, and what would help.")
    subject: str | None = strawberry.field(description="The currency or the market that it is about.")
    from_: datetime | None = strawberry.field(name="from", description="Since when.")
    to: datetime | None = strawberry.field(description="Until when.")


@strawberry.type(description="Null where too few round trips or too short a period make the figure meaningless.")
class PerformanceMetrics:
    """The schema's face of `domain.model.reports.PerformanceMetrics`; that module's neighbours tell the formulas."""

    currency: str = strawberry.field(description="What amounts are in.")
    start_equity: Decimal = rounded_field("At the start.")
    end_equity: Decimal = rounded_field("At the end.")
    net_deposits: Decimal = rounded_field("What was paid in meanwhile, less what was taken out.")
    net_profit: Decimal = rounded_field("What the equity grew by, less `netDeposits`: deposits are no profit.")
    net_profit_percent: float | None = strawberry.field(
        description="The time-weighted return in percent, which deposits and withdrawals don't change; without any, "
        "`netProfit` in percent of `startEquity`."
    )
    market_change_percent: float | None = strawberry.field(
        description="What the market did meanwhile; null where there are several."
    )
    cagr: float | None = strawberry.field(description="Compound annual growth rate, in percent.")
    volatility: float | None = strawberry.field(
        description="Sample deviation of daily returns, annualised by √365, in percent."
    )
    sharpe: float | None = strawberry.field(description="Mean over deviation of daily returns, annualised.")
    sortino: float | None = strawberry.field(description="Mean over downside deviation of daily returns, annualised.")
    calmar: float | None = strawberry.field(description="CAGR over the greatest drawdown.")
    omega: float | None = strawberry.field(description="Gains over losses of daily returns, around 0.")
    sqn: float | None = strawberry.field(description="System quality number of the round trips.")
    max_drawdown: Decimal = rounded_field("The greatest fall of the profit below its highest so far.")
    max_drawdown_percent: float | None = strawberry.field(
        description="The greatest fall of the time-weighted return below its highest so far, in percent."
    )
    max_drawdown_days: float | None = strawberry.field(description="The longest time that it was below its highest.")
    round_trips: int = strawberry.field(description="How many positions were closed.")
    wins: int = strawberry.field(description="How many with a profit.")
    losses: int = strawberry.field(description="How many with a loss.")
    win_rate: float | None = strawberry.field(description="Wins in percent of round trips.")
    profit_factor: float | None = strawberry.field(description="Sum of profits over sum of losses.")
    expectancy: Decimal | None = rounded_field("The mean profit of a round trip.")
    average_win: Decimal | None = rounded_field("The mean of the wins.")
    average_loss: Decimal | None = rounded_field("The mean of the losses.")
    best_trade: Decimal | None = rounded_field("The greatest profit.")
    worst_trade: Decimal | None = rounded_field("The greatest loss.")
    longest_win_streak: int = strawberry.field(description="How many wins came in a row at most.")
    longest_loss_streak: int = strawberry.field(description="How many losses came in a row at most.")
    average_holding_seconds: float | None = strawberry.field(description="How long a position was open.")
    exposure_percent: float | None = strawberry.field(description="Of the time, with a position open.")
    turnover: Decimal = rounded_field("The sum of what was bought and sold.")
    fees: Decimal = rounded_field("What the venues took.")
    slippage: Decimal | None = rounded_field(
        "What the fills cost above the `arrivalPrice` of their orders, negative where they were cheaper; "
        "null where that isn't known of any."
    )
    orders_denied: int = strawberry.field(description="How many orders failed the risk checks.")
    orders_rejected: int = strawberry.field(description="How many orders the venue refused.")
    notes: list[ReportNote] = strawberry.field(
        description="What was missing for these figures, and why some are null; empty where nothing was."
    )

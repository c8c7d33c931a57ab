"""The figures of a report, which trading sessions have too."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import reports as domain
from schema.common.rounded import rounded_field


@strawberry.type(description="A note on the figures of a report, such as missing prices, or why a figure is null.")
class ReportNote:
    code: domain.ReportNoteCode = strawberry.field(description="The kind of note, for programs.")
    message: str = strawberry.field(description="The note in words: what was missing, and what would help.")
    subject: str | None = strawberry.field(
        description="The currency or the market of the note. Null if it is about neither."
    )
    from_: datetime | None = strawberry.field(
        name="from", description="The start of the time that the note is about. Null if it is about no particular time."
    )
    to: datetime | None = strawberry.field(
        description="The end of the time that the note is about. Null if it is about no particular time."
    )


@strawberry.type(
    description=(
        "The performance of an account or a trading session over a period. Amounts are in `currency`. A figure "
        "is null if it has no meaning: ratios of daily returns need 10 days, the growth rate a week, and the "
        "system "
        "quality number 10 round trips."
    )
)
class PerformanceMetrics:
    currency: str = strawberry.field(description="The currency of all amounts.")
    start_equity: Decimal = rounded_field("The equity at the start of the period.")
    end_equity: Decimal = rounded_field("The equity at the end of the period.")
    net_deposits: Decimal = rounded_field("The deposits during the period, minus the withdrawals.")
    net_profit: Decimal = rounded_field("The growth of the equity during the period, minus `netDeposits`.")
    net_profit_percent: float | None = strawberry.field(
        description=(
            "The time-weighted return in percent. Deposits and withdrawals don't affect it. Without any of them, it "
            "is `netProfit` in percent of `startEquity`."
        )
    )
    market_change_percent: float | None = strawberry.field(
        description=(
            "The change of the market's price during the period, in percent. Null if the report is about several "
            "markets."
        )
    )
    cagr: float | None = strawberry.field(description="The compound annual growth rate, in percent.")
    volatility: float | None = strawberry.field(
        description="The sample standard deviation of the daily returns, annualised by √365, in percent."
    )
    sharpe: float | None = strawberry.field(
        description=(
            "The Sharpe ratio: the mean of the daily returns divided by their standard deviation, annualised by √365, "
            "without a risk-free rate."
        )
    )
    sortino: float | None = strawberry.field(
        description=(
            "The Sortino ratio: the mean of the daily returns divided by their downside deviation, annualised by "
            "√365, without a risk-free rate."
        )
    )
    calmar: float | None = strawberry.field(description="The Calmar ratio: `cagr` divided by `maxDrawdownPercent`.")
    omega: float | None = strawberry.field(
        description="The omega ratio: the sum of the positive daily returns divided by the sum of the negative ones."
    )
    sqn: float | None = strawberry.field(
        description=(
            "The system quality number (SQN): the mean profit of the round trips divided by their standard deviation, "
            "times the square root of their number."
        )
    )
    max_drawdown: Decimal = rounded_field("The greatest fall of the profit below its highest value so far.")
    max_drawdown_percent: float | None = strawberry.field(
        description="The greatest fall of the time-weighted return below its highest value so far, in percent of that "
        "value."
    )
    max_drawdown_days: float | None = strawberry.field(
        description="The longest time for which the time-weighted return was below its highest value, in days."
    )
    round_trips: int = strawberry.field(description="The number of positions that were closed.")
    wins: int = strawberry.field(description="The number of round trips with a profit.")
    losses: int = strawberry.field(description="The number of round trips with a loss.")
    win_rate: float | None = strawberry.field(description="The number of wins in percent of the round trips.")
    profit_factor: float | None = strawberry.field(
        description="The sum of all profits divided by the sum of all losses."
    )
    expectancy: Decimal | None = rounded_field("The mean profit of a round trip.")
    average_win: Decimal | None = rounded_field("The mean profit of the winning round trips.")
    average_loss: Decimal | None = rounded_field("The mean loss of the losing round trips. It is negative.")
    best_trade: Decimal | None = rounded_field("The profit of the best round trip.")
    worst_trade: Decimal | None = rounded_field("The profit of the worst round trip. It is negative if it was a loss.")
    longest_win_streak: int = strawberry.field(description="The greatest number of wins in a row.")
    longest_loss_streak: int = strawberry.field(description="The greatest number of losses in a row.")
    average_holding_seconds: float | None = strawberry.field(
        description="The mean time for which a position was open, in seconds."
    )
    exposure_percent: float | None = strawberry.field(
        description="The part of the period in which at least one position was open, in percent."
    )
    turnover: Decimal = rounded_field("The value of everything that was bought and sold.")
    fees: Decimal = rounded_field("The fees that the venues charged.")
    slippage: Decimal | None = rounded_field(
        "The cost of the fills compared with the `arrivalPrice` of their orders. It is negative if the fills were "
        "cheaper. Null if no arrival price is known."
    )
    orders_denied: int = strawberry.field(description="The number of orders that the risk checks denied.")
    orders_rejected: int = strawberry.field(description="The number of orders that the venue rejected.")
    notes: list[ReportNote] = strawberry.field(
        description="Notes on these figures: what was missing, and why some are null. Empty if there is nothing to "
        "note."
    )

"""Reports, and the figures of a report."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.core.money import ZERO
from domain.model.markets import MarketSymbol
from domain.model.orders import OrderRole


class PositionSide(StrEnum):
    """Which way a round trip went."""

    LONG = "LONG"
    SHORT = "SHORT"


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """The equity at a time, in the report's currency, just after a deposit or withdrawal at that time.

    `drawdown_percent` is how far the time-weighted return is below its highest so far, `net_deposits` the deposits
    since the start less the withdrawals.
    """

    at: datetime
    equity: Decimal
    drawdown_percent: float
    net_deposits: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Span:
    """A market and a period of time."""

    market: MarketSymbol
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Extremes:
    """The highest and the lowest price during a span, in quote per base."""

    high: Decimal
    low: Decimal


class ReportNoteCode(StrEnum):
    """Why metrics of a report are null or inexact.

    PRICE_MISSING: the price of a holding wasn't known. PRICE_STALE: prices of a market are missing for more than a day,
    and the last one before was used. NO_MARKET: no market that is traded, or of which a price is stored, connects the
    currency of a holding to the account's. PERIOD_TOO_SHORT: there are too few days for metrics of daily returns.
    OPENING_ESTIMATED: the opening balance was derived from what the fills don't explain. START_UNKNOWN: the trading
    session's equity at its start isn't known. MARKET_UNKNOWN: fills of a market that the venue no longer lists are left
    out. BALANCE_UNEXPLAINED: a balance differs from the sum of transfers and fills, and the difference isn't counted.
    BACKTEST: what a reader of a backtest must know, such as missing candles. ROUND_TRIPS_LEFT_OUT: there are too many
    to keep all of them.
    """

    PRICE_MISSING = "PRICE_MISSING"
    PRICE_STALE = "PRICE_STALE"
    NO_MARKET = "NO_MARKET"
    PERIOD_TOO_SHORT = "PERIOD_TOO_SHORT"
    OPENING_ESTIMATED = "OPENING_ESTIMATED"
    START_UNKNOWN = "START_UNKNOWN"
    MARKET_UNKNOWN = "MARKET_UNKNOWN"
    BALANCE_UNEXPLAINED = "BALANCE_UNEXPLAINED"
    BACKTEST = "BACKTEST"
    ROUND_TRIPS_LEFT_OUT = "ROUND_TRIPS_LEFT_OUT"


@dataclass(frozen=True, slots=True)
class ReportNote:
    """Why metrics of a report are null or inexact; `subject` is a currency or a market, if it is about one."""

    code: ReportNoteCode
    message: str
    subject: str | None = None
    from_: datetime | None = None
    to: datetime | None = None


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One position from opening to flat; `closed_at` is None while it is open.

    Prices are in quote per base, `profit` (after fees) and `fees` in the report's currency, excursions in percent of
    the entry price. `market` is None in results that were stored before it was kept.
    """

    opened_at: datetime
    closed_at: datetime | None
    side: PositionSide
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    profit: Decimal
    profit_percent: float | None
    fees: Decimal
    exit_reason: OrderRole | None = None
    max_adverse_excursion: float | None = None
    max_favorable_excursion: float | None = None
    market: MarketSymbol | None = None


@dataclass(frozen=True, slots=True)
class PerformanceMetrics:
    """The metrics of a period; None if there are too few round trips or days for a metric to mean anything."""

    currency: str
    start_equity: Decimal
    end_equity: Decimal
    net_profit: Decimal
    max_drawdown: Decimal
    round_trips: int
    wins: int
    losses: int
    longest_win_streak: int
    longest_loss_streak: int
    turnover: Decimal
    fees: Decimal
    orders_denied: int
    orders_rejected: int
    net_profit_percent: float | None = None
    market_change_percent: float | None = None
    cagr: float | None = None
    volatility: float | None = None
    sharpe: float | None = None
    sortino: float | None = None
    calmar: float | None = None
    omega: float | None = None
    sqn: float | None = None
    max_drawdown_percent: float | None = None
    max_drawdown_days: float | None = None
    win_rate: float | None = None
    profit_factor: float | None = None
    expectancy: Decimal | None = None
    average_win: Decimal | None = None
    average_loss: Decimal | None = None
    best_trade: Decimal | None = None
    worst_trade: Decimal | None = None
    average_holding_seconds: float | None = None
    exposure_percent: float | None = None
    slippage: Decimal | None = None
    net_deposits: Decimal = ZERO
    notes: tuple[ReportNote, ...] = ()


@dataclass(frozen=True, slots=True)
class PricePoint:
    """The price of a market at a time, in quote per base."""

    at: datetime
    price: Decimal


@dataclass(frozen=True, slots=True)
class BenchmarkPrices:
    """The market that a report is compared with, and its prices, oldest first."""

    market: MarketSymbol
    prices: tuple[PricePoint, ...]


@dataclass(frozen=True, slots=True)
class ReportPart:
    """A part of a report that is shown beside the others: a version of a strategy, or an account, by its name."""

    name: str
    metrics: PerformanceMetrics


@dataclass(frozen=True, slots=True)
class ReportResult:
    """The result of a report. The equity curve is complete; `downsample` it to show it.

    `parts` are those of a report about several accounts or versions.
    """

    metrics: PerformanceMetrics
    equity_curve: tuple[EquityPoint, ...]
    round_trips: tuple[RoundTrip, ...]
    benchmark: BenchmarkPrices | None = None
    parts: tuple[ReportPart, ...] = ()


class ReportFormat(StrEnum):
    """The format of a report's file."""

    HTML = "HTML"
    CSV = "CSV"
    PARQUET = "PARQUET"


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A complete file of a report; `run_id` is that of its pieces."""

    id: UUID
    report_id: UUID
    format: ReportFormat
    run_id: UUID
    size_bytes: int


class ReportScope(StrEnum):
    """What a report is about."""

    ACCOUNT = "ACCOUNT"
    TRADING_SESSION = "TRADING_SESSION"
    STRATEGY = "STRATEGY"
    BACKTEST = "BACKTEST"
    USER = "USER"


@dataclass(frozen=True, slots=True)
class Report:
    """A report on the period from `from_` (included) to `to` (not included).

    `benchmark` is the market that it is compared with; None: the one that was traded, if there is just one. What a
    schedule made names it, and the period by the key of `domain.reports.recurrence`.
    """

    id: UUID
    user_id: UUID
    scope: ReportScope
    scope_id: UUID
    from_: datetime
    to: datetime
    created_at: datetime
    job_id: UUID
    benchmark: MarketSymbol | None = None
    schedule_id: UUID | None = None
    schedule_period: str | None = None

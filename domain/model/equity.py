"""Stored points of equity, and what the ledger of an account or the positions of a trading session come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.core.money import EXACT
from domain.model.markets import MarketSymbol
from domain.model.trading import Account, TradingSession

NEGLIGIBLE_FALL: Final = 1e-12
"""Smaller falls are rounding errors."""


@dataclass(frozen=True, slots=True)
class StoredEquity:
    """The equity of an account or a trading session (`subject_id`) at a time, in the account's currency.

    `deposited` is what was paid in until then less what was withdrawn, each amount at its worth when it moved: equity
    less that is what trading has earned. `peak` is the most that was ever earned. `growth` is what 1 invested at the
    first point has become by the time-weighted return, which payments don't change, and `highest_growth` the most that
    it was. While the subject `rests`, it holds its own currency alone, and no price changes its equity. `unpriced` are
    the currencies that no market connects with the account's, which have no part in the equity.
    """

    subject_id: UUID
    account_id: UUID
    at: datetime
    equity: Decimal
    deposited: Decimal
    peak: Decimal
    growth: float = 1.0
    highest_growth: float = 1.0
    rests: bool = False
    unpriced: tuple[str, ...] = ()

    @property
    def profit(self) -> Decimal:
        """What trading had earned."""
        return EXACT.subtract(self.equity, self.deposited)

    @property
    def return_percent(self) -> float:
        """The time-weighted return since the first point."""
        return (self.growth - 1) * 100

    @property
    def drawdown_percent(self) -> float:
        """How far the time-weighted return is below its highest so far, in percent of that."""
        fall = (self.highest_growth - self.growth) / self.highest_growth
        return fall * 100 if fall > NEGLIGIBLE_FALL else 0.0


class EquityInterval(StrEnum):
    """The length of the intervals of an equity history; they begin with whole ones in UTC."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"

    @property
    def duration(self) -> timedelta:
        """How long an interval is."""
        return _DURATIONS[self]


_DURATIONS: Final = {
    EquityInterval.MINUTE: timedelta(minutes=1),
    EquityInterval.HOUR: timedelta(hours=1),
    EquityInterval.DAY: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """The equity at the end of the interval that begins at `at`; the names are those of `StoredEquity`.

    `recorded_at` may be before the interval, if nothing could have changed the equity since or the next record isn't
    due yet.
    """

    at: datetime
    recorded_at: datetime
    equity: Decimal
    net_deposits: Decimal
    profit: Decimal
    return_percent: float
    drawdown_percent: float
    unpriced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EquityGap:
    """A time, from `start` to `end`, of which the equity isn't known."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class EquityHistory:
    """The equity of an account by interval, from `start` to `end`; each interval has a point or is part of a gap.

    `return_percent` is the time-weighted return of the period, None if the equity isn't known at two times of it.
    """

    currency: str
    interval: EquityInterval
    start: datetime
    end: datetime
    points: tuple[HistoryPoint, ...]
    gaps: tuple[EquityGap, ...]
    return_percent: float | None


@dataclass(frozen=True, slots=True)
class UnvaluedTransfer:
    """A transfer whose worth at its time isn't stored yet."""

    id: UUID
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class AccountLedger:
    """The sums of an account's transfers and fills by currency, and its stored points, as of one moment.

    `deposited` is the worth of those transfers whose worth is stored. `last` is the newest point, and `baseline` the
    newest one until the time that was asked for, or the first one ever if there is none.
    """

    account: Account
    totals: Mapping[str, Decimal]
    deposited: Decimal
    unvalued: tuple[UnvaluedTransfer, ...]
    last: StoredEquity | None
    baseline: StoredEquity | None


@dataclass(frozen=True, slots=True)
class MarketResult:
    """What all positions of a trading session on a market have realised, what is held, and what that has cost."""

    market: MarketSymbol
    realized_profit: Decimal
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class TradingSessionLedger:
    """The results of a trading session by market, and its stored points, as those of `AccountLedger`."""

    session: TradingSession
    results: tuple[MarketResult, ...]
    last: StoredEquity | None
    baseline: StoredEquity | None


@dataclass(frozen=True, slots=True)
class ClosedResult:
    """What a closed position has earned, in quote after fees, and when it closed."""

    realized_profit: Decimal
    closed_at: datetime

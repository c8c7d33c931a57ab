"""How far a trading session has drifted from a backtest over the same candles, and why."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.model.markets import MarketSymbol


class DriftCause(StrEnum):
    """Why a trading session and its backtest differ.

    SIGNAL_MISSING: the backtest entered on a signal that the session doesn't have. SIGNAL_MISSED: the session has it,
    and didn't act on it, as while it was down or paused. NOT_FILLED: the session acted on it, and bought nothing.
    SIGNAL_EXTRA: the session entered on a signal that the backtest doesn't have. SUBMITTED: it entered on a signal from
    outside, of which a backtest has none. PRICE: both did the same at other prices. EXIT: both entered, and left on
    different candles or for different reasons. CANDLES_MISSING: the backtest lacks candles there.
    """

    SIGNAL_MISSING = "SIGNAL_MISSING"
    SIGNAL_MISSED = "SIGNAL_MISSED"
    NOT_FILLED = "NOT_FILLED"
    SIGNAL_EXTRA = "SIGNAL_EXTRA"
    SUBMITTED = "SUBMITTED"
    PRICE = "PRICE"
    EXIT = "EXIT"
    CANDLES_MISSING = "CANDLES_MISSING"


@dataclass(frozen=True, slots=True)
class DriftItem:
    """One difference. `price_bps` is how much worse the session's price was, in basis points, if it is about prices."""

    cause: DriftCause
    market: MarketSymbol
    at: datetime
    message: str
    price_bps: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """The differences of a trading session from its backtest; of many, the newest are kept as `items`.

    `missed` are round trips of the backtest alone, `extra` those of the session alone, `matched` those of both.
    Profits are the sums of all round trips' profits in percent of their entries. `entry_bps` and `exit_bps` are how
    much worse the session's prices were on average, in basis points; None without any to compare. Round trips that
    began at `since` or later are compared; None for the start of the session.
    """

    matched: int
    missed: int
    extra: int
    missing_candles: int
    live_profit_percent: float
    backtest_profit_percent: float
    entry_bps: float | None
    exit_bps: float | None
    items: tuple[DriftItem, ...]
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class BacktestDrift:
    """What is known of a trading session's drift, or the job that finds it out; `drift` is None until one has.

    Candles up to `until` were compared, at `computed_at`; without a `drift` it then was refused, as the job has said.
    """

    trading_session_id: UUID
    user_id: UUID
    job_id: UUID
    requested_at: datetime
    computed_at: datetime | None = None
    until: datetime | None = None
    drift: Drift | None = None

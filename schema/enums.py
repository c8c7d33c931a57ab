"""The closed sets that several modules of the schema use: an enum must be described before any type mentions it."""

import strawberry

from domain.analytics.catalogue import MOVING_AVERAGES, ParameterKind
from domain.analytics.trend import TrendDirection, VolatilityRegime
from domain.analytics.volume_profile import VolumeSource
from domain.markets.types import FeedState, Timeframe
from domain.markets.views import DepthCadence, DepthLevels, DepthMode
from domain.orders.side import OrderSide
from domain.orders.types import OrderRole, OrderStatus, OrderType, TimeInForce
from domain.reports.types import JobStatus
from domain.trading.state import TradingState
from domain.trading.types import AccountKind, TradingSessionStatus

strawberry.enum(
    TradingState,
    description="ACTIVE trades; REDUCING lets positions be closed but not opened; HALTED sends no new order.",
)
strawberry.enum(
    Timeframe,
    description="The length of a candle: minutes (M), hours (H), a day or a week, which begins on Monday.",
)
strawberry.enum(OrderSide, description="BUY or SELL, of the base currency.")
strawberry.enum(DepthLevels, description="How many levels a side: 5, 20 or 100.")
strawberry.enum(DepthCadence, description="The least time from one event to the next: 20 to 1,000 ms.")
strawberry.enum(DepthMode, description="Whether every event holds all levels, or what has changed.")
strawberry.enum(
    FeedState,
    description="LIVE; STALE: the venue has gone silent; RECONNECTING: the feed is being made anew.",
)
strawberry.enum(
    OrderType,
    description="How an order is executed: at once (MARKET), at a price or better (LIMIT), when the market has moved "
    "against it (STOP, STOP_LIMIT), in its favour (TAKE_PROFIT, TAKE_PROFIT_LIMIT), or away from its best "
    "(TRAILING_STOP).",
)
strawberry.enum(
    TimeInForce,
    description="How long an order rests: until cancelled (GTC), not at all (IOC takes what there is, FOK all or "
    "nothing), or until `expiresAt` (GTD).",
)
strawberry.enum(
    OrderStatus,
    description="PENDING: taken in. DENIED: by the risk checks, never sent. SUBMITTED: sent, no answer yet. IN_DOUBT: "
    "sent, and the answer got lost; the venue is being asked. OPEN, PARTIALLY_FILLED: rests at the venue. "
    "PENDING_CANCEL: being cancelled. FILLED, CANCELED, REJECTED (by the venue), EXPIRED: at its end.",
)
strawberry.enum(
    JobStatus,
    description="QUEUED waits for a worker; RUNNING; SUCCEEDED, FAILED and CANCELED are its ends.",
)
strawberry.enum(
    TradingSessionStatus,
    description="STARTING: its candles are being loaded. RUNNING. PAUSED: no entries; exits and protection go on. "
    "STOPPING: its orders are being cancelled, and its position closed where that was asked. STOPPED, FAILED: at its "
    "end.",
)
strawberry.enum(
    VolumeSource,
    description="TRADES: every trade at its price, by the taker's side. CANDLES: minute candles, as trades are gone.",
)
strawberry.enum(
    TrendDirection,
    description="UP where +DI(14) is above -DI(14), else DOWN; SIDEWAYS where the ADX(14) is below 20 (Wilder 1978).",
)
strawberry.enum(
    VolatilityRegime,
    description="Where the ATR(14) in percent of the close lies among its own newest 100 values: LOW in the lowest "
    "quarter, HIGH in the highest, else NORMAL.",
)
strawberry.enum(
    ParameterKind,
    name="IndicatorParameterKind",
    description="INTEGER: a whole number. REAL: any number. MOVING_AVERAGE: the number of a moving average's type: "
    + ", ".join(f"{number} {name}" for number, name in enumerate(MOVING_AVERAGES))
    + ".",
)
strawberry.enum(
    OrderRole,
    description="Why an order exists: what a strategy does (ENTRY, EXIT), what protects a position (STOP_LOSS, "
    "TAKE_PROFIT, TRAILING_STOP), what ends it (CLOSE), placed by hand (MANUAL), or found at the venue (FOREIGN).",
)
strawberry.enum(
    AccountKind,
    description="PAPER: a balance on a venue that isn't live. LIVE: credentials of a real one.",
)

"""The closed sets of market data and analytics: an enum must be described before any type mentions it."""

from domain.indicators.catalogue import MOVING_AVERAGES, ParameterKind
from domain.indicators.trend import TrendDirection, VolatilityRegime
from domain.indicators.volume_profile import VolumeSource
from domain.model.depth_views import DepthCadence, DepthLevels, DepthMode
from domain.model.markets import FeedState, Timeframe
from schema.described import describe_enum

describe_enum(
    Timeframe,
    "The length of a candle. Candles begin at whole multiples of it, counted in UTC: a day at 00:00, a week on Monday.",
    {
        "M1": "One minute.",
        "M3": "Three minutes.",
        "M5": "Five minutes.",
        "M15": "Fifteen minutes.",
        "M30": "Thirty minutes.",
        "H1": "One hour.",
        "H2": "Two hours.",
        "H4": "Four hours.",
        "H6": "Six hours.",
        "H12": "Twelve hours.",
        "D1": "One day, from 00:00 UTC.",
        "W1": "One week, from Monday 00:00 UTC.",
    },
)
describe_enum(
    DepthLevels,
    "How many levels of the order book are shown on each side.",
    {"L5": "The best 5 levels.", "L20": "The best 20 levels.", "L100": "The best 100 levels."},
)
describe_enum(
    DepthCadence,
    "The shortest time from one event to the next. A venue may send less often.",
    {
        "MS20": "At most one event in 20 milliseconds.",
        "MS100": "At most one event in 100 milliseconds.",
        "MS500": "At most one event in 500 milliseconds.",
        "MS1000": "At most one event a second.",
    },
)
describe_enum(
    DepthMode,
    "What the events of an order book hold.",
    {
        "SNAPSHOTS": "Every event holds all levels.",
        "DELTAS": "After a snapshot, an event holds the levels that have changed.",
    },
)
describe_enum(
    FeedState,
    "Whether a market's data can be trusted now.",
    {
        "LIVE": "The venue sends data, and the book is complete.",
        "STALE": "The venue has gone silent. Orders of this market are denied until it speaks again.",
        "RECONNECTING": "The connection to the venue is being made again.",
    },
)
describe_enum(
    VolumeSource,
    "What a volume profile is computed from.",
    {
        "TRADES": "Every trade is counted at its price, on the side of its taker.",
        "CANDLES": "Minute candles are divided among the levels, as not enough trades are stored.",
    },
)
describe_enum(
    TrendDirection,
    "Where prices go, by Wilder's directional movement (1978) over 14 candles.",
    {
        "UP": "+DI(14) is above -DI(14), and the ADX(14) is at least 20.",
        "DOWN": "-DI(14) is above +DI(14), and the ADX(14) is at least 20.",
        "SIDEWAYS": "The ADX(14) is below 20.",
    },
)
describe_enum(
    VolatilityRegime,
    "How much prices swing: where the ATR(14), in percent of the close, lies among its own newest 100 values.",
    {
        "LOW": "In the lowest quarter of them.",
        "NORMAL": "Between the lowest and the highest quarter.",
        "HIGH": "In the highest quarter of them.",
    },
)
describe_enum(
    ParameterKind,
    "What values a parameter of an indicator takes.",
    {
        "INTEGER": "A whole number.",
        "REAL": "Any number.",
        "MOVING_AVERAGE": "The number of a kind of moving average: "
        + ", ".join(f"{number} is {kind}" for number, kind in enumerate(MOVING_AVERAGES))
        + ".",
    },
    name="IndicatorParameterKind",
)

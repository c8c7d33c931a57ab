"""The closed sets of market data and analytics: an enum must be described before any type mentions it."""

from domain.indicators.catalogue import MOVING_AVERAGES, ParameterKind
from domain.indicators.trend import TrendDirection, VolatilityRegime
from domain.indicators.volume_profile import VolumeSource
from domain.model.depth_views import DepthCadence, DepthLevels, DepthMode
from domain.model.markets import FeedState, Timeframe
from schema.described import describe_enum

describe_enum(
    Timeframe,
    "The length of a candle. Candles start at whole multiples of it in UTC: a day at 00:00, a week on Monday.",
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
    "How many levels of the order book are sent on each side.",
    {"L5": "The best 5 levels.", "L20": "The best 20 levels.", "L100": "The best 100 levels."},
)
describe_enum(
    DepthCadence,
    "The shortest time between two events. A venue may send updates less often.",
    {
        "MS20": "At most one event every 20 milliseconds.",
        "MS100": "At most one event every 100 milliseconds.",
        "MS500": "At most one event every 500 milliseconds.",
        "MS1000": "At most one event every second.",
    },
)
describe_enum(
    DepthMode,
    "What the events of an order book contain.",
    {
        "SNAPSHOTS": "Every event contains all levels.",
        "DELTAS": "The first event is a snapshot. Later events contain only the levels that changed.",
    },
)
describe_enum(
    FeedState,
    "Whether a market's data can be relied on.",
    {
        "LIVE": "The venue sends data, and the order book is complete.",
        "STALE": "The venue has stopped sending data. New orders on this market are denied until data arrives again.",
        "RECONNECTING": "The engine is reconnecting to the venue.",
    },
)
describe_enum(
    VolumeSource,
    "The data from which a volume profile is computed.",
    {
        "TRADES": "Trades. Each trade counts at its price, on the side of its taker.",
        "CANDLES": (
            "One-minute candles, because too few trades are stored. The volume of each candle is spread over its "
            "price range."
        ),
    },
)
describe_enum(
    TrendDirection,
    "The direction of the price, by Wilder's directional movement (1978) over 14 candles.",
    {
        "UP": "The plus directional indicator, +DI(14), is above -DI(14), and the ADX(14) is at least 20.",
        "DOWN": "The minus directional indicator, -DI(14), is above +DI(14), and the ADX(14) is at least 20.",
        "SIDEWAYS": "The ADX(14) is below 20.",
    },
)
describe_enum(
    VolatilityRegime,
    "How volatile the price is: the ATR(14) in percent of the close, compared with its own newest 100 values.",
    {
        "LOW": "The value is in the lowest quarter of them.",
        "NORMAL": "The value is between the lowest and the highest quarter.",
        "HIGH": "The value is in the highest quarter of them.",
    },
)
describe_enum(
    ParameterKind,
    "Which values a parameter of an indicator accepts.",
    {
        "INTEGER": "A whole number.",
        "REAL": "Any number.",
        "MOVING_AVERAGE": "The number of a kind of moving average: "
        + ", ".join(f"{number} is {kind}" for number, kind in enumerate(MOVING_AVERAGES))
        + ".",
    },
    name="IndicatorParameterKind",
)

"""The enums of markets and their data."""

from domain.model.depth_views import DepthCadence, DepthLevels, DepthMode
from domain.model.markets import FeedState, Timeframe
from domain.model.venue_abilities import AmendAbility, ReportSource
from resolvers.markets import MarketOrder
from schema.common.enums import describe_enum

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
    ReportSource,
    "How the engine gets reports of one kind from a venue.",
    {
        "STREAM": "The venue sends them as they happen.",
        "POLL": "The engine asks for them again and again.",
    },
)


describe_enum(
    AmendAbility,
    "How a venue changes an order that rests.",
    {
        "IN_PLACE": "It changes the order, which keeps its ids.",
        "REPLACE": "It cancels the order and places another in one request.",
        "NONE": "It does neither.",
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
    MarketOrder,
    "The order of a list of markets.",
    {
        "SYMBOL": "By venue and symbol, from A to Z.",
        "SYMBOL_DESCENDING": "By venue and symbol, from Z to A.",
    },
)

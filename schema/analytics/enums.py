"""The enums of indicators, trends and volume profiles."""

from domain.indicators.catalogue import MOVING_AVERAGES, ParameterKind
from domain.indicators.trend import TrendDirection, VolatilityRegime
from domain.indicators.volume_profile import VolumeSource
from schema.common.enums import describe_enum

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
        "LOW": "The value is in the lowest quarter of the values compared.",
        "NORMAL": "The value is between the lowest and the highest quarter.",
        "HIGH": "The value is in the highest quarter of the values compared.",
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

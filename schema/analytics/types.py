"""Indicators, volume profiles and trends."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.indicators import trend as trend_domain
from domain.indicators import volume_profile as volume_domain
from domain.indicators.catalogue import ParameterKind
from domain.model import markets as domain


@strawberry.type(description="The value of a parameter of a strategy or an indicator.")
class ParameterValue:
    name: str = strawberry.field(description="The name of the parameter.")
    value: Decimal = strawberry.field(description="The value of the parameter.")


@strawberry.type(description="A parameter of an indicator.")
class IndicatorParameter:
    name: str = strawberry.field(description="The name of the parameter.")
    default: Decimal = strawberry.field(description="The value that is used if none is given.")
    kind: ParameterKind = strawberry.field(description="Which values the parameter accepts.")
    minimum: Decimal = strawberry.field(description="The least value that is allowed.")
    maximum: Decimal = strawberry.field(description="The greatest value that is allowed.")


@strawberry.type(description="An indicator of TA-Lib. Strategy rules call it by its name.")
class IndicatorDefinition:
    name: str = strawberry.field(description="The name of the indicator in lower case, as rules write it.")
    title: str = strawberry.field(description="The full name of the indicator.")
    group: str = strawberry.field(
        description="The group of indicators that it belongs to, such as momentum indicators."
    )
    inputs: list[str] = strawberry.field(
        description="The input series, in the order in which the indicator takes them."
    )
    parameters: list[IndicatorParameter] = strawberry.field(
        description="The parameters, in the order in which rules write them."
    )
    outputs: list[str] = strawberry.field(
        description="The output series, in the order in which the indicator returns them."
    )


@strawberry.type(description="The volume that was traded in one range of prices.")
class VolumeLevel:
    price_low: Decimal = strawberry.field(description="The lower end of the range, inclusive.")
    price_high: Decimal = strawberry.field(
        description="The upper end of the range, exclusive. The next level starts here."
    )
    volume: Decimal = strawberry.field(description="The traded volume, in base currency.")
    buy_volume: Decimal = strawberry.field(
        description=(
            "The part of the volume that takers bought. If the profile is computed from candles, the volume of rising "
            "candles."
        )
    )
    sell_volume: Decimal = strawberry.field(
        description=(
            "The part of the volume that takers sold. If the profile is computed from candles, the volume of falling "
            "candles."
        )
    )


@strawberry.type(
    description=(
        "The traded volume by price, with the value area of the CBOT's Market Profile. The value area starts at the "
        "point of control. It then grows by the two levels above or the two levels below, whichever have more volume, "
        "until it holds 70 % of the volume."
    )
)
class VolumeProfile:
    source: volume_domain.VolumeSource = strawberry.field(
        description=(
            "The data from which the profile is computed. It is TRADES if the stored trades hold at least 99 % of the "
            "volume of the one-minute candles. Otherwise it is CANDLES, and the volume of each candle is spread "
            "evenly from its low to its high."
        )
    )
    point_of_control: Decimal | None = strawberry.field(
        description=(
            "The middle of the level with the most volume, rounded to the price increment. It and the value area are "
            "null if nothing was traded."
        )
    )
    value_area_high: Decimal | None = strawberry.field(description="The upper end of the value area.")
    value_area_low: Decimal | None = strawberry.field(description="The lower end of the value area.")
    volume: Decimal = strawberry.field(description="The whole traded volume, in base currency: the sum of the levels.")
    missing_minutes: int = strawberry.field(
        description=(
            "The number of closed minutes in the period that have no stored candle. 0 means that the profile is "
            "complete."
        )
    )
    levels: list[VolumeLevel] = strawberry.field(
        description="The levels, lowest price first and without gaps. A level can be empty."
    )

    @strawberry.field(name="from", description="The start of the period, inclusive.")
    def start(parent: strawberry.Parent[volume_domain.VolumeProfile]) -> datetime:
        return parent.start

    @strawberry.field(name="to", description="The end of the period, exclusive.")
    def end(parent: strawberry.Parent[volume_domain.VolumeProfile]) -> datetime:
        return parent.end


@strawberry.type(
    description=(
        "One output of an indicator. A value is null until the indicator has seen enough candles, and if the function "
        "has no finite value, such as the arc cosine of a price."
    )
)
class IndicatorOutput:
    name: str = strawberry.field(description="The name of the output in the catalogue `indicators`.")
    values: list[float | None] = strawberry.field(description="The values, one for each of the series' `times`.")


@strawberry.type(description="The values of an indicator at closed candles, at most 5,000 of them.")
class IndicatorSeries:
    name: str = strawberry.field(description="The name of the indicator in the catalogue `indicators`.")
    timeframe: domain.Timeframe = strawberry.field(description="The length of the candles.")
    inputs: list[str] = strawberry.field(description="The series from which the indicator was computed, in order.")
    parameters: list[ParameterValue] = strawberry.field(
        description="All parameters of the indicator, including those with their default value."
    )
    times: list[datetime] = strawberry.field(description="The open times of the candles, oldest first.")
    outputs: list[IndicatorOutput] = strawberry.field(description="The outputs, in the order of the catalogue.")


@strawberry.type(
    description=(
        "The trend of a market: direction and strength by Wilder's directional movement (1978) over 14 candles, and "
        "volatility compared with the newest 100 candles."
    )
)
class Trend:
    timeframe: domain.Timeframe = strawberry.field(description="The length of the candles.")
    at: datetime = strawberry.field(description="When the newest candle closed.")
    direction: trend_domain.TrendDirection = strawberry.field(description="The direction of the price.")
    strength: float = strawberry.field(
        description="The ADX(14), from 0 to 100. A trend of 25 or more is commonly called strong."
    )
    volatility: trend_domain.VolatilityRegime = strawberry.field(
        description="The volatility of the price, by the ATR(14) in percent of the close."
    )

"""What is computed from a market's history, as the API shows it: volume profiles, past books, indicators, trends."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.indicators import trend as trend_domain
from domain.indicators import volume_profile as volume_domain
from domain.market_data.analytics import CandleRange
from domain.model import depth_views as views
from domain.model import markets as domain
from resolvers import analytics
from schema import enums  # noqa: F401  # an enum must be described before any type mentions it
from schema.context import Info
from schema.lazy import lazy
from schema.parameters import ParameterInput, ParameterValue

OfTimeframe = Annotated[domain.Timeframe, strawberry.argument(description="The length of the candles.")]
From = Annotated[datetime, strawberry.argument(name="from", description="The start of the period, inclusive.")]
To = Annotated[datetime, strawberry.argument(description="The end of the period, exclusive.")]


@strawberry.type(description="The volume that was traded in one range of prices.")
class VolumeLevel:
    """The schema's face of `domain.indicators.volume_profile.VolumeLevel`."""

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
    """The schema's face of `domain.indicators.volume_profile.VolumeProfile`."""

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
        """Return the beginning."""
        return parent.start

    @strawberry.field(name="to", description="The end of the period, exclusive.")
    def end(parent: strawberry.Parent[volume_domain.VolumeProfile]) -> datetime:
        """Return the end."""
        return parent.end


@strawberry.type(
    description=(
        "One output of an indicator. A value is null until the indicator has seen enough candles, and if the function "
        "has no finite value, such as the arc cosine of a price."
    )
)
class IndicatorOutput:
    """The schema's face of `domain.indicators.series.IndicatorOutput`."""

    name: str = strawberry.field(description="The name of the output in the catalogue `indicators`.")
    values: list[float | None] = strawberry.field(description="The values, one for each of the series' `times`.")


@strawberry.type(description="The values of an indicator at closed candles, at most 5,000 of them.")
class IndicatorSeries:
    """The schema's face of `domain.indicators.series.IndicatorSeries`."""

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
    """The schema's face of `domain.indicators.trend.Trend`."""

    timeframe: domain.Timeframe = strawberry.field(description="The length of the candles.")
    at: datetime = strawberry.field(description="When the newest candle closed.")
    direction: trend_domain.TrendDirection = strawberry.field(description="The direction of the price.")
    strength: float = strawberry.field(
        description="The ADX(14), from 0 to 100. A trend of 25 or more is commonly called strong."
    )
    volatility: trend_domain.VolatilityRegime = strawberry.field(
        description="The volatility of the price, by the ATR(14) in percent of the close."
    )


@strawberry.type
class MarketAnalyticsFields:
    """The fields of `Market` that are computed from its history."""

    @strawberry.field(
        graphql_type=VolumeProfile | None,
        description=(
            "The traded volume by price. The period may be at most 31 days. The levels reach from the lowest to the "
            "highest traded price."
        ),
    )
    async def volume_profile(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        from_: From,
        to: To,
        bins: Annotated[
            int,
            strawberry.argument(
                description=(
                    "The greatest number of levels, from 1 to 1,000. There can be fewer, so that their edges are "
                    "multiples of the price increment, or of a step of five digits of the price."
                )
            ),
        ] = 50,
    ) -> object:
        """Return the profile."""
        return await analytics.volume_profile(info.context, parent, from_, to, bins)

    @strawberry.field(
        graphql_type=IndicatorSeries | None,
        description=(
            "The values of an indicator at closed candles. Null if there are no candles. Enough earlier candles are "
            "read, if they are stored, that the values don't depend on where the series starts. Cumulative "
            "indicators, such as OBV, start with the series. After a gap between candles the indicator starts again."
        ),
    )
    async def indicator(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        name: Annotated[
            str,
            strawberry.argument(
                description="The name of the indicator in the catalogue `indicators`. Upper and lower case are the "
                "same."
            ),
        ],
        timeframe: OfTimeframe,
        parameters: Annotated[
            list[ParameterInput] | None,
            strawberry.argument(
                description="Values of the indicator's parameters. Those that are not given have their default."
            ),
        ] = None,
        inputs: Annotated[
            list[str] | None,
            strawberry.argument(
                description=(
                    "The series from which to compute the indicator, all of them, in the order of the catalogue. Each "
                    "is open, high, low, close, volume, or the name of an indicator with one output, such as "
                    "typprice, which is computed with its defaults. By default they are those of the catalogue, and "
                    "ht_dcperiod for the periods of MAVP."
                )
            ),
        ] = None,
        from_: Annotated[
            datetime | None,
            strawberry.argument(name="from", description="Only candles that opened at this time or later."),
        ] = None,
        to: Annotated[
            datetime | None, strawberry.argument(description="Only candles that opened before this time.")
        ] = None,
        last: Annotated[
            int | None,
            strawberry.argument(
                description="Only the newest candles, at most 5,000. The default is 500 if `from` isn't given either."
            ),
        ] = None,
    ) -> object:
        """Return the series."""
        values = [parameter.to_domain() for parameter in parameters or ()]
        return await analytics.indicator(
            info.context, parent, timeframe, name, values, inputs or (), CandleRange(from_, to, last)
        )

    @strawberry.field(
        graphql_type=Trend | None,
        description=(
            "The trend of the market. Null if there are too few candles: about 430 in a row are needed. Missing "
            "candles are fetched from the venue, as for `candles`."
        ),
    )
    async def trend(parent: strawberry.Parent[domain.Market], info: Info, timeframe: OfTimeframe) -> object:
        """Return the trend."""
        return await analytics.trend(info.context, parent, timeframe)

    @strawberry.field(
        graphql_type=list[lazy("depth", "MarketDepthSnapshot")] | None,  # type: ignore[misc]  # an annotation made at run time
        description=(
            "Stored snapshots of the order book, oldest first. The period is divided into intervals, and the first "
            "snapshot of each interval is returned. A period of more than 1,000 intervals is an error."
        ),
    )
    async def depth_history(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        from_: From,
        to: To,
        every_seconds: Annotated[
            int,
            strawberry.argument(
                description="The length of an interval in seconds, at least 1. The first interval starts at `from`."
            ),
        ] = 60,
        levels: Annotated[
            views.DepthLevels, strawberry.argument(description="How many levels to return on each side.")
        ] = views.DepthLevels.L20,
    ) -> object:
        """Return the snapshots."""
        return await analytics.depth_history(info.context, parent, from_, to, every_seconds, levels)

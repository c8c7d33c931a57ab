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
From = Annotated[datetime, strawberry.argument(name="from", description="From then on, that moment included.")]
To = Annotated[datetime, strawberry.argument(description="Up to then, that moment not included.")]


@strawberry.type(description="What was traded in a range of prices.")
class VolumeLevel:
    """The schema's face of `domain.indicators.volume_profile.VolumeLevel`."""

    price_low: Decimal = strawberry.field(description="The lowest price, included.")
    price_high: Decimal = strawberry.field(description="The upper end, not included: where the next level begins.")
    volume: Decimal = strawberry.field(description="How much was traded, in base currency.")
    buy_volume: Decimal = strawberry.field(description="What takers bought of it; from candles, what rising ones hold.")
    sell_volume: Decimal = strawberry.field(description="What takers sold of it; from candles, what falling ones hold.")


@strawberry.type(
    description="Volume by price, with the value area of the CBOT's Market Profile: from the point of control on, the "
    "two levels above or the two below are taken in, whichever pair has more volume, until 70 % is held."
)
class VolumeProfile:
    """The schema's face of `domain.indicators.volume_profile.VolumeProfile`."""

    source: volume_domain.VolumeSource = strawberry.field(
        description="TRADES while they hold at least 99 % of the volume that the minute candles tell, else CANDLES, "
        "each of which is divided evenly among the levels from its low to its high."
    )
    point_of_control: Decimal | None = strawberry.field(
        description="The middle of the level with the most volume, on the price increment; null where nothing was "
        "traded, as with the value area."
    )
    value_area_high: Decimal | None = strawberry.field(description="The upper end of the value area.")
    value_area_low: Decimal | None = strawberry.field(description="The lower end of the value area.")
    volume: Decimal = strawberry.field(description="All that was traded, in base: the sum of the levels.")
    missing_minutes: int = strawberry.field(
        description="How many whole minutes of the period have closed and have no stored candle: 0 where the profile "
        "is of all that was traded."
    )
    levels: list[VolumeLevel] = strawberry.field(description="Lowest price first, without a gap; some may be empty.")

    @strawberry.field(name="from", description="The beginning, included.")
    def start(parent: strawberry.Parent[volume_domain.VolumeProfile]) -> datetime:
        """Return the beginning."""
        return parent.start

    @strawberry.field(name="to", description="The end, not included.")
    def end(parent: strawberry.Parent[volume_domain.VolumeProfile]) -> datetime:
        """Return the end."""
        return parent.end


@strawberry.type(
    description="One output of an indicator. `values` runs beside the series' `times`; null where the look-back is not "
    "yet filled, and where a function has no finite value, as the arc cosine of a price."
)
class IndicatorOutput:
    """The schema's face of `domain.indicators.series.IndicatorOutput`."""

    name: str = strawberry.field(description="The name in the catalogue `indicators`.")
    values: list[float | None] = strawberry.field(description="One for each of the times.")


@strawberry.type(description="An indicator at closed candles, at most 5,000 times.")
class IndicatorSeries:
    """The schema's face of `domain.indicators.series.IndicatorSeries`."""

    name: str = strawberry.field(description="The name in the catalogue `indicators`.")
    timeframe: domain.Timeframe = strawberry.field(description="The length of the candles.")
    inputs: list[str] = strawberry.field(description="The series that it was computed of, in order.")
    parameters: list[ParameterValue] = strawberry.field(description="All of them, with those that were not given.")
    times: list[datetime] = strawberry.field(description="When each candle opened, oldest first.")
    outputs: list[IndicatorOutput] = strawberry.field(description="In the order of the catalogue.")


@strawberry.type(
    description="Direction and strength by Wilder's directional movement (1978) of 14 candles, and how much prices "
    "swing compared with the newest 100 candles."
)
class Trend:
    """The schema's face of `domain.indicators.trend.Trend`."""

    timeframe: domain.Timeframe = strawberry.field(description="The length of the candles.")
    at: datetime = strawberry.field(description="When the newest candle closed.")
    direction: trend_domain.TrendDirection = strawberry.field(description="Where prices go.")
    strength: float = strawberry.field(description="The ADX(14), from 0 to 100; 25 and more is commonly called strong.")
    volatility: trend_domain.VolatilityRegime = strawberry.field(description="By the ATR(14) in percent of the close.")


@strawberry.type
class MarketAnalyticsFields:
    """The fields of `Market` that are computed from its history."""

    @strawberry.field(
        graphql_type=VolumeProfile | None,
        description="Volume by price between the lowest and the highest that was traded, of at most 31 days.",
    )
    async def volume_profile(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        from_: From,
        to: To,
        bins: Annotated[
            int,
            strawberry.argument(
                description="How many levels at most, up to 1,000; fewer where that makes their edges whole multiples "
                "of the price increment, or of a step of five digits of the price."
            ),
        ] = 50,
    ) -> object:
        """Return the profile."""
        return await analytics.volume_profile(info.context, parent, from_, to, bins)

    @strawberry.field(
        graphql_type=IndicatorSeries | None,
        description="An indicator of the catalogue at closed candles, null where there are none. Enough earlier "
        "candles are read, where they are stored, that its values don't depend on where the series begins; sums "
        "without end, such as OBV, begin with it. After a gap between candles it begins anew.",
    )
    async def indicator(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        name: Annotated[str, strawberry.argument(description="As in the catalogue, in any case.")],
        timeframe: OfTimeframe,
        parameters: Annotated[
            list[ParameterInput] | None, strawberry.argument(description="Those that are not their default.")
        ] = None,
        inputs: Annotated[
            list[str] | None,
            strawberry.argument(
                description="The series to compute it of, in the order of the catalogue's, all of them: open, high, "
                "low, close, volume, or an indicator with one output, computed with its defaults, such as typprice; "
                "where not given, the catalogue's, and ht_dcperiod for the periods of MAVP."
            ),
        ] = None,
        from_: Annotated[
            datetime | None, strawberry.argument(name="from", description="Candles that opened then or later.")
        ] = None,
        to: Annotated[datetime | None, strawberry.argument(description="Candles that opened before.")] = None,
        last: Annotated[
            int | None,
            strawberry.argument(
                description="The newest of them alone, at most 5,000; where neither it nor `from` is given, 500."
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
        description="Null while there are too few candles: it takes some 430 without a gap. They are fetched like "
        "those of `candles`.",
    )
    async def trend(parent: strawberry.Parent[domain.Market], info: Info, timeframe: OfTimeframe) -> object:
        """Return the trend."""
        return await analytics.trend(info.context, parent, timeframe)

    @strawberry.field(
        graphql_type=list[lazy("depth", "MarketDepthSnapshot")] | None,  # type: ignore[misc]  # an annotation made at run time
        description="Stored snapshots, oldest first, at most 1,000: the first of each interval that has one. A time "
        "of more than 1,000 intervals is refused.",
    )
    async def depth_history(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        from_: From,
        to: To,
        every_seconds: Annotated[
            int, strawberry.argument(description="The length of the intervals, counted from `from`; at least 1.")
        ] = 60,
        levels: Annotated[
            views.DepthLevels, strawberry.argument(description="How many levels a side.")
        ] = views.DepthLevels.L20,
    ) -> object:
        """Return the snapshots."""
        return await analytics.depth_history(info.context, parent, from_, to, every_seconds, levels)

"""The fields of `Market` that are computed from its history: volume profiles, indicators, trends, past order books."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.market_data.analytics import CandleRange
from domain.model import depth_views as views
from domain.model import markets as domain
from resolvers import analytics
from schema.analytics.inputs import ParameterInput
from schema.analytics.types import IndicatorSeries, Trend, VolumeProfile
from schema.common.types import Info, lazy

OfTimeframe = Annotated[domain.Timeframe, strawberry.argument(description="The length of the candles.")]

From = Annotated[datetime, strawberry.argument(name="from", description="The start of the period, inclusive.")]

To = Annotated[datetime, strawberry.argument(description="The end of the period, exclusive.")]


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
        return await analytics.volume_profile(info.context, parent, from_, to, bins)

    @strawberry.field(
        graphql_type=IndicatorSeries | None,
        description=(
            "The values of an indicator at closed candles. Null if there are no candles. Enough earlier candles are "
            "read, if they are stored, that the values don't depend on where the series starts. Cumulative "
            "indicators, such as OBV, begin at the first candle of the result. After a gap between candles the "
            "indicator starts again."
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
        return await analytics.trend(info.context, parent, timeframe)

    @strawberry.field(
        graphql_type=list[lazy("markets.depth", "MarketDepthSnapshot")] | None,  # type: ignore[misc]  # an annotation made at run time
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
        return await analytics.depth_history(info.context, parent, from_, to, every_seconds, levels)

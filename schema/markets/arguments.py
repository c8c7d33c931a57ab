"""Arguments of fields that read markets and their data."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.market_data.catalogue import MarketFilter
from domain.model import markets as domain
from domain.model.markets import MarketSymbol
from resolvers.markets import MarketOrder

OfMarket = Annotated[
    MarketSymbol, strawberry.argument(description="The symbol of the market, such as sandbox:BTC/USDT.")
]
OfTimeframe = Annotated[domain.Timeframe, strawberry.argument(description="The length of the candles.")]
Start = Annotated[
    datetime | None,
    strawberry.argument(
        name="from", description="The start of the period, inclusive. By default the list starts with the oldest item."
    ),
]
End = Annotated[
    datetime | None,
    strawberry.argument(description="The end of the period, exclusive. By default the list ends with the newest item."),
]
MarketOrderBy = Annotated[
    MarketOrder,
    strawberry.argument(
        description="The order of the list. A cursor is only valid with the order in which it was returned."
    ),
]
Markets = Annotated[
    list[MarketSymbol],
    strawberry.argument(description="The markets, from 1 to 500. A market that is named twice counts once."),
]


def market_filter(
    search: Annotated[
        str | None,
        strawberry.argument(
            description="Only markets whose symbol contains this text. Upper and lower case are the same."
        ),
    ] = None,
    base: Annotated[
        str | None,
        strawberry.argument(description="Only markets with this base currency. Upper and lower case are the same."),
    ] = None,
    quote: Annotated[
        str | None,
        strawberry.argument(description="Only markets with this quote currency. Upper and lower case are the same."),
    ] = None,
    active: Annotated[
        bool | None,
        strawberry.argument(
            description=(
                "True: only markets that are traded now. False: only markets that are not traded now. By "
                "default, both are included."
            )
        ),
    ] = None,
) -> MarketFilter:
    """The filter of a list of markets."""
    return MarketFilter(None, None, base, quote, active, (search or "").strip())

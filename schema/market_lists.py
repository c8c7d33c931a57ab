"""Many markets at once: lists of them, their tickers in one stream, and the states of their feeds."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Final

import strawberry

from domain.market_data.catalogue import MarketFilter
from domain.model import markets as domain
from domain.model.markets import FeedState, MarketSymbol
from resolvers import markets
from resolvers.markets import MarketOrder, feeds_source, tickers_source
from resolvers.pagination import PageArguments
from schema import enums  # noqa: F401  # an enum must be described before any type mentions it
from schema.context import Info
from schema.described import describe_enum
from schema.lazy import lazy
from schema.lists import NESTED, NESTED_PAGE, FirstOfNested
from schema.pagination import After, Before, First, Last

SHARED: Final = {"shared": True}

describe_enum(
    MarketOrder,
    "The order of a list of markets.",
    {
        "SYMBOL": "By venue and symbol, from A to Z.",
        "SYMBOL_DESCENDING": "By venue and symbol, from Z to A.",
    },
)

Search = Annotated[
    str | None,
    strawberry.argument(description="Only markets whose symbol contains this text. Upper and lower case are the same."),
]
Base = Annotated[
    str | None,
    strawberry.argument(description="Only markets with this base currency. Upper and lower case are the same."),
]
Quote = Annotated[
    str | None,
    strawberry.argument(description="Only markets with this quote currency. Upper and lower case are the same."),
]
IsActive = Annotated[
    bool | None,
    strawberry.argument(
        description="True: only markets that are traded now. False: only markets that are not traded now. By default "
        "both."
    ),
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


@strawberry.type(description="The state of the feed through which all data of a market arrives.")
class MarketFeed:
    """The schema's face of `domain.model.markets.FeedStatus`."""

    state: FeedState = strawberry.field(description="Whether the market's data can be relied on.")
    since: datetime = strawberry.field(description="When the feed entered this state.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market of the feed.")
    def market(parent: strawberry.Parent[domain.FeedStatus], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type
class MarketFeedField:
    """What `Market` says of its feed."""

    @strawberry.field(
        graphql_type=MarketFeed | None,
        description=(
            "The state of the market's feed. Null if the node that answers doesn't follow the market, for example "
            "because nobody has asked for its ticker or its order book."
        ),
    )
    def feed(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        """Return the state."""
        return markets.feed(info.context, parent)


@strawberry.type
class VenueMarkets:
    """What `Venue` lists."""

    @strawberry.field(
        graphql_type=lazy("markets", "MarketConnection") | None,
        metadata=NESTED,
        description="The markets of the venue.",
    )
    def markets(
        parent: strawberry.Parent[domain.Venue],
        info: Info,
        first: FirstOfNested = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        search: Search = None,
        base: Base = None,
        quote: Quote = None,
        active: IsActive = None,
        order_by: MarketOrderBy = MarketOrder.SYMBOL,
    ) -> object:
        """Return the page."""
        wanted = MarketFilter(None, parent.name, base, quote, active, (search or "").strip())
        page = PageArguments(first, after, last, before, NESTED_PAGE)
        return markets.markets(info.context, page, wanted, order_by)


@strawberry.type
class MarketListQuery:
    """The lists of markets in the query root."""

    @strawberry.field(
        graphql_type=lazy("markets", "MarketConnection") | None,
        description="The markets of all venues.",
    )
    def markets(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        search: Search = None,
        symbols: Annotated[
            list[MarketSymbol] | None,
            strawberry.argument(
                description="Only these markets, at most 500. A market that doesn't exist is left out."
            ),
        ] = None,
        venue: Annotated[
            str | None, strawberry.argument(description="Only markets of the venue with this name.")
        ] = None,
        base: Base = None,
        quote: Quote = None,
        active: IsActive = None,
        order_by: MarketOrderBy = MarketOrder.SYMBOL,
    ) -> object:
        """Return the page."""
        named = None if symbols is None else tuple(symbols)
        wanted = MarketFilter(named, venue, base, quote, active, (search or "").strip())
        return markets.markets(info.context, PageArguments(first, after, last, before), wanted, order_by)


@strawberry.type
class MarketListSubscription:
    """Streams of many markets; what they send is the same for everyone."""

    @strawberry.subscription(
        graphql_type=lazy("markets", "Ticker"),
        metadata=SHARED,
        description=(
            "The tickers of several markets in one stream. It starts with all tickers that are known, and then sends "
            "one event for each change. A slow client receives the newest ticker of each market. All subscribers to "
            "the same markets, in the same order, receive the same data."
        ),
    )
    async def tickers(self, info: Info, markets: Markets) -> AsyncGenerator[object]:
        """Stream the tickers."""
        return tickers_source(info.context, markets)  # type: ignore[return-value]  # a SharedSource

    @strawberry.subscription(
        graphql_type=MarketFeed,
        metadata=SHARED,
        description=(
            "The states of the feeds of several markets. It starts with all states that are known, and then sends one "
            "event for each change. Use it to notice that tickers, trades or candles have stopped."
        ),
    )
    async def market_feeds(self, info: Info, markets: Markets) -> AsyncGenerator[object]:
        """Stream the states."""
        return feeds_source(info.context, markets)  # type: ignore[return-value]  # a SharedSource

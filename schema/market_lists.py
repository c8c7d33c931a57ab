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
    "In which order markets are listed.",
    {
        "SYMBOL": "By venue and symbol, from A to Z.",
        "SYMBOL_DESCENDING": "By venue and symbol, from Z to A.",
    },
)

Search = Annotated[
    str | None, strawberry.argument(description="Only markets with this text in their symbol, in any case.")
]
Base = Annotated[
    str | None, strawberry.argument(description="Only markets on which this currency is bought and sold, in any case.")
]
Quote = Annotated[
    str | None, strawberry.argument(description="Only markets whose prices are in this currency, in any case.")
]
IsActive = Annotated[
    bool | None,
    strawberry.argument(description="True: only markets that are traded now. False: only the others. Both by default."),
]
MarketOrderBy = Annotated[
    MarketOrder,
    strawberry.argument(
        description="In which order the markets are listed. A cursor can only be used with the order that it came from."
    ),
]
Markets = Annotated[
    list[MarketSymbol],
    strawberry.argument(description="From 1 to 500 markets; one that is named twice counts once."),
]


@strawberry.type(description="The state of a market's feed, which all of its data comes by.")
class MarketFeed:
    """The schema's face of `domain.model.markets.FeedStatus`."""

    state: FeedState = strawberry.field(description="Whether the market's data can be trusted now.")
    since: datetime = strawberry.field(description="Since when the feed has been in this state.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market whose feed it is.")
    def market(parent: strawberry.Parent[domain.FeedStatus], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type
class MarketFeedField:
    """What `Market` says of its feed."""

    @strawberry.field(
        graphql_type=MarketFeed | None,
        description="The state of the market's feed. Null while the answering node doesn't follow the market, as "
        "before anybody has asked for its ticker or its book.",
    )
    def feed(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        """Return the state."""
        return markets.feed(info.context, parent)


@strawberry.type
class VenueMarkets:
    """What `Venue` lists."""

    @strawberry.field(
        graphql_type=lazy("markets", "MarketConnection") | None, metadata=NESTED, description="The venue's markets."
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
        description="The markets of all venues, in the order of their symbols.",
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
                description="Only these markets, at most 500. One that doesn't exist is left out of the list."
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
        description="The tickers of many markets in one stream: first those that are known, then one event a change of "
        "any of them. A slow reader gets the newest of each market. It is the same for everyone who names the same "
        "markets in the same order.",
    )
    async def tickers(self, info: Info, markets: Markets) -> AsyncGenerator[object]:
        """Stream the tickers."""
        return tickers_source(info.context, markets)  # type: ignore[return-value]  # a SharedSource

    @strawberry.subscription(
        graphql_type=MarketFeed,
        metadata=SHARED,
        description="The states of the feeds of many markets: first those that are known, then one event a change of "
        "any of them. With it a page can tell that a ticker, trades or candles have gone silent.",
    )
    async def market_feeds(self, info: Info, markets: Markets) -> AsyncGenerator[object]:
        """Stream the states."""
        return feeds_source(info.context, markets)  # type: ignore[return-value]  # a SharedSource

"""Venues and markets, in the query root."""

from dataclasses import replace
from typing import Annotated

import strawberry

from domain.market_data.catalogue import MarketFilter
from domain.model.markets import MarketSymbol
from resolvers import markets
from resolvers.markets import MarketOrder
from resolvers.pagination import PageArguments
from schema.common.arguments import connection_field
from schema.common.public import PUBLIC
from schema.common.types import Info
from schema.markets.arguments import MarketOrderBy, OfMarket, market_filter
from schema.markets.types import Market, MarketConnection, Venue


@strawberry.type
class MarketQuery:
    @strawberry.field(graphql_type=list[Venue], description="All venues that this engine can reach.")
    def venues(self, info: Info) -> object:
        return markets.venues(info.context)

    @strawberry.field(
        metadata=PUBLIC, graphql_type=Market | None, description="The market with this symbol. Null if there is none."
    )
    def market(self, info: Info, symbol: OfMarket) -> object:
        return markets.market(info.context, symbol)

    @strawberry.field(
        description=(
            "The quote currencies of the markets that are traded now: those of most markets first, then by name."
        )
    )
    def quote_currencies(
        self,
        info: Info,
        venue: Annotated[
            str | None, strawberry.argument(description="Only markets of the venue with this name.")
        ] = None,
    ) -> list[str]:
        return markets.quote_currencies(info.context, venue)

    @connection_field(
        MarketConnection | None,
        metadata=PUBLIC,
        description="The markets of all venues.",
        filter=market_filter,
    )
    def markets(
        self,
        info: Info,
        page: PageArguments,
        filter: MarketFilter,
        symbols: Annotated[
            list[MarketSymbol] | None,
            strawberry.argument(
                description="Only these markets, at most 500. A market that doesn't exist is left out."
            ),
        ] = None,
        venue: Annotated[
            str | None, strawberry.argument(description="Only markets of the venue with this name.")
        ] = None,
        order_by: MarketOrderBy = MarketOrder.SYMBOL,
    ) -> object:
        named = None if symbols is None else tuple(symbols)
        return markets.markets(info.context, page, replace(filter, symbols=named, venue=venue), order_by)

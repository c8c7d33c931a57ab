"""The order book as the API shows it: snapshots, deltas, and the state of the feed."""

from collections.abc import AsyncGenerator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model import depth_views as views
from domain.model import markets as domain
from domain.model.markets import MarketSymbol
from resolvers import markets
from schema.context import Info
from schema.lazy import lazy
from schema.markets import SHARED
from schema.node import serves
from schema.scalars import Sequence


@strawberry.type(description="A price of the book and what rests there.")
class PriceLevel:
    """The schema's face of `domain.model.markets.PriceLevel`."""

    price: Decimal = strawberry.field(description="In quote currency for one unit of the base currency.")
    quantity: Decimal = strawberry.field(description="In base; zero in a delta removes the level.")


@strawberry.type(description="The top of the book, best level first on both sides.")
class MarketDepthSnapshot:
    """The schema's face of `domain.model.depth_views.DepthSnapshot`."""

    is_type_of = serves(views.DepthSnapshot)

    epoch: strawberry.ID = strawberry.field(description="Sequences mean nothing across epochs.")
    sequence: Sequence = strawberry.field(description="The venue's update id; grows within an epoch.")
    bids: list[PriceLevel] = strawberry.field(description="Highest price first.")
    asks: list[PriceLevel] = strawberry.field(description="Lowest price first.")
    venue_time: datetime | None = strawberry.field(description="When the venue made the update, where it tells.")
    sent_at: datetime = strawberry.field(description="When the engine sent it.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market that it is of.")
    def market(parent: strawberry.Parent[views.DepthSnapshot], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type(
    description="Absolute quantities; zero removes the level. Applies on top of `previousSequence` of the same epoch, "
    "and on nothing else."
)
class MarketDepthDelta:
    """The schema's face of `domain.model.depth_views.DepthDelta`."""

    is_type_of = serves(views.DepthDelta)

    epoch: strawberry.ID = strawberry.field(description="That of the snapshot it builds on.")
    sequence: Sequence = strawberry.field(description="Where the book is after it.")
    previous_sequence: Sequence = strawberry.field(description="Where the book must be before it.")
    bids: list[PriceLevel] = strawberry.field(description="Changed levels, highest price first.")
    asks: list[PriceLevel] = strawberry.field(description="Changed levels, lowest price first.")
    venue_time: datetime | None = strawberry.field(description="When the venue made the update, where it tells.")
    sent_at: datetime = strawberry.field(description="When the engine sent it.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market that it is of.")
    def market(parent: strawberry.Parent[views.DepthDelta], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type(description="Whether the market's data can be trusted now; a snapshot follows when it can again.")
class MarketDepthStatus:
    """The schema's face of `domain.model.markets.FeedStatus`."""

    is_type_of = serves(domain.FeedStatus)

    state: domain.FeedState = strawberry.field(description="The state of the feed.")
    since: datetime = strawberry.field(description="When the feed came into this state.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market that it is of.")
    def market(parent: strawberry.Parent[domain.FeedStatus], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


MarketDepthEvent = Annotated[
    MarketDepthSnapshot | MarketDepthDelta | MarketDepthStatus,
    strawberry.union("MarketDepthEvent", description="A snapshot first; then snapshots or deltas, and states."),
]


@strawberry.type
class DepthSubscription:
    """The book's part of the subscription root."""

    @strawberry.subscription(
        graphql_type=MarketDepthEvent,
        metadata=SHARED,
        description="The same for everyone. The first event is a snapshot; another follows every gap, overflow or "
        "venue reconnect. `cadence` is an upper bound: a venue may send less often. Deltas are of the top `levels`: a "
        "level that enters is sent, one that leaves is sent as zero.",
    )
    async def market_depth(
        self,
        info: Info,
        market: Annotated[MarketSymbol, strawberry.argument(description="Which market's book.")],
        levels: Annotated[
            views.DepthLevels, strawberry.argument(description="How many levels a side.")
        ] = views.DepthLevels.L20,
        cadence: Annotated[
            views.DepthCadence, strawberry.argument(description="The least time from one event to the next.")
        ] = views.DepthCadence.MS100,
        mode: Annotated[
            views.DepthMode,
            strawberry.argument(description="Whether every event holds all levels, or what has changed."),
        ] = views.DepthMode.SNAPSHOTS,
    ) -> AsyncGenerator[object]:
        """Stream the book."""
        return markets.depth_source(  # type: ignore[return-value]  # a SharedSource
            info.context, market, levels, cadence, mode
        )

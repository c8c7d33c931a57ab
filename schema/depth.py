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


@strawberry.type(description="One price of the order book, with the quantity that rests there.")
class PriceLevel:
    """The schema's face of `domain.model.markets.PriceLevel`."""

    price: Decimal = strawberry.field(description="The price, in quote currency for one unit of the base currency.")
    quantity: Decimal = strawberry.field(description="The quantity, in base currency. In a delta, 0 removes the level.")


@strawberry.type(
    description="The best levels of an order book, at one moment. The best level comes first on both sides."
)
class MarketDepthSnapshot:
    """The schema's face of `domain.model.depth_views.DepthSnapshot`."""

    is_type_of = serves(views.DepthSnapshot)

    epoch: strawberry.ID = strawberry.field(
        description=(
            "The id of the book's current run of updates. It changes whenever the engine starts the book again. "
            "Sequences of different epochs can't be compared."
        )
    )
    sequence: Sequence = strawberry.field(
        description="The venue's id of the last update in the book. It increases within an epoch."
    )
    bids: list[PriceLevel] = strawberry.field(description="The levels of buy orders, highest price first.")
    asks: list[PriceLevel] = strawberry.field(description="The levels of sell orders, lowest price first.")
    venue_time: datetime | None = strawberry.field(
        description="When the venue made the last update, by its clock. Null if the venue doesn't report it."
    )
    sent_at: datetime = strawberry.field(description="When the engine sent this event.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market of the order book.")
    def market(parent: strawberry.Parent[views.DepthSnapshot], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type(
    description=(
        "Changes of an order book. Quantities are absolute: a level's new quantity replaces its old one, and 0 "
        "removes the level. Apply a delta only to a book that has the same `epoch` and whose sequence is "
        "`previousSequence`."
    )
)
class MarketDepthDelta:
    """The schema's face of `domain.model.depth_views.DepthDelta`."""

    is_type_of = serves(views.DepthDelta)

    epoch: strawberry.ID = strawberry.field(description="The epoch of the snapshot to which the delta applies.")
    sequence: Sequence = strawberry.field(description="The sequence of the book after the delta.")
    previous_sequence: Sequence = strawberry.field(description="The sequence that the book must have before the delta.")
    bids: list[PriceLevel] = strawberry.field(description="The changed levels of buy orders, highest price first.")
    asks: list[PriceLevel] = strawberry.field(description="The changed levels of sell orders, lowest price first.")
    venue_time: datetime | None = strawberry.field(
        description="When the venue made the last update, by its clock. Null if the venue doesn't report it."
    )
    sent_at: datetime = strawberry.field(description="When the engine sent this event.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market of the order book.")
    def market(parent: strawberry.Parent[views.DepthDelta], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type(
    description="Whether the market's data can be relied on. After it becomes LIVE again, a snapshot follows."
)
class MarketDepthStatus:
    """The schema's face of `domain.model.markets.FeedStatus`."""

    is_type_of = serves(domain.FeedStatus)

    state: domain.FeedState = strawberry.field(description="The state of the feed.")
    since: datetime = strawberry.field(description="When the feed entered this state.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market of the feed.")
    def market(parent: strawberry.Parent[domain.FeedStatus], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


MarketDepthEvent = Annotated[
    MarketDepthSnapshot | MarketDepthDelta | MarketDepthStatus,
    strawberry.union(
        "MarketDepthEvent",
        description=(
            "An event of `marketDepth`. The first is a snapshot. Snapshots or deltas follow, and a status whenever "
            "the state of the feed changes."
        ),
    ),
]


@strawberry.type
class DepthSubscription:
    """The book's part of the subscription root."""

    @strawberry.subscription(
        graphql_type=MarketDepthEvent,
        metadata=SHARED,
        description=(
            "The order book of a market. The first event is a snapshot. Another snapshot follows every gap, every "
            "reconnect to the venue, and every time a slow client missed events. In mode DELTAS the events in between "
            "are deltas of the best `levels`: a level that moves into them is sent, and a level that leaves them is "
            "sent with quantity 0. All subscribers receive the same data."
        ),
    )
    async def market_depth(
        self,
        info: Info,
        market: Annotated[MarketSymbol, strawberry.argument(description="The market of the order book.")],
        levels: Annotated[
            views.DepthLevels, strawberry.argument(description="How many levels to send on each side.")
        ] = views.DepthLevels.L20,
        cadence: Annotated[
            views.DepthCadence,
            strawberry.argument(
                description="The shortest time between two events. A venue may send updates less often."
            ),
        ] = views.DepthCadence.MS100,
        mode: Annotated[
            views.DepthMode,
            strawberry.argument(description="Whether every event holds all levels, or only those that changed."),
        ] = views.DepthMode.SNAPSHOTS,
    ) -> AsyncGenerator[object]:
        """Stream the book."""
        return markets.depth_source(  # type: ignore[return-value]  # a SharedSource
            info.context, market, levels, cadence, mode
        )

"""The order book: snapshots, deltas, and the state of the feed."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model import depth_views as views
from domain.model import markets as domain
from resolvers import markets
from schema.common.node import instance_of
from schema.common.public import PUBLIC
from schema.common.scalars import Sequence
from schema.common.types import Info, lazy


@strawberry.type(description="One price of the order book, with the quantity that rests there.")
class PriceLevel:
    price: Decimal = strawberry.field(
        metadata=PUBLIC, description="The price, in quote currency for one unit of the base currency."
    )
    quantity: Decimal = strawberry.field(
        metadata=PUBLIC, description="The quantity, in base currency. In a delta, 0 removes the level."
    )


@strawberry.type(description="The best levels of an order book at one time. The best level comes first on both sides.")
class MarketDepthSnapshot:
    is_type_of = instance_of(views.DepthSnapshot)

    epoch: strawberry.ID = strawberry.field(
        metadata=PUBLIC,
        description=(
            "The id of the book's current run of updates. It changes whenever the engine starts the book again. "
            "Sequences of different epochs can't be compared."
        ),
    )
    sequence: Sequence = strawberry.field(
        metadata=PUBLIC, description="The venue's id of the last update in the book. It increases within an epoch."
    )
    bids: list[PriceLevel] = strawberry.field(
        metadata=PUBLIC, description="The levels of buy orders, highest price first."
    )
    asks: list[PriceLevel] = strawberry.field(
        metadata=PUBLIC, description="The levels of sell orders, lowest price first."
    )
    venue_time: datetime | None = strawberry.field(
        metadata=PUBLIC,
        description="When the venue made the last update, by its clock. Null if the venue doesn't report it.",
    )
    sent_at: datetime = strawberry.field(description="When the engine sent this event.")

    @strawberry.field(
        metadata=PUBLIC, graphql_type=lazy("markets.types", "Market"), description="The market of the order book."
    )
    def market(parent: strawberry.Parent[views.DepthSnapshot], info: Info) -> object:
        return markets.market(info.context, parent.market)


@strawberry.type(
    description=(
        "Changes of an order book. Quantities are absolute: a level's new quantity replaces its old one, and 0 "
        "removes the level. Apply a delta only to a book that has the same `epoch` and whose sequence is "
        "`previousSequence`."
    )
)
class MarketDepthDelta:
    is_type_of = instance_of(views.DepthDelta)

    epoch: strawberry.ID = strawberry.field(description="The epoch of the snapshot to which the delta applies.")
    sequence: Sequence = strawberry.field(description="The sequence of the book after the delta.")
    previous_sequence: Sequence = strawberry.field(description="The sequence that the book must have before the delta.")
    bids: list[PriceLevel] = strawberry.field(description="The changed levels of buy orders, highest price first.")
    asks: list[PriceLevel] = strawberry.field(description="The changed levels of sell orders, lowest price first.")
    venue_time: datetime | None = strawberry.field(
        description="When the venue made the last update, by its clock. Null if the venue doesn't report it."
    )
    sent_at: datetime = strawberry.field(description="When the engine sent this event.")

    @strawberry.field(graphql_type=lazy("markets.types", "Market"), description="The market of the order book.")
    def market(parent: strawberry.Parent[views.DepthDelta], info: Info) -> object:
        return markets.market(info.context, parent.market)


@strawberry.type(
    description="Whether the market's data can be relied on. After it becomes LIVE again, a snapshot follows."
)
class MarketDepthStatus:
    is_type_of = instance_of(domain.FeedStatus)

    state: domain.FeedState = strawberry.field(description="The state of the feed.")
    since: datetime = strawberry.field(description="When the feed entered this state.")

    @strawberry.field(graphql_type=lazy("markets.types", "Market"), description="The market of the feed.")
    def market(parent: strawberry.Parent[domain.FeedStatus], info: Info) -> object:
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

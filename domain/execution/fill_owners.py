"""Finds out whose order a fill belongs to if no known order explains it, by asking the venue for that order."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from cachetools import LRUCache

from domain.execution.account_context import AccountContext
from domain.execution.execution_reports import ReportHandler
from domain.model.markets import MarketSymbol
from domain.model.orders import Order
from domain.ports.execution_client import FillReport

_MAXIMUM_FOREIGN = 10_000
"""How many venue orders of others are remembered, so that the venue is asked about each once."""


class FillOwner(Enum):
    """Whose order a fill belongs to; UNKNOWN if the venue doesn't find the order of its own trade."""

    ENGINE = auto()
    FOREIGN = auto()
    UNKNOWN = auto()


class FillOwners:
    """Assigns fills that name only the venue's order id to orders, and applies those of the engine's orders."""

    def __init__(self, context: AccountContext, handler: ReportHandler) -> None:
        self._context = context
        self._handler = handler
        self._foreign: LRUCache[tuple[MarketSymbol, str], None] = LRUCache(_MAXIMUM_FOREIGN)

    async def apply(self, fill: FillReport, candidates: Sequence[Order]) -> FillOwner:
        """Apply the fill if it is of an order of the engine; return whose it is.

        `candidates` are the orders whose id at the venue isn't known. Only if one of them may own the fill is the venue
        asked. Raises `VenueUnreachable`.
        """
        key = (fill.market, fill.venue_order_id)
        if key in self._foreign:
            return FillOwner.FOREIGN
        if await self._handler.on_fill(fill):
            return FillOwner.ENGINE
        if not any(_may_own(order, fill) for order in candidates):
            return FillOwner.FOREIGN
        client_order_id = await self._context.venue.query_client_order_id(fill.market, fill.venue_order_id)
        if client_order_id is None:
            return FillOwner.UNKNOWN
        if client_order_id and await self._handler.on_fill(replace(fill, client_order_id=client_order_id)):
            return FillOwner.ENGINE
        self._foreign[key] = None
        return FillOwner.FOREIGN


def _may_own(order: Order, fill: FillReport) -> bool:
    return (
        order.market == fill.market
        and order.venue_order_id is None
        and order.side is fill.side
        and fill.quantity <= order.quantity
        and fill.client_order_id in {None, "", order.client_order_id}
    )

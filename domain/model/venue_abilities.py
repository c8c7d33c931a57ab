"""What the engine supports at a venue."""

from dataclasses import dataclass

from domain.model.markets import Timeframe
from domain.model.orders import OrderType, TimeInForce


@dataclass(frozen=True, slots=True)
class VenueAbilities:
    """The orders that the engine can place at a venue, and the candles that it has of the venue.

    GTD is always included, as the engine cancels such an order itself. `timeframes` includes those that the engine
    aggregates from the venue's shorter candles.
    """

    order_types: tuple[OrderType, ...]
    times_in_force: tuple[TimeInForce, ...]
    post_only: bool
    timeframes: tuple[Timeframe, ...]

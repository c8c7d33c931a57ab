"""The input of `tradingHalt`."""

import strawberry

from domain.trading.halts import HaltRequest


@strawberry.input(description="How to halt trading.")
class TradingHaltInput:
    cancel_orders: bool = strawberry.field(
        default=True,
        description="True to cancel all open orders but those that are reduce-only or close a position, at once and as "
        "long as the halt is in force. With false, they stay open.",
    )
    close_positions: bool = strawberry.field(
        default=False,
        description="True to close all positions at the market, at once and as long as the halt is in force. What has "
        "begun to close is closed to its end, even if trading is resumed meanwhile.",
    )
    reduce_only: bool = strawberry.field(
        default=False,
        description="True to allow orders that reduce or close a position. With false, no new order is sent.",
    )
    reason: str | None = strawberry.field(
        default=None,
        description=(
            "The reason for the halt. Every signed-in user to whom the halt applies can read it, and the activity log "
            "keeps it."
        ),
    )

    def to_domain(self) -> HaltRequest:
        """Return the request."""
        return HaltRequest(self.cancel_orders, self.reduce_only, self.close_positions, self.reason)

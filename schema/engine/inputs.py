"""The input of `tradingHalt`."""

import strawberry

from domain.core.errors import ErrorCode, InputError
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
        description="True to close all positions at the market. Not supported yet: true results in the error "
        "UNSUPPORTED.",
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
        """Return the request. Raises UNSUPPORTED for `closePositions`."""
        if self.close_positions:
            message = "closePositions is not carried out yet; halt with reduceOnly, then close them by hand."
            raise InputError(ErrorCode.UNSUPPORTED, message, ("input", "closePositions"))
        return HaltRequest(self.cancel_orders, self.reduce_only, self.reason)

"""Whether trading is allowed: for the engine, a user, an account or a trading session."""

from enum import StrEnum


class TradingState(StrEnum):
    """ACTIVE trades; REDUCING lets positions be closed but not opened; HALTED sends no new order."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"

    @classmethod
    def strictest(cls, *states: "TradingState") -> "TradingState":
        """Return what holds where all of `states` apply."""
        order = (cls.ACTIVE, cls.REDUCING, cls.HALTED)
        return max(states, key=order.index)

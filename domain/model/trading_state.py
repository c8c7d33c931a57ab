"""Whether trading is allowed: for the engine, a user, an account or a trading session."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class TradingState(StrEnum):
    """ACTIVE trades; REDUCING lets positions be closed but not opened; HALTED sends no new order."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"

    @classmethod
    def strictest(cls, *states: "TradingState") -> "TradingState":
        """Return the strictest of `states`, which decides if several apply."""
        order = (cls.ACTIVE, cls.REDUCING, cls.HALTED)
        return max(states, key=order.index)


class HaltLevel(StrEnum):
    """The level of a halt; a halt applies to all levels below it, from the engine down."""

    ENGINE = "ENGINE"
    USER = "USER"
    ACCOUNT = "ACCOUNT"
    TRADING_SESSION = "TRADING_SESSION"


class HaltAuthor(StrEnum):
    """Who made a halt: the user whose trading it stops, or an operator, who isn't named.

    Users can't end the halt of an operator.
    """

    SELF = "SELF"
    OPERATOR = "OPERATOR"


ENGINE_ID = UUID(int=0)
"""The subject id of a halt of the engine."""


@dataclass(frozen=True, slots=True)
class Halt:
    """A halt in force, or one that ended at `ended_at`, as the events of its end have it.

    A subject may have one of each author. While it is in force, `cancel_orders` cancels every active order below its
    level that isn't reduce-only and doesn't close a position, and `close_positions` closes every open position.
    """

    level: HaltLevel
    subject_id: UUID
    state: TradingState
    since: datetime
    by: HaltAuthor
    reason: str | None
    cancel_orders: bool = False
    close_positions: bool = False
    ended_at: datetime | None = None

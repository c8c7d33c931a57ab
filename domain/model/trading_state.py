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
        """Return what holds where all of `states` apply."""
        order = (cls.ACTIVE, cls.REDUCING, cls.HALTED)
        return max(states, key=order.index)


class HaltLevel(StrEnum):
    """What a halt is of; each holds what is below it, from the engine down."""

    ENGINE = "ENGINE"
    USER = "USER"
    ACCOUNT = "ACCOUNT"
    TRADING_SESSION = "TRADING_SESSION"


class HaltAuthor(StrEnum):
    """Who made a halt: the user whose trading it holds, or an operator. Which operator is the operator's own matter."""

    SELF = "SELF"
    OPERATOR = "OPERATOR"


ENGINE_ID = UUID(int=0)
"""The subject of a halt of the engine, of which there is one."""


@dataclass(frozen=True, slots=True)
class Halt:
    """A halt that holds: of what, since when, made by whom, and the reason that was given for it."""

    level: HaltLevel
    subject_id: UUID
    state: TradingState
    since: datetime
    by: HaltAuthor
    reason: str | None

"""How it stands with the trading of all users, for those who watch the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.model.orders import OrderStatus


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and how long the one that has waited longest has, in seconds; 0 if none does."""

    count: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TradingSituation:
    """What is under way on all nodes, by the names of venues, or by what the field says.

    `orders` are the active ones, with the time since their last change. `exits` are positions that are to be closed and
    aren't yet; `unwatched` are protections whose market the engine can't watch. `equity_age_seconds` is the age of the
    oldest newest point of an account with open positions. `halts` are by level, `trading_sessions` by status,
    `accounts` by venue and kind. `mails` wait to be sent.
    """

    orders: Mapping[tuple[str, OrderStatus], Waiting] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)
    exits: Mapping[str, Waiting] = field(default_factory=dict)
    unwatched: Mapping[str, Waiting] = field(default_factory=dict)
    trading_sessions: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    halts: Mapping[str, int] = field(default_factory=dict)
    equity_age_seconds: float = 0.0
    mails: Waiting = Waiting()

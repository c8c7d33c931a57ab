"""What one run of the model test does: operations, and faults before some of them, all drawn from its seed.

A plan is pure: the same seed gives the same plan on any machine, and faults strike at counted operations.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

ACCOUNTS = 2
"""Accounts of a run, each of a user of its own and with one trading session."""

_OPERATIONS = (12, 24)
_FAULTS = (1, 4)


class Action(StrEnum):
    """What a user, or somebody with the same venue key, does."""

    MARKET_ORDER = "market order"
    LIMIT_ORDER = "limit order"
    STOP_ORDER = "stop order"
    BRACKET = "order with protection"
    TRAILING_ORDER = "trailing stop order"
    SAME_KEY = "same key from many connections"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel all"
    AMEND = "amend"
    PROTECT_POSITION = "protect position"
    CLOSE_POSITION = "close position"
    SIGNAL = "submitted signal"
    WEBHOOK = "signal by webhook"
    HALT = "halt"
    REDUCE_ONLY_HALT = "reduce-only halt"
    RESUME = "resume"
    PAUSE_SESSION = "pause session"
    RESUME_SESSION = "resume session"
    STOP_SESSION = "stop session"
    MOVE_PRICE = "move price"
    NEXT_CANDLE = "next candle"
    TRADE_BY_HAND = "trade by hand"
    DEPOSIT = "deposit"


class FaultKind(StrEnum):
    """What strikes the engine or what it stands on."""

    CRASH_AT_STEP = "kill -9 at a step"
    CRASH = "kill -9"
    FREEZE = "SIGSTOP past the lease"
    POSTGRES = "PostgreSQL killed"
    EXCHANGE = "exchange killed"
    BUS = "Hazelcast killed"
    SWALLOWED_ANSWERS = "answers to orders lost"
    HANGING_ANSWERS = "answers to orders never come"
    DROPPED_ORDERS = "orders lost on the way"
    SWALLOWED_CANCELS = "answers to cancels lost"
    DELAYED_ANSWERS = "answers delayed"
    SERVER_ERROR = "5xx"
    RATE_LIMITED = "429"
    BANNED = "418"
    REPEATED_FILLS = "fills repeated"
    REORDERED_FILLS = "fills reordered"
    MUTED_USER_STREAM = "user stream mute"
    CUT_USER_STREAM = "user stream cut"
    CUT_MARKET_STREAM = "market stream cut"
    SILENT_MARKET = "market data silent"
    REFUSED_SOCKETS = "sockets refused"
    FILTERS = "filters changed"
    VENUE_CLOCK = "venue's clock drifts"
    NODE_CLOCK = "node's clock jumps"
    STEPPING_CLOCK = "node's clock steps to and fro"


class CrashStep(StrEnum):
    """A named step of the order protocol at which the process kills itself; see `program`."""

    BEFORE_PLACE = "place.before"
    AFTER_PLACE = "place.after"
    BEFORE_CANCEL = "cancel.before"
    AFTER_CANCEL = "cancel.after"
    AFTER_QUERY = "query.after"
    BEFORE_COMMIT = "commit.before"
    AFTER_COMMIT = "commit.after"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that is done for an account.

    `pick`, from 0 to 1, selects among what is there when it is done (an order, a position); `size` is in BTC,
    `distance` in percent of the price, positive or negative.
    """

    action: Action
    account: int
    pick: float
    size: str
    distance: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that strikes before the operation with this index; `count` is how often, `step` where it crashes."""

    kind: FaultKind
    before: int
    count: int
    step: CrashStep


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run does."""

    seed: int
    operations: tuple[Operation, ...]
    faults: tuple[Fault, ...]


_WEIGHTS = {
    Action.MARKET_ORDER: 6,
    Action.LIMIT_ORDER: 6,
    Action.STOP_ORDER: 4,
    Action.BRACKET: 4,
    Action.TRAILING_ORDER: 2,
    Action.SAME_KEY: 2,
    Action.CANCEL: 4,
    Action.CANCEL_ALL: 1,
    Action.AMEND: 4,
    Action.PROTECT_POSITION: 2,
    Action.CLOSE_POSITION: 2,
    Action.SIGNAL: 3,
    Action.WEBHOOK: 3,
    Action.HALT: 1,
    Action.REDUCE_ONLY_HALT: 1,
    Action.RESUME: 2,
    Action.PAUSE_SESSION: 1,
    Action.RESUME_SESSION: 1,
    Action.STOP_SESSION: 1,
    Action.MOVE_PRICE: 5,
    Action.NEXT_CANDLE: 2,
    Action.TRADE_BY_HAND: 2,
    Action.DEPOSIT: 2,
}


def plan_of(seed: int, nodes: int = 1) -> Plan:
    """Return the plan of a seed for an engine of so many nodes."""
    chance = random.Random(seed)
    count = chance.randint(*_OPERATIONS)
    actions = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=count)
    operations = [_operation(chance, action) for action in actions]
    kinds = [kind for kind in FaultKind if nodes > 1 or kind is not FaultKind.BUS]
    faults = [_fault(chance, count, kinds) for _ in range(chance.randint(*_FAULTS))]
    return Plan(seed, tuple(operations), tuple(sorted(faults, key=lambda fault: fault.before)))


def _operation(chance: random.Random, action: Action) -> Operation:
    return Operation(
        action,
        chance.randrange(ACCOUNTS),
        chance.random(),
        f"{chance.randint(1, 40) / 1000:.3f}",
        round(chance.uniform(-3, 3), 2),
    )


def _fault(chance: random.Random, operations: int, kinds: list[FaultKind]) -> Fault:
    kind, step = chance.choice(kinds), chance.choice(list(CrashStep))
    return Fault(kind, chance.randrange(operations), chance.randint(1, 4), step)

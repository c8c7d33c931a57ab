"""Protection as steps of a state: stop-loss, take-profit, trailing stop, partial targets and the longest holding time.

Live trading and backtests call the same step, with whole numbers alone. Prices are in ticks of the market's price
increment, times the sign of the position's direction: a greater number is always the better price, so a short position
needs no rule of its own. Times are whole numbers of a unit that the caller chooses.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

RATE = 10**12
"""What a trailing distance as a share of the best price is divided by: 20_000_000_000 is 2 %."""


class ExitCause(StrEnum):
    """What closes a position, or with TARGET a part of it.

    PASSED: the venue says that the market has passed the stop or the take-profit, and it isn't known which.
    """

    STOP_LOSS = "STOP_LOSS"
    TRAILING_STOP = "TRAILING_STOP"
    TAKE_PROFIT = "TAKE_PROFIT"
    TARGET = "TARGET"
    TIME = "TIME"
    PASSED = "PASSED"


@dataclass(frozen=True, slots=True)
class Exit:
    """The decision to close a position, or with `targets` (indices of partial targets) a part of it."""

    cause: ExitCause
    targets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A partial target that wasn't reached yet: its index among all of the position's, and its price."""

    index: int
    price: int


@dataclass(frozen=True, slots=True)
class ProtectionState:
    """What is to close a position; None if nothing of the kind.

    `trail` is the distance of the trailing stop in ticks, `trail_rate` the same as a share of the best price, in parts
    of `RATE`; at most one is set. `high_water` is the best price since the entry.
    """

    stop_loss: int | None = None
    take_profit: int | None = None
    trail: int | None = None
    trail_rate: int | None = None
    high_water: int = 0
    targets: tuple[Target, ...] = ()
    exit_at: int | None = None

    trailing_stop: int | None = field(init=False, compare=False)
    """The price of the trailing stop, which never falls as `high_water` never does; None if there is none.

    It is at least one tick from the best price, and rounded towards it, so that rounding never adds to the risk.
    """

    def __post_init__(self) -> None:
        object.__setattr__(self, "trailing_stop", self._trailing_stop())

    def with_high_water(self, price: int) -> "ProtectionState":
        """Return the state with another best price since the entry."""
        return ProtectionState(
            self.stop_loss, self.take_profit, self.trail, self.trail_rate, price, self.targets, self.exit_at
        )

    def _trailing_stop(self) -> int | None:
        if self.trail is not None:
            return self.high_water - self.trail
        if self.trail_rate is not None:
            return self.high_water - max(abs(self.high_water) * self.trail_rate // RATE, 1)
        return None


def step_price(state: ProtectionState, price: int, at: int) -> tuple[ProtectionState, Exit | None]:
    """Return the state after a trade, and what it closes."""
    return step_bar(state, price, price, price, at)


def step_bar(state: ProtectionState, worst: int, best: int, close: int, at: int) -> tuple[ProtectionState, Exit | None]:
    """Return the state after a bar, and what it closes, if one thing or the other then the worse.

    `worst` and `best` are the bar's least and most favourable price, `close` its last one, `at` the time of its end.
    The order of prices within a bar isn't known, so a stop is taken to be reached before anything else; a trailing stop
    that the bar itself has moved is reached only by its close, which surely came afterwards.
    """
    cause = _stop_reached(state, worst)
    if cause is None:
        if state.trailing_stop is not None and best > state.high_water:
            state = state.with_high_water(best)
        cause = _limit_reached(state, best, close, at)
    if cause is not None:
        return state, Exit(cause)
    return _step_targets(state, best) if state.targets else (state, None)


def _stop_reached(state: ProtectionState, worst: int) -> ExitCause | None:
    """Return which stop a price reaches; of both the nearer one, which came first."""
    stop, trailing = state.stop_loss, state.trailing_stop
    if trailing is not None and worst <= trailing and (stop is None or trailing > stop):
        return ExitCause.TRAILING_STOP
    return ExitCause.STOP_LOSS if stop is not None and worst <= stop else None


def _limit_reached(state: ProtectionState, best: int, close: int, at: int) -> ExitCause | None:
    """Return what a bar without a stop reaches, after it has moved the trailing stop."""
    if state.take_profit is not None and best >= state.take_profit:
        return ExitCause.TAKE_PROFIT
    if state.trailing_stop is not None and close <= state.trailing_stop:
        return ExitCause.TRAILING_STOP
    return ExitCause.TIME if state.exit_at is not None and at >= state.exit_at else None


def _step_targets(state: ProtectionState, best: int) -> tuple[ProtectionState, Exit | None]:
    """Return the state without the partial targets that a price reaches: each is reached once."""
    reached = tuple(target.index for target in state.targets if best >= target.price)
    if not reached:
        return state, None
    left = tuple(target for target in state.targets if target.index not in reached)
    return replace(state, targets=left), Exit(ExitCause.TARGET, reached)

"""Cuts a period into walk-forward folds: a part to fit parameters on, and the part after it that judges them.

All folds are equally long and each begins one out-of-sample part after the one before, so that the out-of-sample parts
follow one another without a gap up to the end of the period (R. Pardo, The Evaluation and Optimization of Trading
Strategies, 2nd edition, 2008, chapter 11).
"""

from datetime import datetime

from domain.core.errors import ErrorCode, InputError
from domain.model.markets import Timeframe
from domain.model.optimizations import Fold, Optimization

IN_SAMPLE_RATIO = 3
"""How many times as long as its out-of-sample part the in-sample part of a fold is, at least."""
MINIMUM_CANDLES = 10
"""The shortest out-of-sample part."""
MAXIMUM_FOLDS = 50


def walk_forward_folds(start: datetime, end: datetime, timeframe: Timeframe, count: int) -> tuple[Fold, ...]:
    """Return `count` folds over the candles that open from `start` to before `end`, the oldest first.

    Raises INVALID at `walkForwardFolds` for a count that is out of range, or too high for the period.
    """
    if not 1 <= count <= MAXIMUM_FOLDS:
        raise _invalid(f"walkForwardFolds is {count}; it must be between 1 and {MAXIMUM_FOLDS}.")
    first = timeframe.next_open_time(start)
    candles = max((timeframe.next_open_time(end) - first) // timeframe.duration, 0)
    judged = candles // (IN_SAMPLE_RATIO + count)
    if judged < MINIMUM_CANDLES:
        needed = MINIMUM_CANDLES * (IN_SAMPLE_RATIO + count)
        folds = "fold needs" if count == 1 else "folds need"
        raise _invalid(
            f"The period has {candles:,} candles of {timeframe.venue_name}; {count} walk-forward {folds} {needed:,} "
            f"at least, so that each has {MINIMUM_CANDLES} candles to be judged by."
        )
    fitted = candles - count * judged
    return tuple(
        Fold(
            number,
            first + number * judged * timeframe.duration,
            first + (number * judged + fitted) * timeframe.duration,
            first + ((number + 1) * judged + fitted) * timeframe.duration,
        )
        for number in range(count)
    )


def folds_of(optimization: Optimization) -> tuple[Fold, ...]:
    """Return the folds of a stored optimization."""
    start, end = optimization.period_start, optimization.period_end
    return walk_forward_folds(start, end, optimization.timeframe, optimization.folds)


def _invalid(message: str) -> InputError:
    return InputError(ErrorCode.INVALID, message, ("walkForwardFolds",))

"""Finds the bars in which a protection may act, so that the others need no step of their own."""

import numpy as np

from domain.backtest.bars import PriceTicks, Ticks
from domain.rules.protection import RATE, ProtectionState

_FIRST_CHUNK, _LONGEST_CHUNK = 64, 16_384


def next_candidate(
    state: ProtectionState,
    prices: PriceTicks,
    start: int,
    end: int,
    below: int | None = None,
    above: int | None = None,
) -> int:
    """Return the first bar from `start` to before `end` in which the protection of a long position may act, or `end`.

    A bar that reaches the price `below` or `above`, at which a further entry is due, is returned too.

    In the bars that are left out `domain.rules.protection.step_bar` would do nothing but raise the high-water mark; a
    bar that is returned is for it to decide. The longest holding time is the caller's.
    """
    most, is_trailing = _lowest_limit(state, above), state.trailing_stop is not None
    floor = state.stop_loss if below is None else max(state.stop_loss or 0, below)
    if not is_trailing and most is None:
        return max(start, end) if floor is None else _first_low(prices.low, start, end, floor)
    high_water, chunk = state.high_water, _FIRST_CHUNK
    while start < end:
        stop = min(start + chunk, end)
        low, high = prices.low[start:stop], prices.high[start:stop]
        hits = None if floor is None else low <= floor
        if is_trailing:
            before, high_water = high_water, max(high_water, int(high.max()))
            # The best price of all bars has the highest stop: most often the lowest low isn't even at that one.
            if low.min() <= _stop_at_most(state, high_water):
                reached = low <= _stop_at_most(state, np.maximum(np.maximum.accumulate(high), before))
                hits = reached if hits is None else hits | reached
        if most is not None:
            reached = high >= most
            hits = reached if hits is None else hits | reached
        if hits is not None:
            first = int(hits.argmax())
            if hits[first]:
                return start + first
        start, chunk = stop, min(chunk * 4, _LONGEST_CHUNK)
    return end


def _first_low(lows: Ticks, start: int, end: int, level: int) -> int:
    """Return the first bar from `start` to before `end` whose low is at the level or below it, or `end`."""
    chunk = _FIRST_CHUNK
    while start < end:
        stop = min(start + chunk, end)
        hits = lows[start:stop] <= level
        first = int(hits.argmax())
        if hits[first]:
            return start + first
        start, chunk = stop, min(chunk * 4, _LONGEST_CHUNK)
    return end


def _lowest_limit(state: ProtectionState, above: int | None) -> int | None:
    lowest = above
    if state.take_profit is not None and (lowest is None or state.take_profit < lowest):
        lowest = state.take_profit
    for target in state.targets:
        if lowest is None or target.price < lowest:
            lowest = target.price
    return lowest


def _stop_at_most(state: ProtectionState, best: Ticks | int) -> Ticks:
    """Return the price of the trailing stop by the best price, or by each of a series of them; rounded up."""
    if state.trail is not None:
        return np.subtract(best, state.trail)
    assert state.trail_rate is not None
    level: Ticks = np.ceil(np.multiply(best, 1 - state.trail_rate / RATE)).astype(np.int64) + 1
    return level

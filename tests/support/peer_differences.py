"""Why a trade of ours isn't that of another engine: the rules that differ, by the names that they have in the docs."""

from collections.abc import Sequence
from enum import StrEnum

from domain.backtest.bars import Bars
from domain.indicators.candle_arrays import CandleArrays
from domain.model.orders import OrderRole
from tests.support.peer_trades import Protection, Trade


class Difference(StrEnum):
    """A rule that differs; its value is its name in `docs/backtesting.md`."""

    ENTRY_BAR = "stop or target in the bar of the entry"
    EXIT_FIRST = "exit signal at an open, stop or target later in the same bar"
    TARGET_FIRST = "open beyond the target, low at the stop"
    HIGH_OF_ENTRY = "trailing stop after the high of the bar of the entry"
    OPEN_MOVES = "trailing stop that an open moves"
    CLOSE_REACHES = "trailing stop that a bar moves, and that its close reaches"


def differences(ours: Sequence[Trade], theirs: Sequence[Trade], bars: Bars, protection: Protection) -> set[Difference]:
    """Return why not all trades are the same; fails where there is no reason.

    Where one engine has left a position before the other, it may have traded meanwhile.
    """
    mine, others = ({trade.entry_bar: trade for trade in trades} for trades in (ours, theirs))
    both = mine.keys() & others.keys()
    unequal = [bar for bar in both if not mine[bar].is_same(others[bar])]
    for bar in mine.keys() - both:
        assert any(others[other].entry_bar < bar <= others[other].exit_bar for other in unequal), mine[bar]
    for bar in others.keys() - both:
        assert any(mine[other].entry_bar < bar <= mine[other].exit_bar for other in unequal), others[bar]
    return {_reason(mine[bar], others[bar], bars.candles, protection) for bar in unequal}


def _reason(ours: Trade, theirs: Trade, candles: CandleArrays, protection: Protection) -> Difference:
    assert abs(ours.entry_price - theirs.entry_price) < 1e-5, (ours, theirs)
    bar = ours.exit_bar
    opened = float(candles.open[bar])
    at_open = abs(ours.exit_price - opened) < 1e-5
    if ours.role is OrderRole.EXIT and at_open and theirs.exit_bar == bar:
        return Difference.EXIT_FIRST
    if ours.role is OrderRole.TAKE_PROFIT and at_open and theirs.exit_bar == bar:
        return Difference.TARGET_FIRST
    if ours.role is OrderRole.TRAILING_STOP:
        return _reason_of_trail(ours, candles, protection)
    assert bar == ours.entry_bar < theirs.exit_bar, (ours, theirs)
    return Difference.ENTRY_BAR


def _reason_of_trail(ours: Trade, candles: CandleArrays, protection: Protection) -> Difference:
    """Return why our trailing stop stood elsewhere: what it follows that the other engine's doesn't, or not yet."""
    bar, entry = ours.exit_bar, ours.entry_bar
    since = max([ours.entry_price, *candles.high[entry + 1 : bar]])
    before = max([since, *candles.high[entry:bar]])
    high, close = float(candles.high[bar]), float(candles.close[bar])

    def is_at(best: float) -> bool:
        level = _trail_of(best, protection)
        return abs(ours.exit_price - min(level, float(candles.open[bar]) if bar > entry else level)) < 1e-5

    if bar == entry and is_at(since):
        return Difference.ENTRY_BAR
    if before > since and is_at(before):
        return Difference.HIGH_OF_ENTRY
    if candles.open[bar] > before and is_at(float(candles.open[bar])):
        return Difference.OPEN_MOVES
    assert high > before, ours
    assert close <= _trail_of(high, protection) + 1e-5, ours
    assert abs(ours.exit_price - _trail_of(high, protection)) < 1e-5, ours
    return Difference.CLOSE_REACHES


def _trail_of(best: float, protection: Protection) -> float:
    assert protection.trail is not None
    return best * (1 - float(protection.trail) / 100)

"""Runs the signals of a strategy over bars, from one entry to its exit and on to the next.

What a candle's close decides is done at the open of the next bar, or as many bars later as an order takes to the venue.
At an open the order of things is known: first what was decided before, then what the price itself triggers. Within a
bar it isn't, and of all orders that are possible the worse one is taken (`domain.rules.protection.step_bar`).
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from domain.backtest.bars import Bars, PriceTicks, to_time
from domain.backtest.entries import Entry, EntryBuilder
from domain.backtest.ledger import Ledger, OpenPosition
from domain.backtest.plan import BacktestPlan
from domain.backtest.resting import Filled, RestingEntry, Unfilled
from domain.backtest.scan import next_candidate
from domain.core.money import EXACT
from domain.model.orders import OrderRole
from domain.model.protection import ProtectionRules
from domain.rules.direction import Direction
from domain.rules.protected_position import EXIT_ROLES, entered_state, share_of_rest
from domain.rules.protection import Exit, ExitCause, ProtectionState, step_bar, step_price

OnProgress = Callable[[int], None]
"""Called now and then with the index of the bar that the backtest has reached."""

NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Signals:
    """The bars at whose close the rules say to enter or to exit, ascending; of both at once the exit holds."""

    enter: Sequence[int]
    exit: Sequence[int]


@dataclass(slots=True)
class _Holding:
    """A position with its protection, from bar `start` on; from its open, unless the entry was filled `in_bar`.

    `exit_bar` is the bar at whose open an exit signal closes it, `due_bar` the one at whose open that or its age does,
    `last_bar` the one of its latest fill.
    """

    position: OpenPosition
    state: ProtectionState
    rules: ProtectionRules
    start: int
    in_bar: bool
    exit_bar: int
    due_bar: int
    last_bar: int
    targets_done: list[int] = field(default_factory=list)


class Simulation:
    """One run over the bars; its ledger has the result."""

    def __init__(
        self,
        plan: BacktestPlan,
        bars: Bars,
        prices: PriceTicks,
        ledger: Ledger,
        entries: EntryBuilder,
        signals: Signals,
    ) -> None:
        self._plan = plan
        self._bars = bars
        self._prices = prices
        self._ledger = ledger
        self._entries = entries
        self._signals = signals
        self._count = len(bars)
        self.rejected = 0
        self.open: OpenPosition | None = None
        """The position that is open at the end."""

    def run(self, on_progress: OnProgress) -> None:
        """Run from the first signal to the last bar."""
        at = 0
        while True:
            on_progress(at)
            index = bisect_left(self._signals.enter, at)
            if index == len(self._signals.enter) or self._signals.enter[index] + 1 >= self._count:
                return
            at = self._enter(self._signals.enter[index])

    def _enter(self, signal_bar: int) -> int:
        """Act on an entry signal; return the first bar at whose close the next one counts."""
        decided, arrives = signal_bar + 1, signal_bar + 1 + self._plan.latency_bars
        entry = self._entries.build(signal_bar, int(self._prices.open[decided]), self._opened_at(decided))
        if entry is None:
            return decided
        if arrives >= self._count:
            return self._count
        exit_bar = self._exit_bar(signal_bar)
        filled = self._fill(entry, decided, arrives, exit_bar)
        if isinstance(filled, Unfilled):
            self.rejected += filled.is_rejected
            return filled.free_at
        return self._hold(self._open(entry, filled, exit_bar))

    def _fill(self, entry: Entry, decided: int, arrives: int, exit_bar: int) -> Filled | Unfilled:
        if entry.limit is not None:
            order = RestingEntry(
                entry.limit, arrives, int(self._bars.opened[decided]), exit_bar, self._plan.definition.order
            )
            return order.outcome(self._bars, self._prices, self._plan.costs)
        ticks = self._plan.costs.slipped(int(self._prices.open[arrives]), Direction.LONG.entry_side)
        if arrives > decided and self._ledger.lacks_cash(ticks, entry.quantity):
            return Unfilled(arrives, is_rejected=True)
        return Filled(arrives, ticks, in_bar=False, maker=False)

    def _exit_bar(self, signal_bar: int) -> int:
        """Return the bar at whose open the first exit signal after an entry signal is carried out."""
        index = bisect_left(self._signals.exit, signal_bar + 1)
        if index == len(self._signals.exit):
            return NEVER
        return self._signals.exit[index] + 1 + self._plan.latency_bars

    def _open(self, entry: Entry, filled: Filled, exit_bar: int) -> _Holding:
        bar = filled.bar
        arrival = filled.ticks if filled.maker else int(self._prices.open[bar])
        position = self._ledger.open(
            bar, self._fill_time(bar, filled.in_bar), filled.ticks, arrival, entry.quantity, maker=filled.maker
        )
        state = entered_state(
            entry.rules, position.entry.price, self._opened_at(bar), self._ledger.market, Direction.LONG
        )
        due = (
            exit_bar if state.exit_at is None else min(exit_bar, int(np.searchsorted(self._bars.opened, state.exit_at)))
        )
        return _Holding(position, state, entry.rules, bar, filled.in_bar, exit_bar, due, bar)

    # -- a position until its end -------------------------------------------------------------------------------------

    def _hold(self, holding: _Holding) -> int:
        """Follow the position to its end; return the first bar at whose close the next entry signal counts."""
        bar = holding.start
        is_closed = self._step_entry_bar(holding)
        while not is_closed:
            bar = self._skip(holding, bar + 1, min(holding.due_bar, self._count))
            if bar >= self._count:
                self._measure(holding, self._count)
                self.open = holding.position
                return self._count
            is_closed = self._step_bar(holding, bar)
        return holding.last_bar

    def _skip(self, holding: _Holding, start: int, end: int) -> int:
        """Return the next bar that needs a step, after moving the high-water mark by those before it."""
        bar = next_candidate(holding.state, self._prices, start, end)
        if holding.state.trailing_stop is not None and bar > start:
            best = int(self._prices.high[start:bar].max())
            if best > holding.state.high_water:
                holding.state = replace(holding.state, high_water=best)
        return bar

    def _step_entry_bar(self, holding: _Holding) -> bool:
        """Return whether the position is closed in the bar in which it was opened.

        The high of a bar may lie before an entry within it; the low, which has reached the limit, and the close don't.
        """
        bar, prices = holding.start, self._prices
        close = int(prices.close[bar])
        best = close if holding.in_bar else int(prices.high[bar])
        return self._step_within(holding, bar, best)

    def _step_bar(self, holding: _Holding, bar: int) -> bool:
        """Return whether the position is closed at the open of the bar or within it."""
        if bar >= holding.exit_bar:
            bar = max(bar, holding.last_bar)  # an order for a part may still be on its way
            self._sell(holding, bar, int(self._prices.open[bar]), OrderRole.EXIT)
            return True
        price = int(self._prices.open[bar])
        holding.state, exit_ = step_price(holding.state, price, int(self._bars.opened[bar]))
        if exit_ is not None:
            prices = [price] * max(len(exit_.targets), 1)
            if self._carry_out(holding, exit_, bar, prices, in_bar=False):
                return True
        return self._step_within(holding, bar, int(self._prices.high[bar]))

    def _step_within(self, holding: _Holding, bar: int, best: int) -> bool:
        before, low, close = holding.state, int(self._prices.low[bar]), int(self._prices.close[bar])
        # The age of a position is judged at the open: of the bar's end the next bar's open is the moment.
        holding.state, exit_ = step_bar(before, low, best, close, int(self._bars.opened[bar]))
        if exit_ is None:
            return False
        levels = _levels(exit_, before, holding.state, low)
        if bar == holding.start and not holding.in_bar:
            # The slippage of the entry may have put a stop above the bar's own open.
            levels = [
                min(level, max(int(self._prices.open[bar]), low)) if _is_stop(exit_) else level for level in levels
            ]
        return self._carry_out(holding, exit_, bar, levels, in_bar=True)

    def _carry_out(self, holding: _Holding, exit_: Exit, bar: int, prices: Sequence[int], *, in_bar: bool) -> bool:
        """Sell what an exit closes, at the prices in ticks that have led to it; return whether nothing is left.

        An order that takes whole bars to the venue is filled at the open of the bar in which it gets there.
        """
        delay = self._plan.latency_bars
        arrives = max(bar + delay, holding.last_bar)
        if arrives >= self._count:
            holding.state = ProtectionState()
            holding.exit_bar = holding.due_bar = NEVER
            return False
        if delay:
            prices, in_bar = [int(self._prices.open[arrives])] * len(prices), False
        role = EXIT_ROLES[exit_.cause]
        if exit_.cause is not ExitCause.TARGET:
            self._sell(holding, arrives, prices[0], role, in_bar=in_bar)
            return True
        for index, price in zip(exit_.targets, prices, strict=True):
            share = share_of_rest(holding.rules, holding.targets_done, (index,))
            holding.targets_done.append(index)
            part = None if share == 1 else EXACT.multiply(holding.position.quantity, share)
            if self._sell(holding, arrives, price, role, part, in_bar=in_bar):
                return True
        return False

    def _sell(
        self,
        holding: _Holding,
        bar: int,
        price: int,
        role: OrderRole,
        part: Decimal | None = None,
        *,
        in_bar: bool = False,
    ) -> bool:
        ticks = self._plan.costs.slipped(price, Direction.LONG.exit_side)
        holding.last_bar = bar
        self._measure(holding, bar)
        position = holding.position
        return self._ledger.close(position, bar, self._fill_time(bar, in_bar), ticks, price, role, part)

    def _measure(self, holding: _Holding, until: int) -> None:
        """Note the lowest and the highest price while the position was open, before the fill in bar `until`."""
        start, position, prices = holding.start, holding.position, self._prices
        if until <= start:
            return
        if holding.in_bar:
            known = [int(prices.low[start]), int(prices.close[start])]
            start += 1
        else:
            known = []
        if until > start:
            known += [int(prices.low[start:until].min()), int(prices.high[start:until].max())]
        if until < self._count:
            known.append(int(prices.open[until]))
        position.low, position.high = min(position.low, *known), max(position.high, *known)

    def _opened_at(self, bar: int) -> datetime:
        return to_time(int(self._bars.opened[bar]))

    def _fill_time(self, bar: int, in_bar: bool) -> int:
        """Return the time of a fill: when within a bar it was isn't known, so its end is taken."""
        return int(self._bars.opened[bar]) + (self._bars.milliseconds if in_bar else 0)


def _is_stop(exit_: Exit) -> bool:
    return exit_.cause in {ExitCause.STOP_LOSS, ExitCause.TRAILING_STOP}


def _levels(exit_: Exit, before: ProtectionState, after: ProtectionState, low: int) -> list[int]:
    """Return the prices, in ticks, at which a bar has reached what closes the position."""
    match exit_.cause:
        case ExitCause.STOP_LOSS:
            level = before.stop_loss
        case ExitCause.TRAILING_STOP:
            was_reached = before.trailing_stop is not None and low <= before.trailing_stop
            level = before.trailing_stop if was_reached else after.trailing_stop
        case ExitCause.TAKE_PROFIT:
            level = before.take_profit
        case _:
            return [target.price for target in before.targets if target.index in exit_.targets]
    assert level is not None
    return [level]

"""A position of a backtest from its entry to its end: its protection, its exit signals and its further entries.

What a candle's close decides is done at the open of the next bar, or as many bars later as an order takes to the venue.
At an open the order of things is known: first what was decided before, then what the price itself triggers. Within a
bar it isn't, and of all orders that are possible the worse one is taken (`domain.rules.protection.step_bar`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from domain.backtest.entries import ExitTerms
from domain.backtest.further_entries import FurtherEntries, grown_state
from domain.backtest.price_path import Stretch
from domain.backtest.run_context import RunContext
from domain.backtest.scan import next_candidate
from domain.core.money import MAX_PLACES
from domain.model.orders import Order, OrderRole
from domain.rules.direction import Direction
from domain.rules.protected_position import EXIT_ROLES, share_of_rest
from domain.rules.protection import Exit, ExitCause, ProtectionState, step_bar, step_price
from domain.strategies.expressions import PositionFacts

_SIDE = Direction.LONG.exit_side


class Holding:
    """The open position of a market. `last_bar` is the bar of its latest order, by which it has ended if it has.

    An exit signal, or an order that is on its way, closes it at the open of `_exit_bar`, that or its age at the open of
    `_due_bar`; `_parts` are the orders of partial targets that are on their way, by bar and target. It was `entered` in
    a stretch of bar `bar`, or at the open of the bar if there is none.
    """

    def __init__(
        self, context: RunContext, terms: ExitTerms, bar: int, ticks: int, exit_bar: int, entered: Stretch | None
    ) -> None:
        self._context = context
        self._path = context.path
        self._ledger = context.ledger
        self._costs = context.plan.costs
        self._latency = context.plan.latency_bars
        self._count = len(context.bars)
        self._terms = terms
        self._entry_bar = bar
        self._entered = entered
        self._cap: tuple[int, int] | None = None if entered else (self._path.opened[bar], self._path.open[bar])
        self._state = terms.states.at(ticks, self._path.opened[bar])
        self._exit_bar = self._due_bar = exit_bar
        if self._state.exit_at is not None:
            self._due_bar = min(exit_bar, int(np.searchsorted(context.bars.opened, self._state.exit_at)))
        self._exit_role = OrderRole.EXIT
        self._targets_done: list[int] = []
        self._parts: list[tuple[int, int]] = []
        self._further = FurtherEntries(context, terms, ticks, bar) if context.plan.definition.adds else None
        self.last_bar = bar

    @property
    def order_under_way(self) -> Order | None:
        """The order of a further entry that rests or is on its way, if risk limits count it."""
        return None if self._further is None else self._further.order_under_way

    # -- which bar comes next -----------------------------------------------------------------------------------------

    def first_bar(self) -> int:
        """Return the bar of the first step, which is that of the entry unless its prices surely lead to nothing."""
        may_be_decided = self._further is not None or self._context.signals.exit_rule is not None
        if may_be_decided or self._entered is not None or not self._path.is_plain:
            return self._entry_bar
        return self.next_bar(self._entry_bar - 1)

    def next_bar(self, bar: int) -> int:
        """Return the next bar that needs a step, after bar `bar` has ended; the count of bars if there is none."""
        start, further = bar + 1, self._further_in(bar + 1)
        end, below, above = min(self._due_bar, self._count), None, None
        if self._parts:
            end = min(end, self._parts[0][0])
        if further is not None:
            end = min(end, further.next_bar(start))
            below = None if further.below is None else further.below.price
            above = None if further.above is None else further.above.price
        found = next_candidate(self._state, self._context.prices, start, max(start, end), below, above)
        signals = self._context.signals
        if signals.exit_rule is not None or (further is not None and signals.adds is not None):
            found = self._next_decision(bar, found)
        if self._state.trailing_stop is not None and found > start:
            best = int(self._context.prices.high[start:found].max())
            if best > self._state.high_water:
                self._state = self._state.with_high_water(best)
        return found

    def _further_in(self, bar: int) -> FurtherEntries | None:
        """Return the further entries unless an exit is signalled before the bar: then none is made any more."""
        if self._further is None or bar >= self._exit_bar - self._latency:
            return None
        return self._further

    def _next_decision(self, start: int, until: int) -> int:
        """Note what the closes of the bars from `start` on decide; return the bar to go on with, at most `until`."""
        signals, adds = self._context.signals, self._context.signals.adds
        for bar in self._undecided(start, min(until, self._exit_bar - 1 - self._latency)):
            facts = self._facts(bar)
            if signals.exit_rule is not None and signals.exit_rule(bar, facts):
                self._exit_bar = bar + 1 + self._latency
                self._due_bar = min(self._due_bar, self._exit_bar)
                return min(until, self._due_bar)
            further = self._further
            may_enter = further is not None and further.may_be_signalled(bar)
            if further is not None and adds is not None and may_enter and further.note_signals(adds, bar, facts):
                return min(until, bar + 1)
        return until

    def _undecided(self, start: int, end: int) -> Iterable[int]:
        """Return the bars at whose close something may be decided."""
        adds = self._context.signals.adds
        if self._context.signals.exit_rule is not None or adds is None or adds.bars is None:
            return range(start, end)
        return adds.bars[bisect_left(adds.bars, start) : bisect_left(adds.bars, end)]

    def _facts(self, bar: int) -> PositionFacts:
        """Return what rules see of the position when a bar has closed, as `domain.rules.position_facts` has it."""
        position = self._ledger.open
        assert position is not None
        entry, close = position.average / 10**MAX_PLACES, float(self._context.bars.candles.close[bar])
        elapsed = self._path.opened[bar] - self._path.opened[position.bar]
        return PositionFacts(
            bars=elapsed // self._path.milliseconds, profit_percent=(close - entry) / entry * 100, entry_price=entry
        )

    # -- a step of a bar ----------------------------------------------------------------------------------------------

    def at_open(self, bar: int) -> bool:
        """Do what is due at the open of a bar; return whether the position is closed."""
        price, at = self._path.open[bar], self._path.opened[bar]
        while self._parts and self._parts[0][0] <= bar:
            _, index = self._parts.pop(0)
            if self._sell_target(index, bar, at, price):
                return True
        if bar >= self._exit_bar:
            return self._sell(bar, at, price, self._exit_role)
        if self._state.exit_at is not None and at >= self._state.exit_at:  # whatever the open reaches comes later
            return self._carry_out(Exit(ExitCause.TIME), bar, [price], at)
        if self._further is None:
            return self._step_price(bar, price, at)
        return self.at_open_of(bar, self._path.whole(bar))

    def stretches(self, bar: int) -> Iterator[Stretch]:
        """Yield the stretches of a bar from the entry on."""
        since = self._entered.opened if self._entered is not None and bar == self._entry_bar else self._path.opened[bar]
        return (stretch for stretch in self._path.stretches(bar) if stretch.opened >= since)

    def has_open(self, stretch: Stretch) -> bool:
        """Return whether a stretch has an open of its own that the position sees, apart from that of the bar."""
        return not stretch.is_first and stretch != self._entered

    def within(self, bar: int, stretch: Stretch) -> bool:
        """Do what the prices within a stretch of a bar lead to; return whether the position is closed.

        The high may lie before an entry that was made in the stretch, the close doesn't.
        """
        return self._step_within(bar, stretch, stretch.close if stretch == self._entered else stretch.high)

    def at_open_of(self, bar: int, stretch: Stretch) -> bool:
        """Do what the price leads to at the open of a stretch of a bar; return whether the position is closed."""
        if self._step_price(bar, stretch.open, stretch.opened):
            return True
        further = self._further_in(bar)
        if further is not None and further.at_open(bar, stretch):
            self._state = grown_state(self._context, self._terms, self._state)
            self._cap = (stretch.opened, stretch.open)
        return False

    def _step_price(self, bar: int, price: int, at: int) -> bool:
        """Step one price, whose moment is known; return whether the position is closed."""
        self._state, exit_ = step_price(self._state, price, at)
        if exit_ is None:
            return False
        return self._carry_out(exit_, bar, [price] * max(len(exit_.targets), 1), at)

    def _step_within(self, bar: int, stretch: Stretch, best: int) -> bool:
        """Step a stretch whose best price that counts is `best`; return whether the position is closed."""
        opened = self._path.opened[bar] if stretch.is_first else stretch.opened
        cap = self._cap[1] if self._cap is not None and self._cap[0] == opened else None
        further = self._further_in(bar)
        if further is not None:
            best, cap = self._enter_within(further, bar, stretch, best, cap)
        before, low = self._state, stretch.low
        # The age of a position is judged at the open: of the bar's end the next bar's open is the moment.
        self._state, exit_ = step_bar(before, low, best, stretch.close, stretch.opened)
        if exit_ is None:
            return False
        return self._carry_out(exit_, bar, _levels(exit_, before, self._state, low, cap), stretch.ended)

    def _enter_within(
        self, further: FurtherEntries, bar: int, stretch: Stretch, best: int, cap: int | None
    ) -> tuple[int, int | None]:
        """Make the further entries of a stretch, which is bad for the position whatever comes first.

        Those upwards come before a stop, and those downwards too as far as they lie above it, where the price surely
        passes on its way. After one of those the high doesn't count any more: it may have come first. Return the best
        price that still counts, and the price at which the last entry was made.
        """
        filled = further.fill_within(bar, stretch, self._stop)
        if filled is not None:
            best, cap = stretch.close, filled
            self._state = grown_state(self._context, self._terms, self._state)
        while (level := further.above) is not None and level.price <= best and not self._takes_profit(level.price):
            if further.enter_at(level, level.price, bar, stretch):
                cap = level.price
                self._state = grown_state(self._context, self._terms, self._state)
        while (level := further.below) is not None and stretch.low <= level.price and level.price > self._stop:
            # The slippage of the last entry may have put the level above the price of then.
            price = level.price if cap is None else min(level.price, max(cap, stretch.low))
            if further.enter_at(level, price, bar, stretch):
                best, cap = stretch.close, price
                self._state = grown_state(self._context, self._terms, self._state)
        return best, cap

    @property
    def _stop(self) -> int:
        """The price in ticks of the nearer stop; 0 if there is none."""
        return max(self._state.stop_loss or 0, self._state.trailing_stop or 0)

    def _takes_profit(self, price: int) -> bool:
        return self._state.take_profit is not None and price >= self._state.take_profit

    # -- orders -------------------------------------------------------------------------------------------------------

    def _carry_out(self, exit_: Exit, bar: int, prices: Sequence[int], at: int) -> bool:
        """Sell what an exit closes, at the prices in ticks that have led to it; return whether nothing is left."""
        if self._latency:
            self._send(exit_, bar + self._latency)
            return False
        if exit_.cause is not ExitCause.TARGET:
            return self._sell(bar, at, prices[0], EXIT_ROLES[exit_.cause])
        targets = zip(exit_.targets, prices, strict=True)
        return any(self._sell_target(index, bar, at, price) for index, price in targets)

    def _send(self, exit_: Exit, arrives: int) -> None:
        """Send the order of an exit, which takes whole bars to the venue and is filled at the open of the last one."""
        if exit_.cause is ExitCause.TARGET:
            self._parts.extend((arrives, index) for index in exit_.targets)
            return
        self._end_further()
        self._state = ProtectionState()
        if arrives < self._exit_bar:
            self._exit_bar, self._exit_role = arrives, EXIT_ROLES[exit_.cause]
        self._due_bar = self._exit_bar

    def _sell_target(self, index: int, bar: int, at: int, price: int) -> bool:
        """Sell the share of a partial target; return whether nothing is left."""
        position = self._ledger.open
        assert position is not None
        share = share_of_rest(self._terms.rules, self._targets_done, (index,))
        self._targets_done.append(index)
        part = None if share == 1 else self._ledger.units.part(position.quantity, share)
        return self._sell(bar, at, price, EXIT_ROLES[ExitCause.TARGET], part)

    def _sell(self, bar: int, at: int, price: int, role: OrderRole, part: int | None = None) -> bool:
        self.last_bar = bar
        is_closed = self._ledger.sell(bar, at, self._costs.slipped(price, _SIDE), price, role, part)
        if is_closed:
            self._end_further()
        return is_closed

    def _end_further(self) -> None:
        """Make no further entry any more."""
        if self._further is not None:
            self._further.release_cash()
            self._further = None


def _levels(exit_: Exit, before: ProtectionState, after: ProtectionState, low: int, cap: int | None) -> Sequence[int]:
    """Return the prices, in ticks, at which a bar has reached what closes the position.

    Slippage or a further entry may have put a stop above the price of then, which is the `cap`: it is filled there. Not
    so a trailing stop that the bar itself has moved, which its price has passed on the way from the high to the close.
    """
    match exit_.cause:
        case ExitCause.STOP_LOSS:
            level = before.stop_loss
        case ExitCause.TRAILING_STOP:
            level = before.trailing_stop
            if level is None or low > level:
                level, cap = after.trailing_stop, None
        case ExitCause.TAKE_PROFIT:
            level, cap = before.take_profit, None
        case _:
            return [target.price for target in before.targets if target.index in exit_.targets]
    assert level is not None
    return [level if cap is None else min(level, max(cap, low))]

"""One market of a backtest, from one signal to the end of its position and on to the next, in steps that have a time.

Each step is due at a time and in a phase of it, so that the steps of several markets can be taken in their order. What
is done within a stretch of a bar is due at its end, which is the time of its fills.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum

from domain.backtest.entries import Entry
from domain.backtest.holding import Holding
from domain.backtest.price_path import Stretch
from domain.backtest.resting import Filled, RestingEntry
from domain.backtest.run_context import RunContext
from domain.backtest.signals import NEVER
from domain.model.orders import Order
from domain.rules.direction import Direction
from domain.rules.ladder import entry_share

_SIDE = Direction.LONG.entry_side


class Phase(IntEnum):
    """The phases of a time: what was within a stretch that ends, what a close has signalled, what an open leads to."""

    WITHIN = 0
    SIGNAL = 1
    OPEN = 2


class MarketRun:
    """Runs one market; the ledger of its context has the result. `bar` and `phase` are those of the next step.

    Where candles of a shorter timeframe tell what is within a bar, each stretch of it has steps of its own. It has
    ended when `bar` is the `count` of bars. `has_place` returns whether a position may be opened.
    """

    def __init__(self, context: RunContext, has_place: Callable[[], bool]) -> None:
        self._context = context
        self._has_place = has_place
        self.count = len(context.bars)
        self._share = entry_share(context.plan.definition.adds)
        self._latency = context.plan.latency_bars
        self._signal_bar = 0
        self._entry: Entry | None = None
        self._reserved = 0
        self._holding: Holding | None = None
        self._stretches: Iterator[Stretch] = iter(())
        self._moment: int | None = None
        self.bar = 0
        self.phase = Phase.SIGNAL
        self.step: Callable[[], None] = self._decide
        """Takes the next step."""
        self._await_signal(0)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open and no order under way."""
        return self._holding is None and self._entry is None

    @property
    def order_under_way(self) -> Order | None:
        """The entry order that rests or is on its way, if risk limits count it."""
        if self._entry is not None:
            return self._entry.order
        return None if self._holding is None else self._holding.order_under_way

    @property
    def due(self) -> tuple[int, int]:
        """When the next step is due, and its phase; after all bars if there is none."""
        if self.bar >= self.count:
            return NEVER, self.phase
        if self._moment is not None:
            return self._moment, self.phase
        path = self._context.path
        opened = path.opened[self.bar]
        return (opened + path.milliseconds if self.phase is Phase.WITHIN else opened), self.phase

    def _schedule(self, bar: int, phase: Phase, step: Callable[[], None], moment: int | None = None) -> None:
        """Set the next step, due at the `moment`; without one at the open of the bar, or at its end if within."""
        self.bar, self.phase, self.step, self._moment = bar, phase, step, moment

    # -- an entry until its fill --------------------------------------------------------------------------------------

    def _await_signal(self, bar: int) -> None:
        """Go on with the first signal at the close of bar `bar` or later."""
        self._holding = self._entry = None
        self._signal_bar = self._context.signals.next_enter(bar)
        self._schedule(min(self._signal_bar + 1, self.count), Phase.SIGNAL, self._decide)

    def _decide(self) -> None:
        """Act on the entry signal at the close before."""
        context, bar = self._context, self.bar
        if not self._has_place():
            context.entries.note_no_place()
            self._await_signal(bar)
            return
        opened = context.path.opened[bar]
        entry = context.entries.build(self._signal_bar, context.path.open[bar], opened, self._share)
        if entry is None:
            self._await_signal(bar)
        elif bar + self._latency >= self.count:
            self._schedule(self.count, Phase.SIGNAL, self._decide)
        elif entry.limit is not None:
            self._rest(entry, entry.limit, opened)
        elif self._latency:
            self._entry = entry
            self._schedule(bar + self._latency, Phase.OPEN, self._arrive)
        else:
            ticks = context.plan.costs.slipped(context.path.open[bar], _SIDE)
            self._open(entry, Filled(bar, ticks, in_bar=False, maker=False))

    def _arrive(self) -> None:
        """Fill a MARKET order that was under way, if the venue still takes it at the price of now."""
        context, entry = self._context, self._entry
        assert entry is not None
        ticks = context.plan.costs.slipped(context.path.open[self.bar], _SIDE)
        if context.ledger.rejects_buy(ticks, entry.quantity):
            context.entries.counts.rejected += 1
            self._await_signal(self.bar)
        else:
            self._open(entry, Filled(self.bar, ticks, in_bar=False, maker=False))

    def _rest(self, entry: Entry, limit: int, decided_at: int) -> None:
        """Go on with the fill of a LIMIT order, or with its end."""
        context = self._context
        order = RestingEntry(
            limit, self.bar + self._latency, decided_at, self._exit_bar(), context.plan.definition.order
        )
        outcome = order.outcome(context.bars, context.prices, context.plan.costs)
        self._entry, self._reserved = entry, entry.cost
        context.ledger.budget.reserved += self._reserved
        if isinstance(outcome, Filled):
            phase = Phase.WITHIN if outcome.in_bar else Phase.OPEN
            moment = self._entered(outcome).ended if outcome.in_bar else None
            self._schedule(outcome.bar, phase, lambda: self._fill(entry, outcome), moment)
        else:
            context.entries.counts.rejected += outcome.is_rejected
            self._schedule(outcome.free_at, Phase.OPEN, self._withdraw)

    def _withdraw(self) -> None:
        """End an order that wasn't filled."""
        self._context.ledger.budget.reserved -= self._reserved
        self._await_signal(self.bar)

    def _fill(self, entry: Entry, filled: Filled) -> None:
        """Fill an order that has rested."""
        self._context.ledger.budget.reserved -= self._reserved
        self._open(entry, filled)

    def _exit_bar(self) -> int:
        """Return the bar at whose open the first exit signal after the entry signal is carried out."""
        signal = self._context.signals.next_exit(self._signal_bar + 1)
        return NEVER if signal == NEVER else signal + 1 + self._latency

    # -- a position ---------------------------------------------------------------------------------------------------

    def _open(self, entry: Entry, filled: Filled) -> None:
        context, bar = self._context, filled.bar
        entered = self._entered(filled) if filled.in_bar else None
        at = context.path.opened[bar] if entered is None else entered.ended
        arrival = filled.ticks if filled.maker else context.path.open[bar]
        context.ledger.buy(bar, at, filled.ticks, arrival, entry.quantity, maker=filled.maker, in_bar=filled.in_bar)
        self._entry = None
        self._holding = holding = Holding(context, entry.terms, bar, filled.ticks, self._exit_bar(), entered)
        first = holding.first_bar()
        if first == bar:
            self._go_within(bar)
        else:
            self._schedule(first, Phase.OPEN, self._step_open)

    def _entered(self, filled: Filled) -> Stretch:
        """Return the stretch of the bar that has filled a resting order."""
        stretches = self._context.path.stretches(filled.bar)
        return next(stretch for stretch in stretches if stretch.low < filled.ticks)

    def _step_open(self) -> None:
        assert self._holding is not None
        if self._holding.at_open(self.bar):
            self._await_signal(self._holding.last_bar)
        else:
            self._go_within(self.bar)

    def _go_within(self, bar: int) -> None:
        """Go on with the prices within a bar."""
        if self._context.path.is_plain:
            self._schedule(bar, Phase.WITHIN, self._step_within)
            return
        assert self._holding is not None
        self._stretches = self._holding.stretches(bar)
        self._go_on(bar)

    def _step_within(self) -> None:
        holding = self._holding
        assert holding is not None
        if holding.within(self.bar, self._context.path.whole(self.bar)):
            self._await_signal(holding.last_bar)
        else:
            self._schedule(holding.next_bar(self.bar), Phase.OPEN, self._step_open)

    def _go_on(self, bar: int) -> None:
        """Go on with the next stretch of a bar, or with the next bar after the last one."""
        holding, stretch = self._holding, next(self._stretches, None)
        assert holding is not None
        if stretch is None:
            self._schedule(holding.next_bar(bar), Phase.OPEN, self._step_open)
        elif holding.has_open(stretch):
            self._schedule(bar, Phase.OPEN, lambda: self._step_open_of(stretch), stretch.opened)
        else:
            self._schedule(bar, Phase.WITHIN, lambda: self._step_within_of(stretch), stretch.ended)

    def _step_open_of(self, stretch: Stretch) -> None:
        assert self._holding is not None
        if self._holding.at_open_of(self.bar, stretch):
            self._await_signal(self._holding.last_bar)
        else:
            self._schedule(self.bar, Phase.WITHIN, lambda: self._step_within_of(stretch), stretch.ended)

    def _step_within_of(self, stretch: Stretch) -> None:
        assert self._holding is not None
        if self._holding.within(self.bar, stretch):
            self._await_signal(self._holding.last_bar)
        else:
            self._go_on(self.bar)

"""The further entries into the position of a backtest: those that a price leads to, and those that are signalled."""

from dataclasses import dataclass, replace
from decimal import Decimal

from domain.backtest.entries import Entry, ExitTerms
from domain.backtest.price_path import Stretch
from domain.backtest.resting import Filled, RestingEntry
from domain.backtest.run_context import RunContext
from domain.backtest.signals import NEVER, AddSignals
from domain.core.clock import from_milliseconds
from domain.core.money import EXACT, MAX_PLACES
from domain.model.definitions import EntryAdd
from domain.model.orders import Order
from domain.rules.direction import Direction
from domain.rules.ladder import Ladder, LadderLevel, add_share, has_adds_left, signalled_add
from domain.rules.protected_position import entered_state
from domain.rules.protection import ProtectionState
from domain.strategies.expressions import PositionFacts


@dataclass(frozen=True, slots=True)
class _Placed:
    """An order that isn't filled yet: in which bar it is, and its price in ticks; None for what the open then has."""

    entry: Entry
    bar: int
    ticks: int | None
    in_bar: bool = False
    maker: bool = False


class FurtherEntries:
    """The ladder of one position: what may be entered next, and the order that is under way, of which there is one.

    `below` and `above` are the prices from which on a further entry is due; None if there is none, or not now.
    """

    def __init__(self, context: RunContext, terms: ExitTerms, ticks: int, bar: int) -> None:
        self._context = context
        self._terms = terms
        self._adds = context.plan.definition.adds
        self._ladder = Ladder(self._adds, frozenset(), context.ledger.price(ticks))
        self._last = ticks
        self._moves = any(_has_range(add) for add in self._adds)
        self._placed: _Placed | None = None
        self._signalled: tuple[int, int] | None = None
        self._blocked_until = 0
        self._resting: Entry | None = None
        self.below: LadderLevel | None = None
        self.above: LadderLevel | None = None
        self._refresh(bar)

    @property
    def is_at_work(self) -> bool:
        """Whether a further entry is signalled or its order under way, while no other one is made."""
        return self._placed is not None or self._signalled is not None

    @property
    def order_under_way(self) -> Order | None:
        """The order that rests or is on its way, if risk limits count it."""
        if self._placed is not None:
            return self._placed.entry.order
        return None if self._resting is None else self._resting.order

    def next_bar(self, start: int) -> int:
        """Return the next bar from `start` on in which something is due whatever its prices are."""
        if self._placed is not None:
            return max(self._placed.bar, start)
        if self._blocked_until >= start:  # then the levels count again
            return self._blocked_until
        has_left = self._moves and has_adds_left(self._adds, self._ladder.taken)
        return start if self._signalled is not None or has_left else NEVER

    def may_be_signalled(self, bar: int) -> bool:
        """Return whether a signal at the close of a bar can lead to a further entry."""
        return not self.is_at_work and bar >= self._blocked_until and has_adds_left(self._adds, self._ladder.taken)

    def note_signals(self, signals: AddSignals, bar: int, facts: PositionFacts) -> bool:
        """Return whether the signals at the close of a bar lead to a further entry, which is made at the next open."""
        named, context = signals.bar_rules, self._context
        rules = {index for index, holds in signals.rules.items() if index not in named and holds[bar]}
        rules |= {index for index, rule in named.items() if rule(bar, facts)}
        enters = bool(signals.enters[bar]) if signals.enter_rule is None else signals.enter_rule(bar, facts)
        close, atr = context.ledger.price(context.path.close[bar]), context.entries.atr_at(bar)
        number = signalled_add(self._ladder, close, atr, rules=rules, enters=enters)
        if number is not None:
            self._signalled = (number, bar)
        return number is not None

    # -- at an open ---------------------------------------------------------------------------------------------------

    def at_open(self, bar: int, stretch: Stretch) -> bool:
        """Make what is due at the open of a stretch of a bar; return whether the position has grown."""
        has_grown = False
        if stretch.is_first:
            has_grown = self._arrive(bar)
            if self._moves or self._blocked_until == bar:
                self._refresh(bar)
        if self._signalled is not None:
            (number, signal_bar), self._signalled = self._signalled, None
            has_grown |= self._place(number, signal_bar, bar, stretch.open, stretch.opened)
        while (level := self._reached(stretch.open)) is not None:
            has_grown |= self._place(level.number, bar - 1, bar, stretch.open, stretch.opened)
        return has_grown

    def _reached(self, ticks: int) -> LadderLevel | None:
        levels = (level for level in (self.below, self.above) if level is not None)
        return next((level for level in levels if level.is_reached(ticks, ticks)), None)

    def _arrive(self, bar: int) -> bool:
        """Book the order that is filled at the open of the bar; return whether there is one."""
        placed, context = self._placed, self._context
        if placed is None or placed.bar > bar or (placed.bar == bar and placed.in_bar):
            return False
        opening = context.path.open[bar]
        ticks = placed.ticks
        if ticks is None:
            ticks = context.plan.costs.slipped(opening, Direction.LONG.entry_side)
            if context.ledger.rejects_buy(ticks, placed.entry.quantity):
                self._placed = None
                context.entries.counts.rejected += 1
                self._refresh(bar)
                return False
        self._buy(placed, bar, context.path.opened[bar], ticks, ticks if placed.maker else opening, in_bar=False)
        return True

    # -- within a stretch ---------------------------------------------------------------------------------------------

    def fill_within(self, bar: int, stretch: Stretch, stop: int) -> int | None:
        """Book the order that a stretch fills before it reaches the stop; return its price in ticks, or None."""
        placed = self._placed
        if placed is None or placed.ticks is None or placed.bar != bar or not placed.in_bar:
            return None
        if stretch.low >= placed.ticks or stop >= placed.ticks:
            return None
        self._buy(placed, bar, stretch.ended, placed.ticks, placed.ticks, in_bar=True)
        return placed.ticks

    def enter_at(self, level: LadderLevel, ticks: int, bar: int, stretch: Stretch) -> bool:
        """Enter at a level that a stretch reaches, at the price `ticks`; return whether the position has grown."""
        return self._place(level.number, bar - 1, bar, ticks, stretch.opened, stretch)

    # -- orders -------------------------------------------------------------------------------------------------------

    def release_cash(self) -> None:
        """Give back to the budget what an order that rests no more was to spend."""
        if self._resting is not None:
            self._context.ledger.budget.reserved -= self._resting.cost
            self._resting = None

    def _place(
        self, number: int, signal_bar: int, bar: int, ticks: int, at: int, within: Stretch | None = None
    ) -> bool:
        """Place the order of a further entry where the price is `ticks`; return whether it was filled at once.

        It is decided with what is known at `at`: of a stretch that it is made `within` that is the open, while its fill
        has the time of the end.
        """
        context, latency = self._context, self._context.plan.latency_bars
        share = add_share(self._ladder, number)
        self._ladder = replace(self._ladder, taken=self._ladder.taken | {number})
        entry = context.entries.build(signal_bar, ticks, at, share, self._terms)
        at = at if within is None else within.ended
        if entry is not None and entry.limit is None:
            self._placed = _Placed(entry, bar + latency, None)
            if not latency:
                slipped = context.plan.costs.slipped(ticks, Direction.LONG.entry_side)
                self._buy(self._placed, bar, at, slipped, ticks, in_bar=within is not None)
                return True
        elif entry is not None and entry.limit is not None:
            if within is not None and not latency and within.open > ticks and within.low < entry.limit:
                self._buy(_Placed(entry, bar, entry.limit, maker=True), bar, at, entry.limit, entry.limit, in_bar=True)
                return True
            self._rest(entry, entry.limit, bar, at, is_within=within is not None)
        self._refresh(bar)
        return False

    def _rest(self, entry: Entry, limit: int, bar: int, at: int, *, is_within: bool) -> None:
        """Find out in which bar a LIMIT order is filled; one that is placed within a bar rests from the next one on."""
        context, latency = self._context, self._context.plan.latency_bars
        arrives = bar + max(latency, int(is_within))
        self._resting = entry
        context.ledger.budget.reserved += entry.cost
        if arrives >= len(context.bars):
            self._blocked_until = NEVER
            return
        order = RestingEntry(limit, arrives, at, NEVER, context.plan.definition.order, rests=is_within and not latency)
        outcome = order.outcome(context.bars, context.prices, context.plan.costs)
        if isinstance(outcome, Filled):
            self._placed = _Placed(entry, outcome.bar, outcome.ticks, outcome.in_bar, outcome.maker)
        else:
            self._blocked_until = outcome.free_at
            context.entries.counts.rejected += outcome.is_rejected

    def _buy(self, placed: _Placed, bar: int, at: int, ticks: int, arrival: int, *, in_bar: bool) -> None:
        context = self._context
        self.release_cash()
        context.ledger.buy(bar, at, ticks, arrival, placed.entry.quantity, maker=placed.maker, in_bar=in_bar)
        self._placed = None
        self._ladder = replace(self._ladder, last_price=context.ledger.price(ticks))
        self._last = ticks
        self._refresh(bar)

    def _refresh(self, bar: int) -> None:
        """Compute the levels again, in a bar; its own average true range isn't known before its end."""
        self.below = self.above = None
        if self._placed is not None or bar < self._blocked_until:
            return
        self.release_cash()
        context = self._context
        atr = context.entries.atr_at(bar - 1) if bar else None
        levels = context.levels.of(self._ladder, self._last, atr)
        self.below = max((level for level in levels if level.is_below), key=lambda level: level.price, default=None)
        self.above = min((level for level in levels if not level.is_below), key=lambda level: level.price, default=None)


def grown_state(context: RunContext, terms: ExitTerms, before: ProtectionState) -> ProtectionState:
    """Return the state of the position after a further entry: its levels are measured from the new average price.

    What was seen `before` stays: the best price, and the targets that were reached.
    """
    position = context.ledger.open
    assert position is not None
    average = EXACT.scaleb(Decimal(position.average), -MAX_PLACES)
    opened_at = from_milliseconds(context.path.opened[position.bar])
    state = entered_state(terms.rules, average, opened_at, context.ledger.market, Direction.LONG)
    left = {target.index for target in before.targets}
    return replace(
        state,
        high_water=max(state.high_water, before.high_water),
        targets=tuple(target for target in state.targets if target.index in left),
    )


def _has_range(add: EntryAdd) -> bool:
    """Return whether the level of a further entry follows the average true range."""
    distance = add.below or add.above
    return add.waits_for_price and distance is not None and distance.atr_multiple is not None

"""The ladder of a position: its entry and the further entries that its strategy's definition allows, each made once.

Further entries are numbered from 1 in the order of the definition; the entry itself is none of them. Live trading and
backtests call the same steps; which further entry a bar reaches is a comparison of whole ticks.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.definitions import EntryAdd
from domain.model.markets import Market
from domain.model.orders import OrderType
from domain.rules.grid import grid_of
from domain.rules.sizing import WHOLE, Share, exit_distance

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class LadderEntry:
    """A further entry of a position: its `number`, and the index of what the definition says of it."""

    number: int
    index: int
    add: EntryAdd


@dataclass(frozen=True, slots=True)
class Ladder:
    """What was made of a position's ladder: the numbers of the adds that are `taken`, and the price of the last entry.

    `last_price` is in quote per base.
    """

    adds: tuple[EntryAdd, ...]
    taken: frozenset[int]
    last_price: Decimal

    @property
    def next_entries(self) -> Iterator[LadderEntry]:
        """The next of each add of the definition that isn't used up, in their order."""
        seen: set[int] = set()
        for entry in ladder_entries(self.adds):
            if entry.number not in self.taken and entry.index not in seen:
                seen.add(entry.index)
                yield entry


@dataclass(frozen=True, slots=True)
class LadderLevel:
    """The price in ticks from which on an add is due: downwards if it `is_below` the last entry, otherwise upwards."""

    number: int
    price: int
    is_below: bool

    def is_reached(self, low: int, high: int) -> bool:
        """Return whether a bar with these prices reaches it."""
        return low <= self.price if self.is_below else high >= self.price


def ladder_entries(adds: Sequence[EntryAdd]) -> Iterator[LadderEntry]:
    """Yield all further entries of a definition, by number."""
    number = 0
    for index, add in enumerate(adds):
        for _ in range(add.count):
            number += 1
            yield LadderEntry(number, index, add)


def has_adds_left(adds: Sequence[EntryAdd], taken: Collection[int]) -> bool:
    """Return whether a position may have another entry."""
    return len(taken) < sum(add.count for add in adds)


def entry_share(adds: Sequence[EntryAdd]) -> Share:
    """Return the entry's share of the ladder's size."""
    total = sum((entry.add.size_factor for entry in ladder_entries(adds)), _ONE)
    return WHOLE if total == 1 else Share(_ONE, total, total)


def add_share(ladder: Ladder, number: int) -> Share:
    """Return a further entry's share of the ladder's size."""
    factors = {entry.number: entry.add.size_factor for entry in ladder_entries(ladder.adds)}
    left = sum((factor for key, factor in factors.items() if key not in ladder.taken), ZERO)
    return Share(factors[number], left, sum(factors.values(), _ONE))


def price_levels(ladder: Ladder, market: Market, atr: Decimal | None) -> tuple[LadderLevel, ...]:
    """Return the levels of the adds that a price alone leads to; `atr` is ATR(14) at the newest closed candle."""
    grid, levels = grid_of(market, OrderType.LIMIT), []
    for entry in ladder.next_entries:
        price = _limit_price(ladder, entry.add, atr) if entry.add.waits_for_price else None
        if price is not None and price > 0:
            is_below = entry.add.below is not None
            ticks = grid.ticks_down(price) if is_below else -grid.ticks_down(-price)
            levels.append(LadderLevel(entry.number, ticks, is_below))
    return tuple(levels)


def reached_add(levels: Sequence[LadderLevel], low: int, high: int) -> int | None:
    """Return the number of the first add that a bar with these prices, in ticks, leads to."""
    return next((level.number for level in levels if level.is_reached(low, high)), None)


def add_at_price(levels: Sequence[LadderLevel], price: Decimal, market: Market) -> int | None:
    """Return the number of the first add that a trade at `price` leads to."""
    grid = grid_of(market, OrderType.LIMIT)
    return reached_add(levels, -grid.ticks_down(-price), grid.ticks_down(price))


def signalled_add(
    ladder: Ladder, price: Decimal, atr: Decimal | None, *, rules: Collection[int] = (), enters: bool = False
) -> int | None:
    """Return the number of the first add that a signal at `price` leads to.

    `rules` are the indices of the further entries whose rule is true, and `enters` is whether an entry is signalled.
    """
    for entry in ladder.next_entries:
        add = entry.add
        is_signalled = (add.rule is None or entry.index in rules) and (enters or not add.on_entry_signal)
        if not add.waits_for_price and is_signalled and _is_far_enough(ladder, add, price, atr):
            return entry.number
    return None


def _is_far_enough(ladder: Ladder, add: EntryAdd, price: Decimal, atr: Decimal | None) -> bool:
    if add.below is None and add.above is None:
        return True
    limit = _limit_price(ladder, add, atr)
    if limit is None:
        return False
    return price <= limit if add.below is not None else price >= limit


def _limit_price(ladder: Ladder, add: EntryAdd, atr: Decimal | None) -> Decimal | None:
    """Return the price from which on an add is far enough from the last entry; None if its ATR isn't known."""
    distance = add.above if add.below is None else add.below
    assert distance is not None
    length = exit_distance(distance, ladder.last_price, atr)
    if length is None:
        return None
    return EXACT.subtract(ladder.last_price, length) if add.below is not None else EXACT.add(ladder.last_price, length)

"""The levels of a ladder's further entries in whole ticks, as `ladder.price_levels` has them, without decimals.

A backtest asks for them after every entry. Those at a share of the last entry's price need whole numbers alone; where
one is at another distance, `price_levels` is asked.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from domain.core.money import MAX_PLACES
from domain.model.definitions import EntryAdd
from domain.model.markets import Market
from domain.model.orders import OrderType
from domain.rules.grid import grid_of
from domain.rules.ladder import Ladder, LadderLevel, ladder_entries, price_levels

_PERCENT_PLACES = 2


class LadderLevels:
    """Computes the levels of one definition's ladder in one market."""

    def __init__(self, adds: Sequence[EntryAdd], market: Market) -> None:
        self._market = market
        self._tick = grid_of(market, OrderType.LIMIT).tick
        self._percents = tuple((entry.number, entry.index, _percent(entry.add)) for entry in ladder_entries(adds))
        self._is_exact = all(self._has_exact_distance(add) for add in adds)

    def of(self, ladder: Ladder, last: int, atr: Decimal | None) -> tuple[LadderLevel, ...]:
        """Return the levels of the adds that a price alone leads to, where the last entry was made at `last` ticks."""
        return tuple(self._levels(ladder, last)) if self._is_exact else price_levels(ladder, self._market, atr)

    def _levels(self, ladder: Ladder, last: int) -> Iterator[LadderLevel]:
        newest = -1
        for number, index, (numerator, denominator) in self._percents:
            if index > newest and number not in ladder.taken:
                newest = index
                add = ladder.adds[index]
                if not add.waits_for_price:
                    continue
                # The distance is rounded up, and so the level away from the last entry, as on the grid of ticks.
                distance = -(-last * numerator // denominator)
                price = last - distance if add.below is not None else last + distance
                if numerator < denominator or add.below is None:
                    yield LadderLevel(number, price, add.below is not None)

    def _has_exact_distance(self, add: EntryAdd) -> bool:
        """Return whether the add's distance is a share of a price, with no more decimals than prices may have."""
        distance = add.below or add.above
        if not add.waits_for_price or distance is None:
            return True
        return distance.percent is not None and (
            _places(self._tick) + _places(distance.percent) + _PERCENT_PLACES <= MAX_PLACES
        )


def _percent(add: EntryAdd) -> tuple[int, int]:
    distance = add.below or add.above
    if distance is None or distance.percent is None:
        return 0, 1
    numerator, denominator = distance.percent.as_integer_ratio()
    return numerator, denominator * 10**_PERCENT_PLACES


def _places(value: Decimal) -> int:
    return max(-int(value.as_tuple().exponent), 0)

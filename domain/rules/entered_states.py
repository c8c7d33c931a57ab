"""The protection of positions that one fill opens, in whole ticks: as `protected_position` has it, without decimals.

A backtest asks for it at every entry. The distances of its levels are the same for all of them, as shares of the entry
price or as lengths.
"""

from dataclasses import dataclass
from decimal import Decimal

from domain.core.clock import from_milliseconds, to_milliseconds
from domain.core.money import EXACT, MAX_PLACES
from domain.model.markets import Market
from domain.model.orders import OrderType
from domain.model.protection import ExitLevel, ProtectionRules
from domain.rules.direction import Direction
from domain.rules.grid import grid_of
from domain.rules.protected_position import entered_state
from domain.rules.protection import ProtectionState, Target

_PERCENT_PLACES = 2


@dataclass(frozen=True, slots=True)
class _Distance:
    """A distance from an entry: so many parts of `scale` of its price, and so many ticks."""

    parts: int
    scale: int
    ticks: int

    def of(self, entry: int) -> int:
        """Return the distance from a price, both in ticks, rounded down, but never nothing."""
        return max(entry * self.parts // self.scale + self.ticks, 1)


class EnteredStates:
    """Makes the states of positions that are protected by the same rules, each opened by one fill."""

    def __init__(self, rules: ProtectionRules, market: Market, direction: Direction) -> None:
        self._rules = rules
        self._market = market
        self._direction = direction
        self._tick = grid_of(market, OrderType.MARKET).tick
        levels = [rules.stop_loss, rules.take_profit, *(target.level for target in rules.targets)]
        self._is_exact = all(level is None or self._has_exact_distance(level) for level in levels)
        if self._is_exact:
            self._stop_loss, self._take_profit, *targets = (
                None if level is None else self._distance(level) for level in levels
            )
            self._targets = [distance for distance in targets if distance is not None]
            sample = entered_state(rules, self._tick, from_milliseconds(0), market, direction)
            self._trail, self._trail_rate = sample.trail, sample.trail_rate

    def at(self, entry: int, opened_at: int) -> ProtectionState:
        """Return the state of a position entered at a price in ticks, and opened at a time in milliseconds."""
        if not self._is_exact:
            price = EXACT.multiply(self._tick, entry)
            return entered_state(self._rules, price, from_milliseconds(opened_at), self._market, self._direction)
        signed = self._direction * entry
        stop_loss = None if self._stop_loss is None else signed - self._stop_loss.of(entry)
        take_profit = None if self._take_profit is None else signed + self._take_profit.of(entry)
        targets = []
        for index, distance in enumerate(self._targets):
            price_ticks = signed + distance.of(entry)
            if self._direction * price_ticks > 0:
                targets.append(Target(index, price_ticks))
        return ProtectionState(
            stop_loss=None if stop_loss is None or self._direction * stop_loss <= 0 else stop_loss,
            take_profit=None if take_profit is None or self._direction * take_profit <= 0 else take_profit,
            trail=self._trail,
            trail_rate=self._trail_rate,
            high_water=signed,
            targets=tuple(targets),
            exit_at=self._exit_at(opened_at),
        )

    def _exit_at(self, opened_at: int) -> int | None:
        bars, timeframe = self._rules.maximum_bars, self._rules.timeframe
        if bars is None or timeframe is None:
            return None
        opened = to_milliseconds(timeframe.open_time(from_milliseconds(opened_at)))
        return opened + bars * timeframe.seconds * 1000

    def _has_exact_distance(self, level: ExitLevel) -> bool:
        """Return whether no distance of the level has more decimals than prices may have, so that none is rounded."""
        if level.percent is None:
            return level.absolute is not None
        return _places(self._tick) + _places(level.percent) + _PERCENT_PLACES <= MAX_PLACES

    def _distance(self, level: ExitLevel) -> _Distance:
        if level.percent is not None:
            parts, scale = level.percent.as_integer_ratio()
            return _Distance(parts, scale * 10**_PERCENT_PLACES, 0)
        assert level.absolute is not None
        return _Distance(0, 1, int(EXACT.divide_int(level.absolute, self._tick)))


def _places(value: Decimal) -> int:
    return max(-int(value.as_tuple().exponent), 0)

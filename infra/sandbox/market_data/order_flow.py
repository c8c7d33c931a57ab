"""Seeded synthetic order flow: anonymous makers and takers that keep a market looking like the recorded one.

A hidden fair price walks at random. When it passes the touch, takers buy or sell their way to it; makers fill the book
around it, closest first; and small takers trade on both sides all the time.
"""

from collections.abc import Callable
from math import exp, sqrt
from random import Random

from infra.sandbox.fixed_point import SCALE, to_units
from infra.sandbox.matching.book import BookSide
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.matcher import Matcher
from infra.sandbox.orders import Side

STEP_SECONDS = 0.1
BPS = 1e-4
TAKER_REACH_BPS = 5.0
ONE_TICK_SHARE = 0.92
"""How often the spread is one tick; in the recording's bookTicker frames, the median and the 90 % quantile are."""
NEAR_SHARE = 0.6
NEAR = 0.3
"""Most new levels stand close to the touch, at a fraction of the mean distance: depth is a mixture of two tails."""
FILL_ATTEMPTS = 2
"""Tries a level when a book is first filled; a coarse tick has fewer prices than the levels aimed at."""
MOVING_SHARE = 0.25
"""In how many steps the fair price moves at all: the touch of the recording stands still most of the time."""
TRADED_SHARE = 0.04
"""How much of what the price passes is traded; the makers cancel the rest. It keeps turnover near the recording's."""
REVERSION = 2e-7
"""Pull to the first price a step: half-life of four days, so that a sandbox left alone doesn't drift off."""


class SyntheticFlow:
    """The makers and takers of one market, a step every 100 ms."""

    def __init__(self, market: SimulatedMarket, matcher: Matcher, seed: int, fair: float, anchor: float) -> None:
        self.market = market
        self.fair = fair
        self.anchor = anchor
        self.target_price: Callable[[], float] | None = None
        self._matcher = matcher
        self._figures = market.spec.flow
        self._random = Random(f"{seed}:{market.spec.symbol}:{market.update_ids.last}")  # noqa: S311 - no secret
        self._sigma = self._figures.return_bps_per_second * BPS * sqrt(STEP_SECONDS)

    def fill_book(self) -> None:
        """Build both sides around the fair price, users' resting orders left as they are."""
        for side in Side:
            self._quote_touch(side)
            for _ in range(FILL_ATTEMPTS * self._figures.levels_a_side):
                if len(self._side(side)) < self._figures.levels_a_side:
                    self._add_level(side)

    def step(self) -> None:
        """Let 100 ms pass: the price moves, takers trade, makers come and go."""
        self._move_fair()
        for side in Side:
            self._clear_passed(side)
        self._trade_noise()
        for side in Side:
            self._quote_touch(side)
            self._churn(side)

    def move_to(self, price: float) -> None:
        """Set the fair price, and the price that it reverts to; the next step trades the book there."""
        self.fair = self.anchor = price

    def _move_fair(self) -> None:
        if self.target_price is not None:
            self.fair += 0.1 * (self.target_price() - self.fair)
        if self._random.random() < MOVING_SHARE:
            drift = REVERSION / MOVING_SHARE * (self.anchor / self.fair - 1)
            self.fair *= exp(self._random.gauss(0.0, self._sigma / sqrt(MOVING_SHARE)) + drift)

    def _side(self, side: Side) -> BookSide:
        return self.market.book.side(side)

    def _touch(self, side: Side) -> int:
        """Return the price nearest to the fair one at which makers quote on `side`."""
        tick = self.market.spec.tick
        below = int(self.fair * SCALE / tick) * tick
        return max(tick, below) if side is Side.BUY else max(tick, below) + tick

    def _clear_passed(self, side: Side) -> None:
        """If the fair price has passed orders of `side`, cancel most of the makers' and trade the rest."""
        touch, resting = self._touch(side), self._side(side)
        passed = []
        for price, level in resting:
            if not resting.reaches(price, touch) or price == touch:
                break
            passed.append((price, level.liquidity))
        for price, liquidity in passed:
            left = self._lot(liquidity * TRADED_SHARE)
            self.market.book.set_liquidity(side, price, left if left > self.market.spec.step else 0)
        if passed:
            quantity = sum(self._side(side).total(price) for price, _ in passed)
            last = passed[-1][0]
            self._matcher.take_liquidity(self.market, side.other, quantity, last)

    def _trade_noise(self) -> None:
        """Let a Poisson number of small takers trade, a little beyond the touch at most."""
        expected = self._figures.taker_orders_per_second * STEP_SECONDS
        while (expected := expected - self._random.expovariate(1.0)) > 0:
            side = Side.BUY if self._random.random() < 0.5 else Side.SELL  # noqa: PLR2004 - a fair coin
            best = self._side(side.other).best()
            if best is None or not self._is_near(best, side.other):
                continue
            size = self._random.lognormvariate(0.0, self._figures.taker_sigma) * self._figures.taker_median
            size = min(size, self._figures.taker_median * 400)
            reach = 1 + TAKER_REACH_BPS * BPS * (1 if side is Side.BUY else -1)
            self._matcher.take_liquidity(self.market, side, self._lot(size * SCALE), int(best * reach))

    def _is_near(self, price: int, side: Side) -> bool:
        """Return whether takers go for a resting price: after a jump only a far order of a user's may be left."""
        touch = self._touch(side)
        return abs(price - touch) <= max(touch * TAKER_REACH_BPS * BPS, 4 * self.market.spec.tick)

    def _quote_touch(self, side: Side) -> None:
        """Quote at the touch if nobody does."""
        touch = self._touch(side)
        best = self._side(side).best()
        if self.market.book.crosses(side, touch) or (best == touch and self._random.random() < 0.7):  # noqa: PLR2004
            return
        if best is None or best == touch or self._random.random() < ONE_TICK_SHARE:
            size = self._figures.best_level_median * self._random.lognormvariate(0.0, 1.0)
            self.market.book.set_liquidity(side, touch, self._lot(size * SCALE))

    def _churn(self, side: Side) -> None:
        """Cancel some levels, add others, and cut the far end of a side that has grown."""
        resting = self._side(side)
        for _ in range(self._figures.changes_per_step // 2):
            if self._random.random() * self._figures.levels_a_side < len(resting):
                price = resting.price_at(int(len(resting) * self._random.random()))
                if price != resting.best():
                    self.market.book.set_liquidity(side, price, 0)
            self._add_level(side)
        while len(resting) > self._figures.levels_a_side and (worst := resting.worst()) is not None:
            if not resting.level(worst).liquidity:
                break
            self.market.book.set_liquidity(side, worst, 0)

    def _add_level(self, side: Side) -> None:
        """Add liquidity at a random distance from the touch, never through the other side."""
        mean_bps = self._figures.mean_distance_bps * (NEAR if self._random.random() < NEAR_SHARE else 1)
        away = self._random.expovariate(1 / mean_bps) * BPS
        sign = -1 if side is Side.BUY else 1
        price = self._touch(side) + sign * to_units(self.fair * away, self.market.spec.tick)
        if price < self.market.spec.min_price or self.market.book.crosses(side, price):
            return
        typical = self._figures.level_median * self._random.lognormvariate(0.0, self._figures.level_sigma)
        size = min(typical, self._figures.best_level_median * 2)
        self.market.book.set_liquidity(side, price, self._lot(size * SCALE))

    def _lot(self, units: float) -> int:
        """Return `units` on the market's step, one step at least."""
        step = self.market.spec.step
        return max(step, int(units) // step * step)

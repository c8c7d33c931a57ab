"""Ways from one currency to another over the markets of a venue."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from domain.core.money import EXACT, divide
from domain.model.markets import Market, MarketSymbol

MAXIMUM_STEPS = 4
MAXIMUM_PATHS = 3
"""How many ways to one currency are told apart; more would be longer and no better."""

CACHED_PAIRS = 2_000
"""Of how many pairs of currencies a graph knows the ways, which take many milliseconds to find on a large venue."""

PriceOf = Callable[[MarketSymbol], Decimal | None]
"""Returns the price of a market in quote per base, None where it isn't known."""


@dataclass(frozen=True, slots=True)
class Step:
    """One market on the way: base is turned into quote, or with `inverse` quote into base."""

    market: MarketSymbol
    inverse: bool = False


Path = tuple[Step, ...]


class CurrencyGraph:
    """The currencies of one venue and the markets between them, those that are traded no more included."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self._steps: defaultdict[str, list[tuple[str, Step]]] = defaultdict(list)
        self._active: set[MarketSymbol] = set()
        for market in sorted(markets, key=lambda one: one.symbol):
            self._steps[market.base].append((market.quote, Step(market.symbol)))
            self._steps[market.quote].append((market.base, Step(market.symbol, inverse=True)))
            if market.active:
                self._active.add(market.symbol)
        # Found once: the graph never changes, and a thread that computes a report may ask beside the event loop.
        self._all_paths = lru_cache(CACHED_PAIRS)(self._find_all)
        self._active_path = lru_cache(CACHED_PAIRS)(self._find_active)

    @property
    def markets(self) -> set[MarketSymbol]:
        """All markets."""
        return {step.market for steps in self._steps.values() for _, step in steps}

    def paths(self, currency: str, into: str, usable: Callable[[MarketSymbol], bool]) -> Iterator[Path]:
        """Yield at most `MAXIMUM_PATHS` ways over markets that are `usable`, those of fewest steps first."""
        if currency == into:
            yield ()
            return
        level: list[tuple[str, Path]] = [(currency, ())]
        ways: defaultdict[str, int] = defaultdict(int, {currency: MAXIMUM_PATHS})
        for _ in range(MAXIMUM_STEPS):
            following: list[tuple[str, Path]] = []
            for reached, path in level:
                for target, step in self._steps.get(reached, ()):
                    if ways[target] < MAXIMUM_PATHS and usable(step.market) and not _passes(path, step.market):
                        ways[target] += 1
                        if target == into:
                            yield (*path, step)
                        else:
                            following.append((target, (*path, step)))
            level = following

    def all_paths(self, currency: str, into: str) -> tuple[Path, ...]:
        """Return at most `MAXIMUM_PATHS` ways, whatever is known of prices, those of fewest steps first."""
        return self._all_paths(currency, into)

    def active_path(self, currency: str, into: str) -> Path | None:
        """Return the shortest way over markets that are traded; None where there is none."""
        return self._active_path(currency, into)

    def connects(
        self, currency: str, into: str, has_price: Callable[[MarketSymbol], bool] = lambda _market: False
    ) -> bool:
        """Tell whether there may be a price: a way over markets that are traded, or else have one all the same."""
        if self.active_path(currency, into) is not None:
            return True
        usable = self.paths(currency, into, lambda market: market in self._active or has_price(market))
        return next(usable, None) is not None

    def _find_all(self, currency: str, into: str) -> tuple[Path, ...]:
        return tuple(self.paths(currency, into, lambda _market: True))

    def _find_active(self, currency: str, into: str) -> Path | None:
        return next(self.paths(currency, into, self._active.__contains__), None)


def convert(amount: Decimal, path: Path, price_of: PriceOf) -> Decimal | None:
    """Return what an amount is worth at the end of the way; None where a price on it isn't known."""
    for step in path:
        price = price_of(step.market)
        if price is None or (step.inverse and not price):
            return None
        amount = divide(amount, price) if step.inverse else EXACT.multiply(amount, price)
    return divide(amount, Decimal(1)) if len(path) > 1 else amount


def _passes(path: Path, market: MarketSymbol) -> bool:
    return any(step.market == market for step in path)

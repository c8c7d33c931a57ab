"""Paths from one currency to another over the markets of a venue, and conversion along them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from domain.core.money import EXACT, divide
from domain.model.markets import Market, MarketSymbol

MAX_STEPS = 4
MAX_PATHS = 3
"""How many paths to a currency are tried; more would be longer and no better."""

CACHED_PAIRS = 2_000
"""For how many pairs of currencies paths are cached; a search takes many milliseconds on a large venue."""

PriceOf = Callable[[MarketSymbol], Decimal | None]
"""Returns the price of a market in quote per base; None if it isn't known."""


@dataclass(frozen=True, slots=True)
class Step:
    """One market on a path: base is converted into quote, or with `inverse` quote into base."""

    market: MarketSymbol
    inverse: bool = False


Path = tuple[Step, ...]


class CurrencyGraph:
    """The currencies of one venue and the markets between them, inactive ones included."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self._steps: defaultdict[str, list[tuple[str, Step]]] = defaultdict(list)
        self._active: set[MarketSymbol] = set()
        for market in sorted(markets, key=lambda market: market.symbol):
            self._steps[market.base].append((market.quote, Step(market.symbol)))
            self._steps[market.quote].append((market.base, Step(market.symbol, inverse=True)))
            if market.active:
                self._active.add(market.symbol)
        # Found once: the graph never changes, and a thread that computes a report may search while the event loop does.
        self._all_paths = lru_cache(CACHED_PAIRS)(self._find_all)
        self._active_path = lru_cache(CACHED_PAIRS)(self._find_active)

    @property
    def markets(self) -> set[MarketSymbol]:
        """All markets by which currencies can be converted, inactive ones too."""
        return {step.market for steps in self._steps.values() for _, step in steps}

    def paths(self, currency: str, into: str, usable: Callable[[MarketSymbol], bool]) -> Iterator[Path]:
        """Yield at most `MAX_PATHS` paths over markets that are `usable`, the shortest first."""
        if currency == into:
            yield ()
            return
        level: list[tuple[str, Path]] = [(currency, ())]
        found: defaultdict[str, int] = defaultdict(int, {currency: MAX_PATHS})
        for _ in range(MAX_STEPS):
            following: list[tuple[str, Path]] = []
            for reached, path in level:
                for target, step in self._steps.get(reached, ()):
                    if found[target] < MAX_PATHS and usable(step.market) and not _contains(path, step.market):
                        found[target] += 1
                        if target == into:
                            yield (*path, step)
                        else:
                            following.append((target, (*path, step)))
            level = following

    def all_paths(self, currency: str, into: str) -> tuple[Path, ...]:
        """Return at most `MAX_PATHS` paths, with or without prices, the shortest first."""
        return self._all_paths(currency, into)

    def active_path(self, currency: str, into: str) -> Path | None:
        """Return the shortest path over active markets; None if there is none."""
        return self._active_path(currency, into)

    def connects(
        self, currency: str, into: str, has_price: Callable[[MarketSymbol], bool] = lambda _market: False
    ) -> bool:
        """Return whether there is a path over markets that are active, or inactive but with a price."""
        if self.active_path(currency, into) is not None:
            return True
        usable = self.paths(currency, into, lambda market: market in self._active or has_price(market))
        return next(usable, None) is not None

    def _find_all(self, currency: str, into: str) -> tuple[Path, ...]:
        return tuple(self.paths(currency, into, lambda _market: True))

    def _find_active(self, currency: str, into: str) -> Path | None:
        return next(self.paths(currency, into, self._active.__contains__), None)


def convert(amount: Decimal, path: Path, price_of: PriceOf) -> Decimal | None:
    """Return the worth of an amount at the end of a path; None if a price on it isn't known."""
    for step in path:
        price = price_of(step.market)
        if price is None or (step.inverse and not price):
            return None
        amount = divide(amount, price) if step.inverse else EXACT.multiply(amount, price)
    return divide(amount, Decimal(1)) if len(path) > 1 else amount


def _contains(path: Path, market: MarketSymbol) -> bool:
    return any(step.market == market for step in path)

"""Ways from one currency to another over the markets of a venue."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from domain.markets.types import Market, MarketSymbol
from domain.money import EXACT, divide

MAXIMUM_STEPS = 4
MAXIMUM_PATHS = 3
"""How many ways to one currency are told apart; more would be longer and no better."""

PriceOf = Callable[[MarketSymbol], Decimal | None]
"""Returns the price of a market in quote per base, None where it isn't known."""


@dataclass(frozen=True, slots=True)
class Step:
    """One market on the way: base is turned into quote, or with `inverse` quote into base."""

    market: MarketSymbol
    inverse: bool = False


Path = tuple[Step, ...]


class CurrencyGraph:
    """The currencies of one venue and the markets between them."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self._steps: defaultdict[str, list[tuple[str, Step]]] = defaultdict(list)
        for market in sorted(markets, key=lambda one: one.symbol):
            self._steps[market.base].append((market.quote, Step(market.symbol)))
            self._steps[market.quote].append((market.base, Step(market.symbol, inverse=True)))

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

    def connects(self, currency: str, into: str) -> bool:
        """Tell whether any way exists, whatever is known of prices."""
        return next(self.paths(currency, into, lambda _market: True), None) is not None


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

"""A second simulation of a backtest, bar by bar and in decimals, written from the rules in docs/backtesting.md alone.

It knows MARKET orders of a fixed amount, a stop-loss, a take-profit and a trailing stop in percent, the longest holding
time, fees and slippage.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

TICK, LOT = Decimal("0.01"), Decimal("0.001")
ENTER, EXIT = 1.0, 2.0

Row = tuple[float, float, float, float, float]
"""Open, high, low and close of a bar, and what is signalled at its close."""

PlainFill = tuple[int, str, Decimal, Decimal]
"""The bar, the role of the order, the price and the quantity."""


@dataclass(frozen=True)
class PlainRules:
    """Distances in percent of the entry price, the fee as a share, the slippage in basis points."""

    amount: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    trailing_stop: Decimal | None
    longest: int | None
    fee: Decimal
    slippage: Decimal
    fees_in_quote: bool


@dataclass
class _Held:
    bar: int
    quantity: Decimal
    best: Decimal
    stop: Decimal | None
    target: Decimal | None


@dataclass
class PlainSimulation:
    """Runs the rules over rows; `equity` is the cash, and the coins at the last close."""

    rules: PlainRules
    cash: Decimal
    coins: Decimal = Decimal(0)
    fills: list[PlainFill] = field(default_factory=list)
    equity: Decimal = Decimal(0)
    _held: _Held | None = None

    def run(self, rows: Sequence[Row]) -> None:
        """Take one bar after another."""
        signal = 0.0
        for bar, row in enumerate(rows):
            opened, high, low, close = (Decimal(str(price)) for price in row[:4])
            is_new = False
            if self._held is not None:
                self._at_open(bar, opened, is_signalled=signal == EXIT)
            elif signal == ENTER:
                is_new = self._enter(bar, opened)
            if self._held is not None:
                self._within(bar, (opened, high, low, close), is_new=is_new)
            signal = row[4] if row[4] == EXIT or self._held is None else 0.0
        self.equity = self.cash + self.coins * Decimal(str(rows[-1][3]))

    def _enter(self, bar: int, opened: Decimal) -> bool:
        rules, price = self.rules, _up(opened * (1 + self.rules.slippage / 10_000), TICK)
        quantity = _down(rules.amount / price, LOT)
        value = price * quantity
        if value * (1 + rules.fee) > self.cash:
            return False
        fee_in_coins = Decimal(0) if rules.fees_in_quote else quantity * rules.fee
        self.cash -= value * (1 + rules.fee) if rules.fees_in_quote else value
        self.coins += quantity - fee_in_coins
        stop, target = _stop(price, rules.stop_loss), _target(price, rules.take_profit)
        self._held = _Held(bar, quantity - fee_in_coins, price, stop, target)
        self.fills.append((bar, "ENTRY", price, quantity))
        return True

    def _at_open(self, bar: int, opened: Decimal, *, is_signalled: bool) -> None:
        held, longest = self._held, self.rules.longest
        assert held is not None
        stop, role = self._nearer_stop(held)
        if is_signalled or (longest is not None and bar - held.bar >= longest):
            self._leave(bar, opened, "EXIT")
        elif stop is not None and opened <= stop:
            self._leave(bar, opened, role)
        elif held.target is not None and opened >= held.target:
            self._leave(bar, opened, "TAKE_PROFIT")
        else:
            held.best = max(held.best, opened)

    def _within(self, bar: int, prices: Sequence[Decimal], *, is_new: bool) -> None:
        held, (opened, high, low, close) = self._held, prices
        assert held is not None
        stop, role = self._nearer_stop(held)
        if stop is not None and low <= stop:
            # The slippage of the entry may have put the stop above the price of the open.
            self._leave(bar, min(stop, opened) if is_new else stop, role)
        elif held.target is not None and high >= held.target:
            self._leave(bar, held.target, "TAKE_PROFIT")
        else:
            held.best = max(held.best, high)
            trailing = _stop(held.best, self.rules.trailing_stop)
            if trailing is not None and close <= trailing:
                self._leave(bar, trailing, "TRAILING_STOP")

    def _nearer_stop(self, held: _Held) -> tuple[Decimal | None, str]:
        trailing = _stop(held.best, self.rules.trailing_stop)
        if trailing is None or (held.stop is not None and held.stop >= trailing):
            return held.stop, "STOP_LOSS"
        return trailing, "TRAILING_STOP"

    def _leave(self, bar: int, reached: Decimal, role: str) -> None:
        assert self._held is not None
        price, quantity = _down(reached * (1 - self.rules.slippage / 10_000), TICK), _down(self._held.quantity, LOT)
        self.cash += price * quantity * (1 - self.rules.fee)
        self.coins -= quantity
        self._held = None
        self.fills.append((bar, role, price, quantity))


def _stop(price: Decimal, percent: Decimal | None) -> Decimal | None:
    """Return the price of a stop, rounded towards `price`, at least a tick below."""
    return None if percent is None else min(_up(price * (1 - percent / 100), TICK), price - TICK)


def _target(price: Decimal, percent: Decimal | None) -> Decimal | None:
    """Return the price of a target, rounded towards `price`, at least a tick above."""
    return None if percent is None else max(_down(price * (1 + percent / 100), TICK), price + TICK)


def _up(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_CEILING) * step


def _down(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_FLOOR) * step

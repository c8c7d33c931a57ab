"""The bounds of the numbers that a backtest takes, the same for the API and the command line."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from domain.core.money import ZERO, plain

MAX_EQUITY: Final = Decimal("1E15")
MAX_FEE_PERCENT: Final = Decimal(10)
MAX_SLIPPAGE_BPS: Final = Decimal(1_000)
MAX_LATENCY_MILLISECONDS: Final = 24 * 3_600 * 1_000


@dataclass(frozen=True, slots=True)
class NumberNames:
    """What the numbers are called where they are given."""

    initial_equity: str = "initialEquity"
    taker_fee_percent: str = "takerFeePercent"
    maker_fee_percent: str = "makerFeePercent"
    slippage_bps: str = "slippageBps"
    latency_milliseconds: str = "latencyMilliseconds"


@dataclass(frozen=True, slots=True)
class RunNumbers:
    """The numbers of a backtest; fees None are the market's."""

    initial_equity: Decimal
    taker_fee_percent: Decimal | None
    maker_fee_percent: Decimal | None
    slippage_bps: Decimal
    latency_milliseconds: int

    def errors(self, names: NumberNames) -> Iterator[tuple[str, str]]:
        """Yield the name of each number that is out of bounds, and what is wrong with it."""
        equity = self.initial_equity
        if not (equity.is_finite() and ZERO < equity <= MAX_EQUITY):
            name = names.initial_equity
            yield name, f"{name} is {_shown(equity)}; it must be greater than 0 and at most {MAX_EQUITY:f}."
        for name, value, most in (
            (names.taker_fee_percent, self.taker_fee_percent, MAX_FEE_PERCENT),
            (names.maker_fee_percent, self.maker_fee_percent, MAX_FEE_PERCENT),
            (names.slippage_bps, self.slippage_bps, MAX_SLIPPAGE_BPS),
            (names.latency_milliseconds, Decimal(self.latency_milliseconds), Decimal(MAX_LATENCY_MILLISECONDS)),
        ):
            if value is not None and not (value.is_finite() and ZERO <= value <= most):
                yield name, f"{name} is {_shown(value)}; it must be from 0 to {most:f}."


def _shown(value: Decimal) -> str:
    return plain(value)[:40] if value.is_finite() else str(value)

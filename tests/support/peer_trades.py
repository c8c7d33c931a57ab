"""Trades of strategies by our engine in the form in which other engines' are compared with them."""

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.indicators.candle_arrays import CandleArrays, Floats
from domain.indicators.library import talib
from domain.model.definitions import ExitDistance, Sizing
from domain.model.orders import OrderRole
from domain.rules.costs import FeeCurrency, TradingCosts
from tests.support.backtests import a_plan, a_spot_market, signalled

D = Decimal
CASH = 10_000_000
FEE = 0.001
EMA_CROSS = ("crosses_above(ema(close, 12), ema(close, 26))", "crosses_below(ema(close, 12), ema(close, 26))")
RSI_REVERSAL = ("crosses_above(rsi(close, 14), 30)", "crosses_above(rsi(close, 14), 70)")

_TICK = D("0.000001")  # so fine that a stop in percent is where engines that know no tick have it
_CENT = 0.005

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Signals:
    """At which closes a strategy wants to enter and to exit."""

    enter: Flags
    exit: Flags


@dataclass(frozen=True, slots=True)
class Protection:
    """What else closes a position, in percent of its entry price or, of the trailing stop, of the best price since."""

    stop: str | None = None
    target: str | None = None
    trail: str | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade that is over, by the bars and the prices of its two fills; `role` is why ours ended."""

    entry_bar: int
    exit_bar: int
    entry_price: float
    exit_price: float
    profit: float
    quantity: float
    role: OrderRole | None = None

    def is_same(self, other: "Trade") -> bool:
        """Return whether both are the same trade, with the same prices and profit to the cent."""
        bars = (self.entry_bar, self.exit_bar) == (other.entry_bar, other.exit_bar)
        pairs = (
            (self.entry_price, other.entry_price),
            (self.exit_price, other.exit_price),
            (self.profit, other.profit),
        )
        return bars and all(abs(ours - theirs) < _CENT for ours, theirs in pairs)


def plan_of(
    bars: Bars, protection: Protection, rules: tuple[str, str] | None = None, **changes: object
) -> BacktestPlan:
    """Return our plan of a strategy that buys one unit by its rules to enter and to exit, and pays fees in quote.

    Without rules it enters at a volume of 1 and exits at one of 2.
    """
    given: dict[str, object] = {
        "sizing": Sizing(equity_percent=D(100)),
        "stop_loss": _distance(protection.stop),
        "take_profit": _distance(protection.target),
        "trailing_stop": _distance(protection.trail),
    }
    if rules is not None:
        given |= {"enter_long": rules[0], "exit_long": rules[1]}
    one_unit = a_spot_market(
        price_increment=_TICK, quantity_increment=D(1), minimum_quantity=D(1), maximum_quantity=D(1)
    )
    fee = D(str(FEE))
    costs = TradingCosts(taker_fee=fee, maker_fee=fee, fee_currency=FeeCurrency.QUOTE)
    return a_plan(signalled(**(given | changes)), costs, one_unit, CASH, timeframe=bars.timeframe)


def our_trades(plan: BacktestPlan, bars: Bars) -> list[Trade]:
    """Return the trades that our engine has made and ended, each by two fills."""
    result = run_backtest(plan, bars)
    trips = [trip for trip in result.round_trips if trip.closed_at is not None]
    fills = result.fills[: 2 * len(trips)]
    return [
        Trade(
            entry.bar,
            exit_.bar,
            float(entry.price),
            float(exit_.price),
            float(trip.profit),
            float(trip.quantity),
            exit_.role,
        )
        for trip, entry, exit_ in zip(trips, fills[::2], fills[1::2], strict=True)
    ]


def paying_from_fills(plan: BacktestPlan) -> BacktestPlan:
    """Return the plan with fees that are taken from what a fill brings, as venues do, and quantities that allow it."""
    market = replace(plan.market, quantity_increment=D("0.001"), minimum_quantity=D("0.001"))
    return replace(plan, market=market, costs=replace(plan.costs, fee_currency=FeeCurrency.RECEIVED))


def marked(bars: Bars) -> Signals:
    """Return the signals of candles that are made for a test: to enter at a volume of 1, to exit at one of 2."""
    return Signals(bars.candles.volume == 1, bars.candles.volume == 2)


def ema_cross(candles: CandleArrays, warm_up: int) -> Signals:
    """Return the signals of `EMA_CROSS` by TA-Lib and NumPy alone, from the end of the warm-up on."""
    fast, slow = talib.EMA(candles.close, 12), talib.EMA(candles.close, 26)
    return Signals(_crossed_above(fast, slow, warm_up), _crossed_above(slow, fast, 0))


def rsi_reversal(candles: CandleArrays, warm_up: int) -> Signals:
    """Return the signals of `RSI_REVERSAL` in the same way."""
    rsi = talib.RSI(candles.close, 14)
    return Signals(
        _crossed_above(rsi, np.full(len(rsi), 30.0), warm_up), _crossed_above(rsi, np.full(len(rsi), 70.0), 0)
    )


def _crossed_above(fast: Floats, slow: Floats, start: int) -> Flags:
    crossed = np.zeros(len(fast), np.bool_)
    crossed[1:] = (fast > slow)[1:] & (fast <= slow)[:-1]
    crossed[:start] = False
    return crossed


def _distance(percent: str | None) -> ExitDistance | None:
    return None if percent is None else ExitDistance(percent=D(percent))

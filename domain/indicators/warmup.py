"""How many bars an indicator needs before its value no longer depends on where its history began.

TA-Lib's look-back is when the first value comes, not when it is accurate: a recursive average still holds its seed.
The tail after the look-back is how long that memory takes to fade to a tenth of the tolerance. For one exponential
stage that keeps the fraction r of its past a bar, it is ln(fraction)/ln(r); for several equal stages in a row the
memory follows a gamma distribution of that shape. Where the recursion adapts to the data (Hilbert transforms, KAMA,
MAMA, SAR, Supertrend) the tails were measured on random walks with and without trend and rounding, at the default
tolerance, and are given with a margin; those that fade shrink with the logarithm of the tolerance, and those that end
at a reversal (SAR, Supertrend) are as long at any. The tests measure every function against a long history.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

from domain.indicators.catalogue import MOVING_AVERAGES, IndicatorDefinition, ParameterKind
from domain.indicators.library import abstract

NEVER = 1_000_000_000
"""The warm-up of a function that holds its seed for ever; beyond every bound."""

EXACT = 1e-9
"""The default tolerance: a window and a long history agree to this fraction of the value."""
LOOSEST = 1e-2
_MARGIN = 10
"""The memory that is left is a fraction of what it began as, which may be larger than the value."""
_HILBERT = 1_000
_KAMA = 4_000
_REVERSAL = 500

Parameters = Mapping[str, float]

ADDITIVE = frozenset({"ad", "cumsum", "obv", "pvt", "wad"})
"""Running sums without end: only their differences are independent of the start."""
MULTIPLICATIVE = frozenset({"nvi", "pvi"})
"""Running products without end: only their ratios are independent of the start."""
ANCHORED = frozenset({"vwap"})
"""Averages from the very first bar: nothing about them is independent of the start."""


@lru_cache(maxsize=4_096)
def warm_up(definition: IndicatorDefinition, values: tuple[float, ...], tolerance: float = EXACT) -> int:
    """Return the bars before the first accurate value; `values` are those of `definition.parameters`, in order.

    Accurate is a value of which at most the fraction `tolerance`, from `EXACT` to `LOOSEST`, depends on the start.
    """
    parameters = {parameter.name: value for parameter, value in zip(definition.parameters, values, strict=True)}
    tail = _TAILS.get(definition.name)
    return look_back(definition, values) + (0 if tail is None else min(tail(Memory(tolerance), parameters), NEVER))


def look_back(definition: IndicatorDefinition, values: tuple[float, ...]) -> int:
    """Return the bars before TA-Lib's first value."""
    arguments = {
        parameter.name: value if parameter.kind is ParameterKind.REAL else int(value)
        for parameter, value in zip(definition.parameters, values, strict=True)
    }
    function = abstract.Function(definition.name, **arguments)  # type: ignore[attr-defined]  # missing in its stubs
    return int(function.lookback)


class Memory:
    """How many bars it takes until what an average remembers of its start has faded to a tolerance."""

    def __init__(self, tolerance: float) -> None:
        self._fraction = tolerance / _MARGIN

    def fading(self, kept: float, stages: int = 1) -> int:
        """Return it for that many equal stages in a row that each keep the fraction `kept` of their past a bar."""
        if kept <= 0:
            return stages
        if kept >= 1:
            return NEVER
        return math.ceil(_gamma_quantile(stages, self._fraction) / -math.log(kept)) + stages

    def ema(self, period: float, stages: int = 1) -> int:
        """Return it for exponential averages of that period."""
        return self.fading((period - 1) / (period + 1), stages)

    def wilder(self, period: float, stages: int = 1) -> int:
        """Return it for Wilder's averages of that period."""
        return self.fading((period - 1) / period, stages)

    def measured(self, bars: int) -> int:
        """Return what `bars`, measured at the default tolerance, are at this one."""
        return math.ceil(bars * math.log(self._fraction) / math.log(EXACT / _MARGIN))

    def average(self, kind: float, period: float) -> int:
        """Return it for a type of moving average, by its number."""
        tail = _AVERAGES.get(MOVING_AVERAGES[int(kind)])
        return 0 if tail is None else tail(self, period)


@lru_cache(maxsize=256)
def _gamma_quantile(shape: int, probability: float) -> float:
    """Return the point beyond which the gamma distribution of a whole shape has that probability, by bisection."""
    low, high = 0.0, 100.0
    while high - low > 1e-9:  # noqa: PLR2004  # far below one bar
        middle = (low + high) / 2
        beyond = math.exp(-middle) * sum(middle**k / math.factorial(k) for k in range(shape))
        low, high = (middle, high) if beyond > probability else (low, middle)
    return high


Tail = Callable[[Memory, Parameters], int]
_AVERAGES: Mapping[str, Callable[[Memory, float], int]] = {
    "ema": Memory.ema,
    "dema": lambda memory, period: memory.ema(period, 2),
    "tema": lambda memory, period: memory.ema(period, 3),
    "kama": lambda memory, _: memory.measured(_KAMA),
    "mama": lambda memory, _: memory.measured(_HILBERT) + memory.fading(1 - 0.05 / 2),
    "t3": lambda memory, period: memory.ema(period, 6),
    "default": Memory.wilder,  # the slowest of those that a function may have as its own
    "zlema": Memory.ema,
    "rma": Memory.wilder,
}


def _of_period(tail: Callable[[Memory, float, int], int], stages: int = 1) -> Tail:
    return lambda memory, p: tail(memory, p["timeperiod"], stages)


def _fast_and_slow(memory: Memory, p: Parameters) -> int:
    return max(memory.average(p["matype"], p["fastperiod"]), memory.average(p["matype"], p["slowperiod"]))


def _macdext(memory: Memory, p: Parameters) -> int:
    lines = (memory.average(p[f"{line}matype"], p[f"{line}period"]) for line in ("fast", "slow"))
    return max(lines) + memory.average(p["signalmatype"], p["signalperiod"])


def _slow_stochastic(memory: Memory, p: Parameters) -> int:
    return sum(memory.average(p[f"{line}_matype"], p[f"{line}_period"]) for line in ("slowk", "slowd"))


def _fast_stochastic(memory: Memory, p: Parameters) -> int:
    return memory.average(p["fastd_matype"], p["fastd_period"])


def _sar(memory: Memory, p: Parameters) -> int:
    return max(_REVERSAL, memory.fading(1 - min(p["acceleration"], p["maximum"])))


def _sarext(memory: Memory, p: Parameters) -> int:
    slowest = min(value for name, value in p.items() if name.startswith("acceleration"))
    return max(_REVERSAL, memory.fading(1 - slowest))


def _supertrend(memory: Memory, p: Parameters) -> int:
    return memory.wilder(p["timeperiod"]) + math.ceil(2 * _REVERSAL * min(max(1.0, p["multiplier"] / 5), NEVER))


_TAILS: Mapping[str, Tail] = {
    **dict.fromkeys(("ema", "eri", "efi", "zlema", "cvi"), _of_period(Memory.ema)),
    **dict.fromkeys(("rma", "atr", "natr", "rsi", "cmo", "rvi"), _of_period(Memory.wilder)),
    **dict.fromkeys(("dx", "plus_di", "plus_dm", "minus_di", "minus_dm"), _of_period(Memory.wilder)),
    **dict.fromkeys(("adx", "adxr"), _of_period(Memory.wilder, 2)),
    **dict.fromkeys(("apo", "ppo", "pvo"), _fast_and_slow),
    **dict.fromkeys(("ma", "bbands"), lambda memory, p: memory.average(p["matype"], p["timeperiod"])),
    **dict.fromkeys(("stoch", "kdj"), _slow_stochastic),
    **dict.fromkeys(("ht_dcperiod", "ht_dcphase", "ht_phasor", "ht_sine"), lambda memory, _: memory.measured(_HILBERT)),
    **dict.fromkeys(("ht_trendmode", "ht_trendline"), lambda memory, _: memory.measured(_HILBERT)),
    "dema": _of_period(Memory.ema, 2),
    "tema": _of_period(Memory.ema, 3),
    "trix": _of_period(Memory.ema, 3),
    "t3": _of_period(Memory.ema, 6),
    "mavp": lambda memory, p: memory.average(p["matype"], p["maxperiod"]),
    "macd": lambda memory, p: memory.ema(max(p["fastperiod"], p["slowperiod"])) + memory.ema(p["signalperiod"]),
    "macdfix": lambda memory, p: memory.ema(26) + memory.ema(p["signalperiod"]),
    "macdext": _macdext,
    "stochf": _fast_stochastic,
    "stochrsi": lambda memory, p: memory.wilder(p["timeperiod"]) + _fast_stochastic(memory, p),
    "smi": lambda memory, p: memory.ema(p["fastperiod"]) + memory.ema(p["slowperiod"]) + memory.ema(p["signalperiod"]),
    "tsi": lambda memory, p: memory.ema(p["firstperiod"]) + memory.ema(p["secondperiod"]),
    "kc": lambda memory, p: max(memory.ema(p["timeperiod"]), memory.wilder(p["atrperiod"])),
    "massi": lambda memory, p: memory.ema(p["fastperiod"], 2),
    "adosc": lambda memory, p: memory.ema(max(p["fastperiod"], p["slowperiod"])),
    "ha": lambda memory, _: memory.fading(0.5),
    "kama": lambda memory, _: memory.measured(_KAMA),
    "mama": lambda memory, p: memory.measured(_HILBERT) + memory.fading(1 - min(p["fastlimit"], p["slowlimit"]) / 2),
    "sar": _sar,
    "sarext": _sarext,
    "supertrend": _supertrend,
}

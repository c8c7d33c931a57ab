"""How many bars an indicator needs before its value no longer depends on where its history began.

TA-Lib's look-back is when the first value comes, not when it is accurate: a recursive average still holds its seed.
The tail after the look-back is how long that memory takes to fade to 1e-10. For one exponential stage that keeps the
fraction r of its past a bar, it is ln(1e-10)/ln(r); for several equal stages in a row the memory follows a gamma
distribution of that shape. Where the recursion adapts to the data (Hilbert transforms, KAMA, MAMA, SAR, Supertrend)
the tails were measured on random walks with and without trend and rounding, and are given with a margin.
The tests measure every function against a long history.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

from talib import abstract

from domain.indicators.catalogue import MOVING_AVERAGES, IndicatorDefinition, ParameterKind

NEVER = 1_000_000_000
"""The warm-up of a function that holds its seed for ever; beyond every bound."""

_QUANTILES = (23.1, 26.8, 30.0, 32.8, 35.4, 38.0)
"""The points beyond which the gamma distribution of shape 1, 2, … 6 has a probability of 1e-10."""
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
def warm_up(definition: IndicatorDefinition, values: tuple[float, ...]) -> int:
    """Return the bars before the first accurate value; `values` are those of `definition.parameters`, in order."""
    parameters = {parameter.name: value for parameter, value in zip(definition.parameters, values, strict=True)}
    tail = _TAILS.get(definition.name)
    return look_back(definition, values) + (0 if tail is None else min(tail(parameters), NEVER))


def look_back(definition: IndicatorDefinition, values: tuple[float, ...]) -> int:
    """Return the bars before TA-Lib's first value."""
    arguments = {
        parameter.name: value if parameter.kind is ParameterKind.REAL else int(value)
        for parameter, value in zip(definition.parameters, values, strict=True)
    }
    function = abstract.Function(definition.name, **arguments)  # type: ignore[attr-defined]  # missing in its stubs
    return int(function.lookback)


def _fading(kept: float, stages: int = 1) -> int:
    if kept <= 0:
        return stages
    if kept >= 1:
        return NEVER
    return math.ceil(_QUANTILES[stages - 1] / -math.log(kept)) + stages


def _ema(period: float, stages: int = 1) -> int:
    return _fading((period - 1) / (period + 1), stages)


def _wilder(period: float, stages: int = 1) -> int:
    return _fading((period - 1) / period, stages)


def _average(kind: float, period: float) -> int:
    tail = _AVERAGES.get(MOVING_AVERAGES[int(kind)])
    return 0 if tail is None else tail(period)


_AVERAGES: Mapping[str, Callable[[float], int]] = {
    "ema": _ema,
    "dema": lambda period: _ema(period, 2),
    "tema": lambda period: _ema(period, 3),
    "kama": lambda _: _KAMA,
    "mama": lambda _: _HILBERT + _fading(1 - 0.05 / 2),
    "t3": lambda period: _ema(period, 6),
    "default": _wilder,  # the slowest of those that a function may have as its own
    "zlema": _ema,
    "rma": _wilder,
}


def _of_period(tail: Callable[[float, int], int], stages: int = 1) -> Callable[[Parameters], int]:
    return lambda p: tail(p["timeperiod"], stages)


def _fast_and_slow(p: Parameters) -> int:
    return max(_average(p["matype"], p["fastperiod"]), _average(p["matype"], p["slowperiod"]))


def _macdext(p: Parameters) -> int:
    lines = max(_average(p["fastmatype"], p["fastperiod"]), _average(p["slowmatype"], p["slowperiod"]))
    return lines + _average(p["signalmatype"], p["signalperiod"])


def _slow_stochastic(p: Parameters) -> int:
    return _average(p["slowk_matype"], p["slowk_period"]) + _average(p["slowd_matype"], p["slowd_period"])


def _fast_stochastic(p: Parameters) -> int:
    return _average(p["fastd_matype"], p["fastd_period"])


def _sar(p: Parameters) -> int:
    return max(_REVERSAL, _fading(1 - min(p["acceleration"], p["maximum"])))


def _sarext(p: Parameters) -> int:
    slowest = min(value for name, value in p.items() if name.startswith("acceleration"))
    return max(_REVERSAL, _fading(1 - slowest))


def _supertrend(p: Parameters) -> int:
    return _wilder(p["timeperiod"]) + math.ceil(2 * _REVERSAL * min(max(1.0, p["multiplier"] / 5), NEVER))


_TAILS: Mapping[str, Callable[[Parameters], int]] = {
    **dict.fromkeys(("ema", "eri", "efi", "zlema", "cvi"), _of_period(_ema)),
    **dict.fromkeys(("rma", "atr", "natr", "rsi", "cmo", "rvi"), _of_period(_wilder)),
    **dict.fromkeys(("dx", "plus_di", "plus_dm", "minus_di", "minus_dm"), _of_period(_wilder)),
    **dict.fromkeys(("adx", "adxr"), _of_period(_wilder, 2)),
    **dict.fromkeys(("apo", "ppo", "pvo"), _fast_and_slow),
    **dict.fromkeys(("ma", "bbands"), lambda p: _average(p["matype"], p["timeperiod"])),
    **dict.fromkeys(("stoch", "kdj"), _slow_stochastic),
    **dict.fromkeys(("ht_dcperiod", "ht_dcphase", "ht_phasor", "ht_sine"), lambda _: _HILBERT),
    **dict.fromkeys(("ht_trendmode", "ht_trendline"), lambda _: _HILBERT),
    "dema": _of_period(_ema, 2),
    "tema": _of_period(_ema, 3),
    "trix": _of_period(_ema, 3),
    "t3": _of_period(_ema, 6),
    "mavp": lambda p: _average(p["matype"], p["maxperiod"]),
    "macd": lambda p: _ema(max(p["fastperiod"], p["slowperiod"])) + _ema(p["signalperiod"]),
    "macdfix": lambda p: _ema(26) + _ema(p["signalperiod"]),
    "macdext": _macdext,
    "stochf": _fast_stochastic,
    "stochrsi": lambda p: _wilder(p["timeperiod"]) + _fast_stochastic(p),
    "smi": lambda p: _ema(p["fastperiod"]) + _ema(p["slowperiod"]) + _ema(p["signalperiod"]),
    "tsi": lambda p: _ema(p["firstperiod"]) + _ema(p["secondperiod"]),
    "kc": lambda p: max(_ema(p["timeperiod"]), _wilder(p["atrperiod"])),
    "massi": lambda p: _ema(p["fastperiod"], 2),
    "adosc": lambda p: _ema(max(p["fastperiod"], p["slowperiod"])),
    "ha": lambda _: _fading(0.5),
    "kama": lambda _: _KAMA,
    "mama": lambda p: _HILBERT + _fading(1 - min(p["fastlimit"], p["slowlimit"]) / 2),
    "sar": _sar,
    "sarext": _sarext,
    "supertrend": _supertrend,
}

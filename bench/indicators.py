"""An indicator over 1,000,000 minute candles by the engine, over the same call of TA-Lib made directly.

The engine's way begins with the candles' arrays, as a strategy and `market.indicator` hold them: the indicator is found
by its name, its parameters are checked against the catalogue, TA-Lib is called, the look-back is masked, and noise,
infinities and the whole numbers of patterns are made plain ones. The bare call has its parameters in place already.
Both take turns, and processor time is compared, since nothing waits and neither uses a second thread.
"""

import sys
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

import numpy as np
import talib

from bench.figures import Figure, report
from domain.indicators.candle_arrays import CandleArrays
from domain.indicators.compute import compute_indicator

CANDLES, RUNS = 1_000_000, 41
TARGET_RATIO = 1.2
INDICATORS: tuple[tuple[str, dict[str, int], tuple[str, ...]], ...] = (
    ("sma", {"timeperiod": 20}, ("close",)),
    ("ema", {"timeperiod": 20}, ("close",)),
    ("rsi", {"timeperiod": 14}, ("close",)),
    ("macd", {"fastperiod": 12, "slowperiod": 26, "signalperiod": 9}, ("close",)),
    ("bbands", {"timeperiod": 20}, ("close",)),
    ("mom", {"timeperiod": 10}, ("close",)),
    ("linearreg", {"timeperiod": 14}, ("close",)),
    ("atr", {"timeperiod": 14}, ("high", "low", "close")),
    ("adx", {"timeperiod": 14}, ("high", "low", "close")),
    ("stoch", {}, ("high", "low", "close")),
    ("obv", {}, ("close", "volume")),
    ("cdlengulfing", {}, ("open", "high", "low", "close")),
)


def measure(candles: int, runs: int) -> None:
    arrays = _walk(candles)
    rows: list[list[Any]] = []
    for name, parameters, inputs in INDICATORS:
        ours, bare = _both(arrays, name, parameters, inputs, runs)
        written = f"{name}({', '.join(map(str, parameters.values()))})"
        rows.append([written, runs, ours * 1000, bare * 1000, ours / bare])
    _report(candles, rows)


def _walk(candles: int) -> CandleArrays:
    """Return minute candles of a random walk on a grid of hundredths."""
    random = np.random.default_rng(1)
    close = 60_000 * np.exp(np.cumsum(random.normal(0, 1e-4, candles)))
    opened = np.concatenate([[60_000.0], close[:-1]])
    high = np.maximum(opened, close) + random.lognormal(0, 1, candles)
    low = np.minimum(opened, close) - random.lognormal(0, 1, candles)
    volume = random.lognormal(1, 1, candles)
    return CandleArrays(
        *(np.round(series, 2) for series in (opened, high, low, close)), np.round(volume, 5), gapless=True
    )


def _both(
    arrays: CandleArrays, name: str, parameters: dict[str, int], inputs: tuple[str, ...], runs: int
) -> tuple[float, float]:
    """Return the median seconds of both ways, whose last values must be the same."""
    given = {parameter: Decimal(value) for parameter, value in parameters.items()}
    series = [arrays.series(each) for each in inputs]
    call = getattr(talib, name.upper())
    outputs = compute_indicator(name, given, arrays)
    bare = call(*series, **parameters)
    for ours, theirs in zip(outputs.values(), bare if isinstance(bare, tuple) else (bare,), strict=True):
        np.testing.assert_allclose(ours[len(ours) // 2 :], theirs[len(ours) // 2 :], atol=1e-6)
    times = [
        (_timed(lambda: compute_indicator(name, given, arrays)), _timed(lambda: call(*series, **parameters)))
        for _ in range(runs)
    ]
    return median(ours for ours, _ in times), median(bare for _, bare in times)


def _timed(action: Callable[[], object]) -> float:
    began = time.thread_time()
    action()
    return time.thread_time() - began


def _report(candles: int, rows: list[list[Any]]) -> None:
    ours, bare = (sum(row[column] for row in rows) for column in (2, 3))
    ratio = ours / bare
    worst = max(rows, key=lambda row: row[4])
    rows.append(["all", "", ours, bare, ratio])
    within = sum(row[4] <= TARGET_RATIO for row in rows[:-1])
    measured = (
        f"{ratio:.2f} times, {len(rows) - 1} of them together; {within} each within it, {worst[0]} {worst[4]:.1f}"
    )
    name = f"indicator over {candles:,} candles, over bare TA-Lib"
    figure = Figure(name, measured, f"≤ {TARGET_RATIO:g} times", ratio <= TARGET_RATIO)
    report("indicators", ["indicator", "runs", "engine ms", "TA-Lib ms", "ratio"], rows, [figure])


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    measure(*(given or [CANDLES, RUNS]))

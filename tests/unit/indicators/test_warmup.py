"""After its warm-up an indicator's value no longer depends on where its history began."""

import numpy as np
import pytest

from domain.indicators.catalogue import IndicatorDefinition, catalogue, indicator
from domain.indicators.compute import compute, parameter_values
from domain.indicators.warmup import ADDITIVE, ANCHORED, MULTIPLICATIVE, NEVER, look_back, warm_up
from tests.support.candles import random_candles

CUMULATIVE = ADDITIVE | MULTIPLICATIVE | ANCHORED
OTHERS = {
    "adx": [{"timeperiod": 5}, {"timeperiod": 30}],
    "adxr": [{"timeperiod": 40}],
    "adosc": [{"fastperiod": 10, "slowperiod": 3}, {"fastperiod": 5, "slowperiod": 60}],
    "apo": [{"matype": kind} for kind in (0, 3, 4, 8, 9, 11, 12, 13)],
    "atr": [{"timeperiod": 1}, {"timeperiod": 50}],
    "bbands": [{"matype": kind} for kind in (1, 6, 7, 8, 13)],
    "cmo": [{"timeperiod": 40}],
    "cvi": [{"timeperiod": 30, "rocperiod": 3}],
    "dema": [{"timeperiod": 1}, {"timeperiod": 9}, {"timeperiod": 120}],
    "dx": [{"timeperiod": 3}],
    "efi": [{"timeperiod": 60}],
    "ema": [{"timeperiod": 1}, {"timeperiod": 2}, {"timeperiod": 200}],
    "eri": [{"timeperiod": 40}],
    "fractal": [{"leftbars": 5, "rightbars": 3}],
    "kama": [{"timeperiod": 3}, {"timeperiod": 60}],
    "kc": [{"timeperiod": 50, "atrperiod": 3}, {"timeperiod": 5, "atrperiod": 30}],
    "kdj": [{"slowk_period": 10, "slowd_matype": 1, "slowd_period": 20}],
    "linearreg": [{"timeperiod": 100}],
    "ma": [{"matype": kind, "timeperiod": 20} for kind in range(14)],
    "macd": [{"fastperiod": 50, "slowperiod": 20, "signalperiod": 1}, {"signalperiod": 60}],
    "macdext": [{"fastmatype": 1, "slowmatype": 13, "signalmatype": 4}],
    "macdfix": [{"signalperiod": 30}],
    "mama": [{"fastlimit": 0.3, "slowlimit": 0.1}],
    "massi": [{"fastperiod": 20, "slowperiod": 50}],
    "mavp": [{"matype": 1}, {"maxperiod": 60}],
    "natr": [{"timeperiod": 30}],
    "plus_di": [{"timeperiod": 1}, {"timeperiod": 30}],
    "plus_dm": [{"timeperiod": 1}],
    "ppo": [{"fastperiod": 40, "slowperiod": 5}],
    "pvo": [{"matype": 13}],
    "rma": [{"timeperiod": 90}],
    "rsi": [{"timeperiod": 2}, {"timeperiod": 100}],
    "rvi": [{"timeperiod": 30, "stddevperiod": 5}],
    "sar": [{"acceleration": 0.05, "maximum": 0.1}],
    "smi": [{"timeperiod": 5, "fastperiod": 20, "slowperiod": 5, "signalperiod": 30}],
    "stoch": [{"slowk_matype": 1, "slowd_matype": 13, "slowk_period": 8, "slowd_period": 9}],
    "stochf": [{"fastd_matype": 13, "fastd_period": 20}],
    "stochrsi": [{"timeperiod": 30, "fastd_matype": 1, "fastd_period": 9}],
    "supertrend": [{"timeperiod": 20, "multiplier": 5}],
    "t3": [{"timeperiod": 20}, {"timeperiod": 40, "vfactor": 1.0}, {"timeperiod": 10, "vfactor": 0.0}],
    "tema": [{"timeperiod": 80}],
    "trix": [{"timeperiod": 10}],
    "tsi": [{"firstperiod": 5, "secondperiod": 40}],
    "zlema": [{"timeperiod": 60}],
}
CASES = [
    pytest.param(definition, parameters, id=f"{definition.name}{list(parameters.values()) or ''}")
    for definition in catalogue()
    if definition.name not in CUMULATIVE
    for parameters in [{}, *OTHERS.get(definition.name, [])]
]
LENGTH = 7_500
WALKS = [random_candles(LENGTH, 1), random_candles(LENGTH, 2, volatility=0.0005, drift=0.0001, tick=0.1)]
PERIODS = np.clip(np.random.default_rng(3).integers(2, 60, LENGTH), 2, 60).astype(np.float64)
ENDS = (LENGTH - 1, LENGTH - 2, LENGTH - 341, LENGTH - 1_200)


@pytest.mark.parametrize(("definition", "parameters"), CASES)
def test_a_value_over_the_warm_up_window_is_that_over_a_long_history(
    definition: IndicatorDefinition, parameters: dict[str, float]
) -> None:
    values = parameter_values(definition, parameters)
    bars = warm_up(definition, values)
    for candles in WALKS:
        inputs = [PERIODS if name == "periods" else candles.series(name) for name in definition.inputs]
        history = compute(definition, inputs, values, look_back(definition, values))
        for end in ENDS:
            window = compute(definition, [series[end - bars : end + 1] for series in inputs], values, bars)
            for whole, part in zip(history, window, strict=True):
                scale = max(
                    abs(whole[end]), float(np.nanmedian(np.abs(whole[1_500:]))) if np.isfinite(whole).any() else 0
                )
                np.testing.assert_allclose(part[-1], whole[end], rtol=1e-9, atol=1e-9 * scale, equal_nan=True)


@pytest.mark.parametrize("definition", [pytest.param(definition, id=definition.name) for definition in catalogue()])
def test_no_indicator_sees_the_future(definition: IndicatorDefinition) -> None:
    candles = random_candles(400, 5)
    values = parameter_values(definition, {})
    inputs = [PERIODS[:400] if name == "periods" else candles.series(name) for name in definition.inputs]
    hidden = look_back(definition, values)
    whole = compute(definition, inputs, values, hidden)
    cut = compute(definition, [series[:333] for series in inputs], values, hidden)
    for all_bars, first_bars in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(all_bars[:333], first_bars)


@pytest.mark.parametrize("name", ["cdlhikkake", "cdlhikkakemod", "cdlengulfing", "cdldoji", "cdleveningstar"])
def test_a_pattern_is_seen_in_a_window_wherever_it_is_seen_in_the_history(name: str) -> None:
    definition = indicator(name)
    assert definition is not None
    candles = random_candles(2_500, 9, volatility=0.01, gap=1.0)
    inputs = [candles.series(series) for series in definition.inputs]
    values = parameter_values(definition, {})
    bars = warm_up(definition, values)
    (whole,) = compute(definition, inputs, values, bars)
    parts = [
        compute(definition, [s[end - bars : end + 1] for s in inputs], values, bars)[0][-1] for end in range(50, 2_500)
    ]
    assert np.count_nonzero(whole[50:]) > 0
    np.testing.assert_array_equal(whole[50:], parts)


def test_the_look_back_alone_is_wrong_which_is_why_there_is_a_warm_up() -> None:
    definition = indicator("adx")
    assert definition is not None
    candles = random_candles(3_000, 1)
    inputs = [candles.series(name) for name in definition.inputs]
    whole = compute(definition, inputs, (14.0,), 27)[0][-1]
    window = compute(definition, [series[-28:] for series in inputs], (14.0,), 27)[0][-1]
    assert abs(window / whole - 1) > 0.01


def test_an_average_that_never_forgets_never_warms_up() -> None:
    definition = indicator("sar")
    assert definition is not None
    assert warm_up(definition, (0.0, 0.0)) >= NEVER

"""Candles that are known to have no gap are computed in one go, to the same values as those that are looked through."""

from dataclasses import replace

import numpy as np
import pytest

from domain.indicators.candle_arrays import CandleArrays
from domain.indicators.catalogue import IndicatorDefinition, catalogue
from domain.indicators.compute import compute_indicator
from tests.support.candles import flat_candles, random_candles

NOTHING_TRADED = CandleArrays(*(np.zeros(300) for _ in range(5)))
MARKETS = [
    pytest.param(random_candles(400, 5, tick=1.0), id="moving"),
    pytest.param(flat_candles(300), id="still"),
    pytest.param(NOTHING_TRADED, id="nothing but zeros"),
]


@pytest.mark.parametrize("candles", MARKETS)
@pytest.mark.parametrize("definition", [pytest.param(definition, id=definition.name) for definition in catalogue()])
def test_no_value_depends_on_what_is_known_of_gaps_and_none_is_infinite(
    definition: IndicatorDefinition, candles: CandleArrays
) -> None:
    looked_through = compute_indicator(definition.name, {}, candles)
    known = compute_indicator(definition.name, {}, replace(candles, gapless=True))
    for name, values in known.items():
        np.testing.assert_array_equal(values, looked_through[name])
        assert not np.isinf(values).any()


def test_values_start_again_after_a_gap_also_before_whole_stretches() -> None:
    candles = random_candles(200, 6)
    broken = candles.close.copy()
    broken[100] = np.nan
    values = compute_indicator("mom", {"timeperiod": 10}, replace(candles, close=broken))["real"]
    assert np.flatnonzero(np.isnan(values)).tolist() == [*range(10), *range(100, 111)]
    np.testing.assert_array_equal(values[10:100], candles.close[10:100] - candles.close[:90])


def test_a_part_of_gapless_candles_is_gapless() -> None:
    candles = replace(random_candles(50, 7), gapless=True)
    assert candles.last(10).gapless
    assert candles.first(10).gapless

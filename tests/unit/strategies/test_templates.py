"""Every template is valid, warms up within reach, and trades on candles that look like a market."""

from dataclasses import replace

import numpy as np
import pytest

from domain.indicators.candle_arrays import CandleArrays
from domain.model.markets import Timeframe
from domain.model.strategy_templates import StrategyTemplate
from domain.strategies.compiled import CompiledStrategy, compile_definition
from domain.strategies.templates import TEMPLATES
from domain.strategies.validation import unsupported_errors, validate
from tests.support.candles import random_candles, timed

TEMPLATE = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
STRETCHES = (0.0003, -0.0004, 0.0, 0.0008, -0.0002)
"""The drifts of the stretches of a market, one after the other: up, down, sideways."""


def market() -> CandleArrays:
    """Return candles of an hour with trends both ways and a swing of several days."""
    stretches = [random_candles(1_500, seed, volatility=0.004, drift=drift) for seed, drift in enumerate(STRETCHES)]
    bars = np.arange(len(STRETCHES) * 1_500)
    factors = np.concatenate([[1.0], np.cumprod([stretch.close[-1] / 1_000 for stretch in stretches])[:-1]])
    level = np.repeat(factors, 1_500) * (1 + 0.1 * np.sin(bars / 60))
    series = {
        name: np.concatenate([stretch.series(name) for stretch in stretches]) * level
        for name in ("open", "high", "low", "close")
    }
    volume = np.concatenate([stretch.volume for stretch in stretches])
    return timed(CandleArrays(**series, volume=volume), Timeframe.H1)


MARKET = market()


def compiled(template: StrategyTemplate) -> CompiledStrategy:
    return compile_definition(template.definition, timeframe=Timeframe.H1)


@TEMPLATE
def test_a_template_is_valid_and_can_be_traded(template: StrategyTemplate) -> None:
    result = validate(template.definition)
    assert result.errors == ()
    assert result.lookback is not None
    assert result.lookback <= 5_000
    assert unsupported_errors(template.definition) == []


@TEMPLATE
def test_a_template_enters_and_leaves(template: StrategyTemplate) -> None:
    strategy = compiled(template)
    signals = strategy.evaluate(MARKET)
    assert 3 <= np.count_nonzero(signals.enter_long) < len(MARKET) / 3
    assert signals.exit_long.any() or template.definition.take_profit is not None


@TEMPLATE
def test_a_template_leaves_on_other_candles_than_it_enters(template: StrategyTemplate) -> None:
    signals = compiled(template).evaluate(MARKET)
    both = np.count_nonzero(signals.enter_long & signals.exit_long)
    assert both <= np.count_nonzero(signals.enter_long) / 10


@TEMPLATE
def test_a_templates_newest_signal_is_that_of_its_history(template: StrategyTemplate) -> None:
    strategy = compiled(template)
    signals = strategy.evaluate(MARKET)
    entries = np.flatnonzero(signals.enter_long)[:20]
    for bar in (*entries.tolist(), *(entries + 1).tolist()):
        latest = strategy.latest(MARKET.first(bar + 1))
        assert (latest.enter_long, latest.exit_long) == (signals.enter_long[bar], signals.exit_long[bar])


@TEMPLATE
def test_a_template_is_described(template: StrategyTemplate) -> None:
    assert template.name.isidentifier()
    assert template.title
    assert template.description.endswith(".")
    assert any(character.isdigit() for character in template.source)  # when it was published
    assert template.differences is not None
    assert template.differences.endswith(".")


def test_templates_have_names_and_definitions_of_their_own() -> None:
    assert len(TEMPLATES) >= 15
    assert len({template.name for template in TEMPLATES}) == len(TEMPLATES)
    rules = {replace(template.definition, sizing=TEMPLATES[0].definition.sizing) for template in TEMPLATES}
    assert len(rules) == len(TEMPLATES)


def test_a_template_needs_no_other_values_than_its_parameters_ranges() -> None:
    for template in TEMPLATES:
        for parameter in template.definition.parameters:
            assert parameter.min is not None
            assert parameter.max is not None
            assert parameter.min < parameter.default < parameter.max or parameter.default in {
                parameter.min,
                parameter.max,
            }
            assert parameter.step is not None
            assert (parameter.default - parameter.min) % parameter.step == 0

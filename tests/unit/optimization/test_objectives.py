from dataclasses import replace
from decimal import Decimal

import pytest

from domain.model.optimizations import OptimizationObjective
from domain.optimization.objectives import score
from domain.performance.metrics import MetricsInput, metrics

NOTHING = metrics(MetricsInput("USDT", (), (), Decimal(100), Decimal(0), Decimal(0), {}))
TRADED = replace(NOTHING, round_trips=3, net_profit=Decimal(-7), sharpe=1.5, sortino=2.5, calmar=3.5, profit_factor=0.5)


@pytest.mark.parametrize("objective", list(OptimizationObjective))
def test_not_to_trade_is_no_score(objective: OptimizationObjective) -> None:
    assert score(objective, replace(TRADED, round_trips=0)) is None


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        (OptimizationObjective.NET_PROFIT, -7),
        (OptimizationObjective.SHARPE, 1.5),
        (OptimizationObjective.SORTINO, 2.5),
        (OptimizationObjective.CALMAR, 3.5),
        (OptimizationObjective.PROFIT_FACTOR, 0.5),
    ],
)
def test_each_objective_is_a_metric_of_its_own(objective: OptimizationObjective, value: float) -> None:
    assert score(objective, TRADED) == value


@pytest.mark.parametrize("name", ["sharpe", "sortino", "calmar", "profit_factor"])
def test_a_metric_without_a_value_is_no_score(name: str) -> None:
    without = replace(TRADED, **{name: None})
    assert score(OptimizationObjective[name.upper()], without) is None

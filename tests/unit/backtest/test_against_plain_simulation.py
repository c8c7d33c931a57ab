"""The engine makes the trades that the rules in the docs make when they are followed one by one."""

import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtest.engine import run_backtest
from domain.model.definitions import ExitDistance
from domain.rules.costs import FeeCurrency, TradingCosts
from tests.support.backtests import a_plan, bars_at, signalled
from tests.support.plain_simulation import ENTER, EXIT, PlainRules, PlainSimulation, Row

D = Decimal

plain_rules = st.builds(
    PlainRules,
    amount=st.just(D(100)),
    stop_loss=st.sampled_from([None, D("0.5"), D(2)]),
    take_profit=st.sampled_from([None, D("0.7"), D(3)]),
    trailing_stop=st.sampled_from([None, D("0.8"), D(2)]),
    longest=st.sampled_from([None, 1, 5]),
    fee=st.sampled_from([D(0), D("0.001"), D("0.0006")]),
    slippage=st.sampled_from([D(0), D(3), D(50)]),
    fees_in_quote=st.booleans(),
)


def signalled_rows(seed: int, count: int = 150) -> list[Row]:
    """Return a walk of 1 % a bar with gaps, that signals often."""
    chance, price, rows = random.Random(seed), 100.0, list[Row]()
    for _ in range(count):
        opened = round(price * (1 + chance.gauss(0, 0.004)) if chance.random() < 0.3 else price, 2)
        price = round(opened * (1 + chance.gauss(0, 0.01)), 2)
        high = round(max(opened, price) * (1 + abs(chance.gauss(0, 0.006))), 2)
        low = round(min(opened, price) * (1 - abs(chance.gauss(0, 0.006))), 2)
        rows.append((opened, high, low, price, chance.choice([0.0, 0.0, 0.0, ENTER, ENTER, EXIT])))
    return rows


@settings(max_examples=150, deadline=None)
@given(plain_rules, st.integers(0, 100_000))
def test_every_fill_and_the_equity_are_those_of_the_rules_taken_one_by_one(rules: PlainRules, seed: int) -> None:
    rows = signalled_rows(seed)
    expected = PlainSimulation(rules, D(1_000))
    expected.run(rows)
    currency = FeeCurrency.QUOTE if rules.fees_in_quote else FeeCurrency.RECEIVED
    definition = signalled(
        stop_loss=_distance(rules.stop_loss),
        take_profit=_distance(rules.take_profit),
        trailing_stop=_distance(rules.trailing_stop),
        max_holding_bars=rules.longest,
    )
    plan = a_plan(definition, TradingCosts(rules.fee, rules.fee, rules.slippage, currency))
    result = run_backtest(plan, bars_at(*rows))
    assert [(fill.bar, fill.role.value, fill.price, fill.quantity) for fill in result.fills] == expected.fills
    assert result.metrics.end_equity == expected.equity


def _distance(percent: Decimal | None) -> ExitDistance | None:
    return None if percent is None else ExitDistance(percent=percent)

"""An alert on a price names the price that crossed the level."""

from datetime import timedelta
from decimal import Decimal
from typing import cast
from uuid import UUID

import pytest

from domain.alerts.price_rules import PriceGroup
from domain.alerts.triggers import WatchedRule, watch
from domain.market_data.hub import MarketDataHub
from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRule, AlertRuleStatus
from domain.model.alerts import AlertCondition
from domain.model.markets import Candle, Timeframe
from domain.ports.unit_of_work import Database
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from tests.support.clocks import ManualClock
from tests.support.orders import BTC


class Watching:
    """One rule at 100, armed, and the values with which it fired."""

    def __init__(self, direction: AlertDirection) -> None:
        self.clock = ManualClock()
        self.fired: list[str | None] = []
        hub = MarketDataHub(EmbeddedBus(), EmbeddedCache(self.clock), cast("Database", None), self.clock)
        self.group = PriceGroup(BTC, hub, self.clock, lambda _rule, _at, value: self.fired.append(value))
        self.group.rules = [self._armed(direction)]

    def _armed(self, direction: AlertDirection) -> WatchedRule:
        once, active, now = AlertRepeat.ONCE, AlertRuleStatus.ACTIVE, self.clock.now()
        rule = AlertRule(
            UUID(int=1), UUID(int=2), "rule", AlertCondition.PRICE, once, 0, active, now, market=BTC,
            direction=direction, level=Decimal(100), is_armed=True,
        )  # fmt: skip
        return watch(rule, now)


@pytest.mark.parametrize(
    ("direction", "prices", "reached"),
    [
        (AlertDirection.ABOVE, [101, 99], "101"),
        (AlertDirection.BELOW, [99, 101], "99"),
    ],
)
def test_it_is_the_price_that_crossed_though_a_later_one_is_back(
    direction: AlertDirection, prices: list[int], reached: str
) -> None:
    watching = Watching(direction)
    watching.group.on_prices([Decimal(price) for price in prices])
    assert watching.fired == [reached]


@pytest.mark.parametrize(("direction", "reached"), [(AlertDirection.ABOVE, "103"), (AlertDirection.BELOW, "97")])
def test_of_a_candle_it_is_the_extreme_that_crossed_and_not_the_close(direction: AlertDirection, reached: str) -> None:
    watching = Watching(direction)
    high, low, close, start = Decimal(103), Decimal(97), Decimal(100), watching.clock.now()
    candle = Candle(BTC, Timeframe.M1, start, close, high, low, close, Decimal(1), closed=True)
    watching.clock.move(timedelta(minutes=1).total_seconds())
    watching.group.on_candle(candle)
    assert watching.fired == [reached]

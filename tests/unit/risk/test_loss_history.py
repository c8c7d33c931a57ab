from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from domain.model.markets import MarketSymbol
from domain.model.trading import Position, RiskLimits
from domain.risk.context import LossRecord
from domain.risk.loss_history import compute_losses, day_start, needs_history
from tests.support.orders import BTC, NOW, D, an_order

MIDNIGHT = NOW.replace(hour=0, minute=0)


def closed(profit: object, hours_ago: float = 1, market: MarketSymbol = BTC) -> Position:
    order, at = an_order(), NOW - timedelta(hours=hours_ago)
    profit = D(str(profit))
    return Position(order.id, order.user_id, order.account_id, market, None, at, realized_profit=profit, closed_at=at)


def held(quantity: object, average: object, realized: object = 0) -> Position:
    order = an_order()
    return Position(
        order.id, order.user_id, order.account_id, BTC, None, NOW, D(str(quantity)),
        average_price=D(str(average)), realized_profit=D(str(realized)),
    )  # fmt: skip


def record(past: Sequence[Position], opened: Sequence[Position] = (), equity: object = 1000) -> LossRecord:
    def rate_of(market: MarketSymbol) -> Decimal | None:
        return D(1) if market == BTC else None

    return compute_losses(past, opened, D(str(equity)), rate_of, lambda _market: D(90), MIDNIGHT)


def test_the_days_loss_is_that_of_round_trips_ended_today_and_of_open_positions() -> None:
    losses = record([closed(-30), closed(10, 2), closed(-500, 20)], [held(1, 100, realized=-1)])
    assert losses.daily_loss == 30 - 10 + 1 + 10


def test_a_profitable_day_is_a_negative_loss() -> None:
    assert record([closed(25)]).daily_loss == -25


def test_losses_in_a_row_are_counted_from_the_newest() -> None:
    losses = record([closed(-1), closed(-2, 2), closed(5, 3), closed(-4, 4)])
    assert (losses.losing_streak, losses.last_loss_at) == (2, NOW - timedelta(hours=1))
    assert record([closed(1), closed(-2)]).losing_streak == 0
    assert record([]).last_loss_at is None


@pytest.mark.parametrize(
    ("profits", "percent"), [([], 0), ([100], 0), ([-250], 20), ([-50, -200], 20), ([150, -400, 100], 20)]
)
def test_drawdown_is_measured_from_the_highest_equity_computed_backwards(profits: list[int], percent: int) -> None:
    assert record([closed(profit) for profit in profits]).drawdown_percent == percent


def test_a_loss_without_a_known_rate_counts_as_nothing() -> None:
    losses = record([closed(-100, market=MarketSymbol("sandbox", "X/Y"))])
    assert (losses.daily_loss, losses.losing_streak) == (0, 0)


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(None, MIDNIGHT), (0, MIDNIGHT), (12, NOW.replace(minute=0)), (13, NOW.replace(minute=0) - timedelta(hours=23))],
)
def test_the_day_begins_at_the_reset_hour(hour: int | None, expected: datetime) -> None:
    assert day_start(NOW, hour) == expected


def test_only_limits_on_losses_need_history() -> None:
    assert not needs_history(RiskLimits(max_open_orders=1, price_collar_percent=D(1)))
    assert needs_history(RiskLimits(cool_down_losses=1))

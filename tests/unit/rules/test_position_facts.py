"""What rules see of a position: the candles since its entry, and its profit by its direction."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.rules.position_facts import position_facts

OPENED = datetime(2026, 11, 22, 10, 7, 30, tzinfo=UTC)
QUARTER = OPENED.replace(minute=0, second=0)


def candle(opened: datetime, close: str) -> Candle:
    price = Decimal(close)
    market = MarketSymbol("sandbox", "BTC/USDT")
    return Candle(market, Timeframe.M15, opened, price, price, price, price, Decimal(1), closed=True)


@pytest.mark.parametrize(("minutes", "bars"), [(-15, 0), (0, 0), (15, 1), (60, 4)])
def test_bars_count_the_candles_that_closed_after_the_entrys(minutes: int, bars: int) -> None:
    facts = position_facts(OPENED, Decimal(100), Decimal(1), candle(QUARTER + timedelta(minutes=minutes), "100"))
    assert facts.bars == bars


@pytest.mark.parametrize(("quantity", "close", "percent"), [("2", "103", 3), ("2", "95", -5), ("-2", "95", 5)])
def test_profit_is_the_change_from_the_entry_price_by_the_direction(quantity: str, close: str, percent: float) -> None:
    facts = position_facts(OPENED, Decimal(100), Decimal(quantity), candle(QUARTER, close))
    assert facts.profit_percent == pytest.approx(percent)
    assert facts.entry_price == 100

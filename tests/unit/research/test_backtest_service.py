"""The period of a backtest."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.model.markets import MarketSymbol, Timeframe
from domain.research.backtest_service import BacktestRequest, closed_end

NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)


def test_a_period_has_no_candle_that_is_open_when_it_is_asked_for() -> None:
    """If the job runs again after the candle's close, it finds the same candles and has the same hash."""
    now, start = NOON + timedelta(minutes=30, seconds=1), NOON - timedelta(days=1)
    for end in (NOON + timedelta(minutes=1), now, NOON + timedelta(days=1)):
        request = BacktestRequest(
            None, None, MarketSymbol("sandbox", "BTC/USDT"), Timeframe.H1, start, end, Decimal(1_000)
        )
        assert closed_end(request, now) == NOON


def test_an_earlier_end_stays_as_it_is() -> None:
    end = NOON - timedelta(minutes=7)
    request = BacktestRequest(
        None, None, MarketSymbol("sandbox", "BTC/USDT"), Timeframe.H1, NOON - timedelta(days=1), end, Decimal(1_000)
    )
    assert closed_end(request, NOON) == end

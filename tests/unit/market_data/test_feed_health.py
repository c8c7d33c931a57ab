from domain.market_data.feed_health import FeedHealth
from domain.model.markets import FeedState, MarketSymbol
from tests.support.clocks import ManualClock

MARKET = MarketSymbol("sandbox", "BTC/USDT")


def test_a_feed_is_live_with_its_first_book_and_stale_after_silence() -> None:
    clock = ManualClock()
    health = FeedHealth(MARKET, clock, 10)
    assert health.status.state is FeedState.RECONNECTING
    health.on_depth()
    live = health.status
    assert live.state is FeedState.LIVE
    clock.move(10)
    assert health.status == live
    clock.move(0.1)
    assert (health.status.state, health.status.since) == (FeedState.STALE, clock.now())
    health.on_depth()
    assert health.status.state is FeedState.LIVE


def test_lost_books_and_lost_trades_are_reconnecting() -> None:
    health = FeedHealth(MARKET, ManualClock(), 10)
    health.on_depth()
    health.on_trades()
    assert (health.status.state, health.trades_connected) == (FeedState.LIVE, True)
    health.on_trades_lost()
    assert (health.status.state, health.trades_connected) == (FeedState.RECONNECTING, False)
    health.on_trades()
    health.on_depth_lost()
    assert health.status.state is FeedState.RECONNECTING


def test_trades_that_were_never_found_leave_a_good_book_good() -> None:
    health = FeedHealth(MARKET, ManualClock(), 10)
    health.on_depth()
    health.on_trades_lost()
    assert health.status.state is FeedState.LIVE

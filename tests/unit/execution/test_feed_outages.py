"""When a market counts as unwatched, and when its prices count as back."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from domain.execution.feed_outages import FeedOutages
from domain.model.markets import FeedState, FeedStatus
from tests.support.clocks import ManualClock
from tests.support.orders import BTC

LIVE, LOST = FeedState.LIVE, FeedState.RECONNECTING


class Feed:
    """A view of one market whose feed is as a test says."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.catalogue: dict[Any, Any] = {BTC: SimpleNamespace(active=True)}
        self.state = LIVE
        view: Any = self
        self.outages = FeedOutages(view, self.clock, 60)

    def status(self, _market: object) -> FeedStatus:
        return FeedStatus(BTC, self.state, datetime(2024, 8, 8, tzinfo=UTC))

    def wait(self, seconds: int, state: FeedState) -> bool | None:
        """Look each second; return whether the outage is long at the end, None if there is none."""
        self.state = state
        outage = None
        for _ in range(seconds):
            outage = self.outages.of(BTC)
            self.clock.move(1)
        return None if outage is None else outage.is_long


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_an_outage_is_long_after_the_patience_and_ends_once_prices_have_come_for_a_quarter_of_it(feed: Feed) -> None:
    assert feed.wait(5, LIVE) is None
    assert feed.wait(60, LOST) is False
    assert feed.wait(1, LOST) is True
    assert feed.wait(15, LIVE) is True
    assert feed.wait(1, LIVE) is None


def test_a_feed_that_comes_for_moments_alone_is_out_all_the_while(feed: Feed) -> None:
    for _ in range(4):
        assert feed.wait(10, LOST) is False
        assert feed.wait(3, LIVE) is False
    assert feed.wait(10, LOST) is True
    assert feed.wait(5, LIVE) is True


def test_a_short_outage_does_not_become_long_while_prices_come_again(feed: Feed) -> None:
    assert feed.wait(55, LOST) is False
    assert feed.wait(15, LIVE) is False
    assert feed.wait(1, LIVE) is None
    assert feed.wait(60, LOST) is False

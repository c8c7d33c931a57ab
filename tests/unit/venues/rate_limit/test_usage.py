import pytest

from domain.ports.market_data import VenueUnreachable
from infra.venues.rate_limit.usage import OrderCountTracker, ResponseCounter
from tests.support.clocks import ManualClock

LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 3},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 10},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 9},
]


def test_limits_are_learnt_from_the_venue() -> None:
    responses = ResponseCounter()
    assert responses.read_limits(LIMITS) == 1200
    assert responses.order_limits == {"10s": 3, "1d": 10}
    assert responses.read_limits(None) is None


def test_an_account_that_has_placed_all_its_orders_places_none_until_the_interval_is_over() -> None:
    clock, responses = ManualClock(), ResponseCounter()
    responses.read_limits(LIMITS)
    counts = OrderCountTracker(clock, responses)
    for number in "12":
        counts.observe({"x-mbx-order-count-10s": number, "x-mbx-order-count-1d": number})
        counts.check()
    counts.observe({"x-mbx-order-count-10s": "3", "x-mbx-order-count-1d": "3"})
    with pytest.raises(VenueUnreachable, match="3 orders of an account in 10s") as refused:
        counts.check()
    assert refused.value.retry_after_seconds == 10
    clock.move(10)
    counts.check()
    counts.observe({"x-mbx-order-count-10s": "1", "x-mbx-order-count-1d": "10"})
    with pytest.raises(VenueUnreachable, match="10 orders of an account in 1d"):
        counts.check()

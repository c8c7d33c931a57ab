"""So many requests a minute, on all nodes together, and never more."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.core.errors import FaultCode
from domain.users.request_rates import (
    PORTIONS,
    RequestLimit,
    RequestRateExceeded,
    RequestRates,
    limit_of_address,
    limits_of,
)
from infra.embedded.cache import EmbeddedCache
from tests.support.clocks import ManualClock
from tests.support.users import a_user, an_identity


def a_limit(per_minute: int) -> RequestLimit:
    return RequestLimit("user:1", per_minute, "The plan allows it", "small")


async def accepted(rates: RequestRates, limit: RequestLimit, requests: int) -> int:
    """Return how many of so many requests are accepted."""
    count = 0
    for _ in range(requests):
        try:
            await rates.take(limit)
        except RequestRateExceeded:
            continue
        count += 1
    return count


class SlowCache(EmbeddedCache):
    """A cache that lets others run before it answers, as a real one does."""

    async def increment(self, key: str, ttl_seconds: float, amount: int = 1) -> int:
        await asyncio.sleep(0)
        total = await super().increment(key, ttl_seconds, amount)
        await asyncio.sleep(0)
        return total


@pytest.mark.parametrize("most", [1, 2, 99, 100, 101, 1_000])
async def test_exactly_so_many_are_accepted_on_one_node_and_again_in_the_next_minute(most: int) -> None:
    clock = ManualClock()
    rates = RequestRates(EmbeddedCache(clock), clock)
    assert await accepted(rates, a_limit(most), most + 20) == most
    clock.move(60)
    assert await accepted(rates, a_limit(most), most + 20) == most


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), min_size=1, max_size=20))
def test_nodes_together_never_accept_more_and_none_waits_for_more_than_a_portion_of_each_other(
    most: int, turns: list[tuple[int, int]]
) -> None:
    async def run() -> None:
        clock = ManualClock()
        cache = SlowCache(clock)
        nodes = [RequestRates(cache, clock) for _ in range(3)]
        counts = await asyncio.gather(*(accepted(nodes[node], a_limit(most), requests) for node, requests in turns))
        requested = sum(requests for _, requests in turns)
        assert sum(counts) <= most
        assert sum(counts) >= min(requested, most) - 2 * max(most // PORTIONS, 1)

    asyncio.run(run())


async def test_requests_at_once_for_the_last_places_get_as_many_as_there_are() -> None:
    clock = ManualClock()
    rates = RequestRates(SlowCache(clock), clock)
    outcomes = await asyncio.gather(*(rates.take(a_limit(7)) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(outcome, RequestRateExceeded) for outcome in outcomes) == 43


async def test_a_refusal_has_the_entitlement_the_figures_and_when_to_come_again() -> None:
    clock = ManualClock(datetime(2026, 5, 1, 12, 0, 47, tzinfo=UTC))
    rates = RequestRates(EmbeddedCache(clock), clock)
    limit = limits_of(an_identity(a_user()))[0]
    rate = await rates.take(limit)
    assert (rate.limit, rate.used, rate.remaining, rate.seconds_left) == (60_000, 1, 59_999, 13)
    assert await accepted(rates, a_limit(2), 2) == 2
    with pytest.raises(RequestRateExceeded) as refused:
        await rates.take(a_limit(2))
    assert refused.value.code is FaultCode.RATE_LIMITED
    assert refused.value.message == "The plan allows it, and 2 were made in this one; try again in 13 s."
    assert refused.value.extensions == {
        "retryAfterSeconds": 13, "entitlement": "REQUESTS_PER_MINUTE", "limit": 2, "used": 2, "remaining": 0,
        "resetsAt": "2026-05-01T12:01:00Z", "plan": "small",
    }  # fmt: skip


async def test_a_limit_that_changes_within_the_minute_holds_at_once() -> None:
    clock = ManualClock()
    rates = RequestRates(EmbeddedCache(clock), clock)
    assert await accepted(rates, a_limit(1_000), 50) == 50
    assert await accepted(rates, a_limit(40), 1) == 0
    assert await accepted(rates, a_limit(1_000), 2_000) == 950
    assert 0 < await accepted(rates, a_limit(2_000), 3_000) <= 1_000


async def test_what_another_node_has_reserved_by_a_larger_limit_refuses_nobody() -> None:
    clock = ManualClock()
    cache = EmbeddedCache(clock)
    here, there = [RequestRates(cache, clock) for _ in range(2)]
    assert [await accepted(node, a_limit(60_000), 3) for node in (here, there)] == [3, 3]
    assert await accepted(here, a_limit(300), 100) == 100
    assert await accepted(there, a_limit(300), 100) == 100


async def test_others_and_other_minutes_have_counters_of_their_own() -> None:
    clock = ManualClock()
    rates = RequestRates(EmbeddedCache(clock), clock)
    assert await accepted(rates, limit_of_address("192.0.2.1", 3), 9) == 3
    assert await accepted(rates, limit_of_address("192.0.2.2", 3), 9) == 3


async def test_nodes_whose_clocks_differ_count_each_in_its_own_minute() -> None:
    here, there = ManualClock(), ManualClock()
    there.move(90)
    cache = EmbeddedCache(here)
    nodes = [RequestRates(cache, clock) for clock in (here, there)]
    assert [await accepted(node, a_limit(5), 9) for node in nodes] == [5, 5]


async def test_a_key_that_was_made_for_fewer_requests_counts_for_itself_and_for_the_user() -> None:
    identity = an_identity(a_user(), requests_per_minute=3)
    assert [limit.per_minute for limit in limits_of(identity)] == [3, 60_000]
    assert [limit.plan for limit in limits_of(identity)] == [None, "standard"]

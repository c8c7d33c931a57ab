import asyncio
from datetime import timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from domain.core.clock import to_milliseconds
from infra.venues.ccxt.clock import SAMPLES, VenueClock
from tests.support.clocks import ManualClock

AHEAD_MS = 3_600_000


async def test_the_shortest_round_trip_halved_gives_the_offset() -> None:
    here = ManualClock()
    clock = VenueClock(here)
    ways = iter([(0.5, 0.1), (0.01, 0.01), (0.0, 0.9)])

    async def ask() -> int:
        there, back = next(ways)
        here.move(there)
        milliseconds = int(here.now().timestamp() * 1000) + AHEAD_MS
        here.move(back)
        return milliseconds

    await clock.measure(ask)
    assert clock.is_measured
    assert abs(clock.offset_seconds - AHEAD_MS / 1000) < 0.002
    assert abs(clock.round_trip_seconds - 0.02) < 1e-9


async def test_the_venues_time_goes_on_with_the_monotonic_clock() -> None:
    here = ManualClock()
    clock = VenueClock(here)

    async def ask() -> int:
        return 1_000_000

    await clock.measure(ask)
    before = clock.milliseconds()
    here.move(1.5)
    assert clock.milliseconds() - before == 1500


async def test_an_invalidated_clock_requests_a_measurement_now() -> None:
    clock = VenueClock(ManualClock())
    clock.invalidate()
    await clock.wait_for_next_measurement()


async def test_a_trade_of_the_future_requests_a_measurement_but_not_again_and_again() -> None:
    here = ManualClock()
    clock = VenueClock(here)

    async def ask() -> int:
        return 1_000_000

    async def is_requested() -> bool:
        waiting = asyncio.create_task(clock.wait_for_next_measurement())
        await asyncio.wait([waiting], timeout=0)
        done = waiting.done()
        waiting.cancel()
        return done

    await clock.measure(ask)
    for ahead, seconds, requested in ((0.9, 0, False), (60, 0, True), (60, 9, False), (60, 10, True)):
        here.move(seconds)
        clock.notice(clock.now() + timedelta(seconds=ahead))
        await asyncio.sleep(0)
        assert await is_requested() is requested, (ahead, seconds)
        await clock.measure(ask)


def test_before_it_is_measured_it_shows_this_nodes_time() -> None:
    here = ManualClock()
    assert VenueClock(here).now() == here.now()


@given(
    ways=st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=SAMPLES, max_size=SAMPLES),
    drift=st.floats(-100e-6, 100e-6),
    later=st.floats(0, 600),
)
@example(ways=[(0.0, 0.0), (2.0, 2.0), (2.0, 1.9995)], drift=-100e-6, later=0.0)  # the first counts
async def test_the_earliest_time_of_the_venue_is_never_ahead_of_its_clock(
    ways: list[tuple[float, float]], drift: float, later: float
) -> None:
    here = ManualClock()
    clock, delays = VenueClock(here), iter(ways)

    def there() -> float:
        return here.monotonic() * (1 + drift) * 1000 + AHEAD_MS

    async def ask() -> int:
        out, back = next(delays)
        here.move(out)
        milliseconds = int(there())
        here.move(back)
        return milliseconds

    await clock.measure(ask)
    here.move(later)
    assert to_milliseconds(clock.earliest()) <= there()


def test_before_it_is_measured_the_earliest_time_of_the_venue_is_well_before_this_nodes() -> None:
    here = ManualClock()
    assert VenueClock(here).earliest() < here.now() - timedelta(seconds=1)

from infra.venues.ccxt.clock import VenueClock
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


def test_before_it_is_measured_it_shows_this_nodes_time() -> None:
    here = ManualClock()
    assert VenueClock(here).now() == here.now()

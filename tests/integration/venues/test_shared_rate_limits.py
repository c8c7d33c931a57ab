"""One rate limiter for each venue and address: who shares it, who goes first, and whom a ban stops."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from domain.model.markets import Timeframe
from domain.model.orders import OrderStatus
from domain.ports.execution_client import NotSent, VenueRefused
from domain.ports.market_data import VenueUnreachable
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC, Trader, allow, new_order
from tests.support.waiting import eventually


def venues_at(sandbox: SandboxProcess, *names: str) -> Venues:
    return Venues([VenueSettings(name, "binance", sandbox.url, live=False) for name in names], SystemClock())


async def test_names_of_one_venue_at_one_address_share_a_limiter(sandbox: SandboxProcess) -> None:
    settings = [VenueSettings(name, "binance", sandbox.url, live=False) for name in ("one", "two")]
    settings += [VenueSettings("real", "binance", None, live=True), VenueSettings("kraken", "kraken", None, live=True)]
    venues = Venues(settings, SystemClock())
    one, two, real, kraken = (venues.connection(venue.name).limiter for venue in settings)
    assert one is two
    assert len({id(one), id(real), id(kraken)}) == 3
    await venues.public("one").load_markets()
    assert two.used > 0
    await venues.close()


async def test_an_order_goes_at_once_while_history_has_used_its_share(
    sandbox: SandboxProcess, venues: Venues, trader: Trader
) -> None:
    await sandbox.skip_to_seconds_before_a_minute(59)
    await venues.public("sandbox").load_markets()
    limiter = venues.connection("sandbox").limiter
    assert limiter.weight_per_minute == 6_000
    # What was used is more than history's share of this, and leaves trading enough.
    limiter.set_limit(int(limiter.used) + 20)
    source = venues.public("sandbox")
    past = Timeframe.M1.open_time(source.venue_now()) - 20 * Timeframe.M1.duration
    requests = [asyncio.create_task(source.fetch_candles(BTC, Timeframe.M1, past, 10)) for _ in range(20)]
    await eventually(lambda: limiter.waiting == 20, "history waits")
    report = await trader.venue.place(new_order(), allow)
    assert report.status is OrderStatus.FILLED
    assert limiter.waiting == 20
    limiter.set_limit(6_000)
    limiter.observe(200, {})
    assert all(len(candles) == 10 for candles in await asyncio.gather(*requests))


async def test_the_guard_is_called_after_the_rate_limiter_so_that_no_order_is_sent_late(
    venues: Venues, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter, steps = venues.connection("sandbox").limiter, list[str]()
    acquire: Callable[..., object] = limiter.acquire

    async def slowly(weight: float) -> None:
        await acquire(weight)  # type: ignore[misc]
        steps.append("limiter")

    def lapsed() -> None:
        steps.append("guard")
        raise NotSent("the lease ended meanwhile")

    await trader.venue.balances()
    monkeypatch.setattr(limiter, "acquire", slowly)
    order = new_order()
    with pytest.raises(NotSent, match="the lease ended"):
        await trader.venue.place(order, lapsed)
    assert steps == ["limiter", "guard"]
    assert await trader.venue.query_order(order) is None


@pytest.mark.parametrize("status", [418, 429])
async def test_a_ban_of_one_call_silences_every_account_feed_and_node(
    sandbox: SandboxProcess, venues: Venues, trader: Trader, status: int
) -> None:
    bus = EmbeddedBus()
    other = venues_at(sandbox, "elsewhere")
    await venues.share_bans(bus)
    await other.share_bans(bus)
    await trader.venue.balances()
    await other.public("elsewhere").load_markets()
    await sandbox.inject_faults(answerStatus=status, answerCount=1, answerRetryAfterSeconds=60)
    with pytest.raises(VenueUnreachable):
        await venues.public("sandbox").fetch_trades(BTC, 1)
    with pytest.raises(NotSent, match="fewer requests"):
        await trader.venue.place(new_order(), allow)
    there = other.connection("elsewhere")
    await eventually(lambda: there.limiter.banned_seconds, "the other node hears of it")
    count = there.responses.by_status.total()
    with pytest.raises(VenueUnreachable, match="fewer requests"):
        await other.public("elsewhere").fetch_trades(BTC, 1)
    assert there.responses.by_status.total() == count
    assert venues.connection("sandbox").responses.by_status[status] == 1
    await other.close()
    await bus.close()


async def test_a_refused_order_is_counted_as_an_answer_and_silences_nobody(venues: Venues, trader: Trader) -> None:
    connection = venues.connection("sandbox")
    with pytest.raises(VenueRefused):
        await trader.venue.place(new_order(quantity=Decimal(9)), allow)
    assert connection.responses.by_status[400] == 1
    assert not connection.limiter.banned_seconds

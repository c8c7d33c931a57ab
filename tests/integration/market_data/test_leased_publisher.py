"""Messages of a feed whose lease has lapsed, as those that a process finds when it wakes up, reach nobody."""

from domain.events.leases import LEASE_SECONDS, LeaseHandle
from domain.market_data.leased_publisher import LeasedPublisher
from domain.ports.leases import Lease
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from tests.support.clocks import ManualClock
from tests.support.waiting import eventually


async def test_a_node_that_wakes_up_after_its_lease_has_lapsed_publishes_nothing(database: PostgresDatabase) -> None:
    bus, clock, seen = EmbeddedBus(), ManualClock(), list[bytes]()
    lease = LeaseHandle(database, clock, Lease("feed", "sandbox:BTC/USDT", "host:1", 1, clock.monotonic()))
    await bus.subscribe("depth", seen.append)
    publisher = LeasedPublisher(bus, lease)
    await publisher.publish("depth", b"held")
    clock.move(LEASE_SECONDS + 1)
    await publisher.publish("depth", b"old")
    await bus.publish("depth", b"of the other node")
    await eventually(lambda: b"of the other node" in seen, "the message of the other node")
    assert seen == [b"held", b"of the other node"]

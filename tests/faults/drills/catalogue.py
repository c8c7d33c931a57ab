"""All drills by name."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.drills import faults, pair_faults
from tests.faults.drills.faults import Fault
from tests.faults.drills.topology import EVERY_ROLE, DatabaseKind, Topology, around

TWO_NODES = Topology()
PAIR = Topology(database=DatabaseKind.PAIR)

_DISK_MEGABYTES = 400
_PAIR_SECONDS = 30.0
"""Longer than it takes Patroni to give up a primary that says nothing (`ttl` 20)."""


@dataclass(frozen=True)
class Drill:
    """A fault that strikes a topology and lasts for some seconds; `what` says what breaks, and how."""

    name: str
    what: str
    fault: Fault
    topology: Topology = TWO_NODES
    seconds: float = 10.0


def _drills() -> Iterator[Drill]:
    yield Drill("nothing", "nothing breaks: what the others are to be compared with", faults.nothing)
    for role in EVERY_ROLE.split(","):
        yield Drill(f"{role}-killed", f"kill -9 of a node with the role {role}", faults.node_killed(role), around(role))
        yield Drill(f"{role}-frozen", f"SIGSTOP of a node with the role {role}", faults.node_frozen(role), around(role))
    yield from _postgres_drills()
    yield from _disk_drills()
    yield from _pair_drills()
    yield from _hazelcast_drills()
    yield from _venue_drills()
    archive = Topology(has_archive=True)
    yield Drill("s3-cut", "S3 away while candles are archived and read", faults.archive_cut, archive)


def _postgres_drills() -> Iterator[Drill]:
    links = faults.links_to_database
    yield Drill("postgres-killed", "kill -9 of PostgreSQL, which is started again at once", faults.postgres_killed)
    yield Drill("postgres-frozen", "SIGSTOP of all processes of PostgreSQL", faults.postgres_frozen)
    yield Drill("postgres-cut", "no node reaches PostgreSQL", faults.cut(links))
    yield Drill("postgres-cut-one-node", "one of two nodes doesn't reach PostgreSQL", faults.cut(faults.first(links)))
    yield Drill("postgres-answers-cut", "PostgreSQL hears all nodes, and none hears it", faults.answers_cut(links))
    yield Drill("postgres-slow", "0.3 s to PostgreSQL, and as long back", faults.slow(links))


def _disk_drills() -> Iterator[Drill]:
    shared = Topology(disk_megabytes=_DISK_MEGABYTES)
    own = Topology((EVERY_ROLE,), 0, DatabaseKind.EMBEDDED, _DISK_MEGABYTES)
    yield Drill("postgres-disk-full", "the disk of PostgreSQL has no byte left", faults.disk_full, shared)
    yield Drill("data-disk-full", "the disk of the only node's data directory is full", faults.disk_full, own)


def _pair_drills() -> Iterator[Drill]:
    def drill(name: str, what: str, strike: pair_faults.Strike) -> Drill:
        return Drill(name, what, pair_faults.on_pair(strike), PAIR, _PAIR_SECONDS)

    yield drill(
        "primary-killed", "kill -9 of PostgreSQL and Patroni on the primary's machine", pair_faults.kill_primary
    )
    yield drill("primary-server-killed", "kill -9 of the primary, with Patroni left", pair_faults.kill_primary_server)
    yield drill("primary-frozen", "SIGSTOP of all on the primary's machine", pair_faults.freeze_primary)
    yield drill("replica-killed", "kill -9 of all on the replica's machine", pair_faults.kill_replica)
    yield drill("replica-frozen", "SIGSTOP of all on the replica's machine", pair_faults.freeze_replica)
    yield drill("etcd-member-killed", "kill -9 of one of three etcd members", pair_faults.kill_etcd_member)
    yield drill("etcd-killed", "kill -9 of all etcd members", pair_faults.kill_etcd)
    yield drill("pair-cut", "primary and replica don't reach each other", pair_faults.cut_pair)


def _hazelcast_drills() -> Iterator[Drill]:
    links = faults.links_to_cache
    yield Drill("hazelcast-killed", "kill -9 of the only member, which comes back empty", faults.members_killed())
    yield Drill("hazelcast-frozen", "SIGSTOP of the only member", faults.members_frozen())
    yield Drill("hazelcast-cut", "no node reaches Hazelcast", faults.cut(links))
    yield Drill("hazelcast-cut-one-node", "one of two nodes doesn't reach Hazelcast", faults.cut(faults.first(links)))
    two = Topology(members=2)
    yield Drill("member-killed", "kill -9 of the older of two members", faults.members_killed(1), two)
    yield Drill("member-frozen", "SIGSTOP of the older of two members", faults.members_frozen(1), two)
    yield Drill("members-killed", "kill -9 of both members, which come back empty", faults.members_killed(), two)
    yield Drill("members-cut", "two members don't reach each other", faults.cut(faults.links_between_members), two)


def _venue_drills() -> Iterator[Drill]:
    links = faults.links_to_venue
    yield Drill("venue-cut", "no node reaches the exchange", faults.cut(links))
    yield Drill("venue-cut-one-node", "one of two nodes doesn't reach the exchange", faults.cut(faults.first(links)))
    yield Drill("venue-answers-cut", "the exchange gets orders, and no answer comes back", faults.answers_cut(links))
    yield Drill("venue-slow", "0.3 s to the exchange, and as long back", faults.slow(links))


DRILLS = {drill.name: drill for drill in _drills()}

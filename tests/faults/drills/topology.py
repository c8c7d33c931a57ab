"""Which parts a drill is run on."""

from dataclasses import dataclass
from enum import StrEnum

EVERY_ROLE = "web,collector,trader,worker"


class DatabaseKind(StrEnum):
    """What the nodes keep everything in."""

    SINGLE = "one PostgreSQL, started again when it dies"
    PAIR = "a PostgreSQL pair under Patroni and etcd"
    EMBEDDED = "the engine's own PostgreSQL, in its data directory"


@dataclass(frozen=True, slots=True)
class Topology:
    """The parts of a cluster; `nodes` are the roles of each node of the engine, as `R3EDGE_ROLES` has them.

    With `disk_megabytes`, the database is on a disk of that size; one that is embedded, with all of the data directory.
    With `has_archive`, old candles are archived in S3.
    """

    nodes: tuple[str, ...] = (EVERY_ROLE, EVERY_ROLE)
    members: int = 1
    database: DatabaseKind = DatabaseKind.SINGLE
    disk_megabytes: int = 0
    has_archive: bool = False


def around(role: str) -> Topology:
    """Return a cluster in which a role has two nodes of its own, and the other roles run on a third."""
    others = ",".join(other for other in EVERY_ROLE.split(",") if other != role)
    return Topology((role, others, role))

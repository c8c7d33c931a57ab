"""Keeps the leases of one kind spread evenly over the nodes: says which of them this node should take and give back."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from domain.core.clock import Clock
from domain.events.lease_shares import count_to_give, count_to_take
from domain.events.leases import LEASE_SECONDS
from domain.model.node_reports import NodeState, NodeStatus
from domain.ports.unit_of_work import Database

MOST_AT_ONCE: Final = 8
"""How many leases a node gives back at once."""
PAUSE_SECONDS: Final = 3.0
"""How long a node waits between two looks whether it should give some back."""
FREE_SECONDS: Final = 1.5
"""A lease that is free for so long is taken by any node, also by one that has its share."""
GIVEN_SECONDS: Final = 4.0
"""A lease that this node has given back isn't taken by it again for so long."""
REST_SECONDS: Final = 60.0
"""How long a node gives nothing back after nobody has taken what it gave."""


GivenCounts = Counter[str]
"""How many leases this node has given back because others held fewer, by their kind."""


@dataclass(frozen=True, slots=True)
class TakeableLeases:
    """The keys of leases that a node may try to acquire, in that order, and how many of them it should get."""

    keys: tuple[str, ...] = ()
    count: int = 0


class WorkBalance:
    """Counts the leases of a kind that each node holds which has the `role` and knows all of the `venues`.

    Nodes that don't say that they balance their work, as those of earlier versions, aren't counted.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        kind: str,
        role: str,
        holder: str,
        venues: Collection[str],
        *,
        given: GivenCounts | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._kind = kind
        self._role = role
        self._holder = holder
        self._venues = frozenset(venues)
        self._free_since: dict[str, float] = {}
        self._given_at: dict[str, float] = {}
        self._next_look = clock.monotonic() + PAUSE_SECONDS
        self._given = GivenCounts() if given is None else given
        self._given[kind] += 0

    async def takeable(self, keys: Sequence[str]) -> TakeableLeases:
        """Return which of the leases, none of them this node's, it may take now; raises `Unavailable`."""
        if not keys:
            return TakeableLeases()
        async with self._database.read_only() as reading:
            taken = await reading.leases.list_held(self._kind, keys)
            free = [key for key in keys if key not in taken]
            held = self._held_by_node(await reading.overview.nodes()) if free else {}
        now = self._clock.monotonic()
        self._free_since = {key: self._free_since.get(key, now) for key in free}
        mine = [key for key in free if now - self._given_at.get(key, float("-inf")) >= GIVEN_SECONDS]
        overdue = [key for key in mine if now - self._free_since[key] >= FREE_SECONDS]
        others = [key for key in mine if key not in overdue]
        count = len(overdue) + min(len(others), count_to_take(held, self._holder, len(free)))
        return TakeableLeases((*overdue, *others), count)

    async def count_to_give(self) -> int:
        """Return how many leases this node should give back now, mostly none; raises `Unavailable`."""
        now = self._clock.monotonic()
        if now < self._next_look:
            return 0
        self._next_look = now + PAUSE_SECONDS
        async with self._database.read_only() as reading:
            taken = await reading.leases.list_held(self._kind, list(self._given_at)) if self._given_at else set[str]()
            held = self._held_by_node(await reading.overview.nodes())
        self._given_at = {key: at for key, at in self._given_at.items() if key not in taken}
        if self._given_at:
            return 0
        return min(MOST_AT_ONCE, count_to_give(held, self._holder))

    def note_given(self, keys: Collection[str]) -> None:
        """Note that this node gives the leases back for the others."""
        now = self._clock.monotonic()
        self._given_at |= dict.fromkeys(keys, now)
        self._given[self._kind] += len(keys)

    def note_taken(self, key: str) -> None:
        """Note that this node has acquired a lease; if it had given it back, nobody else wanted it."""
        self._free_since.pop(key, None)
        if self._given_at.pop(key, None) is not None:
            self._next_look = self._clock.monotonic() + REST_SECONDS

    def _held_by_node(self, nodes: Sequence[NodeState]) -> dict[str, int]:
        newest = max((node.seen_at for node in nodes), default=None)
        return {
            node.report.name: node.leases.get(self._kind, 0)
            for node in nodes
            if newest is not None
            and (newest - node.seen_at).total_seconds() <= LEASE_SECONDS
            and node.status is NodeStatus.READY
            and self._role in node.report.roles
            and node.report.balances_work
            and self._venues <= set(node.report.venues)
        }

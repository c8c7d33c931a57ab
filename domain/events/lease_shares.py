"""Which share of the leases of one kind each node should hold: all about the same number, moved as rarely as possible.

Each function takes how many leases each node holds, by the node's name, of those nodes that could hold all of them.
"""

from collections.abc import Mapping


def count_to_give(held: Mapping[str, int], name: str) -> int:
    """Return how many leases the node should give back so that no two nodes differ by more than one.

    Nodes above the highest share give what they have above it. If that isn't enough for those below the lowest share,
    as many of those at the highest one as are missed give one each, the first by name. None goes below the lowest.
    """
    if len(held) < 2 or name not in held:  # noqa: PLR2004  # there is nobody to give to
        return 0
    lowest, rest = divmod(sum(held.values()), len(held))
    highest = lowest + (rest > 0)
    if held[name] > highest:
        return held[name] - highest
    above = sum(max(0, count - highest) for count in held.values())
    below = sum(max(0, lowest - count) for count in held.values())
    at_highest = sorted(node for node, count in held.items() if count == highest > lowest)
    return int(name in at_highest[: max(0, below - above)])


def count_to_take(held: Mapping[str, int], name: str, free: int) -> int:
    """Return how many of the free leases are the node's share; all of them if it isn't one of the nodes."""
    if name not in held:
        return free
    share = -(-(sum(held.values()) + free) // len(held))
    return min(free, max(0, share - held[name]))

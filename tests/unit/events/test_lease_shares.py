"""Shares of leases: nodes that decide on stale numbers come to equal shares, and then leave all where it is."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from domain.events.lease_shares import count_to_give, count_to_take
from domain.events.work_balance import MOST_AT_ONCE

HELD = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 40), min_size=1)
ENOUGH_ROUNDS = 100


@given(HELD)
def test_nobody_gives_so_much_that_it_has_less_than_the_lowest_share(held: dict[str, int]) -> None:
    lowest = sum(held.values()) // len(held)
    for name, count in held.items():
        given_back = count_to_give(held, name)
        assert given_back >= 0
        assert given_back == 0 or count - given_back >= lowest


@given(HELD)
def test_something_is_given_exactly_while_shares_differ_by_more_than_one(held: dict[str, int]) -> None:
    is_given = any(count_to_give(held, name) for name in held)
    assert is_given == (max(held.values()) - min(held.values()) > 1)


@given(HELD, st.integers(0, 40))
def test_all_free_leases_are_somebodys_share(held: dict[str, int], free: int) -> None:
    assert sum(count_to_take(held, name, free) for name in held) >= free


def test_a_node_alone_or_one_that_is_not_counted_gives_nothing_and_takes_all() -> None:
    assert count_to_give({"a": 9}, "a") == count_to_give({"a": 9, "b": 0}, "c") == 0
    assert count_to_take({"a": 9}, "a", 4) == count_to_take({"a": 9, "b": 0}, "c", 4) == 4


class _Nodes:
    """Nodes that act one after the other, each on what it saw at some moment since its last turn."""

    def __init__(self, held: dict[str, int]) -> None:
        self.held, self.free = held, 0
        self.moves = 0

    def act(self, name: str, seen: dict[str, int]) -> None:
        """Have a node take its share of what is free, and give back once nothing is free any more."""
        taken = min(self.free, count_to_take(seen, name, self.free))
        self.held[name] += taken
        self.free -= taken
        if not self.free:
            given_back = min(MOST_AT_ONCE, count_to_give(seen | {name: self.held[name]}, name))
            self.held[name] -= given_back
            self.free += given_back
            self.moves += given_back

    def change(self, name: str) -> None:
        """Have a node join, or leave what it holds."""
        if name not in self.held:
            self.held[name] = 0
        elif len(self.held) > 1:
            self.free += self.held.pop(name)


@given(HELD, st.lists(st.sampled_from("abcdefgh"), max_size=5), st.randoms(use_true_random=False))
def test_nodes_with_stale_views_come_to_equal_shares_and_rest(
    held: dict[str, int], changes: list[str], random: Random
) -> None:
    nodes = _Nodes(dict(held))
    total = sum(held.values())
    for name in changes:
        nodes.change(name)
        for _ in range(3):
            _round(nodes, is_stale=random.choice([True, False]))
    for _ in range(ENOUGH_ROUNDS):
        _round(nodes, is_stale=random.choice([True, False]))
    for _ in range(ENOUGH_ROUNDS):
        _round(nodes, is_stale=False)
    assert sum(nodes.held.values()) + nodes.free == total
    assert nodes.free == 0
    assert max(nodes.held.values()) - min(nodes.held.values()) <= 1
    before = nodes.moves
    _round(nodes, is_stale=True)
    assert nodes.moves == before


def _round(nodes: _Nodes, *, is_stale: bool) -> None:
    before = dict(nodes.held)
    for name in sorted(nodes.held):
        nodes.act(name, before if is_stale else dict(nodes.held))

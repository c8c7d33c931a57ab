"""Which work of a node no other could take, and which node a name names."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.administration.nodes import roles_without_others
from domain.model.node_reports import NodeReport, NodeState
from infra.cli.arguments import BadArgument
from infra.cli.nodes import find_node, is_drained

NOW = datetime.now(UTC)


def node(name: str, *roles: str, is_lost: bool = False, **facts: object) -> NodeState:
    """Return a node that is ready, unless the facts of its report say otherwise."""
    return NodeState(NodeReport(name, "1", roles, NOW, **facts), NOW, is_lost)  # type: ignore[arg-type]


def test_a_node_alone_has_nobody_for_any_of_its_roles() -> None:
    assert roles_without_others([node("a", "web", "trader")], "a") == ["web", "trader"]


def test_other_nodes_may_take_its_roles_together() -> None:
    nodes = [node("a", "web", "trader", "worker"), node("b", "web"), node("c", "trader", "worker")]
    assert roles_without_others(nodes, "a") == []
    assert roles_without_others(nodes, "c") == []


@pytest.mark.parametrize("other", [
    node("b", "web", "trader", is_lost=True), node("b", "web", "trader", pending=("the database",)),
    node("b", "web", "trader", is_draining=True), node("b", "web", "worker"),
])  # fmt: skip
def test_a_node_that_is_lost_waits_drains_or_has_other_roles_takes_nothing(other: NodeState) -> None:
    assert "trader" in roles_without_others([node("a", "web", "trader"), other], "a")


def test_a_node_is_drained_once_it_knows_of_it_and_has_nothing_left() -> None:
    asked = replace(node("a", "web"), is_drain_requested=True)
    assert not is_drained(asked)
    draining = replace(node("a", "web", is_draining=True), is_drain_requested=True)
    assert is_drained(draining)
    assert not is_drained(replace(draining, leases={"account": 1}))
    assert not is_drained(replace(draining, running_jobs=1))


def test_a_node_is_named_by_its_name_or_by_what_no_other_name_begins_with() -> None:
    nodes = [node("host:1"), node("host:12"), node("other:3")]
    assert find_node(nodes, "host:1").report.name == "host:1"
    assert find_node(nodes, "oth").report.name == "other:3"
    with pytest.raises(BadArgument, match="2 nodes are named 'host'; there are: host:1, host:12, other:3"):
        find_node(nodes, "host")
    with pytest.raises(BadArgument, match="no node is named 'x'; there are: none"):
        find_node([], "x")

"""Has a node give its work to the others, and take up work again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, Unavailable
from domain.model.node_reports import NodeState, NodeStatus
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.operators import Administrator, lock_operator, validate_reason

NODES_TOPIC: Final = "nodes"
"""Carries the name of a node that is to drain or to work again; a lost message costs it a report's interval."""


def roles_without_others(nodes: Sequence[NodeState], name: str) -> list[str]:
    """Return those of the node's roles that no other node has which is ready for the work."""
    ready = [node for node in nodes if node.report.name != name and not node.is_lost]
    others = {role for node in ready if node.status is NodeStatus.READY for role in node.report.roles}
    (drained,) = (node for node in nodes if node.report.name == name)
    return [role for role in drained.report.roles if role not in others]


async def has_successor(database: Database, name: str, role: str) -> bool:
    """Return whether another node is ready for the node's work of a role; also if that can't be read, or isn't its."""
    try:
        async with database.read_only() as reading:
            nodes = await reading.overview.nodes()
    except Unavailable:
        return True
    return all(node.report.name != name for node in nodes) or role not in roles_without_others(nodes, name)


class NodeService:
    """Requests of nodes, for operators and for the command line; a node reads them with each of its reports.

    Every method raises NOT_FOUND for a name that no node has, INVALID for a reason that is no text, and `Forbidden`
    for who isn't an operator (any more).
    """

    def __init__(self, database: Database, bus: MessageBus, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def drain(self, administrator: Administrator, name: str, *, force: bool = False) -> NodeState:
        """Request that the node gives its work to other nodes.

        Raises CONFLICT if there is none that is ready for a part of it, unless it is forced.
        """
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            nodes, node = await self._find(transaction, administrator, name, now)
            missing = [] if force else roles_without_others(nodes, name)
            if missing:
                message = (
                    f"No other node is ready that has the role {' or '.join(missing)}: start one, or force it, and the "
                    "work of that role rests until there is one."
                )
                raise InputError(ErrorCode.CONFLICT, message, ("name",))
            await self._request(transaction, administrator, node, now, is_draining=True)
        await self._bus.publish(NODES_TOPIC, name.encode())
        return replace(node, is_drain_requested=True)

    async def resume(self, administrator: Administrator, name: str) -> NodeState:
        """Request that a node which drains, or has been drained, works again."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            _, node = await self._find(transaction, administrator, name, now)
            await self._request(transaction, administrator, node, now, is_draining=False)
        await self._bus.publish(NODES_TOPIC, name.encode())
        return replace(node, is_drain_requested=False)

    async def _find(
        self, transaction: UnitOfWork, administrator: Administrator, name: str, now: datetime
    ) -> tuple[list[NodeState], NodeState]:
        """Return all nodes, and the one; two operators can't drain the last two nodes at once."""
        await lock_operator(transaction, administrator, now)
        nodes = await transaction.overview.nodes()
        for node in nodes:
            if node.report.name == name:
                return nodes, node
        raise InputError(ErrorCode.NOT_FOUND, f"There is no node {name!r}.", ("name",))

    async def _request(
        self,
        transaction: UnitOfWork,
        administrator: Administrator,
        node: NodeState,
        now: datetime,
        *,
        is_draining: bool,
    ) -> None:
        reason = validate_reason(administrator.reason)
        await transaction.overview.request_drain(node.report.name, now if is_draining else None)
        if administrator.identity is not None:
            action, user_id = "engineNodeDrain" if is_draining else "engineNodeResume", administrator.identity.user.id
            await record_activity(
                transaction, self._ids, now, user_id, action, detail=node.report.name, reason=reason
            )  # fmt: skip

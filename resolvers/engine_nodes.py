"""The nodes of the engine."""

from collections.abc import Sequence

from domain.model.node_reports import NodeState
from domain.model.users import ApiScope
from domain.users.operators import Administrator
from resolvers.context import RequestContext


async def nodes(context: RequestContext) -> Sequence[NodeState] | None:
    """Return all nodes; None for anybody but an operator, since their names are those of the machines inside."""
    if not await context.is_operator_now():
        return None
    async with context.reads.read_only() as reading:
        return await reading.overview.nodes()


async def drain(context: RequestContext, name: str, reason: str | None, *, force: bool) -> NodeState:
    """Have a node give its work away."""
    return await context.services.nodes.drain(_administrator(context, reason), name, force=force)


async def resume(context: RequestContext, name: str, reason: str | None) -> NodeState:
    """Have a node work again."""
    return await context.services.nodes.resume(_administrator(context, reason), name)


def _administrator(context: RequestContext, reason: str | None) -> Administrator:
    return Administrator(context.require(ApiScope.ADMIN), reason)

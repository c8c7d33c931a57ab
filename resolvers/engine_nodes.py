"""The nodes of the engine."""

from collections.abc import Sequence

from domain.model.node_reports import NodeState
from resolvers.context import RequestContext


async def nodes(context: RequestContext) -> Sequence[NodeState] | None:
    """Return all nodes; None for anybody but an operator, since their names are those of the machines inside."""
    if not await context.is_operator_now():
        return None
    async with context.reads.read_only() as reading:
        return await reading.overview.nodes()

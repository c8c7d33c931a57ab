"""The port of how the engine is doing, over all users."""

from datetime import datetime
from typing import Protocol

from domain.model.archive import LostFile
from domain.model.node_reports import NodeReport, NodeState
from domain.model.overview import EngineFigures, FailedTradingSession


class OverviewRepository(Protocol):
    """Figures over all users, and what nodes report, by the database's clock."""

    async def figures(self) -> EngineFigures:
        """Return the numbers."""
        ...

    async def failed_trading_sessions(self, limit: int) -> list[FailedTradingSession]:
        """Return the newest trading sessions that failed in the last 24 hours."""
        ...

    async def lost_files(self, limit: int) -> list[LostFile]:
        """Return the files of the archive that were given up last, the newest first."""
        ...

    async def save_node(self, report: NodeReport) -> bool:
        """Store a node's report in the place of its last one, and forget nodes that were last seen a day ago.

        Return whether the node was asked to drain.
        """
        ...

    async def request_drain(self, name: str, at: datetime | None) -> None:
        """Ask a node to drain, or with None to work again."""
        ...

    async def delete_node(self, name: str) -> None:
        """Forget a node, which stops."""
        ...

    async def delete_all_nodes(self) -> None:
        """Forget all nodes, for a start that knows all earlier ones to be dead."""
        ...

    async def nodes(self) -> list[NodeState]:
        """Return all nodes of the last 24 hours, by name; those that stopped properly aren't among them."""
        ...

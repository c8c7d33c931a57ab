"""The port of what watchers of the engine ask the database."""

from typing import Protocol

from domain.model.monitoring import TradingSituation


class MonitoringRepository(Protocol):
    """Figures over all users."""

    async def trading_situation(self) -> TradingSituation:
        """Return what is under way, by the database's clock; what there is none of may be missing."""
        ...

"""What the engine says of itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from domain.model.trading_state import TradingState
from domain.ports.unit_of_work import Database

ENGINE_KEY = "engine"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """This node: its version, when it started, and whether all of its parts work."""

    version: str
    started_at: datetime
    is_healthy: Callable[[], Awaitable[bool]]

    @property
    def id(self) -> str:
        """The key of the one engine there is."""
        return ENGINE_KEY


async def trading_state(database: Database) -> TradingState:
    """Return whether the engine as a whole may trade."""
    async with database.read_only() as reading:
        return await reading.accounts.engine_state()

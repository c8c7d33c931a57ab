"""What the engine says of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

ENGINE_KEY = "engine"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """This node: its version, when it started, and whether all of its parts work."""

    version: str
    started_at: datetime
    is_healthy: Callable[[], bool]

    @property
    def id(self) -> str:
        """The key of the one engine there is."""
        return ENGINE_KEY

    @property
    def healthy(self) -> bool:
        """Whether every part works now."""
        return self.is_healthy()

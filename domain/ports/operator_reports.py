"""The port of the numbers of a period, over all users."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.operator_reports import ErrorCounts, OrderLatency
from domain.model.orders import OrderStatus, RiskCode


class OperatorReportReads(Protocol):
    """Counts what happened from a time to before another one."""

    async def registered(self, start: datetime, end: datetime) -> int:
        """Return how many users registered and weren't erased since."""
        ...

    async def active(self, start: datetime, end: datetime) -> int:
        """Return how many users did something by themselves."""
        ...

    async def orders(self, start: datetime, end: datetime) -> Mapping[tuple[UUID, OrderStatus], int]:
        """Return how many orders were created, by their user and their status now."""
        ...

    async def denials(self, start: datetime, end: datetime) -> Mapping[RiskCode, int]:
        """Return how often each risk check denied one of these orders."""
        ...

    async def fills(self, start: datetime, end: datetime) -> int:
        """Return how many fills there were."""
        ...

    async def latency(self, start: datetime, end: datetime, one_of: int) -> OrderLatency:
        """Return how long one of so many of these orders took, by chance, but for those whose events are archived."""
        ...

    async def errors(self, start: datetime, end: datetime) -> ErrorCounts:
        """Return what went wrong."""
        ...

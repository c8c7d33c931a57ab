"""The port of the numbers of a period, over all users."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from domain.model.operator_reports import ErrorCounts, OrderLatency, UserActivity
from domain.model.orders import OrderStatus, RiskCode


class OperatorReportReads(Protocol):
    """Counts what happened from a time to before another one."""

    async def user_activity(self, start: datetime, end: datetime) -> UserActivity:
        """Return how many users there were; those who were erased aren't counted as registered."""
        ...

    async def orders(self, start: datetime, end: datetime) -> Mapping[OrderStatus, int]:
        """Return how many orders were created, by their status now."""
        ...

    async def denials(self, start: datetime, end: datetime) -> Mapping[RiskCode, int]:
        """Return how often each risk check denied one of these orders."""
        ...

    async def fills(self, start: datetime, end: datetime) -> int:
        """Return how many fills there were."""
        ...

    async def latency(self, start: datetime, end: datetime) -> OrderLatency:
        """Return how long orders took that were submitted in the period."""
        ...

    async def errors(self, start: datetime, end: datetime) -> ErrorCounts:
        """Return what went wrong."""
        ...

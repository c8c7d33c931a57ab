"""The port of stored equity, and of what the limits on losses are measured from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from domain.model.equity import AccountLedger, ClosedResult, StoredEquity, TradingSessionLedger
from domain.model.trading import TradingSession


class EquityRepository(Protocol):
    """Points of equity of accounts and trading sessions."""

    async def account_ledger(self, account_id: UUID, since: datetime) -> AccountLedger | None:
        """Return what the account's ledger comes to, with its last point and the baseline of `since`, in one statement.

        None if there is no such account.
        """
        ...

    async def session_ledger(self, session: TradingSession, since: datetime) -> TradingSessionLedger:
        """Return what the trading session's positions come to, with its last point and the baseline of `since`."""
        ...

    async def closed_results(self, account_id: UUID, trading_session_id: UUID | None, limit: int) -> list[ClosedResult]:
        """Return the results of the positions that closed last, the newest closing first.

        Those of one trading session, or of the whole account.
        """
        ...

    async def save(self, point: StoredEquity, worths: Mapping[UUID, Decimal]) -> None:
        """Store a point, and the worth of transfers, by their ids, at the time at which they were noticed."""
        ...

    async def delete_later(self, subject_id: UUID, at: datetime) -> None:
        """Delete the points of an account or trading session that are later than `at`."""
        ...

    async def history(
        self, subject_id: UUID, intervals: Sequence[tuple[datetime, datetime]]
    ) -> tuple[StoredEquity | None, list[StoredEquity]]:
        """Return the last point before the first interval, and the last one of each interval (start, end), in order.

        The end is no part of an interval; an interval without a point is left out. There must be an interval.
        """
        ...

    async def newest(self, subject_ids: Sequence[UUID]) -> list[StoredEquity]:
        """Return the newest point of each of these accounts and trading sessions that has one."""
        ...

    async def delete_old(self, hourly_before: datetime, daily_before: datetime, most: int) -> int:
        """Delete up to `most` points, and return how many; never the newest of an account or trading session.

        Of those before `hourly_before` the last of each hour stays, and of those before `daily_before` the last of
        each day (UTC).
        """
        ...

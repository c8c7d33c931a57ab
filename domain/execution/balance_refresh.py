"""Asks the venue for an account's balances: a message of its stream may be late, or lost without a trace."""

import asyncio

from domain.execution.account_context import AccountContext
from domain.execution.execution_reports import ReportHandler
from domain.ports.execution_client import BalanceReport


class BalanceRefresher:
    """Stores the balances that the venue answers with, as of the time at which it was asked, or earlier.

    The venue's time then is known within bounds, and the earliest counts: an order that the venue took after it had
    answered must not seem to be in the balances.

    Who asks while a request is under way waits for it, and then for one of its own: the answer to the first may be
    older than what made the second necessary.
    """

    def __init__(self, context: AccountContext, report_handler: ReportHandler) -> None:
        self._context = context
        self._report_handler = report_handler
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")

    @property
    def seconds_since(self) -> float:
        """How long ago the venue was last asked; infinite before the first time."""
        return self._context.clock.monotonic() - self._asked_at

    async def refresh(self, since: float | None = None) -> None:
        """Ask once, unless the venue was asked after `since`, in monotonic seconds; raises `VenueUnreachable`.

        Without it no earlier request counts.
        """
        since = self._context.clock.monotonic() if since is None else since
        async with self._lock:
            if self._asked_at > since:
                return
            self._asked_at = self._context.clock.monotonic()
            at = self._context.venue.earliest_venue_now()
            balances = await self._context.venue.balances()
            await self._report_handler.on_balances(BalanceReport(balances), complete_at=at)

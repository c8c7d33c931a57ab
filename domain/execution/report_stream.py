"""Handles what the venue reports on an account, for as long as the account is traded."""

import asyncio
from collections.abc import AsyncGenerator
from typing import NoReturn

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext
from domain.execution.in_doubt import InDoubtResolver
from domain.execution.reconciliation import Reconciler
from domain.ports.execution_client import (
    BalanceReport,
    FillReport,
    OrderReport,
    StreamLost,
    StreamOpened,
    VenueReport,
)
from domain.ports.leases import StaleLease
from domain.ports.market_data import VenueUnreachable


class ReportStream:
    """Reads the venue's reports and applies them, one after another."""

    def __init__(self, context: AccountContext, resolver: InDoubtResolver, reconciler: Reconciler) -> None:
        self._context = context
        self._handler = resolver.report_handler
        self._reconciler = reconciler

    async def run(self) -> NoReturn:
        """Handle reports until cancelled; the account isn't reconciled while there is no stream."""
        while True:
            reports = self._context.venue.reports()
            try:
                async for report in reports:
                    await self._handle_or_alert(report)
            except VenueUnreachable:
                self._context.reconciled = False
            finally:
                if isinstance(reports, AsyncGenerator):
                    await reports.aclose()
            await asyncio.sleep(self._context.timings.retry_delay)

    async def _handle_or_alert(self, report: VenueReport) -> None:
        try:
            await self._handle(report)
        except Unavailable:
            self._reconciler.request()  # What couldn't be saved is queried again.
        except (StaleLease, VenueUnreachable):
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, later reports are handled
            await self._context.alerts.raise_error(f"a report of the venue ({_describe(report)})", error)

    async def _handle(self, report: VenueReport) -> None:
        match report:
            case OrderReport():
                await self._handler.on_order(report)
            case FillReport():
                await self._handler.on_fill(report)
            case BalanceReport():
                await self._handler.on_balances(report)
            case StreamOpened():
                self._reconciler.request()
            case StreamLost():
                self._context.reconciled = False


def _describe(report: VenueReport) -> str:
    if isinstance(report, OrderReport | FillReport):
        return f"on its order {report.venue_order_id} in {report.market}"
    return "on balances" if isinstance(report, BalanceReport) else "on its stream"

"""Reports orders of the venue that the engine didn't place, many of them by one alert."""

import asyncio
from collections.abc import Sequence

from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.execution.account_context import AccountContext
from domain.model.client_order_ids import is_engine_order_id
from domain.ports.execution_client import FillReport, OrderReport

_LONGEST_BURST = 200
"""How often the alert is put off because another order was noticed."""


class ForeignOrders:
    """Collects foreign orders and alerts of them in bursts, of each order once.

    An alert comes when no more were noticed for `OrderTimings.foreign_alert_delay`; what is noticed within
    `foreign_alert_interval` after an alert is in the next one.
    """

    def __init__(self, context: AccountContext) -> None:
        self._context = context
        self._noticed: dict[str, str] = {}
        self._wakeup = Wakeup()

    def notice_order(self, report: OrderReport) -> None:
        """Note an order that rests at the venue."""
        owner = "an earlier installation" if is_engine_order_id(report.client_order_id) else "somebody else"
        what = f"{report.side} {report.quantity} {report.market}, client order id {report.client_order_id}"
        self._notice(report, f"an order of {owner}: {what}")

    def notice_fill(self, report: FillReport) -> None:
        """Note a fill of an order that the engine doesn't know."""
        self._notice(report, f"a fill of somebody else's order: {report.side} {report.quantity} {report.market}")

    async def run(self) -> None:
        """Raise an alert for each burst, until cancelled."""
        timings = self._context.timings
        while True:
            await self._wakeup.wait()
            await self._wait_for_end_of_burst()
            try:
                await self._raise()
            except Unavailable:
                self._wakeup.set()
                await asyncio.sleep(timings.retry_delay)
            else:
                await asyncio.sleep(timings.foreign_alert_interval)

    async def _wait_for_end_of_burst(self) -> None:
        for _ in range(_LONGEST_BURST):
            self._wakeup.clear()
            if not await self._wakeup.wait(self._context.timings.foreign_alert_delay):
                return

    async def _raise(self) -> None:
        noticed = dict(self._noticed)
        await self._context.alerts.raise_for_all(list(noticed), lambda new: _message([noticed[key] for key in new]))
        for key in noticed:
            self._noticed.pop(key, None)

    def _notice(self, report: OrderReport | FillReport, what: str) -> None:
        # The same for an order and for a fill of it, so that it is reported once.
        self._noticed.setdefault(f"foreign:{report.market}:{report.venue_order_id}", what)
        self._wakeup.set()


def _message(orders: Sequence[str]) -> str:
    first = orders[0]
    if len(orders) == 1:
        return f"The venue has {first}."
    return f"The venue has {len(orders)} orders that this engine did not place. One of them is {first}."

"""How quickly the requests of one address are served, whatever they are for: the rest waits in turn, then is refused.

All that comes counts, also what is answered by 404 or is no GraphQL: otherwise two hundred connections of one stranger,
each of which always has a request under way, are two hundred steps of the event loop before anybody else's next one.
"""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from infra.web.access_summary import AccessSummary
from infra.web.connections.client_address import network_of
from infra.web.connections.limits import Rejection
from infra.web.connections.message_rates import AddressRate, MessageRates
from infra.web.http.hosts import PROBES
from infra.web.http.refusals import send_refusal
from infra.web.metrics import WebMetrics
from infra.web.settings import WebSettings

WAITING_SECONDS: Final = 1
"""How many requests of an address may wait: as many as are served in this time."""

_STATUS: Final = 429


class RequestTurnsMiddleware:
    """Serves the requests and handshakes of an address at its rate, and its health probes at the same rate beside them.

    So what a stranger requests neither delays nor stops the probes of an orchestrator at the same address.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings, metrics: WebMetrics, summary: AccessSummary) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._summary = summary
        per_second = settings.requests_per_second_per_address
        self._most_waiting = per_second * WAITING_SECONDS
        self._rates = MessageRates(per_second, metrics.request_waits.inc)
        self._rates_of_probes = MessageRates(per_second, metrics.request_waits.inc)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            client = scope.get("client")
            network = network_of(client[0]) if client else ""
            rate = (self._rates_of_probes if scope["path"] in PROBES else self._rates).of(network)
            if (rate.waiting or not rate.may_read()) and not await self._wait(rate):
                await self._refuse(scope, send, network)
                return
            rate.spend(1, 0)
        await self._app(scope, receive, send)

    async def _wait(self, rate: AddressRate) -> bool:
        """Wait for a turn; return False if too many wait already."""
        if rate.waiting >= self._most_waiting:
            return False
        turn = asyncio.Event()
        rate.wait(turn.set)
        await turn.wait()
        return True

    async def _refuse(self, scope: Scope, send: Send, network: str) -> None:
        self._metrics.rejected.labels(Rejection.TOO_MANY_REQUESTS.value).inc()
        self._summary.add(network, str(_STATUS))
        message = (
            f"{self._settings.requests_per_second_per_address:,} requests a second are served of one address, and as "
            f"many wait; try again after {WAITING_SECONDS} s."
        )
        headers = ((b"retry-after", b"%d" % WAITING_SECONDS), (b"connection", b"close"))
        await send_refusal(scope, send, _STATUS, "RATE_LIMITED", message, headers)

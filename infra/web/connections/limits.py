"""How many connections are accepted, in all and from one address."""

import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import structlog
import uvicorn

from infra.web.connections.client_address import TrustedProxies, network_of
from infra.web.connections.message_rates import AddressRate, MessageRates
from infra.web.metrics import WebMetrics
from infra.web.settings import WebSettings

log = structlog.stdlib.get_logger("r3edge.web")

RESERVED_DESCRIPTORS: Final = 128
"""File descriptors that connections of clients never use: the database, venues and files need theirs."""

_MIN_CONNECTIONS: Final = 16
_LOG_INTERVAL_SECONDS: Final = 10.0


class Rejection(StrEnum):
    """Why a connection was ended before the application saw a request."""

    MALFORMED = "malformed"
    BAD_TARGET = "bad_target"
    HEADER_TWICE = "header_twice"
    UNKNOWN_CODING = "unknown_coding"
    UNKNOWN_VERSION = "unknown_version"
    BAD_HANDSHAKE = "bad_handshake"
    URL_TOO_LONG = "url_too_long"
    HEAD_TOO_LARGE = "head_too_large"
    BODY_TOO_LARGE = "body_too_large"
    PIPELINE_TOO_LONG = "pipeline_too_long"
    TOO_SLOW = "too_slow"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNRESPONSIVE = "unresponsive"


class ConnectionLimits:
    """Counts the connections of this process by the network that they come from."""

    def __init__(
        self, settings: WebSettings, metrics: WebMetrics, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._max = min(settings.max_connections, _descriptor_limit())
        self._max_per_address = min(settings.max_connections_per_address, max(self._max // 2, 1))
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._metrics = metrics
        self._monotonic = monotonic
        self._message_rates = MessageRates(
            settings.messages_per_second_per_address, metrics.connection_waits.inc, monotonic
        )
        self._open: Counter[str] = Counter()
        self.open_connections = 0
        """How many connections are counted at present."""
        self._logged_at = float("-inf")
        self._refused = 0

    def admit(self, address: str) -> bool:
        """Count a new connection; return False if it is one too many.

        Connections of a trusted proxy count towards the maximum of all clients only.
        """
        network = network_of(address)
        is_address_full = self._open[network] >= self._max_per_address and not self._proxies.is_trusted(address)
        if self.open_connections >= self._max or is_address_full:
            self._record_refusal("one address" if is_address_full else "all clients")
            return False
        self._open[network] += 1
        self.open_connections += 1
        return True

    def release(self, address: str) -> None:
        """Stop counting a connection that was admitted."""
        network = network_of(address)
        self.open_connections -= 1
        self._open[network] -= 1
        if not self._open[network]:
            del self._open[network]

    def connection_rate(self, peer: str) -> AddressRate | None:
        """Return the rate at which connections of a peer are served; None for a trusted proxy."""
        return None if self._proxies.is_trusted(peer) else self._message_rates.of(network_of(peer))

    def message_rate(self, peer: str, forwarded: Sequence[str]) -> AddressRate:
        """Return the rate at which messages are read from the client of a connection, who may be behind a proxy."""
        return self._message_rates.of(network_of(self._proxies.client_address(peer, forwarded)))

    def count_rejection(self, reason: Rejection) -> None:
        """Count a connection that is ended early."""
        self._metrics.rejected.labels(reason.value).inc()

    def _record_refusal(self, limit_of: str) -> None:
        self.count_rejection(Rejection.TOO_MANY_CONNECTIONS)
        self._refused += 1
        now = self._monotonic()
        if now - self._logged_at >= _LOG_INTERVAL_SECONDS:
            log.warning(
                "connections_refused",
                limit_of=limit_of,
                refused=self._refused,
                open=self.open_connections,
                maximum=self._max,
                maximum_per_address=self._max_per_address,
            )
            self._logged_at, self._refused = now, 0


class LimitedConfig(uvicorn.Config):
    """Uvicorn's options, with the limits that our protocol classes read from them."""

    limits: ConnectionLimits


def raise_descriptor_limit() -> None:
    """Raise the soft limit of file descriptors to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _descriptor_limit() -> int:
    """Return how many connections the process has file descriptors for."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - RESERVED_DESCRIPTORS, _MIN_CONNECTIONS) if soft != resource.RLIM_INFINITY else 2**31

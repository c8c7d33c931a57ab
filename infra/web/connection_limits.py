"""How many connections are held, in all and from one address, and what becomes of those beyond that."""

import resource
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import structlog

from infra.web.http.client_address import TrustedProxies, network_of
from infra.web.metrics import WebMetrics
from infra.web.settings import WebSettings

log = structlog.stdlib.get_logger("r3edge.web")

DESCRIPTORS_KEPT_FREE: Final = 128
"""Descriptors that connections of clients never take: the database, venues and files need theirs."""

_FEWEST_CONNECTIONS: Final = 16
_LOG_EVERY_SECONDS: Final = 10.0


class Rejection(StrEnum):
    """Why a connection was ended before the application saw what it asked."""

    MALFORMED = "malformed"
    URL_TOO_LONG = "url_too_long"
    HEAD_TOO_LARGE = "head_too_large"
    BODY_TOO_LARGE = "body_too_large"
    PIPELINE_TOO_LONG = "pipeline_too_long"
    TOO_SLOW = "too_slow"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    UNRESPONSIVE = "unresponsive"


class ConnectionLimits:
    """The connections of this process by the network that they come from."""

    def __init__(
        self, settings: WebSettings, metrics: WebMetrics, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._maximum = min(settings.max_connections, _affordable())
        self._maximum_per_address = min(settings.max_connections_per_address, max(self._maximum // 2, 1))
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._metrics = metrics
        self._monotonic = monotonic
        self._open: Counter[str] = Counter()
        self._total = 0
        self._logged_at = float("-inf")
        self._refused = 0

    def admit(self, address: str) -> bool:
        """Count a new connection; False where it is one too many. A trusted proxy's are counted in all alone."""
        network = network_of(address)
        too_many_of_one = self._open[network] >= self._maximum_per_address and not self._proxies.trusts(address)
        if self._total >= self._maximum or too_many_of_one:
            self._refuse("one address" if too_many_of_one else "all clients")
            return False
        self._open[network] += 1
        self._total += 1
        return True

    def leave(self, address: str) -> None:
        """Forget a connection that was admitted."""
        network = network_of(address)
        self._total -= 1
        self._open[network] -= 1
        if not self._open[network]:
            del self._open[network]

    def reject(self, reason: Rejection) -> None:
        """Count a connection that is ended."""
        self._metrics.rejected.labels(reason.value).inc()

    def _refuse(self, whose: str) -> None:
        self.reject(Rejection.TOO_MANY_CONNECTIONS)
        self._refused += 1
        now = self._monotonic()
        if now - self._logged_at >= _LOG_EVERY_SECONDS:
            limits = {"maximum": self._maximum, "maximum_per_address": self._maximum_per_address}
            log.warning("connections_refused", limit_of=whose, refused=self._refused, open=self._total, **limits)
            self._logged_at, self._refused = now, 0


def raise_descriptor_limit() -> None:
    """Let this process open as many files and connections as the system allows it to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _affordable() -> int:
    """Return how many connections the process has descriptors for."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - DESCRIPTORS_KEPT_FREE, _FEWEST_CONNECTIONS) if soft != resource.RLIM_INFINITY else 2**31

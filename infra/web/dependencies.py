"""What every transport works with."""

from dataclasses import dataclass

from infra.web.access_summary import AccessSummary
from infra.web.connections.registry import ConnectionRegistry
from infra.web.context import ContextFactory
from infra.web.metrics import WebMetrics
from infra.web.operations import Operations
from infra.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class TransportDependencies:
    """The parts of the web server that HTTP, SSE and WebSocket share."""

    operations: Operations
    contexts: ContextFactory
    settings: WebSettings
    metrics: WebMetrics
    connections: ConnectionRegistry
    summary: AccessSummary

"""A collector of traces on loopback that speaks OTLP over HTTP, and that a test lets go away or refuse."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class TraceCollector:
    """The spans that came, and how many requests were refused."""

    spans: list[Span] = field(default_factory=list)
    bodies: bytes = b""
    refused: int = 0
    refuses: bool = False
    port: int = 0

    @property
    def url(self) -> str:
        """Where spans are sent."""
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def of_trace(self, trace_id: str) -> dict[str, Span]:
        """Return the spans of a trace by their names; of several by one name the last."""
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace_id}

    async def take(self, request: web.Request) -> web.Response:
        """Take spans, or refuse them as the test says."""
        body = await request.read()
        if self.refuses:
            self.refused += 1
            return web.Response(status=503)
        self.bodies += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response()


@asynccontextmanager
async def trace_collector() -> AsyncIterator[TraceCollector]:
    """Listen on a free port of loopback until the block ends."""
    collector = TraceCollector()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, auto_decompress=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.port = runner.addresses[0][1]
    try:
        yield collector
    finally:
        await runner.cleanup()

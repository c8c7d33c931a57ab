"""What an orchestrator and Prometheus ask for."""

from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Readiness = Callable[[], Awaitable[Sequence[str]]]
"""Returns what is still missing, in words; empty when the node is ready to serve."""


def health_routes(readiness: Readiness, registry: CollectorRegistry) -> list[Route]:
    """Return `/healthz` (the process lives), `/readyz` (503 and what is missing, or 200) and `/metrics`."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        missing = list(await readiness())
        status = {"status": "ready"} if not missing else {"status": "not ready", "missing": missing}
        return JSONResponse(status, 503 if missing else 200, {"cache-control": "no-store"})

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]

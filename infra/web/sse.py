"""Server-sent events, one operation a response (the distinct connections mode of graphql-sse)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from graphql import GraphQLError
from starlette.responses import StreamingResponse

from domain.errors import RequestFault
from infra.web.context import OperationContext
from infra.web.documents import Prepared, RequestErrors
from infra.web.encoding import encode_json
from infra.web.operations import Operations, is_subscription, public_errors
from infra.web.requests import GraphQLRequest
from schema.errors import public_error

HEARTBEAT_SECONDS: Final = 15.0


def event_stream(
    operations: Operations, prepared: Prepared, request: GraphQLRequest, context: OperationContext
) -> StreamingResponse:
    """Return a response that streams the results of an operation."""
    events = with_heartbeat(_events(operations, prepared, request, context), HEARTBEAT_SECONDS)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


async def _events(
    operations: Operations, prepared: Prepared, request: GraphQLRequest, context: OperationContext
) -> AsyncGenerator[str]:
    try:
        if is_subscription(prepared):
            async with operations.subscribe(prepared, request.variables, context) as payloads:
                async for payload in payloads:
                    yield _next(payload)
        else:
            yield _next(encode_json(await operations.execute(prepared, request.variables, context)))
    except RequestErrors as errors:
        yield _next(encode_json({"errors": public_errors(errors)}))
    except RequestFault as fault:
        told = public_error(GraphQLError(fault.message, original_error=fault))
        yield _next(encode_json({"errors": [told]}))
    yield "event: complete\ndata:\n\n"


async def with_heartbeat(events: AsyncGenerator[str], interval_seconds: float) -> AsyncIterator[str]:
    """Give the events, and a comment whenever there was none for the interval."""
    pending: asyncio.Future[str] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([pending], timeout=interval_seconds)
            if not done:
                yield ":\n\n"
                continue
            try:
                event = pending.result()
            except StopAsyncIteration:
                return
            pending = None
            yield event
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.wait([pending])
        await events.aclose()


def _next(payload: str) -> str:
    return f"event: next\ndata: {payload}\n\n"

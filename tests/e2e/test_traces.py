"""Traces from a client's request to the venue and back, as a collector gets them."""

import secrets
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.engine import Engine, running_engine
from tests.support.http_client import http_client
from tests.support.trace_collector import trace_collector
from tests.support.trader_client import LATE, PASSWORD, PLACE, TraderClient, new_trader
from tests.support.waiting import eventually

ENDED = "order.step"
TRACED = {
    "POST /graphql", "graphql mutation", "order.place", "order.decide", "order.send", "venue POST order", ENDED,
}  # fmt: skip


def attributes(span: Span) -> dict[str, object]:
    """Return a span's attributes, whatever kind of value each has."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


async def _place_traced(engine: Engine, trader: TraderClient) -> tuple[str, str, dict[str, Any]]:
    """Place an order in a trace of its own, and another if a busy engine rightly didn't send it in time.

    Return the trace, its first span and what was asked for.
    """
    while True:
        trace, parent, order = secrets.token_hex(16), secrets.token_hex(8), trader.order(type="MARKET")
        headers = {
            "authorization": f"Bearer {trader.client.token}",
            "traceparent": f"00-{trace}-{parent}-01",
            "x-request-id": "of-the-test",
        }
        async with http_client() as client:
            body = {"query": PLACE, "variables": {"input": order}}
            answer = await client.post(engine.graphql_url, json=body, headers=headers)
        ended = await trader.until_ended(answer.json()["data"]["orderPlace"]["order"])
        if ended["cancelCode"] not in LATE:
            assert ended["status"] == "FILLED"
            return trace, parent, order


async def test_an_order_is_traced_from_its_request_to_the_venue_and_a_collector_that_is_away_harms_nothing(
    data_folder: Path,
) -> None:
    async with trace_collector() as collector:
        settings = {"R3EDGE_TRACES_URL": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        async with running_engine(data_folder, "--seed", "7", settings=settings) as engine:
            trader = await new_trader(engine.client())
            trace, parent, order = await _place_traced(engine, trader)
            await eventually(lambda: collector.of_trace(trace).keys() >= TRACED, "the request and its order are traced")

            spans = collector.of_trace(trace)
            assert spans["POST /graphql"].parent_span_id.hex() == parent
            assert spans["venue POST order"].parent_span_id == spans["order.send"].span_id
            assert spans["graphql mutation"].parent_span_id == spans["POST /graphql"].span_id
            assert attributes(spans["POST /graphql"])["r3edge.request_id"] == "of-the-test"
            assert attributes(spans["order.send"])["venue"] == "sandbox"
            orders = {attributes(spans[name])["r3edge.order.id"] for name in ("order.decide", "order.send", ENDED)}
            assert len(orders) == 1
            assert f'"trace_id": "{trace}"' in engine.log

            secret = (PASSWORD, trader.client.token or "?", trader.email, order["idempotencyKey"], order["quantity"])
            assert [each for each in secret if each.encode() in collector.bodies] == []

            collector.refuses = True
            await trader.place()
            await eventually(lambda: collector.refused, "the collector has refused spans")
            await eventually(lambda: "traces can't be sent to" in engine.log, "that is reported")
            refused = collector.refused
            await trader.place()
            await eventually(lambda: collector.refused > refused, "the collector has refused more of them")
            assert engine.log.count("traces can't be sent to") == 1

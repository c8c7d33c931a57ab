"""Spans as a collector gets them, by OpenTelemetry's own exporter in memory."""

import asyncio
from collections.abc import Iterator
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from domain.core.tracing import carry, inner_span, no_span, order_span, set_tracer, span, trace_id, within
from infra.tracing import OpenTelemetryTracer, sampler

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
ORDER = UUID(int=1)


@pytest.fixture
def memory() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler(1.0), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    set_tracer(OpenTelemetryTracer(provider))
    yield exporter
    set_tracer(None)


def places(exporter: InMemorySpanExporter) -> dict[str, tuple[str, str | None]]:
    """Return of each span, by its name, its trace and the name of the span above."""
    spans: tuple[ReadableSpan, ...] = exporter.get_finished_spans()
    names = {each.context.span_id: each.name for each in spans}
    return {
        each.name: (
            format_trace_id(each.context.trace_id),
            None if each.parent is None else names.get(each.parent.span_id, format_span_id(each.parent.span_id)),
        )
        for each in spans
    }


def test_without_a_tracer_every_span_is_the_same_nothing() -> None:
    assert span("a") is order_span("b", ORDER) is inner_span("c") is within(TRACEPARENT) is no_span()
    with span("a") as made:
        made.set(status="x")
    carry(ORDER)
    assert trace_id() is None


def test_a_request_stands_below_the_span_of_its_client(memory: InMemorySpanExporter) -> None:
    with within(TRACEPARENT), span("request"), span("operation"):
        assert trace_id() == TRACE
    assert trace_id() is None
    assert places(memory) == {"request": (TRACE, PARENT), "operation": (TRACE, "request")}


@pytest.mark.parametrize("nonsense", ["", "x", "00-0-0-01", f"00-{TRACE}-{'0' * 16}-01", "é" * 40, None])
def test_a_traceparent_that_can_not_be_read_begins_a_trace(memory: InMemorySpanExporter, nonsense: str | None) -> None:
    with within(nonsense), span("request"):
        pass
    assert places(memory)["request"][1] is None


async def test_an_order_stays_in_the_trace_of_its_request_whichever_task_works_on_it(
    memory: InMemorySpanExporter,
) -> None:
    async def execute() -> None:
        with order_span("send", ORDER), inner_span("venue"):
            pass

    with span("request"):
        carry(ORDER)
    with span("another"):
        await asyncio.create_task(execute())
    found = places(memory)
    assert found["send"] == (found["request"][0], "request")
    assert found["venue"][1] == "send"
    assert found["another"][0] != found["request"][0]


def test_the_spans_of_an_order_that_nobody_requested_here_share_a_trace(memory: InMemorySpanExporter) -> None:
    with order_span("decide", ORDER):
        pass
    with order_span("send", ORDER):
        pass
    found = places(memory)
    assert found["decide"][1] is None
    assert found["send"] == (found["decide"][0], "decide")


async def test_what_goes_on_after_its_request_has_ended_is_no_part_of_it(memory: InMemorySpanExporter) -> None:
    ended = asyncio.Event()

    async def follow_for_ever() -> None:
        await ended.wait()
        with inner_span("poll"):
            pass
        with span("reconcile"):
            pass

    with span("request"):
        task = asyncio.create_task(follow_for_ever())
    ended.set()
    await task
    assert set(places(memory)) == {"request", "reconcile"}
    assert places(memory)["reconcile"][1] is None


def test_an_error_is_named_and_its_text_kept_out(memory: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="hunter2"), span("send"):
        raise ValueError("hunter2")
    (found,) = memory.get_finished_spans()
    assert (found.attributes, found.events) == ({"error.type": "ValueError"}, ())
    assert (found.status.is_ok, found.status.description) == (False, None)
    assert "hunter2" not in found.to_json()


def test_a_client_has_no_say_in_how_many_traces_are_sent() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler(0.0), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    set_tracer(OpenTelemetryTracer(provider))
    with within(TRACEPARENT), span("request"):
        pass
    set_tracer(None)
    assert exporter.get_finished_spans() == ()

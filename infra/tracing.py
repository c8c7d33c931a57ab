"""Traces by OpenTelemetry, sent by OTLP over HTTP; needs the extra `otel`, and is loaded only if traces are made."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from domain.core.tracing import Attribute, Trace
from infra.daemon_thread import in_daemon_thread

log = logging.getLogger(__name__)

EXPORT_SECONDS: Final = 5.0
_LIBRARY: Final = "opentelemetry"
_propagator: Final = TraceContextTextMapPropagator()


class OpenTelemetryTracer:
    """`domain.core.tracing.Tracer`: spans with the engine's own attributes alone, and no text of an error."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("r3edge")

    @contextmanager
    def span(self, name: str, attributes: dict[str, Attribute], parent: Trace | None) -> Iterator["_Span"]:
        above = parent if isinstance(parent, otel.Context) else otel.Context()
        # An error's text may repeat what a user or a venue has sent.
        with self._tracer.start_as_current_span(
            name, above, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as started:
            span = _Span(started)
            try:
                yield span
            except BaseException as error:
                span.set(error=type(error).__name__)
                raise

    def current(self) -> Trace | None:
        span = trace.get_current_span()
        is_there = span.is_recording() or span.get_span_context().is_remote
        return otel.get_current() if is_there else None

    def remote(self, traceparent: str) -> Trace | None:
        found = _propagator.extract({"traceparent": traceparent}, otel.Context())
        return found if trace.get_current_span(found).get_span_context().is_valid else None

    @contextmanager
    def within(self, trace: Trace) -> Iterator[None]:
        assert isinstance(trace, otel.Context)
        token = otel.attach(trace)
        try:
            yield
        finally:
            otel.detach(token)

    def trace_id(self) -> str | None:
        span = trace.get_current_span()
        return trace.format_trace_id(span.get_span_context().trace_id) if span.is_recording() else None

    async def close(self) -> None:
        """Send what waits; a collector that doesn't answer is given up."""
        await in_daemon_thread(self._provider.shutdown)


class _Span:
    """`domain.core.tracing.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, **attributes: Attribute) -> None:
        error = attributes.pop("error", None)
        self._span.set_attributes(attributes)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(trace.StatusCode.ERROR)


class _ReportingExporter(SpanExporter):
    """Sends spans, and logs once when the collector is away and once when it is there again."""

    def __init__(self, exporter: SpanExporter, url: str) -> None:
        self._exporter = exporter
        self._url = url
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            log.warning("traces can't be sent to %s; they are dropped until it answers", self._url)
        elif self._fails and not fails:
            log.info("traces are sent to %s again", self._url)
        self._fails = fails
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def sampler(share: float) -> Sampler:
    """Return what chooses a share of all traces by their ids.

    A client's `traceparent` names the trace, but has no say in whether it is sent, unless it isn't to be.
    """
    by_share = TraceIdRatioBased(share)
    return ParentBased(by_share, remote_parent_sampled=by_share, remote_parent_not_sampled=ALWAYS_OFF)


def open_tracer(url: str, share: float, version: str, node: str) -> OpenTelemetryTracer:
    """Return a tracer that sends `share` of all traces to the collector at `url`, from a thread of its own.

    What waits to be sent is bounded, and dropped beyond that.
    """
    # The library logs a line for each attempt that fails, some with a traceback.
    logging.getLogger(_LIBRARY).setLevel(logging.CRITICAL)
    attributes = {"service.name": "r3edge-engine", "service.version": version, "service.instance.id": node}
    provider = TracerProvider(sampler(share), Resource(attributes), shutdown_on_exit=False)
    exporter = _ReportingExporter(OTLPSpanExporter(url, timeout=EXPORT_SECONDS), url)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return OpenTelemetryTracer(provider)

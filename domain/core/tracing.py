"""Traces: spans of what the engine does, from a request to the venue and back; they cost nothing while none are made.

The tracer is the process's, as its log is. A span's attributes are the engine's words and ids: no amounts, no texts of
users, nothing secret.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Final, Protocol, Self
from uuid import UUID

from cachetools import LRUCache

Attribute = str | int | float | bool
Trace = object
"""A place in a trace, below which other spans may stand; what it is knows the tracer alone."""

_MAXIMUM_ORDERS: Final = 10_000


class Span(Protocol):
    """A span while it lasts."""

    def set(self, **attributes: Attribute) -> None:
        """Add attributes; `error` names the kind of failure that the span ends with."""
        ...


class Tracer(Protocol):
    """Makes spans."""

    def span(self, name: str, attributes: dict[str, Attribute], parent: Trace | None) -> AbstractContextManager[Span]:
        """Return a span that lasts as long as the block: below `parent`, or as the first of a trace of its own."""
        ...

    def current(self) -> Trace | None:
        """Return the span in which the caller runs; None if there is none, or if it has ended."""
        ...

    def remote(self, traceparent: str) -> Trace | None:
        """Return the span of another program by its `traceparent` (W3C Trace Context); None if that can't be read."""
        ...

    def within(self, trace: Trace) -> AbstractContextManager[None]:
        """Let the block run in a span that isn't the engine's own."""
        ...

    def trace_id(self) -> str | None:
        """Return the id of the current trace, for log lines."""
        ...


class _NoSpan:
    """In the place of a span, and of a block within one, while no traces are made."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def set(self, **attributes: Attribute) -> None:
        """Do nothing."""


class _Tracing:
    """The process's tracer, and in which traces the last orders are."""

    def __init__(self) -> None:
        self.tracer: Tracer | None = None
        self.orders: LRUCache[UUID, Trace] = LRUCache(_MAXIMUM_ORDERS)


_NO_SPAN: Final = _NoSpan()
_tracing: Final = _Tracing()


def set_tracer(tracer: Tracer | None) -> None:
    """Make traces by `tracer` from now on; None makes none."""
    _tracing.tracer = tracer
    _tracing.orders.clear()


def no_span() -> AbstractContextManager[Span]:
    """Return what is nothing in a trace."""
    return _NO_SPAN


def span(name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
    """Return a span below the current one, if there is one."""
    tracer = _tracing.tracer
    return _NO_SPAN if tracer is None else tracer.span(name, attributes, tracer.current())


def inner_span(name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
    """Return a span below the current one; none if there is none, as for what runs in the background for ever."""
    tracer = _tracing.tracer
    parent = None if tracer is None else tracer.current()
    return _NO_SPAN if tracer is None or parent is None else tracer.span(name, attributes, parent)


def order_span(name: str, order_id: UUID, **attributes: Attribute) -> AbstractContextManager[Span]:
    """Return a span in the trace of an order, whichever task works on it; its first span begins the trace."""
    tracer = _tracing.tracer
    return _NO_SPAN if tracer is None else _order_span(tracer, name, order_id, attributes)


@contextmanager
def _order_span(tracer: Tracer, name: str, order_id: UUID, attributes: dict[str, Attribute]) -> Iterator[Span]:
    attributes["r3edge.order.id"] = str(order_id)
    with tracer.span(name, attributes, _tracing.orders.get(order_id)) as made:
        if order_id not in _tracing.orders and (here := tracer.current()) is not None:
            _tracing.orders[order_id] = here
        yield made


def carry(order_id: UUID) -> None:
    """Have what becomes of an order on this node, in other tasks, stand in the current trace."""
    tracer = _tracing.tracer
    if tracer is not None and (here := tracer.current()) is not None:
        _tracing.orders[order_id] = here


def within(traceparent: str | None) -> AbstractContextManager[object]:
    """Let the block run below the span of the program that has sent this `traceparent`, if there is one."""
    tracer = _tracing.tracer
    if tracer is None or traceparent is None:
        return _NO_SPAN
    trace = tracer.remote(traceparent)
    return _NO_SPAN if trace is None else tracer.within(trace)


def trace_id() -> str | None:
    """Return the id of the current trace; None without one."""
    return None if _tracing.tracer is None else _tracing.tracer.trace_id()

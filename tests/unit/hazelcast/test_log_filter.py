"""Which reports of an event loop the filter drops, and which it must never drop."""

import asyncio
import gc
from typing import Any

from hazelcast.errors import TargetDisconnectedError
from hazelcast.internal.asyncio_invocation import InvocationService

from infra.hazelcast.log_filter import ClientLogFilter, install

UNRETRIEVED_TASK = "Task exception was never retrieved"
UNRETRIEVED_FUTURE = "Future exception was never retrieved"


async def reports_of(task: asyncio.Task[Any]) -> list[str]:
    """Let `task` fail without retrieving its exception, and return what passed the filter."""
    passed: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, report: passed.append(report["message"]))
    install(loop)
    await asyncio.wait({task})
    del task
    gc.collect()
    return passed


async def client_task() -> asyncio.Task[Any]:
    """Start a coroutine of the client's own that fails: it asks a service that isn't there."""
    return asyncio.ensure_future(InvocationService.ainvoke(BrokenService(), None))


class BrokenService:
    def invoke(self, invocation: object) -> None:
        raise TargetDisconnectedError("broken on purpose")


async def test_a_task_of_the_client_whose_exception_is_never_retrieved_is_dropped() -> None:
    assert await reports_of(await client_task()) == []


async def test_a_task_of_ours_passes_even_with_an_error_of_the_client() -> None:
    async def ours() -> None:
        raise TargetDisconnectedError("not the client's task")

    assert await reports_of(asyncio.ensure_future(ours())) == [UNRETRIEVED_TASK]


async def test_a_bug_in_a_task_of_the_client_passes() -> None:
    service = BrokenService()
    service.invoke = None  # type: ignore[assignment]
    assert await reports_of(asyncio.ensure_future(InvocationService.ainvoke(service, None))) == [UNRETRIEVED_TASK]


def test_a_future_is_dropped_with_an_error_of_the_client_alone() -> None:
    passed: list[object] = []
    loop = asyncio.new_event_loop()
    log_filter = ClientLogFilter(lambda _, report: passed.append(report["exception"]))
    for error in (TargetDisconnectedError("the client's"), asyncio.CancelledError(), ours := RuntimeError("ours")):
        log_filter(loop, {"message": UNRETRIEVED_FUTURE, "exception": error, "future": loop.create_future()})
    loop.close()
    assert passed == [ours]


def test_every_other_report_passes() -> None:
    passed: list[str] = []
    loop = asyncio.new_event_loop()
    log_filter = ClientLogFilter(lambda _, report: passed.append(report["message"]))
    log_filter(loop, {"message": "Exception in callback", "exception": TargetDisconnectedError("broken")})
    log_filter(loop, {"message": "no exception at all"})
    loop.close()
    assert passed == ["Exception in callback", "no exception at all"]


def test_a_last_write_of_the_client_on_a_closed_connection_is_dropped() -> None:
    passed: list[object] = []
    loop = asyncio.new_event_loop()
    log_filter = ClientLogFilter(lambda _, report: passed.append(report["exception"]))
    late = "Exception in callback <bound method HazelcastProtocol._flush of <hazelcast.internal… object at 0x1>>"
    for error in (RuntimeError("the handler is closed"), bug := TypeError("a bug")):
        log_filter(loop, {"message": late, "exception": error})
    log_filter(
        loop, {"message": "Exception in callback <bound method Ours._flush>", "exception": (ours := RuntimeError())}
    )
    loop.close()
    assert passed == [bug, ours]


def test_installing_twice_filters_once() -> None:
    loop = asyncio.new_event_loop()
    install(loop)
    first = loop.get_exception_handler()
    install(loop)
    assert loop.get_exception_handler() is first
    loop.close()

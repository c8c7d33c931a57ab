"""Runs checks so that none can hold up the others, hang, or end the whole."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

import structlog

from infra.doctor.findings import Check, Finding, error

log = structlog.stdlib.get_logger("r3edge.doctor")

T = TypeVar("T")


async def run_checks(checks: Mapping[str, Check], limit_seconds: float) -> list[Finding]:
    """Run all at once and return what they found, in their order; each may take `limit_seconds`."""
    found = await asyncio.gather(*(bounded(name, check, limit_seconds) for name, check in checks.items()))
    return [finding for findings in found for finding in findings]


async def bounded(name: str, check: Check, limit_seconds: float) -> list[Finding]:
    """Return what a check finds; that it took longer, or failed, is a finding too."""
    try:
        async with asyncio.timeout(limit_seconds):
            return list(await check())
    except TimeoutError:
        return [
            error(name, f"gave no answer within {limit_seconds:g} s", "look for what hangs, or allow more by --timeout")
        ]
    except Exception as failure:  # one check that fails must not hide what the others find
        # The text of an error that nobody foresaw may hold anything, a password too.
        log.debug("check_failed", check=name, exc_info=True)
        return [error(name, f"could not be checked ({type(failure).__name__})", "report this as an error of r3edge")]


async def in_thread(work: Callable[[], T]) -> T:
    """Return the result of `work`, done in a thread without which the process can end.

    A dead network folder never answers.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, failure: BaseException | None) -> None:
        if done.cancelled():
            return
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None is a result of a T that may be None

    def run() -> None:
        try:
            result, failure = work(), None
        except BaseException as caught:  # noqa: BLE001  # it is raised where it is awaited
            result, failure = None, caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, daemon=True, name="r3edge-doctor").start()
    return await done

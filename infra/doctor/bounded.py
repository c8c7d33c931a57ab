"""Runs checks so that none can hold up the others, hang, or end the whole."""

import asyncio
from collections.abc import Mapping

import structlog

from infra.doctor.findings import Check, Finding, error

log = structlog.stdlib.get_logger("r3edge.doctor")


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
    except PermissionError as denied:
        message = f"this user may not look at {denied.filename}"
        return [error(name, message, "run the doctor as the user that runs the engine")]
    except Exception as failure:  # one check that fails must not hide what the others find
        # The text of an error that nobody foresaw may hold anything, a password too.
        log.debug("check_failed", check=name, exc_info=True)
        return [error(name, f"could not be checked ({type(failure).__name__})", "report this as an error of r3edge")]

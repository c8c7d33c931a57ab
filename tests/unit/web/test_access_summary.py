"""Which requests have a line of their own in the access log, and which are summed up."""

import asyncio
import logging

import pytest
import structlog

from infra.web.access_summary import MOST_ADDRESSES, REFUSED_LINES, SERVED_LINES, AccessSummary
from infra.web.app import shared

STRANGER: dict[str, object] = {}


@pytest.fixture(autouse=True)
def _information(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "r3edge.access")


def sums(summary: AccessSummary) -> list[dict[str, object]]:
    with structlog.testing.capture_logs() as logs:
        summary.write()
    return [{"requests": line["requests"], "statuses": line["statuses"]} for line in logs]


async def test_refused_and_served_requests_of_an_address_have_so_many_lines_a_second() -> None:
    summary = AccessSummary()
    for status, most in ((404, REFUSED_LINES), (200, SERVED_LINES)):
        shown = [summary.has_line("192.0.2.1", status, STRANGER) for _ in range(most + 3)]
        assert shown == [True] * most + [False] * 3
    assert summary.has_line("192.0.2.2", 404, STRANGER)
    assert sums(summary) == [{"requests": 6, "statuses": "404:3,200:3"}]
    assert summary.has_line("192.0.2.1", 404, STRANGER)  # in the next second
    assert sums(summary) == []


async def test_refusals_with_status_200_and_on_sockets_count_as_refused() -> None:
    summary = AccessSummary()
    for status in (200, 0):
        for _ in range(REFUSED_LINES):
            summary.has_line(str(status), status, {"errors": "INVALID"})
        assert not summary.has_line(str(status), status, {"errors": "INVALID"})
    assert [one["statuses"] for one in sums(summary)] == ["200:1", "INVALID:1"]


async def test_requests_of_users_and_faults_of_the_engine_always_have_a_line() -> None:
    summary = AccessSummary()
    assert all(summary.has_line("192.0.2.1", 400, {"user_id": "u", "errors": "INVALID"}) for _ in range(1_000))
    assert all(summary.has_line("192.0.2.1", 503, STRANGER) for _ in range(1_000))
    assert sums(summary) == []


async def test_very_many_addresses_share_the_lines_of_one() -> None:
    summary = AccessSummary()
    shown = sum(summary.has_line(f"2001:db8::{number:x}", 404, STRANGER) for number in range(5 * MOST_ADDRESSES))
    assert shown == MOST_ADDRESSES + REFUSED_LINES
    assert sums(summary) == [
        {"requests": 4 * MOST_ADDRESSES - REFUSED_LINES, "statuses": f"404:{4 * MOST_ADDRESSES - REFUSED_LINES}"}
    ]


async def test_probes_that_come_while_readiness_is_checked_share_the_check() -> None:
    gate, checks = asyncio.Event(), 0

    async def readiness() -> list[str]:
        nonlocal checks
        checks += 1
        await gate.wait()
        return ["the database"]

    check = shared(readiness)
    probes = [asyncio.create_task(check()) for _ in range(10)]
    await asyncio.sleep(0)
    probes[0].cancel()
    gate.set()
    assert [await probe for probe in probes[1:]] == [["the database"]] * 9
    await check()
    assert checks == 2

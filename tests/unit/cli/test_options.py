import asyncio
import gc

import asyncpg
import pytest

from infra.cli.options import run_command


async def leave_behind(error: Exception) -> str:
    """Do some work whose driver drops a future with an error that nobody awaits."""
    asyncio.get_running_loop().create_future().set_exception(error)
    gc.collect()
    await asyncio.sleep(0)
    return "done"


@pytest.mark.parametrize(
    ("error", "is_reported"),
    [(asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"), False), (ValueError("a fault"), True)],
)
def test_a_command_reports_errors_that_nobody_awaits_but_those_of_cancelled_statements(
    error: Exception, is_reported: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_command(leave_behind(error)) == "done"
    assert bool([record for record in caplog.records if record.name == "asyncio"]) is is_reported

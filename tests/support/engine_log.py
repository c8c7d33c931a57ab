"""What the engine's code logs in a test's own process, wherever that goes."""

import logging
from collections.abc import Callable

import pytest

EngineLog = Callable[[], str]

_OF_OTHERS = ("httpx", "httpcore", "asyncio", "uvicorn")


@pytest.fixture
def engine_log(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> EngineLog:
    """Return a function that returns what was logged so far, without the lines of libraries.

    Before logging is configured it goes to standard output, afterwards to the standard library's loggers; a test that
    ran before in the same process may have configured it, and loggers that were used then stay so.
    """
    caplog.set_level(logging.INFO)
    printed: list[str] = []

    def read() -> str:
        printed.append(capsys.readouterr().out)
        lines = [record.getMessage() for record in caplog.records if not record.name.startswith(_OF_OTHERS)]
        return "\n".join([*printed, *lines])

    return read

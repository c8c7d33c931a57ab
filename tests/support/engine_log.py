"""What the engine's code logs in a test's own process, and that no test configures it for those after it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from infra.log_lines import LineLog

EngineLog = Callable[[], str]

_configure = structlog.configure


def _configure_uncached(**options: Any) -> None:
    # A logger that keeps what was configured at its first use would keep it for the tests that follow.
    _configure(**options | {"cache_logger_on_first_use": False})


structlog.configure = _configure_uncached

_OF_OTHERS = ("httpx", "httpcore", "asyncio", "uvicorn")


@pytest.fixture(autouse=True)
def unconfigured_logging() -> Iterator[None]:
    """Undo what a test has configured, as a command does that it runs in its own process."""
    root = logging.getLogger()
    handlers, level = root.handlers.copy(), root.level
    yield
    if structlog.is_configured():
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()
        LineLog.output = None


@pytest.fixture
def engine_log(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> EngineLog:
    """Return a function that returns what was logged so far, without the lines of libraries.

    Before logging is configured it goes to standard output, afterwards to the standard library's loggers.
    """
    caplog.set_level(logging.INFO)
    printed: list[str] = []

    def read() -> str:
        printed.append(capsys.readouterr().out)
        lines = [record.getMessage() for record in caplog.records if not record.name.startswith(_OF_OTHERS)]
        return "\n".join([*printed, *lines])

    return read

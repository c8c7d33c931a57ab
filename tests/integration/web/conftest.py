import logging

import pytest

from tests.support.demo_schema import DemoBackend


@pytest.fixture
def backend() -> DemoBackend:
    return DemoBackend()


@pytest.fixture(autouse=True)
def _no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """Hold every test to it: no traceback reaches a log of the server or of asyncio."""
    caplog.set_level(logging.INFO)
    yield
    for when in ("setup", "call"):
        traced = [record for record in caplog.get_records(when) if record.exc_info and record.name != "r3edge.graphql"]
        assert not traced, [record.getMessage() for record in traced]

"""One engine for all tests that leave it running; at the end it must stop cleanly, having logged no error."""

import shutil
from collections.abc import Iterator

import pytest

from tests.support.engine import Engine
from tests.support.postgres import run_aside
from tests.support.run_folder import new_folder
from tests.support.trader_client import TraderClient, new_trader


@pytest.fixture(scope="package")
def shared_engine() -> Iterator[Engine]:
    """A running engine with the sandbox's synthetic market."""
    folder = new_folder()
    engine = Engine(folder / "data", "--seed", "7")
    try:
        run_aside(engine.start())
        yield engine
        run_aside(engine.terminate())
        engine.assert_quiet()
    finally:
        engine.clean_up()
        shutil.rmtree(folder)


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    """The shared engine, of which this test sees that it goes on and logs no error."""
    before = len(shared_engine.log)
    yield shared_engine
    print(shared_engine.log[before:])  # noqa: T201  # pytest shows it beside a failure
    assert shared_engine.is_running(), shared_engine.log[-3000:]
    shared_engine.assert_quiet(since=before)


@pytest.fixture
async def trader(engine: Engine) -> TraderClient:
    """Somebody new with a paper account."""
    return await new_trader(engine.client())


@pytest.fixture(scope="package")
def shared_nobody(shared_engine: Engine) -> TraderClient:
    """Somebody with a paper account, on which nothing that is tried may have an effect."""
    return run_aside(new_trader(shared_engine.client()))


@pytest.fixture
def nobody(engine: Engine, shared_nobody: TraderClient) -> TraderClient:
    """The same one in every test that asks; signing up somebody new for each takes a second."""
    return shared_nobody

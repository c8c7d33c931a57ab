"""What every test may ask for, and which process it runs in."""

import gc
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.support.compiled_modules import keep_compiled_modules

keep_compiled_modules()

# How long an example takes says how busy the machine is. The same code has the same examples on every machine and day:
# what fails a change is the change. `--hypothesis-profile=explore` looks for others.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("repeatable")

pytest_plugins = [
    "tests.support.engine_log",
    "tests.support.run_folder",
    "tests.support.postgres",
    "tests.support.scheduling",
    "tests.support.moved_clock",
]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without searching for dead cycles, and later search what the tests make alone."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()

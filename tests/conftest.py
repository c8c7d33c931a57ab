"""What every test may ask for, and which process it runs in."""

import gc
import os
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

# Compiled modules are kept, whatever the environment says: without them each process of the tests rewrites all asserts,
# which takes longer than to collect the tests, and each engine that is started compiles all of its modules.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = [
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

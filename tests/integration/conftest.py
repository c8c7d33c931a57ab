"""What the folders here share."""

from collections.abc import Iterator

import pytest

from tests.support.sandbox import SandboxProcess, session_sandbox


@pytest.fixture(scope="package")
def shared_sandbox() -> Iterator[SandboxProcess]:
    """One exchange a process for all tests here that leave it as it is; each test has accounts of its own."""
    with session_sandbox() as process:
        yield process

"""An exchange and real ccxt.pro clients of it."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.ccxt_client import Client, Connect, ccxt_client
from tests.support.sandbox import SandboxKeys, SandboxProcess, running_sandbox


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path / "sandbox") as process:
        yield process


@pytest.fixture
def connect(sandbox: SandboxProcess) -> Connect:
    """Return a maker of ccxt clients of the sandbox, with an account's keys or without."""
    return partial(ccxt_client, sandbox)


@pytest.fixture
async def keys(sandbox: SandboxProcess) -> SandboxKeys:
    return await sandbox.create_account("trader", {"USDT": "1000000", "BTC": "5"})


@pytest.fixture
async def trader(connect: Connect, keys: SandboxKeys) -> AsyncIterator[Client]:
    async with connect(keys) as client:
        await client.load_markets()
        yield client

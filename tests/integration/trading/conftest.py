"""A trading node on a real database, and a real sandbox exchange that all tests share: each has its own accounts."""

import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.postgres.pool import Pool
from tests.support.sandbox import ROOT
from tests.support.trading_node import TradingNode, trading_node


@dataclass(frozen=True)
class SandboxAddress:
    """Where the exchange is, and what opens its administrative side."""

    url: str
    token: str


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxAddress]:
    with tempfile.TemporaryDirectory(prefix="r3test-") as folder:
        command = [sys.executable, "-m", "infra.sandbox", "--folder", folder, "--port", "0", "--seed", "7"]
        process = subprocess.Popen(
            [*command, "--unlimited", "--exit-with-stdin"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with process:
            url = json.loads(process.stdout.readline())["url"]
            yield SandboxAddress(url, (Path(folder) / "admin-token").read_text().strip())


@pytest.fixture
async def node(pool: Pool, shared_sandbox: SandboxAddress) -> AsyncIterator[TradingNode]:
    async with trading_node(pool, shared_sandbox.url, shared_sandbox.token) as node:
        yield node

"""A trading node on a real database, and a real sandbox exchange that all tests share: each has its own accounts."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from infra.postgres.pool import Pool
from tests.support.sandbox import session_sandbox
from tests.support.trading_node import TradingNode, trading_node


@dataclass(frozen=True)
class SandboxAddress:
    """Where the exchange is, and what opens its administrative side."""

    url: str
    token: str


@pytest.fixture(scope="package")
def shared_sandbox() -> Iterator[SandboxAddress]:
    with session_sandbox() as sandbox:
        yield SandboxAddress(sandbox.url, sandbox.admin_token)


@pytest.fixture
async def node(pool: Pool, shared_sandbox: SandboxAddress) -> AsyncIterator[TradingNode]:
    async with trading_node(pool, shared_sandbox.url, shared_sandbox.token) as node:
        yield node

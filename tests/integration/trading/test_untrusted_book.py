"""No order is sent on a book that can't be trusted, from the venue's failure to the order's denial."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from domain.market_data.timings import FeedTimings
from domain.model.markets import FeedState
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType, RiskCode
from domain.model.trading import Account
from domain.rules.order_request import OrderRequest
from infra.postgres.pool import Pool
from tests.support.sandbox import SandboxProcess, running_sandbox
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, collecting_node
from tests.support.waiting import PATIENCE_SECONDS, eventually


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path / "sandbox", seed=7, expect_errors=True) as process:
        yield process


@pytest.fixture
async def real(pool: Pool, sandbox: SandboxProcess) -> AsyncIterator[TradingNode]:
    async with collecting_node(pool, sandbox.url, sandbox.admin_token, FeedTimings(stale_after=6)) as node:
        yield node


async def buy(node: TradingNode, account: Account, key: str) -> Order:
    request = OrderRequest(account.id, BTC, OrderSide.BUY, OrderType.MARKET, Decimal("0.01"))
    return await node.orders.place(node.user.id, request, key)


async def test_orders_are_denied_on_a_book_that_is_old_or_was_lost(real: TradingNode, sandbox: SandboxProcess) -> None:
    account = await real.account()
    async with real.hub.subscribe(BTC) as memory:

        def is_in(state: FeedState) -> bool:
            return memory.status is not None and memory.status.state is state

        assert await real.hub.depth(BTC, PATIENCE_SECONDS) is not None
        await real.until_reconciled(account)
        assert (await buy(real, account, "live")).status is OrderStatus.FILLED
        await sandbox.inject_faults(silenceMarketStreams=True)
        await eventually(lambda: is_in(FeedState.STALE), "the feed is stale")
        assert stale(await buy(real, account, "stale"))
        await sandbox.inject_faults(silenceMarketStreams=False)
        await eventually(lambda: is_in(FeedState.LIVE) and real.hub.latest_depth(BTC), "the feed is live again")
        assert (await buy(real, account, "back")).status is OrderStatus.FILLED
        await sandbox.inject_faults(refuseSockets=100_000, dropMarketStreams=True)
        await eventually(lambda: is_in(FeedState.RECONNECTING), "the feed reconnects")
        assert stale(await buy(real, account, "lost"))


def stale(order: Order) -> bool:
    codes = [denial.code for denial in order.denials]
    return order.status is OrderStatus.DENIED and codes == [RiskCode.STALE_MARKET_DATA]

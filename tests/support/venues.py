"""Accounts on a real sandbox exchange, and orders for them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderType
from domain.model.trading import Account, AccountKind, Balance
from domain.ports.execution_client import FillReport, OrderReport, VenueReport
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from infra.venues.registry import Venues
from tests.support.waiting import PATIENCE_SECONDS, eventually

BTC = MarketSymbol("sandbox", "BTC/USDT")


def allow() -> None:
    """A guard that allows every send."""


def new_order(**changes: object) -> Order:
    """Return a market order to buy 0.01 BTC, with `changes`."""
    now = datetime.now(UTC)
    facts: dict[str, object] = {
        "id": uuid4(),
        "user_id": UUID(int=1),
        "account_id": UUID(int=2),
        "market": BTC,
        "client_order_id": uuid4().hex,
        "side": OrderSide.BUY,
        "type": OrderType.MARKET,
        "role": OrderRole.MANUAL,
        "quantity": Decimal("0.01"),
        "created_at": now,
        "updated_at": now,
    }
    return Order(**(facts | changes))


@dataclass
class Trader:
    """One account: its name at the sandbox, and its execution client."""

    name: str
    venue: CcxtExecutionClient


@dataclass
class UpdateLog:
    """The updates of an account's stream so far."""

    updates: list[VenueReport] = field(default_factory=list)

    def of(self, kind: type) -> list:
        return [update for update in self.updates if isinstance(update, kind)]

    @property
    def fills(self) -> list[FillReport]:
        return [*self.of(FillReport), *(fill for order in self.of(OrderReport) for fill in order.fills)]

    async def until(
        self, condition: Callable[["UpdateLog"], object], what: str, timeout_seconds: float = PATIENCE_SECONDS
    ) -> None:
        await eventually(lambda: condition(self), what, timeout_seconds)


async def open_trader(venues: Venues, name: str, balances: dict[str, Decimal]) -> Trader:
    """Create a paper account and connect to it."""
    held = [Balance(currency, amount, amount) for currency, amount in balances.items()]
    credentials = await venues.paper("sandbox").open_account(name, held)
    account = Account(uuid4(), uuid4(), name, AccountKind.PAPER, "sandbox", "USDT", datetime.now(UTC))
    return Trader(name, venues.account(account, credentials))


async def best_bid(venues: Venues) -> Decimal:
    """Return the best bid of the sandbox's book."""
    async with aclosing(venues.public("sandbox").depth(BTC)) as books:
        return (await anext(books)).bids[0].price


@asynccontextmanager
async def recorded_updates(account: CcxtExecutionClient) -> AsyncIterator[UpdateLog]:
    """Record the updates of the account's stream inside the block."""
    log = UpdateLog()

    async def listen() -> None:
        async with aclosing(account.reports()) as updates:
            async for update in updates:
                log.updates.append(update)

    task = asyncio.create_task(listen())
    try:
        yield log
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

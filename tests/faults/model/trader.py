"""A user of a run: an account, a trading session with protection, and all that was asked for and answered."""

import asyncio
import base64
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.model.world import VenueKey, World
from tests.support.trader_client import CREATE_STRATEGY, MARKET, START_SESSION, TraderClient, new_trader

AWAY = (httpx.TransportError, OSError)
STOP_PERCENT, PROFIT_PERCENT = 2, 3

_PATIENCE_SECONDS = 90
_FOR_A_WHILE = frozenset({"UNAVAILABLE", "TIMEOUT", "RATE_LIMITED"})
"""Errors of a request that is to be sent again."""

ORDERS = """query($after: String) { viewer { orders(first: 50, after: $after) { nodes {
  id clientOrderId venueOrderId side type role status reduceOnly quantity filledQuantity revision rejectCode
  account { id } tradingSession { id } createdAt
  fills(first: 50) { nodes { venueTradeId price quantity at } } }
  pageInfo { hasNextPage endCursor } } } }"""
SESSIONS = "{ viewer { tradingSessions(first: 50) { nodes { id status statusReason account { id } } } } }"
POSITIONS = """{ viewer { positions(first: 50, open: true) { nodes { id quantity averagePrice
  tradingSession { id status } } } } }"""
BALANCES = "query($id: ID!) { node(id: $id) { ... on Account { balances { currency total free } } } }"
EVENTS = """subscription($after: String) { events(after: $after) { cursor sequence kind message
  state { __typename ... on OrderState { id status filledQuantity revision } } } }"""


@dataclass
class Trader:
    """A user with one account.

    `acknowledged` maps each idempotency key to the id of the order that the engine answered with; `by_hand` are
    client order ids of orders placed with the venue's key, past the engine.
    """

    client: TraderClient
    venue: VenueKey
    start_cursor: str
    session: str = ""
    acknowledged: dict[str, str] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    by_hand: set[str] = field(default_factory=set)
    halted: str = ""

    @property
    def account(self) -> str:
        return self.client.account

    async def insist(self, document: str, **variables: Any) -> dict[str, Any]:
        """Send a mutation until the engine has answered it; return its payload, which may hold errors."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                try:
                    answer = await self.client.client.raw(document, **variables)
                except AWAY:
                    answer = {"errors": []}
                codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
                assert codes <= _FOR_A_WHILE, answer
                if "errors" not in answer:
                    (payload,) = answer["data"].values()
                    if payload is not None:
                        return payload
                await asyncio.sleep(0.1)

    async def read(self, document: str, **variables: Any) -> Any:
        """Return the only root field of a query, asked until it is answered."""
        return await self.insist(document, **variables)

    async def place(self, document: str, order: dict[str, Any]) -> None:
        """Place an order, and remember the answer to its key; two answers to one key must name one order."""
        payload = await self.insist(document, input=order)
        if payload["order"] is None:
            return
        key, answered = order["idempotencyKey"], payload["order"]["id"]
        known = self.acknowledged.setdefault(key, answered)
        if known != answered:
            self.contradictions.append(f"the key {key} made the orders {known} and {answered}")

    async def orders(self) -> list[dict[str, Any]]:
        """Return all orders of the account, page by page."""
        found, after = [], None
        while True:
            page = (await self.read(ORDERS, after=after))["orders"]
            found += page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    async def sessions(self) -> list[dict[str, Any]]:
        """Return the user's trading sessions."""
        return (await self.read(SESSIONS))["tradingSessions"]["nodes"]

    async def open_positions(self) -> list[dict[str, Any]]:
        """Return the user's open positions."""
        return (await self.read(POSITIONS))["positions"]["nodes"]

    async def balances(self) -> dict[str, tuple[str, str]]:
        """Return total and free by currency, as the engine answers them, without what is zero."""
        rows = (await self.read(BALANCES, id=self.account))["balances"]
        return {row["currency"]: (row["total"], row["free"]) for row in rows if float(row["total"])}


async def new_user(world: World) -> Trader:
    """Register a user with a paper account, and start a trading session that enters at each candle's close."""
    client = await new_trader(world.engine.client(), USDT="1000000", BTC="2")
    trader = Trader(client, await world.key_of(_raw_id(client.account)), await client.head())
    strategy = await trader.insist(
        CREATE_STRATEGY,
        input={
            "name": f"always {uuid.uuid4().hex[:8]}",
            "definition": {
                "enterLong": "close > 0", "exitLong": "close < 0", "sizing": {"quoteAmount": "2000"},
                "stopLoss": {"percent": str(STOP_PERCENT)}, "takeProfit": {"percent": str(PROFIT_PERCENT)},
            },
        },
    )  # fmt: skip
    assert strategy["errors"] == [], strategy
    started = await trader.insist(
        START_SESSION,
        input={
            "strategyVersion": strategy["strategy"]["version"]["id"], "account": client.account,
            "market": MARKET, "timeframe": "M1", "idempotencyKey": uuid.uuid4().hex,
        },
    )  # fmt: skip
    assert started["errors"] == [], started
    trader.session = started["tradingSession"]["id"]
    return trader


def _raw_id(global_id: str) -> str:
    """Return the object's own id, by which the exchange names a paper account, from its id in the API."""
    return base64.urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode().partition(":")[2]

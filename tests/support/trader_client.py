"""A registered user of a running engine, with an account, its orders and their events."""

import uuid
from dataclasses import dataclass
from typing import Any

from tests.support.graphql_client import Client
from tests.support.waiting import read_until

MARKET = "sandbox:BTC/USDT"
PASSWORD = "correct horse battery"
LATE = frozenset({"TOO_OLD", "NOT_SENT"})
FINAL = frozenset({"FILLED", "CANCELED", "REJECTED", "DENIED", "EXPIRED"})

REGISTER = """mutation($input: UserRegisterInput!) { userRegister(input: $input) {
  token user { id email role } errors { code message path } } }"""
LOGIN = """mutation($input: UserLoginInput!) { userLogin(input: $input) {
  token expiresAt user { id } errors { code message path } } }"""
CREATE_ACCOUNT = """mutation($input: AccountCreateInput!) { accountCreate(input: $input) {
  account { id kind balances { currency total free } } errors { code message path } } }"""
ACCOUNT = "query($id: ID!) { node(id: $id) { ... on Account { reconciledAt } } }"
PLACE = """mutation($input: OrderPlaceInput!) { orderPlace(input: $input) {
  order { id status clientOrderId filledQuantity denials { code message } } errors { code message path } } }"""
CANCEL = """mutation($id: ID!) { orderCancel(id: $id) { order { id status } errors { code message path } } }"""
ORDER = """query($id: ID!) { node(id: $id) { ... on Order {
  id status cancelCode filledQuantity quantity clientOrderId venueOrderId
  fills(first: 50) { nodes { id venueTradeId quantity price fee feeCurrency } } } } }"""
ORDERS = """query($after: String) { viewer { orders(first: 100, after: $after) {
  nodes { id status clientOrderId filledQuantity fills(first: 20) { nodes { venueTradeId quantity } } }
  pageInfo { hasNextPage endCursor } } } }"""
ORDER_EVENTS = """subscription($after: String) { orderEvents(after: $after) { cursor sequence kind reason
  order { id status clientOrderId filledQuantity averagePrice tradingSession { id } }
  fill { id price quantity fee feeCurrency venueTradeId } } }"""
EVENTS = "subscription($after: String) { events(after: $after) { cursor sequence kind message } }"
HEAD = "{ viewer { eventCursor } }"
BOOK = """query($m: MarketSymbol!) { market(symbol: $m) { priceIncrement quantityIncrement
  depth { bids { price quantity } asks { price quantity } } } }"""
CREATE_STRATEGY = """mutation($input: StrategyCreateInput!) { strategyCreate(input: $input) {
  strategy { id version { id number } }
  errors { __typename code message path ... on StrategyDefinitionError { start end suggestion } } } }"""
START_SESSION = """mutation($input: TradingSessionStartInput!) { tradingSessionStart(input: $input) {
  tradingSession { id status } errors { code message path } } }"""


@dataclass
class TraderClient:
    """A user with a token, and a paper account where `account` is set."""

    client: Client
    email: str
    user: str
    account: str = ""

    def order(self, **changes: Any) -> dict[str, Any]:
        """Return the input of an order to buy a little at the market, with a key of its own."""
        return {
            "account": self.account, "market": MARKET, "side": "BUY", "type": "MARKET", "quantity": "0.01",
            "idempotencyKey": uuid.uuid4().hex, **changes,
        }  # fmt: skip

    async def place(self, **changes: Any) -> dict[str, Any]:
        """Place an order that must be accepted; return it, one at the market as it ended.

        Of an order at the market that a busy engine rightly didn't send in time, another is placed.
        """
        while True:
            placed = (await self.client.change(PLACE, input=self.order(**changes)))["order"]
            if "type" in changes:
                return placed
            ended = await self.until_ended(placed)
            if ended["cancelCode"] not in LATE:
                return placed | ended

    async def until_ended(self, order: dict[str, Any]) -> dict[str, Any]:
        """Return the order as it ended: the engine answers after 2 s with the order as it then is."""
        return await read_until(
            lambda: self.client.one(ORDER, id=order["id"]), lambda now: now["status"] in FINAL, "the order's end"
        )

    async def head(self) -> str:
        """Return the cursor of the event log's head."""
        return (await self.client.one(HEAD))["eventCursor"]

    async def orders(self) -> list[dict[str, Any]]:
        """Return all orders, newest first, page by page."""
        found, after = [], None
        while True:
            page = (await self.client.one(ORDERS, after=after))["orders"]
            found += page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]


async def register(client: Client, email: str | None = None) -> TraderClient:
    """Register somebody new."""
    email = email or f"{uuid.uuid4().hex[:12]}@example.com"
    made = await client.change(REGISTER, input={"email": email, "password": PASSWORD})
    return TraderClient(Client(client.url, made["token"]), email, made["user"]["id"])


async def open_account(trader: TraderClient, **balances: str) -> str:
    """Open a paper account, with 100,000 USDT by default; return its id."""
    given = [{"currency": name, "amount": amount} for name, amount in (balances or {"USDT": "100000"}).items()]
    made = await trader.client.change(
        CREATE_ACCOUNT, input={"name": "paper", "kind": "PAPER", "venue": "sandbox", "balances": given}
    )
    return made["account"]["id"]


async def new_trader(client: Client, **balances: str) -> TraderClient:
    """Register somebody new and open an account; return when its orders are sent at once."""
    trader = await register(client)
    trader.account = await open_account(trader, **balances)
    await read_until(
        lambda: trader.client.one(ACCOUNT, id=trader.account), lambda now: now["reconciledAt"], "the account is traded"
    )
    return trader

"""A client of the engine as a front end is one: GraphQL over kept-alive HTTP, and over a WebSocket."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.parts import Engine

MARKET = "sandbox:BTC/USDT"
PASSWORD = "correct horse battery"

REGISTER = "mutation($i: UserRegisterInput!) { userRegister(input: $i) { token errors { message } } }"
ACCOUNT = "mutation($i: AccountCreateInput!) { accountCreate(input: $i) { account { id } errors { message } } }"
PLACE = "mutation($i: OrderPlaceInput!) { orderPlace(input: $i) { order { id status } errors { code message } } }"
CANCEL_ALL = "mutation($i: OrdersCancelInput!) { ordersCancel(input: $i) { requested errors { message } } }"
ORDER = """query($id: ID!) { node(id: $id) { ... on Order { status createdAt
  events(first: 20) { nodes { kind at } } } } }"""
OPEN_ORDERS = """{ viewer { orders(first: 1, status: [PENDING, SUBMITTED, IN_DOUBT, OPEN,
  PARTIALLY_FILLED, PENDING_CANCEL]) { nodes { id } } } }"""
BOOK = "query($m: MarketSymbol!) { market(symbol: $m) { priceIncrement depth { bids { price } asks { price } } } }"


class Client:
    """A registered user with one paper account."""

    def __init__(self, session: aiohttp.ClientSession, engine: Engine) -> None:
        self._session = session
        self._url = f"{engine.url}/graphql"
        self._socket_url = engine.socket_url
        self.token = ""
        self.account = ""

    async def run(self, document: str, **variables: Any) -> Any:
        """Return the one root field of the answer."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": document, "variables": variables}
        async with self._session.post(self._url, json=body, headers=headers) as response:
            answer = await response.json()
        if "errors" in answer:
            raise RuntimeError(str(answer["errors"]))
        return next(iter(answer["data"].values()))

    async def change(self, document: str, **input: Any) -> Any:
        """Run a mutation that must succeed."""
        answer = await self.run(document, i=input)
        if answer["errors"]:
            raise RuntimeError(str(answer["errors"]))
        return answer

    async def begin(self, balances: dict[str, str]) -> None:
        """Register, and make the account."""
        email = f"{uuid.uuid4().hex}@example.com"
        self.token = (await self.change(REGISTER, email=email, password=PASSWORD))["token"]
        amounts = [{"currency": currency, "amount": amount} for currency, amount in balances.items()]
        made = await self.change(ACCOUNT, name="bench", kind="PAPER", venue="sandbox", balances=amounts)
        self.account = made["account"]["id"]

    async def place_limit(self, side: str, price: str, quantity: str) -> str:
        """Place a limit order, which must be OPEN in the answer; return its id."""
        order = await self.place_limit_at_once(side, price, quantity)
        if order["status"] != "OPEN":
            raise RuntimeError(f"the order is {order['status']}")
        return str(order["id"])

    async def place_limit_patiently(self, side: str, price: str, quantity: str) -> None:
        """Place a limit order, and return once it is OPEN, also if that takes longer than the answer does."""
        order = await self.place_limit_at_once(side, price, quantity)
        order_id = order["id"]
        while order["status"] in {"PENDING", "SUBMITTED"}:
            order = await self.run(ORDER, id=order_id)
        if order["status"] != "OPEN":
            raise RuntimeError(f"the order is {order['status']}")

    async def place_limit_at_once(self, side: str, price: str, quantity: str) -> Any:
        """Place a limit order, whatever becomes of it; return what the answer has of it."""
        return (
            await self.change(
                PLACE,
                account=self.account,
                market=MARKET,
                side=side,
                type="LIMIT",
                quantity=quantity,
                price=price,
                idempotencyKey=uuid.uuid4().hex,
            )
        )["order"]

    async def cancel_all(self) -> None:
        """Cancel all of the account's orders."""
        await self.change(CANCEL_ALL, account=self.account)

    async def until_all_ended(self) -> None:
        """Return once none of the account's orders is open."""
        while await self._open_orders():  # noqa: ASYNC110  # the API is asked, as a client would
            await asyncio.sleep(0.02)

    async def _open_orders(self) -> int:
        answer = await self.run(OPEN_ORDERS)
        return len(answer["orders"]["nodes"])

    async def price(self, side: str, factor: str) -> str:
        """Return the best price of a side of the book times `factor`, on the market's increment."""
        book = await self.run(BOOK, m=MARKET)
        tick = Decimal(book["priceIncrement"])
        return f"{Decimal(book['depth'][side][0]['price']) * Decimal(factor) // tick * tick:f}"

    @asynccontextmanager
    async def subscribe(self, document: str, **variables: Any) -> AsyncGenerator[AsyncIterator[Any]]:
        """Give the events of a subscription, which is acknowledged when the block begins."""
        async with connect(
            self._socket_url, subprotocols=[Subprotocol("graphql-transport-ws")], compression=None, max_size=2**22
        ) as socket:
            payload = {"Authorization": f"Bearer {self.token}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            if json.loads(await socket.recv())["type"] != "connection_ack":
                raise RuntimeError("the server did not acknowledge the connection")
            subscription = {"query": document, "variables": variables}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": subscription}))
            yield _events(socket)


async def _events(socket: Any) -> AsyncIterator[Any]:
    async for text in socket:
        message = json.loads(text)
        if message["type"] == "ping":
            await socket.send('{"type":"pong"}')
        elif message["type"] == "next" and "errors" not in message["payload"]:
            yield next(iter(message["payload"]["data"].values()))
        else:
            raise RuntimeError(f"the subscription ended with {message}")


@asynccontextmanager
async def client(engine: Engine, **balances: str) -> AsyncGenerator[Client]:
    """Give a new user's client."""
    async with aiohttp.ClientSession() as session:
        made = Client(session, engine)
        await made.begin(balances)
        yield made

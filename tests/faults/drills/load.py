"""What users do all the time while something breaks: orders with keys, queries, logins, and streams by cursor."""

import asyncio
import itertools
import json
import time
import traceback
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from websockets.exceptions import WebSocketException

from domain.core.background import cancel_and_wait
from tests.faults.drills.followed_log import FollowedLog
from tests.faults.drills.stalls import Kind, Stalls
from tests.faults.model.remaining import Violations, remaining
from tests.faults.model.stage import Stage
from tests.faults.model.trader import EVENTS, Trader
from tests.support.graphql_client import Client, initialise, receive
from tests.support.trader_client import CANCEL, HEAD, LOGIN, MARKET, PASSWORD, PLACE
from tests.support.waiting import read_until

DEPTH = """subscription($m: MarketSymbol!) { marketDepth(market: $m) { __typename
  ... on MarketDepthStatus { state } } }"""
QUERY = "{ viewer { orders(first: 5) { nodes { id status filledQuantity } } } }"
VIEWER = "{ viewer { email } }"

_PAUSE_SECONDS = 0.2
_LOGIN_SECONDS = 0.5
_AGAIN_SECONDS = 0.1
_SIGN_IN_SECONDS = 12.0
"""Longer than the engine takes at most: a sign-in that was given up is hashed all the same, and holds up the next."""

_CAUGHT_UP_SECONDS = 60
_LIMIT_PERCENT = 5
_AWAY = (OSError, WebSocketException, AssertionError)
"""How a stream ends whose node has gone; what it ends with is no matter, since its reader comes back."""


class Load:
    """The users' work: each places orders and follows them by HTTP and WebSocket, one of them signs in again and again.

    A request that isn't answered in time goes to the next node, with the same key.
    """

    def __init__(self, stage: Stage, traders: list[Trader]) -> None:
        self.stalls = Stalls(time.monotonic)
        self._stage = stage
        self._traders = traders
        self._logs = {trader.account: FollowedLog(trader.start_cursor) for trader in traders}
        self._tokens: list[str] = []
        urls = [client.url for client in stage.clients()]
        self._sign_in_clients = itertools.cycle([Client(url, answer_seconds=_SIGN_IN_SECONDS) for url in urls])
        self._violations: Violations = []
        self._stopping = asyncio.Event()
        # All at once: a drill waits for the first successes before it breaks anything.
        self.stalls.expect(Kind.LOGIN, traders[0].account)
        for trader in traders:
            for kind in (Kind.ORDER, Kind.FILL, Kind.FRAME, Kind.QUERY):
                self.stalls.expect(kind, trader.account)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the block runs; what is under way at its end is ended first, and streams are read on."""
        requests: list[Coroutine[Any, Any, None]] = [self._keep(self._sign_in, Kind.LOGIN, self._traders[0])]
        streams: list[Coroutine[Any, Any, None]] = []
        for trader in self._traders:
            requests += [self._keep(self._place, Kind.ORDER, trader), self._keep(self._query, Kind.QUERY, trader)]
            streams += [self._follow_events(trader), self._follow_depth(trader)]
        working = [asyncio.create_task(work) for work in requests]
        following = [asyncio.create_task(work) for work in streams]
        try:
            yield
            self._stopping.set()
            await asyncio.gather(*working)
            self._violations += await self._caught_up()
        finally:
            for task in (*working, *following):
                await cancel_and_wait(task)

    async def violations(self) -> Violations:
        """Return what went wrong, and which acknowledged logins are lost."""
        clients = self._stage.clients()
        lost = [
            f"acknowledged and lost at {client.url}: login {number} of {len(self._tokens)}"
            for number, token in enumerate(self._tokens, start=1)
            for client in clients
            if await self._viewer(client.url, token) is None
        ]
        return self._violations + lost

    @staticmethod
    async def _viewer(url: str, token: str) -> dict[str, Any] | None:
        """Return whom a node takes the token for, None if it knows none; asked until it answers."""
        client = Client(url, token)
        answer = await read_until(lambda: client.raw(VIEWER), lambda it: "errors" not in it, "the viewer is answered")
        viewer: dict[str, Any] | None = answer["data"]["viewer"]
        return viewer

    # ---- requests

    async def _keep(self, work: Callable[[Trader], Coroutine[Any, Any, bool]], kind: Kind, trader: Trader) -> None:
        while not self._stopping.is_set():
            try:
                is_done = await work(trader)
            except (Exception, AssertionError):  # noqa: BLE001  # whatever a user meets, the run is to end and report it
                self._violations.append(f"{kind}: {traceback.format_exc()[-1_500:]}")
                return
            if is_done:
                self.stalls.note(kind, trader.account)
            await asyncio.sleep(_LOGIN_SECONDS if kind is Kind.LOGIN else _PAUSE_SECONDS)

    async def _place(self, trader: Trader) -> bool:
        key = uuid.uuid4().hex
        count = len(trader.acknowledged)
        order = {
            "account": trader.account, "market": MARKET, "side": "SELL" if count % 2 else "BUY", "type": "MARKET",
            "quantity": "0.001", "idempotencyKey": key,
        }  # fmt: skip
        if count % 5 == 4:
            price = f"{await self._stage.venue.price() * (1 - _LIMIT_PERCENT / 100):.2f}"
            order |= {"type": "LIMIT", "side": "BUY", "price": price}
        await trader.place(PLACE, order)
        if order["type"] == "LIMIT" and key in trader.acknowledged:
            await trader.insist(CANCEL, id=trader.acknowledged[key])
        return key in trader.acknowledged

    async def _query(self, trader: Trader) -> bool:
        await trader.read(QUERY)
        return True

    async def _sign_in(self, trader: Trader) -> bool:
        visitor = replace(trader, clients=self._sign_in_clients)
        made = await visitor.insist(LOGIN, input={"email": trader.client.email, "password": PASSWORD})
        assert made["errors"] == [], made
        self._tokens.append(made["token"])
        return True

    # ---- streams

    async def _follow_events(self, trader: Trader) -> None:
        log = self._logs[trader.account]

        def take(event: dict[str, Any]) -> None:
            log.take(event)
            if (event["state"] or {}).get("status") == "FILLED":
                self.stalls.note(Kind.FILL, trader.account)

        await self._follow(trader, EVENTS, lambda: {"after": log.cursor}, take)

    async def _follow_depth(self, trader: Trader) -> None:
        def take(event: dict[str, Any]) -> None:
            if event.get("state", "LIVE") == "LIVE":
                self.stalls.note(Kind.FRAME, trader.account)

        await self._follow(trader, DEPTH, lambda: {"m": MARKET}, take)

    async def _follow(
        self,
        trader: Trader,
        document: str,
        variables: Callable[[], dict[str, Any]],
        take: Callable[[dict[str, Any]], None],
    ) -> None:
        """Subscribe at one node after the other, for ever."""
        for client in itertools.cycle(self._stage.clients(trader.client.client.token)):
            with suppress(*_AWAY):
                async with client.socket() as socket:
                    await initialise(socket, client.token)
                    payload = {"query": document, "variables": variables()}
                    await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
                    while (message := await receive(socket))["type"] == "next":
                        if data := message["payload"].get("data"):
                            (event,) = data.values()
                            take(event)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _caught_up(self) -> Violations:
        """Wait until each log has come to its head, and return what is wrong with them."""

        async def behind() -> list[str]:
            found = []
            for trader in self._traders:
                head = (await trader.read(HEAD))["eventCursor"]
                found += self._logs[trader.account].violations(head)
            return found

        return await remaining(behind, _CAUGHT_UP_SECONDS)

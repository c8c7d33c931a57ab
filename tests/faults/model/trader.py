"""A user of a run: an account, a trading session with protection, and all that was asked for and answered."""

import asyncio
import base64
import itertools
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from tests.faults.model.stage import Stage
from tests.faults.model.venue import VenueKey
from tests.support.graphql_client import Client
from tests.support.http_client import http_client
from tests.support.trader_client import CREATE_STRATEGY, MARKET, START_SESSION, TraderClient, new_trader

AWAY = (httpx.TransportError, OSError)
STOP_PERCENT, PROFIT_PERCENT = "2", "3"
BRACKET_STOP_PERCENT, BRACKET_PROFIT_PERCENT = "1.5", "2.5"

USDT, BTC = "1000000", "2"
TARGET_PERCENT = "1.2"
_STYLES: tuple[dict[str, Any], ...] = (
    {"protectAt": "BEST"},
    {
        "adds": [{"below": {"percent": "0.7"}, "count": 2}],
        "targets": [{"distance": {"percent": TARGET_PERCENT}, "sharePercent": "50"}],
    },
)
_LOSS_LIMITS = {"maxDailyLoss": "150000", "maxDrawdownPercent": "20"}
"""More than the account can lose in a run, and less than a deposit that counts as lost or won."""

_PATIENCE_SECONDS = 90
_FOR_A_WHILE = frozenset({"UNAVAILABLE", "TIMEOUT", "RATE_LIMITED"})
"""Errors of a request that is to be sent again."""

_ALERT_FOR_A_WHILE = frozenset({408, 429, 503})

LIMIT_LOSSES = """mutation($id: ID!, $input: AccountUpdateInput!) { accountUpdate(id: $id, input: $input) {
  errors { code message } } }"""
CREATE_HOOK = """mutation($input: SignalWebhookCreateInput!) { signalWebhookCreate(input: $input) {
  path errors { code message } } }"""
ORDERS = """query($after: String) { viewer { orders(first: 50, after: $after) { nodes {
  id clientOrderId venueOrderId side type role status reduceOnly quantity filledQuantity revision rejectCode
  account { id } tradingSession { id } parent { id } denials { code message actual } createdAt updatedAt
  fills(first: 50) { nodes { venueTradeId price quantity at } } }
  pageInfo { hasNextPage endCursor } } } }"""
SESSIONS = "{ viewer { tradingSessions(first: 50) { nodes { id status statusReason account { id } } } } }"
POSITIONS = """{ viewer { positions(first: 50, open: true) { nodes { id quantity averagePrice
  tradingSession { id status } protections { stopLossPrice quantity endedAt } } } } }"""
SIGNALS = """query($id: ID!) { node(id: $id) { ... on TradingSession { signals(first: 100) {
  nodes { id action missed waiting reason order { id } } } } } }"""
TRANSFERS = """query($id: ID!) { node(id: $id) { ... on Account { transfers(first: 100) {
  nodes { kind currency amount reference } } } } }"""
BALANCES = "query($id: ID!) { node(id: $id) { ... on Account { balances { currency total free } } } }"
EVENTS = """subscription($after: String) { events(after: $after) { cursor sequence kind message
  state { __typename ... on OrderState { id status filledQuantity revision } } } }"""


Protected = tuple[int, Decimal, Decimal]
"""A protection by hand: the venue's time in milliseconds, the stop-loss and the take-profit."""


@dataclass
class Trader:
    """A user with one account, who asks one of the nodes after the other by `clients`.

    `acknowledged` maps each idempotency key to the id of the order that the engine answered with, `signals` to that of
    the signal; `by_hand` are client order ids of orders placed with the venue's key, past the engine. `asked` are the
    roles of orders that somebody has asked for, `protected` what positions by hand were given, `deposits` what was paid
    in, in USDT.
    """

    client: TraderClient
    clients: Iterator[Client]
    venue: VenueKey
    start_cursor: str
    session: str = ""
    hook: str = ""
    profit_percent: str = PROFIT_PERCENT
    acknowledged: dict[str, str] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    signals: dict[str, str] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    protected: list[Protected] = field(default_factory=list)
    deposits: list[Decimal] = field(default_factory=list)
    halted: str = ""

    @property
    def account(self) -> str:
        return self.client.account

    async def insist(self, document: str, **variables: Any) -> dict[str, Any]:
        """Send a mutation until the engine has answered it; return its payload, which may hold errors."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                try:
                    answer = await next(self.clients).raw(document, **variables)
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
        self._remember(self.acknowledged, order["idempotencyKey"], payload["order"])

    async def submit(self, document: str, signal: dict[str, Any]) -> None:
        """Submit a signal, and remember the answer to its key as that of an order."""
        payload = await self.insist(document, input=signal)
        self._remember(self.signals, signal["idempotencyKey"], payload["signal"])

    async def alert(self, message: dict[str, str]) -> None:
        """Send a message to the webhook until it is taken or refused, and remember the answer to its id."""
        async with asyncio.timeout(_PATIENCE_SECONDS), http_client(timeout=30) as client:
            while True:
                url = next(self.clients).url.removesuffix("/graphql") + self.hook
                with suppress(*AWAY):
                    answer = await client.post(url, json=message)
                    if answer.status_code not in _ALERT_FOR_A_WHILE:
                        return self._remember(self.signals, message["id"], answer.json().get("signal"))
                await asyncio.sleep(0.1)

    def _remember(self, answers: dict[str, str], key: str, answered: dict[str, Any] | None) -> None:
        if answered is not None and answers.setdefault(key, answered["id"]) != answered["id"]:
            self.contradictions.append(f"the key {key} made both {answers[key]} and {answered['id']}")

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

    async def submitted(self) -> list[dict[str, Any]]:
        """Return the signals of the trading session, those of its candles too."""
        return (await self.read(SIGNALS, id=self.session))["signals"]["nodes"]

    async def transfers(self) -> list[dict[str, Any]]:
        """Return what changed the account's balances and was no fill."""
        return (await self.read(TRANSFERS, id=self.account))["transfers"]["nodes"]

    async def balances(self) -> dict[str, tuple[str, str]]:
        """Return total and free by currency, as the engine answers them, without what is zero."""
        rows = (await self.read(BALANCES, id=self.account))["balances"]
        return {row["currency"]: (row["total"], row["free"]) for row in rows if float(row["total"])}


async def new_user(stage: Stage, number: int) -> Trader:
    """Register a user with a paper account, and start a trading session that enters at each candle's close.

    That of the first user enters once, and its protection rests at the venue. That of the second enters in a ladder,
    and the engine protects it. Both can be signalled by a webhook.
    """
    client = await new_trader(Client(stage.clients()[0].url), USDT=USDT, BTC=BTC)
    clients = itertools.cycle(stage.clients(client.client.token))
    trader = Trader(client, clients, await stage.venue.key_of(_raw_id(client.account)), await client.head())
    limited = await trader.insist(LIMIT_LOSSES, id=client.account, input={"risk": _LOSS_LIMITS})
    assert limited["errors"] == [], limited
    definition = {
        "enterLong": "close > 0", "exitLong": "close < 0", "sizing": {"quoteAmount": "2000"},
        "stopLoss": {"percent": STOP_PERCENT}, "takeProfit": {"percent": PROFIT_PERCENT}, **_STYLES[number],
    }  # fmt: skip
    strategy = await trader.insist(
        CREATE_STRATEGY, input={"name": f"always {uuid.uuid4().hex[:8]}", "definition": definition}
    )
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
    hook = await trader.insist(CREATE_HOOK, input={"tradingSession": trader.session, "name": "alerts"})
    assert hook["errors"] == [], hook
    trader.hook = hook["path"]
    trader.profit_percent = TARGET_PERCENT if number else PROFIT_PERCENT
    return trader


def _raw_id(global_id: str) -> str:
    """Return the object's own id, by which the exchange names a paper account, from its id in the API."""
    return base64.urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode().partition(":")[2]

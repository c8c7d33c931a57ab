"""A trading session's webhook on a running engine, as TradingView calls it and as an attacker does."""

import asyncio
import json
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.support.engine import Engine
from tests.support.http_client import http_client
from tests.support.trader_client import CREATE_STRATEGY, MARKET, START_SESSION, TraderClient, new_trader
from tests.support.waiting import read_until

QUIET = {"enterLong": "close < 0", "exitLong": "close < 0", "sizing": {"quoteAmount": "500"}}
CREATE = """mutation($input: SignalWebhookCreateInput!) { signalWebhookCreate(input: $input) {
  signalWebhook { id } path secret errors { code message path } } }"""
REVOKE = """mutation($id: ID!) { signalWebhookRevoke(id: $id) {
  signalWebhook { revokedAt } errors { code message path } } }"""
REVOKE_ALL = "mutation { userUpdate(input: {revokeSignalWebhooks: true}) { errors { code message path } } }"
SESSION = """query($id: ID!) { node(id: $id) { ... on TradingSession { status
  signalWebhooks { id name signalCount lastUsedAt refusedCount lastError tradingSession { id } }
  signals(first: 50) { nodes { action missed reason } } orders(first: 50) { nodes { role status } } } } }"""
EVERYTHING = """{ viewer { activity(first: 100) { nodes { action detail subject { id } } }
  tradingSessions(first: 5) { nodes { signalWebhooks { id name } } } } }"""
EVENTS = "subscription($after: String) { events(after: $after) { cursor kind message } }"


async def _session(trader: TraderClient) -> str:
    created = await trader.client.change(CREATE_STRATEGY, input={"name": "quiet", "definition": QUIET})
    started = await trader.client.change(
        START_SESSION,
        input={
            "strategyVersion": created["strategy"]["version"]["id"],
            "account": trader.account,
            "market": MARKET,
            "timeframe": "M1",
        },
    )
    session = started["tradingSession"]["id"]
    await read_until(
        lambda: trader.client.one(SESSION, id=session), lambda now: now["status"] == "RUNNING", "the session runs"
    )
    return session


async def _send(engine: Engine, path: str, body: bytes | str, content_type: str = "text/plain") -> httpx.Response:
    async with http_client(base_url=engine.url, timeout=60) as client:
        return await client.post(path, content=body, headers={"content-type": f"{content_type}; charset=utf-8"})


def _code(response: httpx.Response) -> tuple[int, str]:
    (error,) = response.json()["errors"]
    return response.status_code, error["code"]


@pytest.mark.timeout(240)
async def test_alerts_trade_once_and_nothing_else_does(engine: Engine) -> None:
    trader = await new_trader(engine.client())
    session = await _session(trader)
    head = await trader.head()
    created = await trader.client.change(CREATE, input={"tradingSession": session, "name": "TradingView"})
    path, secret = created["path"], created["secret"]
    assert path == f"/hooks/signals/{secret}"

    alert = json.dumps({"action": "buy", "ticker": "BTCUSDT", "id": "1", "comment": "my alert"})
    answers = await asyncio.gather(*(_send(engine, path, alert, "application/json") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["signal"]["id"] for answer in answers}) == 1
    await _orders(trader, session, {"ENTRY FILLED": 1})
    sold = await _send(engine, path, "close BTCUSDT")
    assert (sold.status_code, sold.json()["signal"]["action"]) == (200, "EXIT_LONG")
    await _orders(trader, session, {"ENTRY FILLED": 1, "EXIT FILLED": 1})

    assert _code(await _send(engine, path, json.dumps({"action": "sell", "id": "1"}))) == (409, "CONFLICT")
    assert _code(await _send(engine, path, b"\xff\xfe")) == (400, "INVALID")
    assert _code(await _send(engine, path, "short")) == (400, "UNSUPPORTED")
    assert _code(await _send(engine, path, "x" * 8_193)) == (413, "INVALID")
    assert _code(await _send(engine, f"{path}x", "buy")) == (404, "NOT_FOUND")
    assert _code(await _send(engine, "/hooks/signals/", "buy")) == (404, "NOT_FOUND")
    assert _code(await _send(engine, "/hooks/signals/%ff/", "buy")) == (404, "NOT_FOUND")
    assert (await _send(engine, "/hooks/signals/%00%ff/", "buy")).status_code == 400
    async with http_client(base_url=engine.url) as client:
        read = await client.get(path)
    assert (read.status_code, read.headers["allow"]) == (405, "POST")
    assert await _send_slowly(engine, path) == b"HTTP/1.1 408 Request Timeout"

    shown = (await trader.client.one(SESSION, id=session))["signalWebhooks"]
    assert [(hook["name"], hook["signalCount"], hook["refusedCount"]) for hook in shown] == [("TradingView", 2, 3)]
    assert shown[0]["tradingSession"] == {"id": session}
    assert shown[0]["lastError"].startswith("'short' isn't possible on a spot market")
    await trader.client.change(REVOKE, id=shown[0]["id"])
    assert _code(await _send(engine, path, "buy")) == (404, "NOT_FOUND")
    other = await trader.client.change(CREATE, input={"tradingSession": session, "name": "another"})
    await trader.client.change(REVOKE_ALL)
    assert _code(await _send(engine, other["path"], "buy")) == (404, "NOT_FOUND")
    assert (await trader.client.one(SESSION, id=session))["signalWebhooks"] == []
    await _secret_stands_nowhere(engine, trader, secret, head)


async def _orders(trader: TraderClient, session: str, expected: dict[str, int]) -> None:
    def summary(now: dict[str, Any]) -> Counter[str]:
        return Counter(f"{order['role']} {order['status']}" for order in now["orders"]["nodes"])

    await read_until(
        lambda: trader.client.one(SESSION, id=session), lambda now: summary(now) == expected, f"orders {expected}"
    )


async def _send_slowly(engine: Engine, path: str) -> bytes:
    """Begin a message and never end it; return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nbu".encode())
    line = await reader.readline()
    writer.close()
    return line.strip()


async def _secret_stands_nowhere(engine: Engine, trader: TraderClient, secret: str, head: str) -> None:
    assert secret not in engine.log
    assert '"route": "/hooks/signals/"' in engine.log
    async with http_client(base_url=engine.url) as client:
        assert secret not in (await client.get("/metrics")).text
    shown = await trader.client.one(EVERYTHING)
    assert secret not in json.dumps(shown)
    assert Counter(activity["action"] for activity in shown["activity"]["nodes"])["signalSubmit"] == 2
    async with trader.client.subscribed(EVENTS, after=head) as events:
        await events.until(lambda event: event["message"] == "signalWebhookRevoke", "the end of the webhook")
    assert secret not in json.dumps(events.seen)

"""The log of a running engine records what happened in words that stay, by ids, and holds nothing secret."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, running_engine
from tests.support.graphql_client import Client, initialise, receive
from tests.support.http_client import http_client
from tests.support.trader_client import (
    CREATE_ACCOUNT,
    CREATE_STRATEGY,
    LOGIN,
    MARKET,
    PLACE,
    REGISTER,
    START_SESSION,
    TraderClient,
    new_trader,
)
from tests.support.waiting import eventually, read_until

MARK = uuid.uuid4().hex[:10]
"""Part of everything that is private here."""
PASSWORD, OTHER_PASSWORD, WRONG_PASSWORD = (f"{name} {MARK} battery" for name in ("first", "second", "wrong"))
EMAIL = f"somebody-{MARK}@example.com"

UPDATE_USER = "mutation($input: UserUpdateInput!) { userUpdate(input: $input) { errors { code message } } }"
CREATE_KEY = """mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) {
  secret apiKey { id } errors { code message } } }"""
DEPOSIT = """mutation($id: ID!, $input: PaperDepositInput!) { paperDeposit(id: $id, input: $input) {
  errors { code message } } }"""
STOP = """mutation Stop($id: ID!) { tradingSessionStop(id: $id, input: {closePosition: false}) {
  errors { code message } } }"""
STATUS = "query($id: ID!) { node(id: $id) { ... on TradingSession { status } } }"
HALT = """mutation($id: ID!, $input: TradingHaltInput!) { tradingHalt(id: $id, input: $input) {
  errors { code message } } }"""


def records(engine: Engine, event: str) -> list[dict[str, Any]]:
    """Return the lines of the log of this name, oldest first; the last may be half written."""
    whole, _, _ = engine.log.rpartition("\n")
    lines = (json.loads(line) for line in whole.split("\n") if line)
    return [line for line in lines if line["event"] == event]


async def one(engine: Engine, event: str, **fields: Any) -> dict[str, Any]:
    """Return the only line of this name with these fields; a request's comes just after its answer."""

    def found() -> list[dict[str, Any]]:
        return [line for line in records(engine, event) if fields.items() <= line.items()]

    await eventually(found, f"a line {event} with {fields}")
    (line,) = found()
    return line


async def line_of(engine: Engine, document: str) -> dict[str, Any]:
    """Send a request without a token, and return its line; lines of requests before it may come meanwhile."""
    request_id = uuid.uuid4().hex
    async with http_client() as client:
        headers = {"content-type": "application/json", "x-request-id": request_id}
        await client.post(engine.graphql_url, content=json.dumps({"query": document}), headers=headers)
    return await one(engine, "http", request_id=request_id)


async def test_the_log_reports_an_orders_life_once_each_by_its_ids(engine: Engine) -> None:
    trader = await new_trader(engine.client())
    order = await trader.place()
    known = {"client_order_id": order["clientOrderId"]}
    steps = [await one(engine, f"order_{step}", **known) for step in ("pending", "submitted", "accepted")]
    await one(engine, "fill", **known, status="FILLED")
    fills = [line for line in records(engine, "fill") if known.items() <= line.items()]
    assert {line["level"] for line in [*steps, *fills]} == {"info"}
    for field in ("user_id", "account_id", "order_id", "market", "side"):
        assert len({line[field] for line in [*steps, *fills]}) == 1
    account = await one(engine, "account_created", user_id=steps[0]["user_id"])
    assert account["account_id"] == steps[0]["account_id"]


async def test_the_log_begins_with_the_version_and_where_the_engine_listens(engine: Engine) -> None:
    started = await one(engine, "engine_started")
    assert started["address"] == engine.url
    assert started["version"]
    assert "trader" in started["roles"]


async def test_what_a_request_caused_carries_its_id_and_its_line_says_who_asked_for_what(engine: Engine) -> None:
    trader = await new_trader(engine.client())
    document = PLACE.replace("mutation(", "mutation PlaceIt(", 1)
    placed = await trader.client.change(document, input=trader.order(quantity="0.02"))
    pending = await one(engine, "order_pending", client_order_id=placed["order"]["clientOrderId"])
    request = await one(engine, "http", request_id=pending["request_id"])
    assert request["operation"] == "PlaceIt"
    assert request["root_fields"] == "orderPlace"
    assert request["operation_type"] == "mutation"
    assert request["credential"] == "login_session"
    assert request["user_id"] == pending["user_id"]
    assert request["cost"] > 0
    assert "errors" not in request


async def test_denials_and_refusals_are_reported_with_their_codes_whatever_the_client_selected(engine: Engine) -> None:
    trader = await new_trader(engine.client())
    bare = "mutation Deny($input: OrderPlaceInput!) { orderPlace(input: $input) { order { clientOrderId } } }"
    placed = await trader.client.one(bare, input=trader.order(quantity="0.123456789"))
    denied = await one(engine, "order_denied", client_order_id=placed["order"]["clientOrderId"])
    assert "QUANTITY_PRECISION" in denied["denials"]
    assert (await one(engine, "http", operation="Deny"))["errors"] == "ORDER_DENIED"
    nobody = 'mutation Guess { userLogin(input: {email: "nobody@example.com", password: "wrong password"}) { token } }'
    await engine.client().run(nobody)
    assert (await one(engine, "http", operation="Guess"))["errors"] == "CREDENTIALS_REJECTED"
    assert (await line_of(engine, "query Unreadable { node { id } }"))["errors"] == "INVALID"


async def test_an_operation_on_a_socket_has_a_line_of_its_own_when_it_ends(
    engine: Engine, trader: TraderClient
) -> None:
    document = "subscription Follow { orderEvents { sequence } }"
    async with trader.client.socket() as socket:
        await initialise(socket, trader.client.token)
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": document}}))
        await trader.place()
        await receive(socket)
        await socket.send(json.dumps({"type": "complete", "id": "1"}))
        await socket.send(
            json.dumps({"type": "subscribe", "id": "2", "payload": {"query": "query Ask { venues { id } }"}})
        )
        while (await receive(socket))["id"] != "2":
            pass
    follow, ask = [await one(engine, "operation", operation=name) for name in ("Follow", "Ask")]
    assert follow["request_id"] == ask["request_id"]
    assert follow["payloads"] >= 1
    assert (follow["operation_type"], ask["operation_type"]) == ("subscription", "query")
    assert follow["user_id"] == ask["user_id"]


@pytest.mark.parametrize(
    "name", ["x" * 100_000, "Long" * 5_000, "a\nb", 'a" level="error', "\x1b[31m", "\u2028", "\ud800", "{}", "None"]
)
async def test_no_name_that_a_client_gives_forges_or_floods_a_line(engine: Engine, name: str) -> None:
    line = await line_of(engine, f"query {name} {{ venues {{ id }} }}")
    assert len(json.dumps(line)) < 600
    assert line.get("operation", "none").replace("_", "").isalnum()


@pytest.mark.timeout(180)
async def test_nothing_secret_is_logged_at_any_level(data_folder: Path) -> None:
    secrets = [PASSWORD, OTHER_PASSWORD, WRONG_PASSWORD, EMAIL, MARK]
    # Every line of every part is written, which on a busy machine takes longer than a user would wait.
    settings = {"R3EDGE_LOG_LEVEL": "debug", "R3EDGE_OPERATION_TIMEOUT_SECONDS": "60"}
    async with running_engine(data_folder / "data", "--seed", "7", settings=settings) as engine:
        stranger = engine.client()
        made = await stranger.change(REGISTER, input={"email": EMAIL, "password": PASSWORD, "displayName": f"N {MARK}"})
        client = Client(stranger.url, made["token"])
        secrets.append(made["token"])
        for password in (PASSWORD, WRONG_PASSWORD):
            signed_in = await stranger.one(LOGIN, input={"email": EMAIL, "password": password})
            secrets += [signed_in["token"]] if signed_in["token"] else []
        await client.change(UPDATE_USER, input={"password": OTHER_PASSWORD, "currentPassword": PASSWORD})
        key = await client.change(CREATE_KEY, input={"name": f"key {MARK}", "scopes": ["READ", "TRADE"]})
        secrets.append(key["secret"])
        await _trade(Client(stranger.url, key["secret"]), client)
        for document in (
            f'{{ user(token: "{MARK}") }}',
            f"{{ {MARK}: venues {{ nothing }} }}",
            MARK,
            f"{{ x(a: {MARK}",
        ):
            await client.raw(document, secret=MARK)
        secrets += [(data_folder / "data" / name).read_text().strip() for name in ("secret-key", "sandbox/admin-token")]
        secrets.append((data_folder / "data" / "postgres" / "password").read_text().strip())
        await engine.terminate()
        log = engine.log
    assert '"login"' in log
    assert '"trading_session_stopped"' in log
    assert [secret for secret in secrets if secret in log] == []


async def _trade(keyed: Client, client: Client) -> None:
    """Do with marked names and texts what users do, by key and by login."""
    account = {"name": f"mine {MARK}", "kind": "PAPER", "venue": "sandbox"}
    balances = [{"currency": "USDT", "amount": "100000"}]
    live = {"apiKey": f"key-{MARK}", "secret": f"secret-{MARK}"}
    await client.refusal(CREATE_ACCOUNT, input={**account, "kind": "LIVE", "credentials": live})
    opened = await client.change(CREATE_ACCOUNT, input={**account, "balances": balances})
    trader = TraderClient(keyed, EMAIL, "", opened["account"]["id"])
    await client.change(
        DEPOSIT, id=trader.account, input={"currency": "USDT", "amount": "5", "idempotencyKey": f"{MARK} 2"}
    )
    await keyed.raw(PLACE, input=trader.order(idempotencyKey=MARK))
    await keyed.raw(PLACE, input=trader.order(market=f"sandbox:{MARK}/USDT"))
    definition = {"enterLong": "close > 0", "sizing": {"quoteAmount": "500"}}
    strategy = await keyed.change(CREATE_STRATEGY, input={"name": f"plan {MARK}", "definition": definition})
    await keyed.raw(CREATE_STRATEGY, input={"name": "x", "definition": {**definition, "enterLong": f"close > {MARK}"}})
    start = {"strategyVersion": strategy["strategy"]["version"]["id"], "account": trader.account, "market": MARKET}
    session = (await keyed.change(START_SESSION, input={**start, "timeframe": "M1"}))["tradingSession"]["id"]
    await keyed.change(HALT, id=trader.account, input={"reason": f"because {MARK}"})
    await keyed.run(STOP, id=session)
    await read_until(lambda: keyed.one(STATUS, id=session), lambda now: now["status"] == "STOPPED", "it stops")

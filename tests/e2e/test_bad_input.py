"""Values that no front-end sends: each is refused with a code and a path, and nothing breaks inside."""

import asyncio
import base64
import hashlib
import json
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.graphql_client import Client
from tests.support.trader_client import (
    CANCEL,
    CREATE_ACCOUNT,
    CREATE_STRATEGY,
    PLACE,
    START_SESSION,
    TraderClient,
    new_trader,
)

INTERNAL = ("Traceback", "asyncpg", "psycopg", "SELECT ", "INSERT ", 'File "', ".py", "/work", "/tmp", "site-packages",
            "object at 0x", "domain.", "infra.", "KeyError", "ValueError", "TypeError", "INTERNAL")  # fmt: skip
HUGE = str(10**40)


def assert_nothing_internal(answer: object) -> None:
    """Hold that an answer names nothing of the inside."""
    text = json.dumps(answer)
    leaked = [word for word in INTERNAL if word in text]
    assert not leaked, (leaked, text[:2000])


async def refused(client: Client, document: str, **variables: Any) -> list[dict[str, Any]]:
    """Run a mutation that must be refused; return its errors, which are whole and leak nothing."""
    errors = await client.refusal(document, **variables)
    assert_nothing_internal(errors)
    for error in errors:
        assert error["message"]
        assert error.get("code") or error["extensions"]["code"]
    return errors


@pytest.mark.parametrize(
    "quantity",
    ["0", "-1", "NaN", "Infinity", "-Infinity", "sNaN", "1e400", "1e-400", "0x10", HUGE, f"0.{'0' * 50}1", "", " ",
     "1 0", "1,5", "\u0661", "\0", "1_000", True, False, [], ["1"], {}, None, 0, -1, 10**40, 0.5, 1e300],
)  # fmt: skip
async def test_an_invalid_quantity_is_rejected(nobody: TraderClient, quantity: object) -> None:
    await refused(nobody.client, PLACE, input=nobody.order(quantity=quantity))
    assert await nobody.orders() == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"market": "sandbox:NO/SUCH"}, ["input", "market"]),
        ({"market": "nowhere:BTC/USDT"}, ["input", "market"]),
        ({"type": "LIMIT"}, ["input", "price"]),
        ({"type": "LIMIT", "price": "-5"}, ["input", "price"]),
        ({"type": "LIMIT", "price": "0"}, ["input", "price"]),
        ({"type": "STOP"}, ["input", "stopPrice"]),
        ({"account": "nonsense"}, ["input", "account"]),
        ({"account": ""}, ["input", "account"]),
        ({"idempotencyKey": ""}, ["input", "idempotencyKey"]),
        ({"idempotencyKey": "k" * 10_000}, ["input", "idempotencyKey"]),
    ],
)
async def test_an_order_that_cannot_be_read_names_its_field(
    nobody: TraderClient, changes: dict[str, Any], path: list[str]
) -> None:
    (error,) = await refused(nobody.client, PLACE, input=nobody.order(**changes))
    assert error["path"] == path
    assert error["code"] in {"INVALID", "NOT_FOUND"}
    assert await nobody.orders() == []


async def test_an_order_beyond_the_markets_filters_is_denied_with_all_reasons(trader: TraderClient) -> None:
    for changes, denial in (
        ({"quantity": "0.123456789"}, "QUANTITY_PRECISION"),
        ({"quantity": "1000000"}, "QUANTITY_TOO_LARGE"),
        ({"type": "LIMIT", "price": "50000.001"}, "PRICE_PRECISION"),
        ({"quantity": "0.00001"}, "NOTIONAL_TOO_SMALL"),
        ({"side": "SELL"}, "INSUFFICIENT_BALANCE"),
    ):
        payload = await trader.client.one(PLACE, input=trader.order(**changes))
        assert_nothing_internal(payload)
        assert [error["code"] for error in payload["errors"]] == ["ORDER_DENIED"]
        assert payload["order"]["status"] == "DENIED"
        assert denial in [entry["code"] for entry in payload["order"]["denials"]]


@pytest.mark.parametrize("value", [True, 7, 1.5, [], {}, "x" * 100_000, "\0", "a\0b", "nul\u0000", "\ud800"])
@pytest.mark.parametrize("field", ["account", "market", "side", "type", "price", "idempotencyKey", "timeInForce"])
async def test_no_field_of_an_order_accepts_a_value_of_another_kind(
    nobody: TraderClient, field: str, value: object
) -> None:
    await refused(nobody.client, PLACE, input=nobody.order(**{field: value}))


def _cursor(kind: str, owner: str, *key: str) -> str:
    """Return a cursor as the engine makes it, of parts that it never would."""
    mark = hashlib.sha256(f"{kind}\0{owner}".encode()).hexdigest()[:12]
    return base64.urlsafe_b64encode(json.dumps([mark, *key]).encode()).rstrip(b"=").decode()


def _uuid_of(id: str) -> str:
    return base64.urlsafe_b64decode(id + "=" * (-len(id) % 4)).decode().split(":")[1]


LISTS = ["orders", "fills", "positions", "accounts", "strategies", "tradingSessions", "reports", "activity"]
GARBAGE = ["", "x", "====", "AAAA", "\U0001f600", "W10", "e30", "bnVsbA", "//8", "[]", "A" * 2_000, "A" * 100_000]


@pytest.mark.parametrize("name", LISTS)
async def test_garbage_cursors_are_refused_by_every_list(nobody: TraderClient, name: str) -> None:
    document = f"query($after: String) {{ viewer {{ {name}(first: 1, after: $after) {{ nodes {{ id }} }} }} }}"
    kinds = {name, "trading_sessions", "tradingSessions"}
    owner = _uuid_of(nobody.user)
    forged = [
        _cursor(kind, owner, *key)
        for kind in kinds
        for key in (
            (),
            ("\0",),
            ("x",),
            ("9" * 40,),
            ("-1",),
            ("1", "\0"),
            ("9" * 18, "x"),
            ("1e9", "1"),
            ("1", "1", "1"),
        )
    ]
    for cursor in [*GARBAGE, *forged]:
        answer = await nobody.client.raw(document, after=cursor)
        assert_nothing_internal(answer)
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert codes == ["INVALID"] or answer["data"]["viewer"][name]["nodes"] == [], (cursor[:60], answer)


@pytest.mark.parametrize(
    "field", ["candles(timeframe: M1, first: 1, after: $after)", "trades(first: 1, after: $after)"]
)
async def test_garbage_cursors_are_refused_by_market_data(engine: Engine, field: str) -> None:
    document = f'query($after: String) {{ market(symbol: "sandbox:BTC/USDT") {{ {field} {{ edges {{ cursor }} }} }} }}'
    anonymous = engine.client()
    kinds = ["candles", "trades", "candles:sandbox:BTC/USDT:1m", "trades:sandbox:BTC/USDT"]
    keys = [("\0",), ("9" * 40,), ("1", "\0"), ("1", "x")]
    for cursor in [*GARBAGE, *(_cursor(kind, "", *key) for kind in kinds for key in keys)]:
        answer = await anonymous.raw(document, after=cursor)
        assert_nothing_internal(answer)


async def test_garbage_cursors_of_the_event_log_are_refused(nobody: TraderClient) -> None:
    owner = _uuid_of(nobody.user)
    forged = [
        _cursor("events", owner, *key)
        for key in (("9" * 40, "1"), ("1", "9" * 40), ("-1", "1"), ("x", "y"), ("1",), ("0", "0"), (str(2**63), "0"))
    ]
    for cursor in [*GARBAGE[:-1], *forged]:
        document = "subscription($after: String) { orderEvents(after: $after) { cursor } }"
        async with nobody.client.subscribed(document, after=cursor) as events:
            try:
                message = json.loads(await asyncio.wait_for(events.socket.recv(), 1.0))
            except TimeoutError:
                message = {}  # a place in the future is a place to wait at
        assert_nothing_internal(message)
        assert message.get("type") in {None, "error", "next"}


async def test_cursors_and_ids_of_another_user_or_list_are_treated_as_unknown(
    engine: Engine, trader: TraderClient
) -> None:
    other = await new_trader(engine.client())
    order = await other.place()
    document = "query($after: String) { viewer { orders(first: 1, after: $after) { edges { cursor } } } }"
    cursor = (await other.client.one(document))["orders"]["edges"][0]["cursor"]
    fills = "query($after: String) { viewer { fills(first: 1, after: $after) { edges { cursor } } } }"
    for client, query, after in (
        (trader.client, document, cursor),
        (other.client, fills, cursor),
        (trader.client, document, await other.head()),
    ):
        (error,) = (await client.raw(query, after=after))["errors"]
        assert error["extensions"]["code"] == "INVALID"
    node = "query($id: ID!) { node(id: $id) { id } }"
    for id_ in (order["id"], other.account, other.user, "x", "", "\U0001f600", "Tm9wZTox", "T3JkZXI6MQ"):
        assert await trader.client.one(node, id=id_) is None
    for id_ in (order["id"], other.account, trader.account, "x", ""):
        (error,) = await refused(trader.client, CANCEL, id=id_)
        assert error["code"] == "NOT_FOUND"
    (error,) = await refused(trader.client, PLACE, input=trader.order(account=other.account))
    assert error["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("type_name", "key"),
    [
        ("Order", "\0"), ("Order", "x" * 100), ("Order", "1"), ("Market", "\0"), ("Market", "sandbox:BTC/USDT\0"),
        ("Market", "sandbox:"), ("Venue", "\0"), ("Engine", "\0"), ("User", "\0"), ("Nothing", "1"), ("Account", "-"),
        ("Report", "{}"), ("TradingSession", "urn:uuid:0"), ("Strategy", "%s"), ("Signal", "'; DROP TABLE orders"),
    ],
)  # fmt: skip
async def test_forged_ids_answer_as_if_absent(nobody: TraderClient, type_name: str, key: str) -> None:
    id_ = base64.urlsafe_b64encode(f"{type_name}:{key}".encode()).rstrip(b"=").decode()
    answer = await nobody.client.raw("query($id: ID!) { node(id: $id) { id } }", id=id_)
    assert answer == {"data": {"node": None}, "extensions": answer["extensions"]}


@pytest.mark.parametrize(
    "rule",
    [
        "close > emma(close, 3)", "", " ", "close >", "close", "1 +", "((((", "__import__('os')", "close.__class__",
        "open('/etc/passwd')", "lambda: 1", "[x for x in y]", "close > 1e400", "close > 10**10**10",
        "sma(close, 1e9) > 1",
        "sma(close, -1) > 0", "sma(close, 999999999) > 0", "close\0 > 1", "f'{close}' > 1", "close := 1", "await close",
        "close > 0x10 and \\\n close", "a" * 1_000_000, "(" * 10_000 + "close" + ")" * 10_000,
        "not " * 10_000 + "close",
        "-" * 10_000 + "1", "close" + " + close" * 20_000, "close > 1 if close else 2",
        "\u202eclose > 1", "cl\u043ese > 1", "close > 1 # and", "close > 1\nclose", "close[0] > 1", "close > '1'",
        "*close", "**", "sma()",
        "sma(close, close) > 1", "sma(3, close) > 1", "macd(close) > 1", "macd(close).nope > 1", "shift(close, -1) > 1",
    ],
    ids=lambda rule: rule[:24],
)  # fmt: skip
async def test_a_rule_that_cannot_be_read_is_refused_with_its_path(nobody: TraderClient, rule: str) -> None:
    definition = {"enterLong": rule, "sizing": {"quoteAmount": "500"}}
    (error, *_) = await refused(nobody.client, CREATE_STRATEGY, input={"name": "bad", "definition": definition})
    if "path" in error and "code" in error:
        assert error["path"][:3] == ["input", "definition", "enterLong"]
        assert error["code"] == "STRATEGY_INVALID"


@pytest.mark.parametrize(
    "definition",
    [
        {"sizing": {}},
        {"sizing": {"quoteAmount": "500", "equityPercent": "5"}},
        {"sizing": {"quoteAmount": "-1"}},
        {"sizing": {"quoteAmount": "0"}},
        {"sizing": {"equityPercent": "1000"}},
        {"sizing": {"quoteAmount": None}},
        {"sizing": {"quoteAmount": "500"}, "stopLoss": {"percent": "-5"}},
        {"sizing": {"quoteAmount": "500"}, "stopLoss": {"percent": "150"}},
        {"sizing": {"quoteAmount": "500"}, "stopLoss": {}},
        {"sizing": {"quoteAmount": "500"}, "maxHoldingBars": -1},
        {"sizing": {"quoteAmount": "500"}, "maxHoldingBars": 2**31},
        {"sizing": {"quoteAmount": "500"}, "parameters": [{"name": "close", "default": "1"}]},
        {"sizing": {"quoteAmount": "500"}, "parameters": [{"name": "a b", "default": "1"}]},
        {"sizing": {"quoteAmount": "500"}, "parameters": [{"name": "n", "default": "1"}] * 2},
        {"sizing": {"quoteAmount": "500"}, "parameters": [{"name": "n", "default": "5", "min": "6", "max": "1"}]},
        {"sizing": {"quoteAmount": "500"}, "parameters": [{"name": f"p{i}", "default": "1"} for i in range(2_000)]},
    ],
    ids=str,
)  # fmt: skip
async def test_a_definition_that_makes_no_sense_is_refused(nobody: TraderClient, definition: dict[str, Any]) -> None:
    whole = {"enterLong": "close > 1", **definition}
    await refused(nobody.client, CREATE_STRATEGY, input={"name": "bad", "definition": whole})


@pytest.mark.parametrize(
    "changes",
    [
        {"venue": "nowhere"}, {"venue": ""}, {"balances": [{"currency": "USDT", "amount": "-1"}]}, {"name": ""},
        {"name": "n" * 50_000},
        {"balances": [{"currency": "NOSUCHCOIN", "amount": "1"}]}, {"balances": [{"currency": "", "amount": "1"}]},
        {"balances": [{"currency": "USDT", "amount": "1"}, {"currency": "USDT", "amount": "2"}]},
        {"balances": [{"currency": "USDT", "amount": HUGE}]}, {"kind": "LIVE"}, {"currency": "\u00e4"},
        {"balances": [{"currency": "USDT", "amount": "0.00000000000000000001"}]}, {"risk": {"maxOrderNotional": "-1"}},
        {"risk": {"maxOpenOrders": -1}}, {"risk": {"dailyResetHour": 24}}, {"risk": {"coolDownMinutes": 2**31}},
        {"credentials": {"apiKey": "a", "secret": "b"}}, {"idempotencyKey": "k" * 5_000},
    ],
    ids=str,
)  # fmt: skip
async def test_an_impossible_account_is_rejected(nobody: TraderClient, changes: dict[str, Any]) -> None:
    account = {"name": "paper", "kind": "PAPER", "venue": "sandbox", "balances": [{"currency": "USDT", "amount": "1"}]}
    await refused(nobody.client, CREATE_ACCOUNT, input={**account, **changes})


async def test_a_trading_session_of_unknown_parts_is_rejected(engine: Engine, trader: TraderClient) -> None:
    other = await new_trader(engine.client())
    definition = {"enterLong": "close > 1", "sizing": {"quoteAmount": "500"}}
    version = {}
    for owner in (trader, other):
        made = await owner.client.change(CREATE_STRATEGY, input={"name": "s", "definition": definition})
        version[owner.email] = made["strategy"]["version"]["id"]
    good = {
        "strategyVersion": version[trader.email],
        "account": trader.account,
        "market": "sandbox:BTC/USDT",
        "timeframe": "M1",
    }
    for changes in (
        {"strategyVersion": version[other.email]}, {"account": other.account}, {"market": "sandbox:NO/SUCH"},
        {"strategyVersion": trader.account}, {"timeframe": "M2"}, {"parameters": [{"name": "nope", "value": "1"}]},
        {"sizing": {"quoteAmount": "0"}}, {"risk": {"maxOpenOrders": -5}}, {"account": "x"}, {"idempotencyKey": ""},
    ):  # fmt: skip
        await refused(trader.client, START_SESSION, input={**good, **changes})

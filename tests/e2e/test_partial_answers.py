"""What one field of a request can't answer takes nothing from the answers of the others."""

import json

from tests.support.graphql_client import Client
from tests.support.trader_client import MARKET, TraderClient

PLACE_AND_FAIL = """mutation($order: OrderPlaceInput!, $account: ID!) {
  placed: orderPlace(input: $order) { order { id status } errors { code } }
  refused: accountUpdate(id: $account, input: {name: "another"}) { account { id } errors { code } } }"""
NEW_KEY = """mutation($input: ApiKeyCreateInput!) {
  apiKeyCreate(input: $input) { secret errors { code message path } } }"""


async def test_a_mutation_that_is_refused_does_not_hide_the_order_that_was_placed_before_it(
    trader: TraderClient,
) -> None:
    key = await trader.client.change(NEW_KEY, input={"name": "trades", "scopes": ["TRADE"]})
    robot = Client(trader.client.url, key["secret"])
    answer = await robot.raw(PLACE_AND_FAIL, order=trader.order(), account=trader.account)
    assert answer["data"]["refused"] is None
    assert answer["data"]["placed"]["errors"] == []
    (order,) = await trader.orders()
    assert answer["data"]["placed"]["order"]["id"] == order["id"]
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["refused"], "FORBIDDEN")


async def test_a_list_with_a_bad_page_does_not_sign_the_viewer_out(nobody: TraderClient) -> None:
    lists = ["accounts", "strategies", "tradingSessions", "orders", "fills", "positions", "jobs", "reports", "activity"]
    asked = " ".join(f"{name}(first: 2, last: 2) {{ nodes {{ id }} }}" for name in lists)
    answer = await nobody.client.raw(f"{{ viewer {{ email {asked} }} }}")
    assert answer["data"]["viewer"] == {"email": nobody.email, **dict.fromkeys(lists)}
    failed = [(error["path"], error["extensions"]["code"]) for error in answer["errors"]]
    assert sorted(failed) == sorted((["viewer", name], "INVALID") for name in lists)


async def test_a_market_keeps_what_it_has_where_a_part_of_it_is_refused(nobody: TraderClient) -> None:
    window = 'from: "2024-01-01T00:00:00Z", to: "2024-01-02T00:00:00Z"'
    parts = {
        "volumeProfile": f"volumeProfile({window}, bins: 5000) {{ source }}",
        "depthHistory": f"depthHistory({window}, everySeconds: 0) {{ sequence }}",
        "candles": "candles(timeframe: M1, first: 2, last: 2) { nodes { open } }",
        "trades": "trades(first: 2, last: 2) { nodes { price } }",
        "indicator": 'indicator(name: "no such", timeframe: M1) { name }',
    }
    answer = await nobody.client.raw(
        f"{{ market(symbol: {json.dumps(MARKET)}) {{ symbol {' '.join(parts.values())} }} }}"
    )
    assert answer["data"]["market"] == {"symbol": MARKET, **dict.fromkeys(parts)}
    assert sorted(error["path"][1] for error in answer["errors"]) == sorted(parts)


async def test_a_page_of_markets_that_cannot_be_spoils_nothing_else(nobody: TraderClient) -> None:
    answer = await nobody.client.raw("{ markets(first: -1) { nodes { symbol } } engine { version } }")
    assert answer["data"]["markets"] is None
    assert answer["data"]["engine"]["version"]

"""Orders by the public API: placed, cancelled, listed, and what others get to see of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from domain.model.orders import OrderRole, OrderStatus, RiskCode, RiskDenial
from domain.model.users import ApiScope
from resolvers.ids import encode_id
from tests.support.api import SCHEMA, Api
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.trading import new_user

PLACE = """mutation($input: OrderPlaceInput!) { orderPlace(input: $input) {
  order { id status role timeInForce revision quantity filledQuantity remainingQuantity averagePrice
    rejectReason rejectCode
    denials { code message limit actual } market { symbol base } account { id name } tradingSession { id }
    fills { nodes { venueTradeId price quantity fee feeCurrency maker order { id } } }
    events { nodes { kind sequence reason order { status } fill { quantity } } pageInfo { hasNextPage } } }
  errors { code message path } } }"""
PREVIEW = """query($input: OrderPlaceInput!) { orderPreview(input: $input) { accepted
  errors { code message path } denials { code message limit actual } checks { code passed message limit actual }
  estimate { quantity price stopPrice averagePrice worstPrice worth fee feePercent required available currency } } }"""
AMEND_PREVIEW = """query($id: ID!, $input: OrderAmendInput!) { orderAmendPreview(id: $id, input: $input) {
  accepted errors { code path } denials { code } checks { code passed } estimate { worth } } }"""
CANCEL = "mutation($id: ID!) { orderCancel(id: $id) { order { id status } errors { code path } } }"
AMEND = """mutation($id: ID!, $input: OrderAmendInput!) { orderAmend(id: $id, input: $input) {
  order { id status price quantity replaces { id status cancelCode replacedBy { id } } replacedBy { id } }
  errors { code message path } } }"""
CANCEL_ALL = """mutation($input: OrdersCancelInput!) { ordersCancel(input: $input) {
  requested orders { id } errors { code path } } }"""
NODE = "query($id: ID!) { node(id: $id) { __typename ... on Order { id status clientOrderId } } }"
LIST = """query($first: Int, $last: Int, $after: String, $account: ID, $session: ID, $status: [OrderStatus!],
    $side: OrderSide, $from: DateTime, $to: DateTime) {
  viewer { orders(first: $first, last: $last, after: $after, account: $account, tradingSession: $session,
      status: $status, side: $side, from: $from, to: $to) {
    nodes { id clientOrderId } pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""


def order_input(api: Api, **changes: object) -> dict[str, object]:
    given = {"account": api.account, "market": "sandbox:BTC/USDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    return {**given, "idempotencyKey": "k", **changes}


async def test_a_market_order_is_answered_filled_with_all_that_hangs_on_it(api: Api, venue: ScriptedVenue) -> None:
    venue.parts = 2
    await api.harness.start()
    payload = (await api.run(PLACE, input=order_input(api)))["orderPlace"]
    order = payload["order"]
    assert payload["errors"] == []
    assert (order["status"], order["role"], order["timeInForce"]) == ("FILLED", "MANUAL", None)
    assert (order["filledQuantity"], order["remainingQuantity"], order["averagePrice"]) == ("1", "0", "100")
    assert order["market"] == {"symbol": "sandbox:BTC/USDT", "base": "BTC"}
    assert order["account"] == {"id": api.account, "name": "paper"}
    assert [fill["venueTradeId"] for fill in order["fills"]["nodes"]] == ["t2", "t1"]
    assert {fill["order"]["id"] for fill in order["fills"]["nodes"]} == {order["id"]}
    order_events = order["events"]["nodes"]
    assert [event["kind"] for event in order_events] == ["PENDING", "SUBMITTED", "ACCEPTED", "FILL", "FILL"]
    assert [event["order"]["status"] for event in order_events][-2:] == ["PARTIALLY_FILLED", "FILLED"]
    assert int(order_events[-1]["sequence"]) == int(order_events[0]["sequence"]) + 4


async def test_a_preview_says_what_placing_then_does_and_has_an_estimate(api: Api) -> None:
    await api.harness.start()
    preview = (await api.run(PREVIEW, input=order_input(api)))["orderPreview"]
    assert (preview["accepted"], preview["errors"], preview["denials"]) == (True, [], [])
    assert {check["passed"] for check in preview["checks"]} == {True}
    assert preview["estimate"] == {
        "quantity": "1",
        "price": None,
        "stopPrice": None,
        "averagePrice": "100.01",
        "worstPrice": "100.01",
        "worth": "100.01",
        "fee": "0.10001",
        "feePercent": "0.1",
        "required": "100.11001",
        "available": "100000",
        "currency": "USDT",
    }
    denied = (await api.run(PREVIEW, input=order_input(api, quantity="0.000001")))["orderPreview"]
    placed = (await api.run(PLACE, input=order_input(api, quantity="0.000001")))["orderPlace"]
    assert (denied["accepted"], denied["denials"]) == (False, placed["order"]["denials"])


async def test_a_preview_of_what_is_invalid_has_the_errors_of_placing_it(api: Api) -> None:
    await api.harness.start()
    for change in (
        {"quantity": "0"},
        {"type": "LIMIT"},
        {"protectAt": "VENUE"},
        {"account": "bm9ib2R5OjE"},
        {"market": "sandbox:NO/SUCH"},
        {"idempotencyKey": "k" * 200},
        {"type": "TRAILING_STOP", "side": "SELL"},
        {"stopLoss": {"percent": "200"}},
    ):
        preview = (await api.run(PREVIEW, input=order_input(api, **change)))["orderPreview"]
        placed = (await api.run(PLACE, input=order_input(api, **change)))["orderPlace"]
        assert preview["errors"] == placed["errors"] != []
        assert (preview["accepted"], preview["checks"], preview["estimate"]) == (False, [], None)


async def test_an_amendment_is_previewed_as_the_order_that_takes_the_place(api: Api) -> None:
    await api.harness.start()
    resting = order_input(api, type="LIMIT", price="90")
    order = (await api.run(PLACE, input=resting))["orderPlace"]["order"]

    async def preview(**changes: str) -> dict[str, Any]:
        answer = await api.run(AMEND_PREVIEW, id=order["id"], input={"idempotencyKey": "a", **changes})
        return dict(answer["orderAmendPreview"])

    assert await preview(price="91") | {"checks": []} == {
        "accepted": True,
        "errors": [],
        "denials": [],
        "checks": [],
        "estimate": {"worth": "91"},
    }
    assert [denial["code"] for denial in (await preview(price="91.001"))["denials"]] == ["PRICE_PRECISION"]
    assert (await preview(price="90"))["errors"] == [{"code": "INVALID", "path": ["input"]}]


async def test_the_same_key_answers_with_the_same_order_and_another_input_with_conflict(api: Api) -> None:
    await api.harness.start()
    first = (await api.run(PLACE, input=order_input(api)))["orderPlace"]
    again = (await api.run(PLACE, input=order_input(api, quantity="1.0")))["orderPlace"]
    other = (await api.run(PLACE, input=order_input(api, quantity="2")))["orderPlace"]
    assert again["order"]["id"] == first["order"]["id"]
    assert other["order"] is None
    assert [(error["code"], error["path"]) for error in other["errors"]] == [("CONFLICT", ["input", "idempotencyKey"])]


async def test_a_denied_order_is_returned_with_its_denials_and_stays_readable(api: Api) -> None:
    await api.harness.start()
    payload = (await api.run(PLACE, input=order_input(api, quantity="0.000001")))["orderPlace"]
    order, (error,) = payload["order"], payload["errors"]
    assert order["status"] == "DENIED"
    assert {"QUANTITY_PRECISION", "QUANTITY_TOO_SMALL"} <= {denial["code"] for denial in order["denials"]}
    assert (error["code"], error["path"]) == ("ORDER_DENIED", ["input"])
    assert all(denial["message"] in error["message"] for denial in order["denials"])
    assert (await api.run(NODE, id=order["id"]))["node"]["status"] == "DENIED"


async def test_an_order_that_the_venue_rejects_is_returned_with_its_reason(api: Api, venue: ScriptedVenue) -> None:
    venue.fates.append(Fate.REFUSED)
    await api.harness.start()
    payload = (await api.run(PLACE, input=order_input(api)))["orderPlace"]
    (error,) = payload["errors"]
    assert payload["order"]["status"] == "REJECTED"
    assert (error["code"], error["message"]) == ("ORDER_REJECTED", payload["order"]["rejectReason"])
    assert payload["order"]["rejectCode"] == "INSUFFICIENT_BALANCE"


async def test_an_order_that_waited_too_long_to_be_sent_is_returned_with_an_error_that_says_so(api: Api) -> None:
    given = order_input(api, type="LIMIT", price="90")
    order = (await api.run(PLACE, input=given))["orderPlace"]["order"]
    assert order["status"] == "PENDING"
    await api.harness.pool.execute("UPDATE orders SET placed_at = placed_at - interval '1 hour'")
    await api.harness.start()
    payload = (await api.run(PLACE, input=given))["orderPlace"]
    (error,) = payload["errors"]
    assert (payload["order"]["id"], payload["order"]["status"]) == (order["id"], "CANCELED")
    assert (error["code"], error["path"]) == ("ORDER_NOT_SENT", ["input"])


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"account": "x"}, "NOT_FOUND", ["input", "account"]),
        ({"account": encode_id("Account", "no uuid")}, "NOT_FOUND", ["input", "account"]),
        ({"account": encode_id("Order", new_user().id)}, "NOT_FOUND", ["input", "account"]),
        ({"account": encode_id("Account", new_user().id)}, "NOT_FOUND", ["input", "account"]),
        ({"market": "sandbox:NO/SUCH"}, "NOT_FOUND", ["input", "market"]),
        ({"quantity": "0"}, "INVALID", ["input", "quantity"]),
        ({"quantity": "-1"}, "INVALID", ["input", "quantity"]),
        ({"type": "LIMIT"}, "INVALID", ["input", "price"]),
        ({"side": "SELL", "stopLoss": {"percent": "2"}}, "UNSUPPORTED", ["input", "stopLoss"]),
        ({"stopLoss": {"percent": "0"}}, "INVALID", ["input", "stopLoss"]),
        ({"stopLoss": {"price": "120"}, "takeProfit": {"price": "110"}}, "INVALID", ["input", "stopLoss"]),
        ({"takeProfit": {"price": "90"}}, "INVALID", ["input", "takeProfit"]),
        ({"protectAt": "ENGINE"}, "INVALID", ["input", "protectAt"]),
        ({"type": "TRAILING_STOP"}, "INVALID", ["input", "trailing"]),
        ({"type": "TRAILING_STOP", "trailing": {"absolute": "0"}}, "INVALID", ["input", "trailing"]),
        ({"trailing": {"percent": "2"}}, "INVALID", ["input", "trailing"]),
        ({"idempotencyKey": ""}, "INVALID", ["input", "idempotencyKey"]),
    ],
)
async def test_an_order_that_cannot_be_read_is_refused_and_leaves_nothing(
    api: Api, change: dict[str, object], code: str, path: list[str]
) -> None:
    payload = (await api.run(PLACE, input=order_input(api, **change)))["orderPlace"]
    assert payload["order"] is None
    assert (code, path) in [(error["code"], error["path"]) for error in payload["errors"]]
    assert (await api.run(LIST))["viewer"]["orders"]["nodes"] == []


@pytest.mark.parametrize("quantity", ["NaN", "1e400", 0.1, "Infinity", "ten", None])
async def test_a_quantity_that_is_no_number_is_a_fault_of_the_request(api: Api, quantity: object) -> None:
    assert await api.code(PLACE, input=order_input(api, quantity=quantity)) == "INVALID"


async def test_a_trail_with_both_of_its_fields_is_refused(api: Api) -> None:
    both = {"percent": "1", "absolute": "1"}
    assert await api.code(PLACE, input=order_input(api, trailing=both)) == "INVALID"


async def test_a_stranger_and_a_reading_key_cannot_trade(api: Api) -> None:
    stranger, reader = api.context(None), api.context(api.harness.user, [ApiScope.READ])
    order_id = encode_id("Order", new_user().id)
    for query, variables in (
        (PLACE, {"input": order_input(api, account="x")}),
        (CANCEL, {"id": order_id}),
        (AMEND, {"id": order_id, "input": {"price": "1", "idempotencyKey": "k"}}),
        (CANCEL_ALL, {"input": {"account": "x"}}),
    ):
        assert await api.code(query, stranger, **variables) == "UNAUTHENTICATED"
        assert await api.code(query, reader, **variables) == "FORBIDDEN"


async def test_a_resting_order_is_cancelled_once_and_a_filled_one_not_at_all(api: Api) -> None:
    await api.harness.start()
    resting = await api.harness.limit("a")
    filled = await api.harness.place("b")
    cancelled = (await api.run(CANCEL, id=encode_id("Order", resting.id)))["orderCancel"]
    again = (await api.run(CANCEL, id=encode_id("Order", resting.id)))["orderCancel"]
    late = (await api.run(CANCEL, id=encode_id("Order", filled.id)))["orderCancel"]
    assert cancelled == again == {"order": {"id": encode_id("Order", resting.id), "status": "CANCELED"}, "errors": []}
    assert late == {"order": None, "errors": [{"code": "CONFLICT", "path": ["id"]}]}


async def test_an_order_with_a_bracket_shows_it_and_an_amendment_keeps_it(api: Api) -> None:
    await api.harness.start()
    bracket = {"stopLoss": {"percent": "2"}, "takeProfit": {"price": "120"}, "protectAt": "ENGINE"}
    given = order_input(api, type="LIMIT", price="90", **bracket)
    query = PLACE.replace("order { id ", "order { id protection { takeProfitPrice quantity protectAt endedAt } ")
    payload = (await api.run(query, input=given))["orderPlace"]
    assert payload["errors"] == []
    shown = {"takeProfitPrice": None, "quantity": "0", "protectAt": "ENGINE", "endedAt": None}
    assert payload["order"]["protection"] == shown
    assert (await api.run(query, input=given))["orderPlace"] == payload
    other = {**given, "stopLoss": {"percent": "3"}}
    assert [error["code"] for error in (await api.run(PLACE, input=other))["orderPlace"]["errors"]] == ["CONFLICT"]
    change = {"price": "91", "idempotencyKey": "a"}
    amend = AMEND.replace("order { id ", "order { id protection { takeProfitPrice quantity protectAt endedAt } ", 1)
    amended = (await api.run(amend, id=payload["order"]["id"], input=change))["orderAmend"]
    assert amended["order"]["protection"] == shown


async def test_a_trailing_stop_is_open_with_its_distance_and_its_stop(api: Api) -> None:
    await api.harness.start()
    query = PLACE.replace("order { id ", "order { id trailPercent trailAbsolute stopPrice triggeredAt ")
    given = order_input(api, side="SELL", type="TRAILING_STOP", trailing={"percent": "10"})
    order = (await api.run(query, input=given))["orderPlace"]["order"]
    assert (order["status"], order["trailPercent"], order["trailAbsolute"]) == ("OPEN", "10", None)
    assert (order["stopPrice"], order["triggeredAt"]) == ("90", None)


async def test_an_amended_order_and_the_one_that_it_replaces_point_to_each_other(api: Api) -> None:
    await api.harness.start()
    resting = await api.harness.limit(quantity=Decimal(2))
    order_id = encode_id("Order", resting.id)
    change = {"price": "91", "quantity": "3", "idempotencyKey": "a"}
    payload = (await api.run(AMEND, id=order_id, input=change))["orderAmend"]
    order = payload["order"]
    assert (payload["errors"], order["status"], order["price"], order["quantity"]) == ([], "OPEN", "91", "3")
    replaced = {"id": order_id, "status": "CANCELED", "cancelCode": "AMENDED", "replacedBy": {"id": order["id"]}}
    assert (order["replaces"], order["replacedBy"]) == (replaced, None)
    assert (await api.run(AMEND, id=order_id, input=change))["orderAmend"] == payload


async def test_an_amendment_that_is_denied_takes_no_place(api: Api) -> None:
    await api.harness.start()
    resting = await api.harness.limit()
    change = {"price": "91.001", "idempotencyKey": "a"}
    payload = (await api.run(AMEND, id=encode_id("Order", resting.id), input=change))["orderAmend"]
    assert [error["code"] for error in payload["errors"]] == ["ORDER_DENIED"]
    replaced = payload["order"]["replaces"]
    assert (payload["order"]["status"], replaced["status"], replaced["replacedBy"]) == ("DENIED", "OPEN", None)


async def test_an_amendment_that_comes_too_late_is_a_conflict(api: Api, venue: ScriptedVenue) -> None:
    await api.harness.start()
    resting = await api.harness.limit()
    venue.publishes_on_stream = False
    venue.fill(resting.client_order_id, 1)
    change = {"price": "91", "idempotencyKey": "a"}
    payload = (await api.run(AMEND, id=encode_id("Order", resting.id), input=change))["orderAmend"]
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("CONFLICT", ["id"])]
    assert (payload["order"]["status"], payload["order"]["replaces"]["status"]) == ("CANCELED", "FILLED")


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({}, "INVALID", ["input"]),
        ({"quantity": "0"}, "INVALID", ["input", "quantity"]),
        ({"price": "-1"}, "INVALID", ["input", "price"]),
        ({"stopPrice": "90"}, "INVALID", ["input", "stopPrice"]),
        ({"price": "91", "idempotencyKey": "x" * 129}, "INVALID", ["input", "idempotencyKey"]),
    ],
)
async def test_an_amendment_that_makes_no_sense_changes_nothing(
    api: Api, change: dict[str, str], code: str, path: list[str]
) -> None:
    await api.harness.start()
    resting = await api.harness.limit()
    change = {"idempotencyKey": "a", **change}
    payload = (await api.run(AMEND, id=encode_id("Order", resting.id), input=change))["orderAmend"]
    assert payload["order"] is None
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [(code, path)]
    assert [node["id"] for node in (await api.run(LIST))["viewer"]["orders"]["nodes"]] == [
        encode_id("Order", resting.id)
    ]


async def test_what_is_not_ones_own_can_neither_be_seen_nor_cancelled(api: Api) -> None:
    order = api.floor_order()
    await api.stored(order)
    stranger = await api.another_user()
    order_id = encode_id("Order", order.id)
    theirs = api.context(stranger)
    assert (await api.run(NODE, id=order_id))["node"]["id"] == order_id
    assert (await api.run(NODE, theirs, id=order_id))["node"] is None
    assert (await api.run(NODE, api.context(None), id=order_id))["node"] is None
    assert (await api.run(LIST, api.context(stranger), account=api.account))["viewer"]["orders"]["nodes"] == []
    for given in ("x", order_id, encode_id("Account", api.harness.account.id)):
        payload = (await api.run(CANCEL, api.context(stranger), id=given))["orderCancel"]
        assert payload == {"order": None, "errors": [{"code": "NOT_FOUND", "path": ["id"]}]}
    answer = (await api.run(CANCEL_ALL, api.context(stranger), input={"account": api.account}))["ordersCancel"]
    nothing = {"code": "NOT_FOUND", "path": ["input", "account"]}
    assert answer == {"requested": 0, "orders": None, "errors": [nothing]}


async def test_all_orders_of_an_account_or_of_a_session_of_it_are_cancelled(api: Api) -> None:
    session = await api.session()
    orders = [api.floor_order(status=OrderStatus.OPEN) for _ in range(3)]
    orders += [
        api.floor_order(status=OrderStatus.OPEN, trading_session_id=session.id),
        api.floor_order(status="FILLED"),
    ]
    await api.stored(*orders)

    async def cancelled(**given: str) -> dict:
        return (await api.run(CANCEL_ALL, input={"account": api.account, **given}))["ordersCancel"]

    nothing = {"code": "NOT_FOUND", "path": ["input", "tradingSession"]}
    nobodys = {"requested": 0, "orders": None, "errors": [nothing]}
    assert await cancelled(tradingSession="x") == nobodys
    foreign = encode_id("TradingSession", new_user().id)
    assert await cancelled(tradingSession=foreign) == nobodys
    for market in ("sandbox:NO/PE", "kraken:BTC/USDT"):
        unknown = {"code": "NOT_FOUND", "path": ["input", "market"]}
        assert await cancelled(market=market) == {"requested": 0, "orders": None, "errors": [unknown]}
    elsewhere = await api.session_elsewhere()
    assert await cancelled(tradingSession=encode_id("TradingSession", elsewhere.id)) == nobodys
    of_session = await cancelled(tradingSession=encode_id("TradingSession", session.id))
    assert of_session == {"requested": 1, "orders": [{"id": encode_id("Order", orders[3].id)}], "errors": []}
    rest = [{"id": encode_id("Order", order.id)} for order in orders[:3]]
    assert await cancelled() == {"requested": 3, "orders": rest, "errors": []}
    assert await cancelled() == {"requested": 0, "orders": [], "errors": []}
    assert await cancelled(market="sandbox:BTC/USDT") == {"requested": 0, "orders": [], "errors": []}


async def test_orders_are_paged_newest_first_in_both_directions(api: Api) -> None:
    orders = [api.floor_order() for _ in range(5)]
    await api.stored(*orders)
    newest_first = [encode_id("Order", order.id) for order in reversed(orders)]

    async def page(**given: object) -> tuple[list[str], dict]:
        found = (await api.run(LIST, **given))["viewer"]["orders"]
        return [node["id"] for node in found["nodes"]], found["pageInfo"]

    ids, info = await page(first=2)
    assert (ids, info["hasNextPage"], info["hasPreviousPage"]) == (newest_first[:2], True, False)
    ids, info = await page(first=3, after=info["endCursor"])
    assert (ids, info["hasNextPage"], info["hasPreviousPage"]) == (newest_first[2:], False, True)
    assert (await page(last=2))[0] == newest_first[3:]
    assert (await page())[0] == newest_first


async def test_orders_are_found_by_every_filter_and_an_unreadable_one_is_refused(api: Api) -> None:
    session = await api.session()
    bought = api.floor_order(status=OrderStatus.OPEN, trading_session_id=session.id)
    sold = api.floor_order(side="SELL", created_at=bought.created_at + timedelta(hours=1))
    await api.stored(bought, sold)

    async def found(**given: object) -> list[str]:
        nodes = (await api.run(LIST, **given))["viewer"]["orders"]["nodes"]
        return [{bought.client_order_id: "bought", sold.client_order_id: "sold"}[n["clientOrderId"]] for n in nodes]

    moment = sold.created_at.isoformat()
    assert await found(account=api.account) == ["sold", "bought"]
    assert await found(session=encode_id("TradingSession", session.id)) == ["bought"]
    assert await found(status=["OPEN", "FILLED"]) == ["bought"]
    assert await found(side="SELL") == ["sold"]
    assert await found(**{"from": moment}) == ["sold"]
    assert await found(to=moment) == ["bought"]
    for unreadable in ("x", encode_id("Account", "x"), encode_id("Order", bought.id), "ü" * 300):
        assert await api.code(LIST, account=unreadable) == "NOT_FOUND"
        assert await api.code(LIST, session=unreadable) == "NOT_FOUND"


def id_filters() -> Iterator[tuple[str, str]]:
    """Name every filter of the viewer's lists that takes an id."""
    kind = SCHEMA.graphql_schema.type_map["User"]
    assert isinstance(kind, GraphQLObjectType)
    for name, field in kind.fields.items():
        for argument_name, argument in field.args.items():
            if get_named_type(argument.type).name == "ID":
                yield name, argument_name


@pytest.mark.parametrize(("name", "argument"), sorted(id_filters()))
async def test_a_filter_by_what_is_no_id_is_refused_and_spoils_nothing_else(api: Api, name: str, argument: str) -> None:
    answer = await api.answer(f'{{ viewer {{ email {name}({argument}: "x") {{ nodes {{ id }} }} }} }}')
    assert answer["data"] == {"viewer": {"email": api.harness.user.email, name: None}}
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "NOT_FOUND"
    assert error["message"].startswith(f"{argument} is 'x', which is no id of a ")


async def test_a_cursor_of_another_user_or_list_is_refused(api: Api) -> None:
    await api.stored(api.floor_order(), api.floor_order())
    cursor = (await api.run(LIST, first=1))["viewer"]["orders"]["pageInfo"]["endCursor"]
    stranger = api.context(await api.another_user())
    assert await api.code(LIST, stranger, after=cursor) == "INVALID"
    fills = "query($after: String) { viewer { fills(after: $after) { nodes { id } } } }"
    assert await api.code(fills, after=cursor) == "INVALID"
    assert await api.code(LIST, first=1, last=1) == "INVALID"
    assert await api.code(LIST, first=101) == "INVALID"


PAGE = """{ viewer { orders(first: 50) { nodes {
  id status account { id name tradingState venue { name } } market { symbol venue { name } }
  tradingSession { id strategyVersion { number strategy { name } } account { id } position { quantity } }
  signal { action order { id } } parent { id } protections { id } replaces { id } replacedBy { id }
  fills { nodes { id order { id } } } events { nodes { kind } } } } } }"""


async def test_a_page_of_fifty_orders_with_all_that_hangs_on_them_costs_as_many_statements_as_one_of_one(
    api: Api,
) -> None:
    async def more(count: int) -> None:
        for _ in range(count):
            session = await api.session()
            entry = api.floor_order(trading_session_id=session.id, role=OrderRole.ENTRY)
            stop = api.floor_order(trading_session_id=session.id, parent_id=entry.id, replaces_id=entry.id)
            await api.stored(entry, stop)
            async with api.harness.database.transaction() as transaction:
                await transaction.orders.add_fill(api.fill_of(entry))

    async def statements() -> list[str]:
        api.database.statements.clear()
        await api.run(PAGE)
        return list(api.database.statements)

    await more(1)
    await statements()  # a node remembers for a moment that nothing of a user's is archived
    of_one = await statements()
    await more(25)
    of_fifty = await statements()
    assert len((await api.run(PAGE))["viewer"]["orders"]["nodes"]) == 50
    assert len(of_fifty) == len(of_one) < 20, of_fifty


async def test_denials_keep_what_was_allowed_and_what_was_asked(api: Api) -> None:
    denial = RiskDenial(RiskCode.MAX_ORDER_NOTIONAL, "too much", Decimal("100.50"), Decimal(120))
    order = replace(api.floor_order(status=OrderStatus.DENIED), denials=(denial,))
    await api.stored(order)
    query = "query($id: ID!) { node(id: $id) { ... on Order { denials { code message limit actual } } } }"
    found = (await api.run(query, id=encode_id("Order", order.id)))["node"]["denials"]
    assert found == [{"code": "MAX_ORDER_NOTIONAL", "message": "too much", "limit": "100.5", "actual": "120"}]

"""Trading sessions, positions, halts and reports by the public API."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.model.definitions import Sizing, StrategyDefinition, StrategyParameter
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus
from domain.model.trading import ParameterValue, TradingSessionStatus
from domain.model.users import ApiScope, UserRole
from domain.ports.trading_sessions import SeenCandle
from domain.trading.signal_requests import SignalService
from resolvers.ids import encode_id
from resolvers.performance import MAX_POINTS
from tests.support.api import Api
from tests.support.order_harness import FixedMarkets
from tests.support.orders import BTC, a_market
from tests.support.reporting import report_worker
from tests.support.trading import new_account, new_strategy, new_user, new_version

START = """mutation($input: TradingSessionStartInput!) { tradingSessionStart(input: $input) {
  tradingSession { id status timeframe parameters { name value } strategyVersion { number } market { symbol }
    account { id } position { quantity } metrics { netProfit } signals { nodes { id } } orders { nodes { id } } }
  errors { code path } } }"""
STEER = "mutation($id: ID!) {{ {}(id: $id) {{ tradingSession {{ status }} errors {{ code path }} }} }}"
SESSION = """query($id: ID!) { node(id: $id) { ... on TradingSession { status parameters { name value }
  position { quantity unrealizedProfit closedAt } signals { nodes { action reason order { id } } }
  orders { nodes { id signal { id } } } metrics { roundTrips netProfit fees startEquity sharpe } } } }"""
HALT = """mutation($id: ID!, $input: TradingHaltInput) { tradingHalt(id: $id, input: $input) {
  subject { __typename ... on Account { state: tradingState } ... on TradingSession { state: tradingState }
    ... on User { state: tradingState } } errors { code path } } }"""
RESUME = HALT.replace("tradingHalt(id: $id, input: $input)", "tradingResume(id: $id)").replace(
    ", $input: TradingHaltInput", ""
)
GENERATE = """mutation($input: ReportGenerateInput!) { reportGenerate(input: $input) {
  report { id from to job { status } metrics { roundTrips } equityCurve { at } roundTrips { nodes { side } }
    downloads { url } } errors { code path } } }"""
REPORT = """query($id: ID!, $points: Int!, $first: Int, $last: Int, $after: String) { node(id: $id) { ... on Report {
  job { status result { id } } metrics { roundTrips netProfit currency } equityCurve(points: $points) { equity }
  roundTrips(first: $first, last: $last, after: $after) { nodes { side profit openedAt }
    pageInfo { hasNextPage endCursor } } } } }"""


async def a_version(api: Api) -> str:
    """Return the global id of a stored strategy version with two parameters."""
    strategy = new_strategy(api.harness.user.id)
    parameters = (StrategyParameter("fast", Decimal(3), Decimal(2), Decimal(10)), StrategyParameter("slow", Decimal(9)))
    definition = StrategyDefinition(
        sizing=Sizing(quote_amount=Decimal(100)), parameters=parameters, enter_long="close > 1"
    )
    version = new_version(strategy, definition=definition)
    async with api.harness.database.transaction() as transaction:
        await transaction.strategies.add(strategy, version)
    return encode_id("StrategyVersion", version.id)


def session_input(api: Api, version: str, **changes: object) -> dict[str, object]:
    given = {"strategyVersion": version, "account": api.account, "market": "sandbox:BTC/USDT", "timeframe": "M1"}
    return {**given, **changes}


async def test_a_session_starts_with_its_own_parameters_and_the_defaults(api: Api) -> None:
    version = await a_version(api)
    given = session_input(api, version, parameters=[{"name": "fast", "value": "5"}], sizing={"equityPercent": "10"})
    payload = (await api.run(START, input=given))["tradingSessionStart"]
    session = payload["tradingSession"]
    assert payload["errors"] == []
    assert (session["status"], session["timeframe"], session["market"]["symbol"]) == ("STARTING", "M1", str(BTC))
    assert session["parameters"] == [{"name": "fast", "value": "5"}, {"name": "slow", "value": "9"}]
    assert (session["account"]["id"], session["strategyVersion"]["number"]) == (api.account, 1)
    assert (session["position"], session["metrics"]) == (None, None)
    assert session["signals"]["nodes"] == session["orders"]["nodes"] == []


async def test_a_session_that_cannot_run_is_refused_at_the_argument(api: Api) -> None:
    version = await a_version(api)
    for change, code, path in (
        ({"strategyVersion": "x"}, "NOT_FOUND", ["input", "strategyVersion"]),
        ({"account": "x"}, "NOT_FOUND", ["input", "account"]),
        ({"account": encode_id("Account", new_user().id)}, "NOT_FOUND", ["input", "account"]),
        ({"market": "sandbox:NO/SUCH"}, "NOT_FOUND", ["input", "market"]),
        ({"parameters": [{"name": "fast", "value": "11"}]}, "INVALID", ["input", "parameters", "0"]),
    ):
        payload = (await api.run(START, input=session_input(api, version, **change)))["tradingSessionStart"]
        assert payload == {"tradingSession": None, "errors": [{"code": code, "path": path}]}


async def test_a_session_is_paused_resumed_and_stopped_by_its_owner_alone(api: Api) -> None:
    session = await api.session(status=TradingSessionStatus.RUNNING)
    async with api.harness.database.transaction() as transaction:
        seen = SeenCandle(session.id, session.market, datetime.now(UTC))
        await transaction.trading_sessions.save_last_candles([seen])
    session_id = encode_id("TradingSession", session.id)
    theirs = api.context(await api.another_user())
    for name, status in (("Pause", "PAUSED"), ("Resume", "RUNNING"), ("Stop", "STOPPING")):
        query = STEER.format(f"tradingSession{name}")
        nothing = {"tradingSession": None, "errors": [{"code": "NOT_FOUND", "path": ["id"]}]}
        assert (await api.run(query, theirs, id=session_id))[f"tradingSession{name}"] == nothing
        assert (await api.run(query, id="x"))[f"tradingSession{name}"] == nothing
        assert await api.code(query, api.context(None), id=session_id) == "UNAUTHENTICATED"
        payload = (await api.run(query, id=session_id))[f"tradingSession{name}"]
        assert payload == {"tradingSession": {"status": status}, "errors": []}


async def traded(api: Api, *, closed: bool = True) -> str:
    """Return the global id of a session that bought 1 at 100 and, where closed, sold it at 110."""
    start = datetime.now(UTC) - timedelta(hours=1)
    session = await api.session(
        status=TradingSessionStatus.RUNNING, started_at=start, start_equity=Decimal(1000),
        parameters=(ParameterValue("n", Decimal(2)),),
    )  # fmt: skip
    signal = api._world().signal(trading_session_id=session.id)
    bought = api.floor_order(
        trading_session_id=session.id, signal_id=signal.id, status=OrderStatus.FILLED, quantity=Decimal(1)
    )
    sold = replace(bought, id=api.harness.ids.next_id(), side=OrderSide.SELL, client_order_id="sell", signal_id=None)
    buying = api.fill_of(
        bought, at=start + timedelta(minutes=1), price=Decimal(100), quantity=Decimal(1), fee=Decimal(1)
    )
    selling = api.fill_of(
        sold, at=start + timedelta(minutes=2), price=Decimal(110), quantity=Decimal(1), fee=Decimal(1)
    )
    position = api._world().position(trading_session_id=session.id, average_price=Decimal(100), quantity=Decimal(1))
    async with api.harness.database.transaction() as transaction:
        assert await transaction.trading_sessions.add_signal(signal)
        await transaction.orders.add(bought)
        await transaction.trading_sessions.set_signal_order(signal.id, bought.id)
        await transaction.orders.add_fill(replace(buying, fee_currency="USDT"))
        if closed:
            await transaction.orders.add(sold)
            await transaction.orders.add_fill(replace(selling, fee_currency="USDT"))
            position = replace(position, quantity=Decimal(0), closed_at=selling.at)
        await transaction.positions.save(position)
    return encode_id("TradingSession", session.id)


async def test_a_session_has_its_signals_orders_position_and_metrics(api: Api) -> None:
    session = (await api.run(SESSION, id=await traded(api)))["node"]
    (signal,) = session["signals"]["nodes"]
    assert signal["action"] == "ENTER_LONG"
    assert {order["id"] for order in session["orders"]["nodes"] if order["signal"]} == {signal["order"]["id"]}
    assert session["position"]["unrealizedProfit"] == session["position"]["quantity"] == "0"
    figures = {"roundTrips": 1, "netProfit": "8", "fees": "2", "startEquity": "1000", "sharpe": None}
    assert session["metrics"] == figures


async def test_before_the_first_round_trip_there_are_no_figures_and_without_a_price_no_profit_on_paper(
    api: Api,
) -> None:
    session = (await api.run(SESSION, id=await traded(api, closed=False)))["node"]
    assert session["metrics"] is None
    assert (session["position"]["quantity"], session["position"]["unrealizedProfit"]) == ("1", None)


async def test_positions_accounts_and_sessions_are_listed_by_their_filters(api: Api) -> None:
    await traded(api)
    await traded(api, closed=False)
    query = """query($open: Boolean, $account: ID, $status: [TradingSessionStatus!]) { viewer {
      positions(open: $open, account: $account) { nodes { closedAt account { id } tradingSession { id } } }
      tradingSessions(account: $account, status: $status) { nodes { id } } accounts { nodes { id } } } }"""

    async def counts(**given: object) -> tuple[int, int]:
        viewer = (await api.run(query, **given))["viewer"]
        assert [account["id"] for account in viewer["accounts"]["nodes"]] == [api.account]
        return len(viewer["positions"]["nodes"]), len(viewer["tradingSessions"]["nodes"])

    assert await counts() == (2, 2)
    assert await counts(open=True, status=["RUNNING"]) == (1, 2)
    assert await counts(open=False, status=["STOPPED"]) == (1, 0)
    assert await counts(account=api.account) == (2, 2)


@pytest.mark.parametrize("reducing", [False, True])
async def test_what_is_ones_own_is_halted_and_resumed(api: Api, reducing: bool) -> None:
    session_id = encode_id("TradingSession", (await api.session()).id)
    user_id = encode_id("User", api.harness.user.id)
    for subject_id, name in ((session_id, "TradingSession"), (api.account, "Account"), (user_id, "User")):
        payload = (await api.run(HALT, id=subject_id, input={"reduceOnly": reducing}))["tradingHalt"]
        state = "REDUCING" if reducing else "HALTED"
        assert payload == {"subject": {"__typename": name, "state": state}, "errors": []}
        payload = (await api.run(RESUME, id=subject_id))["tradingResume"]
        assert payload["subject"] == {"__typename": name, "state": "ACTIVE"}


async def test_a_halt_cancels_open_orders_by_default(api: Api) -> None:
    order = api.floor_order(status=OrderStatus.OPEN)
    await api.stored(order)
    await api.run(HALT, id=api.account, input={"cancelOrders": False})
    assert (await api.harness.read(order.id)).cancel_requested_at is None
    await api.run(HALT, id=api.account)
    assert (await api.harness.read(order.id)).cancel_requested_at is not None


async def test_users_halt_only_their_own_objects_and_only_operators_the_engine(api: Api) -> None:
    stranger = await api.another_user()
    theirs = api.context(replace(stranger, role=UserRole.USER))
    session_id = encode_id("TradingSession", (await api.session()).id)
    user_id = encode_id("User", api.harness.user.id)
    nothing = {"subject": None, "errors": [{"code": "NOT_FOUND", "path": ["id"]}]}
    for given in (session_id, api.account, user_id, "x", encode_id("Engine", "x"), encode_id("Account", "x")):
        assert (await api.run(HALT, theirs, id=given))["tradingHalt"] == nothing
    engine = encode_id("Engine", "engine")
    assert await api.code(HALT, theirs, id=engine) == "FORBIDDEN"
    operator = replace(api.harness.user, role=UserRole.OPERATOR)
    assert await api.code(HALT, api.context(operator, [ApiScope.TRADE]), id=engine) == "FORBIDDEN"
    assert (await api.run(HALT, api.context(operator), id=engine))["tradingHalt"]["errors"] == []
    assert (await api.run(RESUME, api.context(operator), id=engine))["tradingResume"]["errors"] == []


async def test_an_operator_halts_another_user_without_seeing_what_is_theirs(api: Api) -> None:
    stranger = await api.another_user()
    operator = api.context(replace(api.harness.user, role=UserRole.OPERATOR))
    payload = (await api.run(HALT, operator, id=encode_id("User", stranger.id)))["tradingHalt"]
    assert payload == {"subject": None, "errors": []}
    viewer = await api.run("{ viewer { tradingState } }", api.context(stranger))
    assert viewer["viewer"]["tradingState"] == "HALTED"


HALTS = """query($session: ID!) { engine { halt { by reason } } viewer { halt { level } halts { level } }
  node(id: $session) { ... on TradingSession { halt { level since by reason reduceOnly }
    halts { level by reason reduceOnly } account { halt { level by reason } halts { level } } } } }"""


async def test_a_halt_is_read_from_what_it_holds_with_its_reason_and_those_above_it(api: Api) -> None:
    session = encode_id("TradingSession", (await api.session()).id)
    nothing = await api.run(HALTS, session=session)
    assert nothing["node"] == {"halt": None, "halts": [], "account": {"halt": None, "halts": []}}
    assert (nothing["viewer"], nothing["engine"]) == ({"halt": None, "halts": []}, {"halt": None})
    operator = api.context(await api.an_operator())
    user, engine = encode_id("User", api.harness.user.id), encode_id("Engine", "engine")
    await api.run(HALT, operator, id=engine, input={"reason": "maintenance", "reduceOnly": True})
    await api.run(HALT, operator, id=user, input={"reason": "unpaid"})
    await api.run(HALT, id=api.account, input={"reason": "lunch"})
    before = datetime.now(UTC)
    await api.run(HALT, id=session, input={"reduceOnly": True})
    found = await api.run(HALTS, session=session)
    own = found["node"]["halt"]
    assert before <= datetime.fromisoformat(own.pop("since")) <= datetime.now(UTC)
    assert own == {"level": "TRADING_SESSION", "by": "SELF", "reason": None, "reduceOnly": True}
    assert [tuple(halt.values()) for halt in found["node"]["halts"]] == [
        ("ENGINE", "OPERATOR", "maintenance", True),
        ("USER", "OPERATOR", "unpaid", False),
        ("ACCOUNT", "SELF", "lunch", False),
        ("TRADING_SESSION", "SELF", None, True),
    ]
    assert found["node"]["account"]["halt"] == {"level": "ACCOUNT", "by": "SELF", "reason": "lunch"}
    assert [halt["level"] for halt in found["node"]["account"]["halts"]] == ["ENGINE", "USER", "ACCOUNT"]
    assert found["viewer"] == {"halt": {"level": "USER"}, "halts": [{"level": "ENGINE"}, {"level": "USER"}]}
    for given in (session, api.account):
        await api.run(RESUME, id=given)
    for given in (user, engine):
        await api.run(RESUME, operator, id=given)
    assert await api.run(HALTS, session=session) == nothing


async def test_a_stranger_learns_that_the_engine_is_halted_and_not_why(api: Api) -> None:
    operator = api.context(replace(api.harness.user, role=UserRole.OPERATOR))
    await api.run(HALT, operator, id=encode_id("Engine", "engine"), input={"reason": "the venue is being sued"})
    query = "{ engine { tradingState halt { by reason } } }"
    engine = (await api.run(query, api.context(None)))["engine"]
    assert engine == {"tradingState": "HALTED", "halt": {"by": "OPERATOR", "reason": None}}
    assert (await api.run(query))["engine"]["halt"]["reason"] == "the venue is being sued"


async def test_each_mutation_of_a_document_shows_what_it_has_changed(api: Api) -> None:
    held = "subject { ... on Account { halts { level } } }"
    document = f"""mutation($id: ID!) {{ halted: tradingHalt(id: $id) {{ {held} }}
      resumed: tradingResume(id: $id) {{ {held} }} again: tradingHalt(id: $id) {{ {held} }} }}"""
    done = await api.run(document, id=api.account)
    assert [len(done[name]["subject"]["halts"]) for name in ("halted", "resumed", "again")] == [1, 0, 1]


async def test_a_repeated_halt_shows_the_newest_one(api: Api) -> None:
    for given in ({"reason": "one"}, {"reason": "two", "reduceOnly": True}):
        await api.run(HALT, id=api.account, input=given)
    query = "query($id: ID!) { node(id: $id) { ... on Account { tradingState halt { reason reduceOnly } } } }"
    account = (await api.run(query, id=api.account))["node"]
    assert account == {"tradingState": "REDUCING", "halt": {"reason": "two", "reduceOnly": True}}


async def test_the_halts_of_many_accounts_are_read_together(api: Api) -> None:
    async with api.harness.database.transaction() as transaction:
        for _ in range(5):
            await transaction.accounts.add(new_account(api.harness.user.id), b"sealed")
    api.database.statements.clear()
    await api.run("{ viewer { accounts { nodes { halt { level } halts { level } } } } }")
    assert sum("FROM halts" in text for text in api.database.statements) == 1


async def test_a_halt_shows_that_it_closes_positions(api: Api) -> None:
    await api.run(HALT, id=api.account, input={"closePositions": True})
    account = "query($id: ID!) { node(id: $id) { ... on Account { halt { closePositions cancelOrders } } } }"
    assert (await api.run(account, id=api.account))["node"]["halt"] == {"closePositions": True, "cancelOrders": True}


CLOSE = """mutation($id: ID!, $input: PositionCloseInput!) { positionClose(id: $id, input: $input) {
  order { id role } errors { code path } } }"""


async def test_closing_a_position_refuses_what_is_no_open_position_of_ones_own(api: Api) -> None:
    for given in ("x", encode_id("Order", api.harness.account.id), encode_id("Position", api.harness.account.id)):
        payload = (await api.run(CLOSE, id=given, input={"idempotencyKey": "k"}))["positionClose"]
        assert payload == {"order": None, "errors": [{"code": "NOT_FOUND", "path": ["id"]}]}
    for key in ("", "k" * 129):
        payload = (await api.run(CLOSE, id="x", input={"idempotencyKey": key}))["positionClose"]
        assert payload["errors"][0]["code"] in {"INVALID", "NOT_FOUND"}


async def test_a_report_is_empty_until_its_job_has_run_and_complete_afterwards(api: Api) -> None:
    session_id = await traded(api)
    payload = (await api.run(GENERATE, input={"scope": {"tradingSession": session_id}}))["reportGenerate"]
    report = payload["report"]
    assert (payload["errors"], report["job"], report["metrics"]) == ([], {"status": "QUEUED"}, None)
    assert (report["equityCurve"], report["roundTrips"]["nodes"], report["downloads"]) == ([], [], [])
    worker = report_worker(api.harness.database, lambda: {BTC: a_market()})
    assert await worker.work_once()
    done = (await api.run(REPORT, id=report["id"], points=2))["node"]
    assert done["job"] == {"status": "SUCCEEDED", "result": {"id": report["id"]}}
    assert done["metrics"] == {"roundTrips": 1, "netProfit": "8", "currency": "USDT"}
    assert [point["equity"] for point in done["equityCurve"]] == ["1000", "1008"]
    (trip,) = done["roundTrips"]["nodes"]
    assert (trip["side"], trip["profit"]) == ("LONG", "8")
    for points in (0, MAX_POINTS + 1):
        assert await api.code(REPORT, id=report["id"], points=points) == "INVALID"
    empty = (await api.run(REPORT, id=report["id"], points=1, first=0))["node"]["roundTrips"]
    assert (empty["nodes"], empty["pageInfo"]["hasNextPage"]) == ([], True)
    listed = (await api.run("{ viewer { reports { nodes { id } } jobs(status: [SUCCEEDED]) { nodes { kind } } } }"))[
        "viewer"
    ]
    assert listed == {"reports": {"nodes": [{"id": report["id"]}]}, "jobs": {"nodes": [{"kind": "report"}]}}


async def test_a_report_of_what_is_not_ones_own_or_nothing_is_refused(api: Api) -> None:
    theirs = api.context(await api.another_user())
    foreign = (await api.run(GENERATE, theirs, input={"scope": {"account": api.account}}))["reportGenerate"]
    assert (foreign["report"], foreign["errors"][0]["code"]) == (None, "NOT_FOUND")
    for kind in ("account", "tradingSession", "strategy", "backtest"):
        for unreadable in ("x", "", "0", encode_id("Order", new_user().id)):
            refused = (await api.run(GENERATE, input={"scope": {kind: unreadable}}))["reportGenerate"]
            assert refused["errors"] == [{"code": "NOT_FOUND", "path": ["input", "scope", kind]}]
    strategy = {"scope": {"strategy": encode_id("Strategy", new_user().id)}}
    assert (await api.run(GENERATE, input=strategy))["reportGenerate"]["errors"][0]["code"] == "NOT_FOUND"
    nothing = (await api.run(GENERATE, input={"scope": {"everything": False}}))["reportGenerate"]["errors"]
    assert nothing == [{"code": "INVALID", "path": ["input", "scope", "everything"]}]
    both = {"scope": {"account": api.account, "strategy": "x"}}
    assert await api.code(GENERATE, input=both) == "INVALID"
    assert await api.code(GENERATE, api.context(None), input={"scope": {"account": "x"}}) == "UNAUTHENTICATED"


PROTECT = """mutation($id: ID!, $input: PositionProtectInput!) { positionProtect(id: $id, input: $input) {
  position { quantity protections { stopLossPrice takeProfitPrice quantity endedAt } } errors { code path } } }"""


async def test_a_position_by_hand_is_protected_and_says_so(api: Api) -> None:
    await api.harness.start()
    await api.harness.place()
    (position,) = await api.harness.positions()
    key, stop = encode_id("Position", position.id), {"stopLoss": {"price": "90"}, "trailingStop": {"percent": "5"}}
    payload = (await api.run(PROTECT, id=key, input=stop))["positionProtect"]
    assert payload["errors"] == []
    assert [row["endedAt"] for row in payload["position"]["protections"]] == [None]
    payload = (await api.run(PROTECT, id=key, input={}))["positionProtect"]
    assert [row["endedAt"] is None for row in payload["position"]["protections"]] == [False]


async def test_a_protection_shows_its_trailing_distance_and_a_repeated_key_sets_nothing_again(api: Api) -> None:
    await api.harness.start()
    await api.harness.place()
    (position,) = await api.harness.positions()
    key = encode_id("Position", position.id)
    document = """mutation($id: ID!, $input: PositionProtectInput!) { positionProtect(id: $id, input: $input) {
      position { protections { trailPercent trailAbsolute endedAt } } errors { code path } } }"""
    given = {"trailingStop": {"percent": "5"}, "idempotencyKey": "p"}
    first = (await api.run(document, id=key, input=given))["positionProtect"]
    assert first["position"]["protections"] == [{"trailPercent": "5", "trailAbsolute": None, "endedAt": None}]
    await api.run(document, id=key, input={"trailingStop": {"absolute": "7"}})
    again = (await api.run(document, id=key, input=given))["positionProtect"]
    in_force = [row for row in again["position"]["protections"] if row["endedAt"] is None]
    assert in_force == [{"trailPercent": None, "trailAbsolute": "7", "endedAt": None}]
    other = (await api.run(document, id=key, input={"idempotencyKey": "p"}))["positionProtect"]
    assert other == {"position": None, "errors": [{"code": "CONFLICT", "path": ["input", "idempotencyKey"]}]}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"stopLoss": {"price": "120"}}, ["input", "stopLoss"]),
        ({"takeProfit": {"price": "80"}}, ["input", "takeProfit"]),
        ({"takeProfit": {"percent": "0"}}, ["input", "takeProfit"]),
        ({"trailingStop": {"absolute": "-1"}}, ["input", "trailingStop"]),
    ],
)
async def test_a_level_on_the_wrong_side_is_invalid(api: Api, given: dict[str, object], path: list[str]) -> None:
    await api.harness.start()
    await api.harness.place()
    (position,) = await api.harness.positions()
    payload = (await api.run(PROTECT, id=encode_id("Position", position.id), input=given))["positionProtect"]
    assert payload == {"position": None, "errors": [{"code": "INVALID", "path": path}]}


async def test_protecting_refuses_what_is_no_position_of_ones_own(api: Api) -> None:
    for given in ("x", encode_id("Order", api.harness.account.id), encode_id("Position", api.harness.account.id)):
        payload = (await api.run(PROTECT, id=given, input={}))["positionProtect"]
        assert payload == {"position": None, "errors": [{"code": "NOT_FOUND", "path": ["id"]}]}


SUBMIT = """mutation($input: SignalSubmitInput!) { signalSubmit(input: $input) {
  signal { id action price reason missed waiting order { id } } errors { code path } } }"""


@pytest.fixture
def quick(api: Api) -> None:
    """Have signals answered at once, since nobody trades the account, with the price of the harness's market."""
    harness = api.harness
    signals = SignalService(harness.database, FixedMarkets(), harness.bus, harness.clock, harness.ids, 0)
    api.services = replace(api.services, signals=signals)


def signal_input(session_id: str, **changes: object) -> dict[str, object]:
    return {"tradingSession": session_id, "action": "ENTER_LONG", "idempotencyKey": "k", **changes}


@pytest.mark.usefixtures("quick")
async def test_a_signal_waits_for_the_node_that_trades_the_account(api: Api) -> None:
    session = await api.session(status=TradingSessionStatus.RUNNING)
    given = signal_input(encode_id("TradingSession", session.id), reason="0.83")
    payload = (await api.run(SUBMIT, input=given))["signalSubmit"]
    signal = payload["signal"]
    assert payload["errors"] == []
    assert (signal["action"], signal["reason"], signal["price"]) == ("ENTER_LONG", "0.83", "100")
    assert (signal["missed"], signal["waiting"], signal["order"]) == (False, True, None)
    assert (await api.run(SUBMIT, input=given))["signalSubmit"]["signal"]["id"] == signal["id"]
    for other in ({"action": "EXIT_LONG"}, {"reason": "0.84"}):
        payload = (await api.run(SUBMIT, input={**given, **other}))["signalSubmit"]
        assert payload == {"signal": None, "errors": [{"code": "CONFLICT", "path": ["input", "idempotencyKey"]}]}
    listed = (await api.run(SESSION, id=given["tradingSession"]))["node"]["signals"]["nodes"]
    assert listed == [{"action": "ENTER_LONG", "reason": "0.83", "order": None}]


@pytest.mark.usefixtures("quick")
async def test_a_signal_that_cannot_be_acted_on_is_refused_at_the_argument(api: Api) -> None:
    session = encode_id("TradingSession", (await api.session(status=TradingSessionStatus.RUNNING)).id)
    for change, code, field in (
        ({"tradingSession": "x"}, "NOT_FOUND", "tradingSession"),
        ({"tradingSession": encode_id("TradingSession", new_user().id)}, "NOT_FOUND", "tradingSession"),
        ({"action": "ENTER_SHORT"}, "UNSUPPORTED", "action"),
        ({"action": "EXIT_SHORT"}, "UNSUPPORTED", "action"),
        ({"reason": "x" * 501}, "INVALID", "reason"),
        ({"reason": "a\u0000b"}, "INVALID", "reason"),
        ({"idempotencyKey": ""}, "INVALID", "idempotencyKey"),
    ):
        payload = (await api.run(SUBMIT, input=signal_input(session, **change)))["signalSubmit"]
        assert payload == {"signal": None, "errors": [{"code": code, "path": ["input", field]}]}
    theirs = api.context(await api.another_user())
    payload = (await api.run(SUBMIT, theirs, input=signal_input(session)))["signalSubmit"]
    assert payload["errors"] == [{"code": "NOT_FOUND", "path": ["input", "tradingSession"]}]
    for status in (TradingSessionStatus.STOPPING, TradingSessionStatus.STOPPED, TradingSessionStatus.FAILED):
        ended = await api.session(status=status)
        given = signal_input(encode_id("TradingSession", ended.id), action="EXIT_LONG")
        payload = (await api.run(SUBMIT, input=given))["signalSubmit"]
        assert payload["errors"] == [{"code": "CONFLICT", "path": ["input", "tradingSession"]}]


@pytest.mark.usefixtures("quick")
async def test_a_flood_of_entries_is_bounded_and_keeps_no_exit_out(api: Api) -> None:
    session = encode_id("TradingSession", (await api.session(status=TradingSessionStatus.RUNNING)).id)
    payloads = [
        (await api.run(SUBMIT, input=signal_input(session, idempotencyKey=f"k{number}")))["signalSubmit"]
        for number in range(11)
    ]
    assert [payload["errors"] for payload in payloads[:10]] == [[]] * 10
    assert payloads[10]["errors"] == [{"code": "LIMIT_REACHED", "path": ["input", "tradingSession"]}]
    leaving = signal_input(session, action="EXIT_LONG", idempotencyKey="out")
    assert (await api.run(SUBMIT, input=leaving))["signalSubmit"]["errors"] == []

"""Backtests as a client asks for them, over candles on a real database, computed in real processes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.jobs import Job
from domain.model.markets import Timeframe
from domain.model.plans import STANDARD_PLAN
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition
from infra.postgres.candle_series import PostgresBars
from infra.postgres.repositories.jobs import PostgresJobs
from infra.runtime.compute_pool import ProcessPool
from resolvers.ids import decode_id, encode_id
from tests.support.api import Api
from tests.support.backtest_jobs import HOURS, START, backtest_input, backtest_runner, store_waves, waves
from tests.support.orders import BTC, a_market
from tests.support.trading import new_strategy, new_version

RUN = """mutation($input: BacktestRunInput!) { backtestRun(input: $input) {
  backtest { id job { id kind status } } errors { code message path } } }"""
READ = """query($id: ID!, $first: Int = 50, $after: String) { node(id: $id) { ... on Backtest {
  from to timeframe initialEquity takerFeePercent makerFeePercent slippageBps latencyMilliseconds hash notes
  definition { enterLong } parameters { name value } strategyVersion { id } market { symbol }
  job { id status message progress result { id } }
  metrics { netProfit roundTrips fees currency startEquity endEquity sharpe }
  equityCurve(points: 2) { at equity }
  roundTrips(first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
    nodes { openedAt closedAt profit exitReason maxAdverseExcursion maxFavorableExcursion } } } } }"""
LIST = "{ viewer { backtests { totalCount nodes { id job { status } } } } }"
CANCEL = "mutation($id: ID!) { jobCancel(id: $id) { job { status } errors { code } } }"
DEFINITION: dict[str, Any] = {
    "parameters": [{"name": "fast", "default": "3", "min": "2", "max": "50"}],
    "enterLong": "crosses_above(sma(close, fast), sma(close, 12))",
    "exitLong": "crosses_below(sma(close, fast), sma(close, 12))",
    "stopLoss": {"percent": "2"},
    "sizing": {"equityPercent": "50"},
}
FIRST = START + timedelta(hours=50)
END = START + timedelta(hours=HOURS)


@pytest.fixture
async def processes() -> AsyncIterator[ProcessPool]:
    processes = ProcessPool(1)
    yield processes
    await processes.close()


def asked(**changes: object) -> dict[str, object]:
    return backtest_input(FIRST, END, **{"definition": DEFINITION, **changes})


async def run(api: Api, **changes: object) -> dict[str, Any]:
    return (await api.run(RUN, input=asked(**changes)))["backtestRun"]


async def read(api: Api, id: str, **page: object) -> dict[str, Any]:
    return (await api.run(READ, id=id, **page))["node"]


async def computed_by_the_engine(api: Api, id: str, fast: str, costs: TradingCosts) -> BacktestResult:
    parts = decode_id(id)
    assert parts is not None
    async with api.database.read_only() as reading:
        (stored,) = await reading.backtests.get_many([UUID(parts[1])])
    compiled = compile_definition(stored.definition, {"fast": Decimal(fast)}, Timeframe.H1)
    first = FIRST - compiled.warm_up * Timeframe.H1.duration
    bars = await PostgresBars(api.harness.pool).read(BTC, Timeframe.H1, first, END, lambda _rows: None)
    plan = BacktestPlan(stored.definition, compiled, a_market(), Timeframe.H1, costs, Decimal(10_000))
    return run_backtest(plan, bars, compiled.warm_up)


async def test_a_backtest_has_what_the_engine_makes_of_the_candles(api: Api, processes: ProcessPool) -> None:
    await store_waves(api.harness.database, waves())
    payload = await run(api, parameters=[{"name": "fast", "value": "4"}], takerFeePercent="0.2", slippageBps="3")
    assert payload["errors"] == []
    backtest = payload["backtest"]
    assert (backtest["job"]["kind"], backtest["job"]["status"]) == ("backtest", "QUEUED")
    waiting = await read(api, backtest["id"])
    assert (waiting["metrics"], waiting["equityCurve"], waiting["hash"], waiting["notes"]) == (None, [], None, None)
    assert waiting["roundTrips"]["nodes"] == []
    assert await backtest_runner(api.database, api.harness.pool, processes).work_once()

    done = await read(api, backtest["id"])
    costs = TradingCosts(Decimal("0.002"), Decimal("0.001"), Decimal(3))
    expected = await computed_by_the_engine(api, backtest["id"], "4", costs)
    assert len(expected.round_trips) > 5
    metrics = expected.metrics
    assert (done["hash"], done["metrics"]["roundTrips"]) == (expected.hash, metrics.round_trips)
    assert (done["metrics"]["sharpe"], done["metrics"]["currency"]) == (metrics.sharpe, "USDT")
    assert abs(Decimal(done["metrics"]["netProfit"]) - metrics.net_profit) < Decimal("1E-6")
    trips = done["roundTrips"]["nodes"]
    assert [trip["exitReason"] for trip in trips] == [trip.exit_reason for trip in expected.round_trips]
    assert [trip["maxAdverseExcursion"] for trip in trips] == [
        trip.max_adverse_excursion for trip in expected.round_trips
    ]
    job = done["job"]
    assert (job["status"], job["progress"], job["result"]) == ("SUCCEEDED", 1.0, {"id": backtest["id"]})
    assert job["message"].startswith(f"{metrics.round_trips} round trips, net profit ")
    assert (done["parameters"], done["strategyVersion"]) == ([{"name": "fast", "value": "4"}], None)
    assert (done["takerFeePercent"], done["makerFeePercent"], done["slippageBps"]) == ("0.2", "0.1", "3")
    assert (done["equityCurve"][0]["equity"], len(done["equityCurve"])) == ("10000", 2)
    assert done["definition"]["enterLong"] == DEFINITION["enterLong"]


async def test_the_same_input_has_the_same_hash_and_its_round_trips_are_paged(api: Api, processes: ProcessPool) -> None:
    await store_waves(api.harness.database, waves())
    ids = [(await run(api))["backtest"]["id"] for _ in range(2)]
    runner = backtest_runner(api.database, api.harness.pool, processes)
    assert [await runner.work_once() for _ in range(3)] == [True, True, False]
    first, second = [await read(api, backtest_id) for backtest_id in ids]
    assert first["hash"] == second["hash"] is not None
    nodes: list[object] = []
    after = None
    while True:
        page = (await read(api, ids[0], first=4, after=after))["roundTrips"]
        nodes += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert nodes == first["roundTrips"]["nodes"]


async def test_a_stored_version_runs_as_it_was_whatever_becomes_of_its_strategy(
    api: Api, processes: ProcessPool
) -> None:
    await store_waves(api.harness.database, waves())
    strategy = new_strategy(api.harness.user.id)
    version = new_version(strategy)
    definition = StrategyDefinition(sizing=Sizing(quote_amount=Decimal(100)), enter_long="close > 100")
    async with api.database.transaction() as transaction:
        await transaction.strategies.add(strategy, replace(version, definition=definition))
    version_id = encode_id("StrategyVersion", version.id)
    backtest = (await run(api, definition=None, strategyVersion=version_id))["backtest"]
    async with api.database.transaction() as transaction:
        await transaction.strategies.archive(api.harness.user.id, strategy.id, datetime.now(UTC))
    assert await backtest_runner(api.database, api.harness.pool, processes).work_once()
    done = await read(api, backtest["id"])
    assert (done["job"]["status"], done["strategyVersion"]) == ("SUCCEEDED", {"id": version_id})
    assert (done["definition"]["enterLong"], done["metrics"]["roundTrips"]) == ("close > 100", 0)


async def test_a_reader_who_sees_that_the_job_has_succeeded_sees_its_result(
    api: Api, processes: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job succeeds while a request that has begun to read the backtest waits for the job's row."""
    await store_waves(api.harness.database, waves())
    backtest = (await run(api))["backtest"]
    get_many = PostgresJobs.get_many

    async def succeed_first(jobs: PostgresJobs, ids: Sequence[UUID]) -> list[Job]:
        await backtest_runner(api.database, api.harness.pool, processes).work_once()
        return await get_many(jobs, ids)

    monkeypatch.setattr(PostgresJobs, "get_many", succeed_first)
    done = await read(api, backtest["id"])
    assert done["job"]["status"] == "SUCCEEDED"
    assert done["metrics"]["roundTrips"] > 0


SHORT = {"enterLong": "close > 1", "enterShort": "close < 1", "sizing": {"quoteAmount": "1"}}
OUTSIDE = {"sizing": {"quoteAmount": "1"}}
WRONG = {"enterLong": "clsoe > 1", "sizing": {"quoteAmount": "1"}}


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"strategyVersion": "nonsense"}, "NOT_FOUND", ["input", "strategyVersion"]),
        ({"definition": None}, "INVALID", ["input", "strategyVersion"]),
        ({"definition": None, "strategyVersion": encode_id("StrategyVersion", UUID(int=9))}, "NOT_FOUND",
         ["input", "strategyVersion"]),
        ({"strategyVersion": encode_id("StrategyVersion", UUID(int=9))}, "INVALID", ["input", "strategyVersion"]),
        ({"definition": WRONG}, "STRATEGY_INVALID", ["input", "definition", "enterLong"]),
        ({"definition": SHORT}, "UNSUPPORTED", ["input", "definition", "enterShort"]),
        ({"definition": OUTSIDE}, "INVALID", ["input", "definition"]),
        ({"market": "sandbox:NO/USDT"}, "NOT_FOUND", ["input", "market"]),
        ({"parameters": [{"name": "slow", "value": "4"}]}, "INVALID", ["input", "parameters", "0"]),
        ({"parameters": [{"name": "fast", "value": "51"}]}, "INVALID", ["input", "parameters", "0"]),
        ({"parameters": [{"name": "fast", "value": "4"}] * 2}, "INVALID", ["input", "parameters"]),
        ({"to": FIRST.isoformat()}, "INVALID", ["input", "to"]),
        ({"to": (FIRST - timedelta(days=1)).isoformat()}, "INVALID", ["input", "to"]),
        ({"to": (FIRST + timedelta(minutes=59)).isoformat()}, "INVALID", ["input", "to"]),
        ({"from": "1970-01-01T00:00:00Z"}, "INVALID", ["input", "from"]),
        ({"from": "9998-01-01T00:00:00Z", "to": "9999-01-01T00:00:00Z"}, "INVALID", ["input", "from"]),
        ({"from": "9999-12-31T22:00:00Z", "to": "9999-12-31T23:00:00Z", "timeframe": "W1"}, "INVALID",
         ["input", "from"]),
        ({"from": "2015-01-01T00:00:00Z", "timeframe": "M1"}, "LIMIT_REACHED", ["input", "from"]),
        ({"initialEquity": "0"}, "INVALID", ["input", "initialEquity"]),
        ({"initialEquity": "-5"}, "INVALID", ["input", "initialEquity"]),
        ({"initialEquity": "1E16"}, "INVALID", ["input", "initialEquity"]),
        ({"takerFeePercent": "-0.1"}, "INVALID", ["input", "takerFeePercent"]),
        ({"takerFeePercent": "10.01"}, "INVALID", ["input", "takerFeePercent"]),
        ({"makerFeePercent": "100"}, "INVALID", ["input", "makerFeePercent"]),
        ({"slippageBps": "-1"}, "INVALID", ["input", "slippageBps"]),
        ({"slippageBps": "1000.5"}, "INVALID", ["input", "slippageBps"]),
        ({"latencyMilliseconds": -1}, "INVALID", ["input", "latencyMilliseconds"]),
        ({"latencyMilliseconds": 86_400_001}, "INVALID", ["input", "latencyMilliseconds"]),
        ({"idempotencyKey": ""}, "INVALID", ["input", "idempotencyKey"]),
        ({"idempotencyKey": "k" * 129}, "INVALID", ["input", "idempotencyKey"]),
    ],
)  # fmt: skip
async def test_nonsense_is_refused_where_it_stands(
    api: Api, changes: dict[str, object], code: str, path: list[str]
) -> None:
    payload = await run(api, **changes)
    assert payload["backtest"] is None
    assert (code, path) in [(error["code"], error["path"]) for error in payload["errors"]]
    assert (await api.run(LIST))["viewer"]["backtests"] == {"totalCount": 0, "nodes": []}


async def test_an_end_in_a_far_future_is_the_present(api: Api) -> None:
    """Its candles aren't counted: there are none yet."""
    asked_at = datetime.now(UTC)
    made = await run(api, to="9999-12-31T00:00:00Z")
    assert made["errors"] == []
    until = datetime.fromisoformat((await read(api, made["backtest"]["id"]))["to"])
    assert asked_at - timedelta(hours=1) < until <= datetime.now(UTC)


async def test_all_errors_of_a_request_come_at_once(api: Api) -> None:
    payload = await run(api, definition=WRONG, market="sandbox:NO/USDT", initialEquity="0", slippageBps="-1")
    assert [error["path"][1] for error in payload["errors"]] == [
        "initialEquity", "slippageBps", "market", "definition",
    ]  # fmt: skip


async def test_the_same_key_asks_for_the_same_backtest(api: Api) -> None:
    first, again = [await run(api, idempotencyKey="k") for _ in range(2)]
    assert first == again
    other = await run(api, idempotencyKey="k", slippageBps="1")
    assert [error["code"] for error in other["errors"]] == ["CONFLICT"]
    assert (await api.run(LIST))["viewer"]["backtests"]["totalCount"] == 1


async def test_a_user_has_as_many_open_backtests_as_the_plan_allows(api: Api) -> None:
    for _ in range(STANDARD_PLAN.max_open_jobs):
        last = await run(api)
        assert last["errors"] == []
    (error,) = (await run(api))["errors"]
    assert (error["code"], str(STANDARD_PLAN.max_open_jobs) in error["message"]) == ("LIMIT_REACHED", True)
    await api.run(CANCEL, id=last["backtest"]["job"]["id"])
    assert (await run(api))["errors"] == []


async def test_another_user_neither_sees_nor_runs_nor_cancels_what_is_not_theirs(api: Api) -> None:
    strategy = new_strategy(api.harness.user.id)
    version = new_version(strategy)
    async with api.database.transaction() as transaction:
        await transaction.strategies.add(strategy, version)
    backtest = (await run(api))["backtest"]
    theirs = api.context(await api.another_user())
    assert (await api.run(READ, theirs, id=backtest["id"]))["node"] is None
    assert (await api.run(LIST, theirs))["viewer"]["backtests"] == {"totalCount": 0, "nodes": []}
    refused = await api.run(CANCEL, theirs, id=backtest["job"]["id"])
    assert refused["jobCancel"] == {"job": None, "errors": [{"code": "NOT_FOUND"}]}
    given = asked(definition=None, strategyVersion=encode_id("StrategyVersion", version.id))
    (error,) = (await api.run(RUN, theirs, input=given))["backtestRun"]["errors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["input", "strategyVersion"])
    assert (await read(api, backtest["id"]))["job"]["status"] == "QUEUED"


async def test_a_cancelled_backtest_has_no_result(api: Api, processes: ProcessPool) -> None:
    backtest = (await run(api))["backtest"]
    cancelled = await api.run(CANCEL, id=backtest["job"]["id"])
    assert cancelled["jobCancel"] == {"job": {"status": "CANCELED"}, "errors": []}
    assert not await backtest_runner(api.database, api.harness.pool, processes).work_once()
    done = await read(api, backtest["id"])
    assert (done["job"]["status"], done["metrics"], done["job"]["result"]) == ("CANCELED", None, None)


async def test_points_out_of_bounds_are_refused(api: Api) -> None:
    backtest_id = (await run(api))["backtest"]["id"]
    query = "query($id: ID!, $n: Int!) { node(id: $id) { ... on Backtest { equityCurve(points: $n) { at } } } }"
    for points in (0, -1, 5_001):
        assert await api.code(query, id=backtest_id, n=points) == "INVALID"

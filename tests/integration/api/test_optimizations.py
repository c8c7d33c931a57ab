"""Optimizations as a client asks for them, over candles on a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.jobs.runner import JobRunner, RunnerOptions
from domain.model.plans import STANDARD_PLAN
from domain.research.candle_loader import CandleLoader
from domain.research.optimization_candles import OptimizationCandles
from domain.research.optimization_handler import OptimizationHandler
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.candle_series import PostgresBars
from infra.runtime.compute_pool import ProcessPool
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.background import running
from tests.support.backtest_jobs import HOURS, START, backtest_runner, store_waves, waves
from tests.support.optimizations import PATIENT, together, trial_runner
from tests.support.orders import BTC
from tests.support.trading import new_strategy, new_version
from tests.support.waiting import read_until

RUN = """mutation($input: OptimizationRunInput!) { optimizationRun(input: $input) {
  optimization { id job { id kind status } } errors { code message path } } }"""
TRIAL = """number fold score message parameters { name value }
  inSample { netProfit roundTrips sharpe profitFactor calmar sortino } outOfSample { netProfit roundTrips }"""
READ = f"""query($id: ID!, $first: Int = 50, $after: String, $fold: Int, $by: OptimizationTrialOrder = NUMBER) {{
  node(id: $id) {{ ... on Optimization {{
    createdAt objective from to timeframe seed initialEquity takerFeePercent makerFeePercent slippageBps
    requestedTrials latencyMilliseconds definition {{ enterLong }} parameters {{ name value }} strategyVersion {{ id }}
    market {{ symbol }} job {{ status message progress result {{ id }} }} luckProbability best {{ {TRIAL} }}
    folds {{ number inSampleFrom outOfSampleFrom outOfSampleTo luckProbability best {{ number }} }}
    trials(first: $first, after: $after, fold: $fold, orderBy: $by) {{
      totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {TRIAL} }} }} }} }} }}"""
RUN_BACKTEST = "mutation($input: BacktestRunInput!) { backtestRun(input: $input) { backtest { id } } }"
READ_BACKTEST = "query($id: ID!) { node(id: $id) { ... on Backtest { metrics { netProfit roundTrips } } } }"
LIST = "{ viewer { optimizations { totalCount nodes { id job { status } } } } }"
CANCEL = "mutation($id: ID!) { jobCancel(id: $id) { job { status } errors { code } } }"
DEFINITION: dict[str, Any] = {
    "parameters": [
        {"name": "fast", "default": "3", "min": "2", "max": "9"},
        {"name": "slow", "default": "12", "min": "10", "max": "30"},
    ],
    "enterLong": "crosses_above(sma(close, fast), sma(close, slow))",
    "exitLong": "crosses_below(sma(close, fast), sma(close, slow))",
    "sizing": {"equityPercent": "50"},
}
FIRST = START + timedelta(hours=50)
END = START + timedelta(hours=HOURS)


def asked(trials: int = 6, backtest: dict[str, object] | None = None, **changes: object) -> dict[str, object]:
    given = {
        "definition": DEFINITION, "market": str(BTC), "timeframe": "H1", "from": FIRST.isoformat(),
        "to": END.isoformat(), **(backtest or {}),
    }  # fmt: skip
    return {"trials": trials, "backtest": {k: v for k, v in given.items() if v is not None}, **changes}


async def run(api: Api, **changes: Any) -> dict[str, Any]:
    return (await api.run(RUN, input=asked(**changes)))["optimizationRun"]


async def read(api: Api, id: str, **variables: object) -> dict[str, Any]:
    return (await api.run(READ, id=id, **variables))["node"]


@asynccontextmanager
async def working(api: Api) -> AsyncIterator[None]:
    """Run jobs and trials while the block runs."""
    bus, bars = EmbeddedBus(), PostgresBars(api.harness.pool)
    candles = OptimizationCandles(CandleLoader(api.database, bars, lambda _venue: None, SystemClock()), bars)
    handler = OptimizationHandler(api.database, bus, candles.prepare, poll_seconds=0.05)
    jobs = JobRunner(api.database, bus, SystemClock(), "worker", [handler], RunnerOptions(poll_seconds=0.05))
    trials = trial_runner(api.database, bus=bus, load_candles=candles.read, options=replace(PATIENT, slots=2))
    async with running(together(jobs.run(), trials.run())):
        yield


async def ended(api: Api, id: str) -> dict[str, Any]:
    async with working(api):
        return await read_until(
            lambda: read(api, id), lambda found: found["job"]["status"] in {"SUCCEEDED", "FAILED"}, "it ends"
        )


async def test_an_optimization_has_its_trials_with_both_parts_side_by_side(api: Api) -> None:
    await store_waves(api.harness.database, waves())
    payload = await run(api, backtest={"takerFeePercent": "0.05"}, seed=3)
    assert payload["errors"] == []
    optimization = payload["optimization"]
    assert (optimization["job"]["kind"], optimization["job"]["status"]) == ("optimization", "QUEUED")
    waiting = await read(api, optimization["id"])
    assert (waiting["best"], waiting["luckProbability"], waiting["trials"]["nodes"]) == (None, None, [])

    done = await ended(api, optimization["id"])
    job = done["job"]
    assert (job["status"], job["progress"], job["result"]) == ("SUCCEEDED", 1.0, {"id": optimization["id"]})
    trials = done["trials"]["nodes"]
    assert [trial["number"] for trial in trials] == list(range(6))
    assert trials[0]["parameters"] == [{"name": "fast", "value": "3"}, {"name": "slow", "value": "12"}]
    assert all(trial["score"] == trial["inSample"]["sharpe"] for trial in trials if trial["inSample"]["roundTrips"])
    assert all(trial["outOfSample"] is not None and trial["message"] is None for trial in trials)
    scores = [trial["score"] for trial in trials if trial["score"] is not None]
    assert done["best"] == next(trial for trial in trials if trial["score"] == max(scores))
    assert 0 <= done["luckProbability"] <= 1
    assert job["message"].startswith(f"6 trials. The best is number {done['best']['number']}, with a sharpe of ")
    (fold,) = done["folds"]
    assert fold["best"] == {"number": done["best"]["number"]}
    assert fold["luckProbability"] == done["luckProbability"]
    assert (done["seed"], done["requestedTrials"], done["objective"]) == (3, 6, "SHARPE")
    assert (done["takerFeePercent"], done["makerFeePercent"], done["parameters"]) == ("0.05", "0.1", [])


@pytest.mark.parametrize(
    ("objective", "figure"),
    [("NET_PROFIT", "netProfit"), ("SORTINO", "sortino"), ("CALMAR", "calmar"), ("PROFIT_FACTOR", "profitFactor")],
)
async def test_each_objective_is_the_score(api: Api, objective: str, figure: str) -> None:
    await store_waves(api.harness.database, waves())
    optimization = (await run(api, trials=2, objective=objective))["optimization"]
    for trial in (await ended(api, optimization["id"]))["trials"]["nodes"]:
        value = trial["inSample"][figure]
        expected = None if value is None or not trial["inSample"]["roundTrips"] else pytest.approx(float(value))
        assert trial["score"] == expected


async def test_walk_forward_folds_share_the_trials_and_the_parts_after_them_have_no_gap(api: Api) -> None:
    await store_waves(api.harness.database, waves())
    optimization = (await run(api, trials=9, walkForwardFolds=3, objective="NET_PROFIT"))["optimization"]
    done = await ended(api, optimization["id"])
    folds = done["folds"]
    assert [fold["number"] for fold in folds] == [0, 1, 2]
    assert [after["outOfSampleFrom"] for after in folds[1:]] == [before["outOfSampleTo"] for before in folds[:-1]]
    assert [trial["fold"] for trial in done["trials"]["nodes"]] == [0, 1, 2] * 3
    newest = (await read(api, optimization["id"], fold=2))["trials"]
    assert (newest["totalCount"], [trial["number"] for trial in newest["nodes"]]) == (3, [2, 5, 8])
    assert done["best"]["score"] == max(trial["score"] for trial in newest["nodes"] if trial["score"] is not None)


async def test_a_backtest_with_the_parameters_of_a_trial_has_its_figures(api: Api) -> None:
    await store_waves(api.harness.database, waves())
    optimization = (await run(api, trials=3, walkForwardFolds=2, objective="NET_PROFIT"))["optimization"]
    done = await ended(api, optimization["id"])
    fold, best = done["folds"][1], done["best"]
    processes = ProcessPool(1)
    for part, start, end in (
        ("inSample", fold["inSampleFrom"], fold["outOfSampleFrom"]),
        ("outOfSample", fold["outOfSampleFrom"], fold["outOfSampleTo"]),
    ):
        given = asked(backtest={"from": start, "to": end, "parameters": best["parameters"]})["backtest"]
        backtest = (await api.run(RUN_BACKTEST, input=given))["backtestRun"]["backtest"]
        assert await backtest_runner(api.database, api.harness.pool, processes).work_once()
        found = (await api.run(READ_BACKTEST, id=backtest["id"]))["node"]["metrics"]
        assert found == {name: best[part][name] for name in found}
        assert found["roundTrips"] > 0
    await processes.close()


async def test_trials_are_paged_by_number_and_by_score(api: Api) -> None:
    await store_waves(api.harness.database, waves())
    optimization = (await run(api, trials=5))["optimization"]
    await ended(api, optimization["id"])
    for order in ("NUMBER", "SCORE"):
        whole = (await read(api, optimization["id"], by=order))["trials"]["nodes"]
        found: list[object] = []
        after = None
        while True:
            page = (await read(api, optimization["id"], by=order, first=2, after=after))["trials"]
            found += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert found == whole
        assert len(whole) == 5
    scores = [trial["score"] for trial in whole]
    assert scores == sorted(scores, key=lambda score: (score is None, -(score or 0)))


async def test_a_parameter_with_a_value_is_not_searched(api: Api) -> None:
    await store_waves(api.harness.database, waves())
    given = {"parameters": [{"name": "slow", "value": "15"}]}
    optimization = (await run(api, trials=4, backtest=given))["optimization"]
    done = await ended(api, optimization["id"])
    values = [{value["name"]: value["value"] for value in trial["parameters"]} for trial in done["trials"]["nodes"]]
    assert {found["slow"] for found in values} == {"15"}
    assert len({found["fast"] for found in values}) == 4
    assert done["parameters"] == [{"name": "slow", "value": "15"}]


async def test_an_optimization_without_candles_says_so(api: Api) -> None:
    optimization = (await run(api))["optimization"]
    done = await ended(api, optimization["id"])
    assert done["job"]["status"] == "FAILED"
    assert done["job"]["message"].startswith("There are no 1h candles of sandbox:BTC/USDT")
    assert (done["best"], done["trials"]["nodes"]) == (None, [])


FIXED = {**DEFINITION, "parameters": [{"name": "fast", "default": "3"}, {"name": "slow", "default": "12"}]}


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"trials": 0}, "INVALID", ["input", "trials"]),
        ({"trials": -3}, "INVALID", ["input", "trials"]),
        ({"trials": STANDARD_PLAN.max_optimization_trials + 1}, "LIMIT_REACHED", ["input", "trials"]),
        ({"trials": 2, "walkForwardFolds": 3}, "INVALID", ["input", "trials"]),
        ({"walkForwardFolds": 0}, "INVALID", ["input", "walkForwardFolds"]),
        ({"trials": 100, "walkForwardFolds": 51}, "INVALID", ["input", "walkForwardFolds"]),
        ({"trials": 100, "walkForwardFolds": 40}, "INVALID", ["input", "walkForwardFolds"]),
        ({"backtest": {"definition": FIXED}}, "INVALID", ["input", "backtest", "parameters"]),
        ({"backtest": {"parameters": [{"name": "fast", "value": "3"}, {"name": "slow", "value": "12"}]}}, "INVALID",
         ["input", "backtest", "parameters"]),
        ({"backtest": {"parameters": [{"name": "fsat", "value": "3"}]}}, "INVALID",
         ["input", "backtest", "parameters", "0"]),
        ({"backtest": {"definition": {**DEFINITION, "enterLong": "clsoe > fast"}}}, "STRATEGY_INVALID",
         ["input", "backtest", "definition", "enterLong"]),
        ({"backtest": {"market": "sandbox:NO/USDT"}}, "NOT_FOUND", ["input", "backtest", "market"]),
        ({"backtest": {"initialEquity": "0"}}, "INVALID", ["input", "backtest", "initialEquity"]),
        ({"backtest": {"to": FIRST.isoformat()}}, "INVALID", ["input", "backtest", "to"]),
        ({"backtest": {"definition": None}}, "INVALID", ["input", "backtest", "strategyVersion"]),
        ({"backtest": {"definition": None, "strategyVersion": encode_id("StrategyVersion", UUID(int=9))}}, "NOT_FOUND",
         ["input", "backtest", "strategyVersion"]),
    ],
)  # fmt: skip
async def test_nonsense_is_refused_where_it_stands(
    api: Api, changes: dict[str, Any], code: str, path: list[str]
) -> None:
    payload = await run(api, **changes)
    assert payload["optimization"] is None
    assert (code, path) in [(error["code"], error["path"]) for error in payload["errors"]]
    assert (await api.run(LIST))["viewer"]["optimizations"] == {"totalCount": 0, "nodes": []}


async def test_a_search_whose_longest_period_needs_too_many_candles_is_refused(api: Api) -> None:
    """The default needs few; the plan is asked for what the trials need."""
    most = STANDARD_PLAN.max_backtest_candles
    slow = {"name": "slow", "default": "12", "min": "10", "max": "5000"}
    definition = {**DEFINITION, "parameters": [DEFINITION["parameters"][0], slow]}
    minutes = timedelta(minutes=most - 1_000)
    period = {"timeframe": "M1", "from": (END - minutes).isoformat(), "definition": definition}
    payload = await run(api, backtest=period)
    (error,) = payload["errors"]
    assert (error["code"], error["path"]) == ("LIMIT_REACHED", ["input", "backtest", "from"])
    assert f"Your plan allows {most:,}." in error["message"]
    assert (await run(api, backtest=period | {"definition": DEFINITION}))["errors"] == []


async def test_all_errors_of_a_request_come_at_once(api: Api) -> None:
    payload = await run(api, trials=0, backtest={"market": "sandbox:NO/USDT", "slippageBps": "-1"})
    assert {tuple(error["path"]) for error in payload["errors"]} == {
        ("input", "trials"),
        ("input", "backtest", "market"),
        ("input", "backtest", "slippageBps"),
    }


async def test_the_same_key_asks_for_the_same_optimization(api: Api) -> None:
    keyed = {"idempotencyKey": "k"}
    first, again = [await run(api, backtest=keyed) for _ in range(2)]
    assert first == again
    other = await run(api, backtest=keyed, trials=7)
    assert [error["code"] for error in other["errors"]] == ["CONFLICT"]
    assert (await api.run(LIST))["viewer"]["optimizations"]["totalCount"] == 1


async def test_a_user_has_as_many_open_jobs_as_the_plan_allows(api: Api) -> None:
    for _ in range(STANDARD_PLAN.max_open_jobs):
        last = await run(api)
        assert last["errors"] == []
    (error,) = (await run(api))["errors"]
    assert error["code"] == "LIMIT_REACHED"
    await api.run(CANCEL, id=last["optimization"]["job"]["id"])
    assert (await run(api))["errors"] == []


async def test_another_user_neither_sees_nor_runs_nor_cancels_what_is_not_theirs(api: Api) -> None:
    strategy = new_strategy(api.harness.user.id)
    version = new_version(strategy)
    async with api.database.transaction() as transaction:
        await transaction.strategies.add(strategy, version)
    optimization = (await run(api))["optimization"]
    theirs = api.context(await api.another_user())
    assert (await api.run(READ, theirs, id=optimization["id"]))["node"] is None
    assert (await api.run(LIST, theirs))["viewer"]["optimizations"] == {"totalCount": 0, "nodes": []}
    refused = await api.run(CANCEL, theirs, id=optimization["job"]["id"])
    assert refused["jobCancel"] == {"job": None, "errors": [{"code": "NOT_FOUND"}]}
    given = asked(backtest={"definition": None, "strategyVersion": encode_id("StrategyVersion", version.id)})
    (error,) = (await api.run(RUN, theirs, input=given))["optimizationRun"]["errors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["input", "backtest", "strategyVersion"])


async def test_a_page_of_trials_is_read_by_few_statements(api: Api) -> None:
    await store_waves(api.harness.database, waves())
    few = (await run(api, trials=2))["optimization"]
    many = (await run(api, trials=6))["optimization"]
    for optimization in (few, many):
        await ended(api, optimization["id"])
    counts = []
    for optimization in (few, many):
        api.database.statements.clear()
        await read(api, optimization["id"])
        counts.append(len(api.database.statements))
    assert counts[0] == counts[1]

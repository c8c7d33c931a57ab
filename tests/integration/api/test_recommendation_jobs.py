"""Recommendations from the first question to the answer: a job in a real process, over candles on a real database."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.backtest.market_bars import MarketCandles
from domain.jobs.runner import JobRunner
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.model.recommendations import WalkForwardAnalysis
from domain.model.strategy_templates import TemplateCatalogue
from domain.research.candle_loader import CandleLoader
from domain.research.compute_pool import ComputationCrashed, ComputePool, OnProgress
from domain.research.recommendation_candidates import definition_hash
from domain.research.recommendation_handler import RecommendationHandler
from domain.research.recommendation_service import PAUSE, RecommendationService
from domain.research.recommendation_task import AnalysisTask, evaluate_all
from domain.strategies.templates import TEMPLATES
from domain.trading.strategies import StrategyRequest
from infra.postgres.candle_series import PostgresBars
from infra.runtime.compute_pool import ProcessPool
from tests.support.api import Api
from tests.support.backtest_jobs import store_waves, waves
from tests.support.backtests import bars_of
from tests.support.candles import random_candles
from tests.support.optimizations import ThreadPool
from tests.support.orders import BTC, a_market

QUERY = """{ viewer { strategyRecommendations(market: "sandbox:BTC/USDT", timeframe: H1) {
  strategy { name } template { name } score reason metrics { startEquity roundTrips } parameters { name value } } } }"""
JOBS = "{ viewer { jobs { nodes { kind status progress message } } } }"
CATALOGUE = TemplateCatalogue(tuple(one for one in TEMPLATES if one.name in {"ema_cross", "double_sevens"}))
COUNT = 1_300
ETH = MarketSymbol("sandbox", "ETH/USDT")
MINE = StrategyDefinition(
    sizing=Sizing(equity_percent=Decimal(50)),
    enter_long="crosses_above(close, sma(close, 8))",
    exit_long="crosses_below(close, sma(close, 8))",
)


@pytest.fixture
async def processes() -> AsyncIterator[ProcessPool]:
    processes = ProcessPool(1)
    yield processes
    await processes.close()


def with_templates(api: Api, templates: TemplateCatalogue = CATALOGUE) -> None:
    """Have the API recommend few templates, which are soon evaluated."""
    database, harness = api.database, api.harness
    service = RecommendationService(database, templates, harness.bus, harness.clock, harness.ids)
    object.__setattr__(api.services, "recommendations", service)


class LosingPool(ThreadPool):
    """Loses what is computed with the candles of another market, and computes the others."""

    async def run(self, function: Callable[..., Any], argument: Any, on_progress: OnProgress) -> Any:
        if argument.candles.bars.candles.others:
            raise ComputationCrashed("status -9")
        return await super().run(function, argument, on_progress)


def runner(api: Api, processes: ComputePool, templates: TemplateCatalogue = CATALOGUE) -> JobRunner:
    database, harness = api.database, api.harness
    candles = CandleLoader(database, PostgresBars(harness.pool), lambda _venue: None, harness.clock)
    handler = RecommendationHandler(database, candles, processes, templates, harness.clock)
    return JobRunner(database, harness.bus, harness.clock, "worker", [handler])


def candles_until(now: datetime, count: int = COUNT) -> list[Candle]:
    return waves(count=count, start=Timeframe.H1.open_time(now) - count * Timeframe.H1.duration)


async def recommended(api: Api) -> list[dict[str, Any]]:
    return (await api.run(QUERY))["viewer"]["strategyRecommendations"]


async def jobs(api: Api) -> list[dict[str, Any]]:
    return (await api.run(JOBS))["viewer"]["jobs"]["nodes"]


async def analyses(api: Api, *definitions: StrategyDefinition) -> Sequence[WalkForwardAnalysis]:
    hashes = [definition_hash(definition) for definition in definitions]
    async with api.database.read_only() as reading:
        return await reading.recommendations.analyses(BTC, Timeframe.H1, hashes)


async def test_the_first_question_has_the_answer_computed_for_the_next(api: Api, processes: ProcessPool) -> None:
    with_templates(api)
    await store_waves(api.database, candles_until(api.harness.clock.now()))
    await api.services.strategies.create(api.harness.user.id, StrategyRequest("mine", None, MINE), None)
    assert await recommended(api) == []
    assert await runner(api, processes).work_once()
    (job,) = await jobs(api)
    message = "3 strategies were evaluated on sandbox:BTC/USDT 1h."
    assert job == {"kind": "recommendation", "status": "SUCCEEDED", "progress": 1.0, "message": message}
    ranked = await recommended(api)
    names = [(one["strategy"] or one["template"])["name"] for one in ranked]
    assert sorted(names) == ["double_sevens", "ema_cross", "mine"]
    # A price that swings as a wave is what an average of a part of the wave follows.
    assert names[0] == "mine"
    assert ranked[0]["score"] > 0.9
    assert "the probability that" in ranked[0]["reason"]
    assert ranked[0]["metrics"]["startEquity"] == "10000"
    assert ranked[0]["metrics"]["roundTrips"] > 10
    assert {value["name"] for one in ranked if one["template"] for value in one["parameters"]} >= {"fast", "slow"}
    assert len(await jobs(api)) == 1


async def test_only_what_is_missing_is_computed_and_users_share_it(api: Api, processes: ProcessPool) -> None:
    with_templates(api)
    await store_waves(api.database, candles_until(api.harness.clock.now()))
    await recommended(api)
    await runner(api, processes).work_once()
    before = await analyses(api, *(one.definition for one in CATALOGUE.templates))
    await api.services.strategies.create(api.harness.user.id, StrategyRequest("mine", None, MINE), None)
    api.harness.clock.ahead += PAUSE
    assert len(await recommended(api)) == 2  # what is known is there at once
    await runner(api, processes).work_once()
    newest, _ = await jobs(api)
    assert newest["message"].startswith("1 strategy was evaluated")
    assert sorted(await analyses(api, *(one.definition for one in CATALOGUE.templates)), key=str) == sorted(
        before, key=str
    )
    assert len(await recommended(api)) == 3
    other = api.context(await api.another_user())
    assert len((await api.run(QUERY, other))["viewer"]["strategyRecommendations"]) == 2


async def test_what_cannot_be_evaluated_is_left_out_and_not_tried_at_each_question(
    api: Api, processes: ProcessPool
) -> None:
    with_templates(api)
    await store_waves(api.database, candles_until(api.harness.clock.now()))
    elsewhere = StrategyDefinition(sizing=MINE.sizing, enter_long='market("ETH/USDT").close > 1')
    await api.services.strategies.create(api.harness.user.id, StrategyRequest("elsewhere", None, elsewhere), None)
    await recommended(api)
    await runner(api, processes).work_once()
    (refused,) = await analyses(api, elsewhere)
    assert refused.result is None
    assert "ETH/USDT" in (refused.message or "")
    api.harness.clock.ahead += PAUSE
    assert len(await recommended(api)) == 2
    assert len(await jobs(api)) == 1


@pytest.mark.parametrize("others", [2, 0])
async def test_what_may_pass_is_no_finding_that_users_share(api: Api, others: int) -> None:
    """A process that the system ends says nothing about a strategy."""
    templates = TemplateCatalogue(CATALOGUE.templates[:others])
    with_templates(api, templates)
    elsewhere = StrategyDefinition(sizing=MINE.sizing, enter_long='market("ETH/USDT").close > 1')
    await api.services.strategies.create(api.harness.user.id, StrategyRequest("elsewhere", None, elsewhere), None)
    now = api.harness.clock.now()
    for market in (BTC, ETH):
        start = Timeframe.H1.open_time(now) - COUNT * Timeframe.H1.duration
        await store_waves(api.database, waves(market, COUNT, start))
    earlier = WalkForwardAnalysis(
        BTC, Timeframe.H1, definition_hash(elsewhere), now - timedelta(days=60), None, "as before"
    )
    async with api.database.transaction() as transaction:
        await transaction.market_data.save_markets([replace(a_market(), symbol=ETH, base="ETH")])
        await transaction.recommendations.save_analyses([earlier])
    await recommended(api)
    await runner(api, LosingPool(), templates).work_once()
    assert await analyses(api, elsewhere) == [earlier]
    (job,) = await jobs(api)
    assert "The analysis was lost: its process came to an end" in job["message"]
    if others:
        assert job["status"] == "SUCCEEDED"
        assert job["message"].startswith("2 strategies were evaluated on sandbox:BTC/USDT 1h. 1 was not: ")
        assert len(await analyses(api, *(one.definition for one in templates.templates))) == 2
    else:
        assert job["status"] == "FAILED"


async def test_without_candles_or_the_market_the_job_fails_with_the_reason_and_the_question_is_answered(
    api: Api, processes: ProcessPool
) -> None:
    with_templates(api)
    assert await recommended(api) == []
    await runner(api, processes).work_once()
    (job,) = await jobs(api)
    assert job["status"] == "FAILED"
    assert "There are no 1h candles of sandbox:BTC/USDT" in job["message"]
    assert await recommended(api) == []
    api.harness.clock.ahead += PAUSE + timedelta(seconds=1)
    await recommended(api)
    await api.harness.pool.execute("DELETE FROM markets")
    await runner(api, processes).work_once()
    newest, _ = await jobs(api)
    assert newest["message"] == "sandbox:BTC/USDT is no longer listed by its venue."


def test_a_young_market_is_answered_with_how_many_candles_it_needs() -> None:
    shares: list[float] = []
    definitions = [(b"one", MINE), (b"two", TEMPLATES[0].definition)]
    task = AnalysisTask(definitions, MarketCandles(a_market(), bars_of(random_candles(399, 1), Timeframe.H1)))
    found = evaluate_all(task, shares.append)
    assert [one.message for one in found] == ["There are 399 candles; at least 400 are needed."] * 2
    assert shares == [0.5, 1.0]
    task = AnalysisTask(definitions, MarketCandles(a_market(), bars_of(random_candles(400, 1), Timeframe.H1)))
    assert [one.result is not None for one in evaluate_all(task, shares.append)] == [True, True]

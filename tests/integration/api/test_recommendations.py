"""Recommendations by the public API: what is known is returned at once, and what isn't is computed after the answer."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.jobs import JobKind, JobStatus
from domain.model.markets import Candle, Timeframe
from domain.model.recommendations import WalkForward, WalkForwardAnalysis
from domain.model.strategies import Strategy
from domain.model.users import User
from domain.research.recommendation_candidates import age_limit, candidates_of, definition_hash
from domain.research.recommendation_service import MOST_OPEN_RUNS, PAUSE
from domain.strategies.templates import BUILT_IN, TEMPLATES
from domain.trading.strategies import StrategyRequest
from tests.support.analyses import a_result, an_analysis
from tests.support.api import Api
from tests.support.orders import BTC

QUERY = """query($market: MarketSymbol! = "sandbox:BTC/USDT", $timeframe: Timeframe! = M1, $first: Int! = 10) {
  viewer { strategyRecommendations(market: $market, timeframe: $timeframe, first: $first) {
    strategy { name version { number } } template { name } score reason computedAt
    trend { direction timeframe } metrics { netProfit roundTrips currency } parameters { name value } } } }"""
JOBS = "{ viewer { jobs { nodes { kind status } } } }"
RULES = StrategyDefinition(sizing=Sizing(quote_amount=Decimal(100)), enter_long="close > 1")


async def recommended(api: Api, user: User | None = None, **given: object) -> list[dict[str, Any]]:
    context = None if user is None else api.context(user)
    return (await api.run(QUERY, context, **given))["viewer"]["strategyRecommendations"]


async def jobs(api: Api, user: User | None = None) -> list[dict[str, Any]]:
    context = None if user is None else api.context(user)
    return (await api.run(JOBS, context))["viewer"]["jobs"]["nodes"]


async def end_jobs(api: Api, status: JobStatus = JobStatus.SUCCEEDED) -> None:
    async with api.database.transaction() as transaction:
        while claimed := await transaction.jobs.claim([JobKind.RECOMMENDATION], "a worker", 60):
            await transaction.jobs.finish(claimed.job.id, status, "", api.harness.clock.now())


async def rising_market(api: Api) -> None:
    """Store 500 minutes of a rise up to now."""
    until = Timeframe.M1.open_time(api.harness.clock.now())
    candles = []
    for minute in range(500):
        price = Decimal(100 + minute)
        at = until - timedelta(minutes=500 - minute)
        candles.append(Candle(BTC, Timeframe.M1, at, price, price + 2, price - 1, price + 1, Decimal(1), closed=True))
    async with api.database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(candles[0].open_time, candles[-1].open_time)
        await transaction.market_data.insert_candles(candles)


async def evaluated(api: Api, results: Sequence[tuple[StrategyDefinition, WalkForward | None]], **changes: Any) -> None:
    values = {"market": BTC, "timeframe": Timeframe.M1, "computed_at": api.harness.clock.now(), **changes}
    found = [an_analysis(result, definition_hash(definition), **values) for definition, result in results]
    async with api.database.transaction() as transaction:
        await transaction.recommendations.save_analyses(found)


async def own_strategy(api: Api, user: User, name: str, definition: StrategyDefinition = RULES) -> Strategy:
    return await api.services.strategies.create(user.id, StrategyRequest(name, None, definition), None)


async def test_a_market_that_there_is_not_and_a_size_out_of_range_are_refused(api: Api) -> None:
    assert await api.code(QUERY, market="sandbox:NO/SUCH") == "NOT_FOUND"
    for first in (0, -1, 101):
        assert await api.code(QUERY, first=first) == "INVALID"
    assert (await api.run(QUERY, api.context(None)))["viewer"] is None
    assert await jobs(api) == []


async def test_what_is_not_known_is_requested_once_and_never_waited_for(api: Api) -> None:
    answers = await asyncio.gather(*(recommended(api) for _ in range(5)))
    assert answers == [[]] * 5
    assert await jobs(api) == [{"kind": "recommendation", "status": "QUEUED"}]
    await end_jobs(api, JobStatus.FAILED)
    assert await recommended(api) == []
    assert len(await jobs(api)) == 1  # it isn't tried again at once
    api.harness.clock.ahead += PAUSE
    assert await recommended(api) == []
    assert len(await jobs(api)) == 2


async def test_a_user_has_few_of_these_jobs_at_a_time_and_takes_no_room_from_another(api: Api) -> None:
    other = await api.another_user()
    for timeframe in ("M1", "M5", "H1", "D1"):
        await recommended(api, timeframe=timeframe)
    assert len(await jobs(api)) == MOST_OPEN_RUNS
    await recommended(api, other)
    assert len(await jobs(api, other)) == 1
    await end_jobs(api)
    await recommended(api, timeframe="D1")
    assert len(await jobs(api)) == MOST_OPEN_RUNS + 1


async def test_what_is_known_is_ranked_for_the_present_trend(api: Api) -> None:
    await rising_market(api)
    user, other = api.harness.user, await api.another_user()
    mine = RULES
    theirs = StrategyDefinition(sizing=Sizing(quote_amount=Decimal(100)), enter_long="close > 2")
    await own_strategy(api, user, "mine")
    await own_strategy(api, other, "theirs", theirs)
    up, down, refused, *others = (template.definition for template in TEMPLATES)
    await evaluated(
        api,
        [
            (mine, a_result(0.12, 0.0, 0.0)),
            (theirs, a_result(0.9, 0.9, 0.9)),
            (up, a_result(0.2, -0.3, 0.0, profit=100)),
            (down, a_result(-0.2, 0.3, 0.0)),
            (refused, None),
            *((definition, a_result(-0.01, -0.01, -0.01)) for definition in others),
        ],
    )
    ranked = await recommended(api, first=100)
    assert len(ranked) == len(TEMPLATES)  # one of mine more, one that can't be run less
    assert ranked[0]["template"] == {"name": TEMPLATES[0].name}
    assert ranked[0]["strategy"] is None
    assert ranked[1]["strategy"] == {"name": "mine", "version": {"number": 1}}
    assert ranked[1]["template"] is None
    assert 1 >= ranked[0]["score"] > ranked[1]["score"] > 0
    assert {one["score"] for one in ranked[2:]} == {0}
    assert ranked[0]["trend"] == {"direction": "UP", "timeframe": "M1"}
    assert ranked[0]["reason"].startswith("The market trends up. In 7 past stretches of that kind")
    assert ranked[0]["metrics"] == {"netProfit": "100", "roundTrips": 9, "currency": "USDT"}
    assert ranked[0]["parameters"] == [{"name": "fast", "value": "12"}]
    assert await jobs(api) == []
    assert await recommended(api, first=2) == ranked[:2]
    assert "theirs" not in str(ranked)
    assert (await recommended(api, other))[0]["strategy"]["name"] == "theirs"


async def test_old_results_are_returned_with_their_age_and_computed_again(api: Api) -> None:
    await rising_market(api)
    computed_at = api.harness.clock.now() - age_limit(Timeframe.M1)
    result = a_result(0.2, 0.2, 0.2)
    await evaluated(api, [(one.definition, result) for one in TEMPLATES], computed_at=computed_at)
    ranked = await recommended(api, first=100)
    assert len(ranked) == len(TEMPLATES)
    assert {one["computedAt"][:19] for one in ranked} == {computed_at.isoformat()[:19]}
    assert await jobs(api) == [{"kind": "recommendation", "status": "QUEUED"}]


async def test_a_changed_strategy_is_evaluated_again_and_an_archived_one_is_left_out(api: Api) -> None:
    user = api.harness.user
    strategy = await own_strategy(api, user, "mine")
    await own_strategy(api, user, "by signals alone", StrategyDefinition(sizing=RULES.sizing))
    await own_strategy(api, user, "a turtle", TEMPLATES[8].definition)

    async def hashes() -> dict[bytes, str | None]:
        async with api.database.read_only() as reading:
            found = await candidates_of(reading, user.id, BUILT_IN)
        assert len({one.hash for one in found}) == len(found)
        return {one.hash: None if one.strategy is None else one.strategy.name for one in found}

    first = await hashes()
    assert sorted(filter(None, first.values())) == ["a turtle", "mine"]
    assert len(first) == len(TEMPLATES) + 1  # the turtle is there once
    changed = StrategyDefinition(sizing=RULES.sizing, enter_long="close > 3")
    await api.services.strategies.update(user.id, strategy.id, definition=changed)
    assert (await hashes()).keys() - first.keys() == {definition_hash(changed)}
    await api.services.strategies.archive(user.id, strategy.id)
    assert len(await hashes()) == len(TEMPLATES)


async def test_analyses_are_kept_one_for_each_definition_and_deleted_when_they_are_old(api: Api) -> None:
    now = api.harness.clock.now()
    await evaluated(api, [(RULES, a_result(0.1, None, None))], computed_at=now - timedelta(days=40))
    await recommended(api)
    await end_jobs(api)

    async def stored() -> list[WalkForwardAnalysis]:
        async with api.database.read_only() as reading:
            return await reading.recommendations.analyses(BTC, Timeframe.M1, [definition_hash(RULES), b"none"])

    assert [one.result for one in await stored()] == [a_result(0.1, None, None)]
    await evaluated(api, [(RULES, None)], computed_at=now - timedelta(days=35))
    (newer,) = await stored()
    assert (newer.result, newer.message) == (None, "It can't be run.")
    async with api.database.transaction() as transaction:
        assert await transaction.recommendations.delete_before(now - timedelta(days=30), 100) == 1
        assert await transaction.recommendations.delete_before(now + timedelta(days=1), 100) == 1
    assert await stored() == []
    assert await jobs(api) == []


@pytest.mark.parametrize(
    ("timeframe", "hours"), [(Timeframe.M1, 1), (Timeframe.M15, 6), (Timeframe.H1, 24), (Timeframe.W1, 168)]
)
def test_results_are_old_after_a_day_of_candles(timeframe: Timeframe, hours: int) -> None:
    assert age_limit(timeframe) == timedelta(hours=hours)

"""Shared answers over the real schema, hub and database: each is what an execution of its own would give."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from domain.market_data import codec
from domain.market_data.topics import candles_topic, depth_topic, status_topic, ticker_topic
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import Candle, Depth, FeedState, FeedStatus, PriceLevel, Ticker, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.model.users import ApiScope, User
from infra.web.encoding import encode_json
from infra.web.metrics import WebMetrics
from infra.web.operations import Operations
from infra.web.settings import WebSettings
from infra.web.shared_answers import shared_data
from resolvers.context import RequestContext
from schema import build_schema
from tests.support.api import Api
from tests.support.orders import BTC, a_market

SCHEMA = build_schema()
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
BOOK = 'market(symbol: "sandbox:BTC/USDT") { priceIncrement depth(levels: L5) { sequence bids { price } } }'
CANDLES = (
    "query ($first: Int = 10, $full: Boolean = true, $from: DateTime) { "
    'market(symbol: "sandbox:BTC/USDT") { candles(timeframe: M1, first: $first, from: $from) { '
    "nodes { openTime close @include(if: $full) volume } pageInfo { hasNextPage endCursor } } } }"
)
QUERIES: list[tuple[str, dict[str, Any]]] = [
    (f"{{ {BOOK} }}", {}),
    (f"{{ a: {BOOK} b: {BOOK} }}", {}),
    ('{ market(symbol: "sandbox:BTC/USDT") { ticker { last bid market { base priceIncrement } } } }', {}),
    ('{ market(symbol: "sandbox:BTC/USDT") { trades(last: 3) { edges { cursor node { price side } } } } }', {}),
    ('{ markets(search: "BTC") { totalCount nodes { symbol priceIncrement } } }', {}),
    ('{ market(symbol: "sandbox:NO/SUCH") { base } }', {}),
    (CANDLES, {}),
    (CANDLES, {"first": 2, "full": False}),
    (CANDLES, {"full": True, "first": 10}),
    (CANDLES, {"from": "2026-01-01T00:00:00Z", "first": 5}),
    (CANDLES, {"first": -1}),
]
CALLERS = ("nobody", "user", "limited user")
CHANGES = ("book", "same book", "stale", "ticker", "candle", "correction", "candle elsewhere", "trade", "market")
change = st.tuples(st.sampled_from(CHANGES), st.integers(1, 5))
question = st.tuples(st.sampled_from(range(len(QUERIES))), st.sampled_from(CALLERS))


class Engine:
    """The operations of an engine that shares answers, and of one over the same services that doesn't."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.registry = CollectorRegistry()
        self.sharing = self._operations(self.registry, WebSettings())
        self.alone = self._operations(CollectorRegistry(), WebSettings(shared_answers_bytes=0))
        self.hub = api.services.markets
        self.writer = MarketDataWriter(api.database, on_stored=self.hub.history_versions.note_stored)
        self.sequence = 0
        self.corrections = 0

    def _operations(self, registry: CollectorRegistry, web: WebSettings) -> Operations:
        async def context(*_of: object) -> RequestContext:
            return self.caller("nobody")

        return Operations(SCHEMA, context, web, WebMetrics(registry))

    def caller(self, name: str) -> RequestContext:
        user: User | None = None if name == "nobody" else self.api.harness.user
        if user is not None and name == "limited user":
            user = replace(user, plan=replace(user.plan, history_days=2))
        return self.api.context(user, (ApiScope.READ,))

    async def ask(self, operations: Operations, query: str, caller: str, **variables: Any) -> dict[str, Any]:
        prepared = await operations.prepare(query, None)
        return await operations.execute(prepared, variables, self.caller(caller), None)

    async def both(self, query: str, caller: str, **variables: Any) -> tuple[str, str]:
        """Return the answer that may be shared, and one of its own."""
        answers = [await self.ask(each, query, caller, **variables) for each in (self.sharing, self.alone)]
        shared, own = (
            encode_json({name: value for name, value in answer.items() if name != "errors"}) for answer in answers
        )
        return shared, own

    def count(self, result: str) -> float:
        return self.registry.get_sample_value("r3edge_shared_answers_total", {"result": result}) or 0

    async def change(self, kind: str, number: int) -> None:
        bus, now = self.api.harness.bus, datetime.now(UTC)
        if kind in {"book", "same book", "stale"}:
            state = FeedState.STALE if kind == "stale" else FeedState.LIVE
            await bus.publish(status_topic(BTC), codec.encode_status(FeedStatus(BTC, state, now)))
            self.sequence += kind == "book"
            levels = (PriceLevel(Decimal(60_000 + self.sequence), Decimal(number)),)
            book = Depth(BTC, "epoch", self.sequence, levels, (), now, now)
            await bus.publish(depth_topic(BTC), codec.encode_depth(book))
        elif kind == "ticker":
            ticker = Ticker(BTC, now, None, None, Decimal(number), None, None)
            await bus.publish(ticker_topic(BTC), codec.encode_ticker(ticker))
        elif kind == "candle":
            self.writer.add_candles([a_candle(number)])
            await self.writer.flush()
        elif kind == "correction":
            self.corrections += 1
            await self.writer.correct([a_candle(number, volume=Decimal(10 + self.corrections))])
        elif kind == "candle elsewhere":
            await store_elsewhere(self.api, [a_candle(number + 5)])
            await bus.publish(candles_topic(BTC), codec.encode_candles([a_candle(number + 5)]))
        elif kind == "trade":
            at = NOON + timedelta(seconds=number)
            self.writer.add_trades([Trade(BTC, str(number), at, Decimal(number), Decimal(1), OrderSide.BUY)])
            await self.writer.flush()
        else:
            await list_markets(self.api, Decimal(number))


def a_candle(minute: int, volume: Decimal = Decimal(2)) -> Candle:
    price = Decimal(60_000 + minute)
    at = NOON + timedelta(minutes=minute)
    return Candle(BTC, Timeframe.M1, at, price, price + 3, price - 1, price + 1, volume, closed=True)


async def store_elsewhere(api: Api, candles: Sequence[Candle]) -> None:
    """Store candles as another node does."""
    async with api.database.transaction() as transaction:
        await transaction.market_data.upsert_candles(candles)


async def list_markets(api: Api, price_increment: Decimal) -> None:
    async with api.database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market(price_increment=price_increment)])
    await api.services.markets.catalogue.refresh()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    questions=st.lists(question, min_size=1, max_size=3),
    changes=st.lists(change, min_size=3, max_size=12),
)
@example(questions=[(0, "nobody")], changes=[("book", 1), ("book", 2)])
@example(questions=[(2, "nobody")], changes=[("ticker", 1), ("ticker", 2), ("book", 1), ("market", 2), ("market", 3)])
@example(questions=[(6, "user")], changes=[("candle", 1), ("correction", 1), ("candle elsewhere", 1)])
async def test_after_any_changes_a_shared_answer_is_what_an_execution_of_its_own_gives(
    api: Api, questions: list[tuple[int, str]], changes: list[tuple[str, int]]
) -> None:
    engine = Engine(api)
    async with engine.hub.followed.follow(BTC):
        for kind, number in [("book", 1), ("ticker", 1), *changes]:
            await engine.change(kind, number)
            if kind == "stale":
                await engine.change("same book", 1)  # a query waits for a book that isn't there
            for index, caller in (*questions, *questions):
                query, variables = QUERIES[index]
                shared, own = await engine.both(query, caller, **variables)
                assert shared == own, (query, caller)


@pytest.fixture
async def engine(api: Api) -> Engine:
    engine = Engine(api)
    for minute in range(5):
        await engine.writer.correct([a_candle(minute)])
    return engine


async def test_the_same_query_of_two_callers_is_executed_once(engine: Engine) -> None:
    first = await engine.ask(engine.sharing, CANDLES, "nobody", first=3)
    second = await engine.ask(engine.sharing, CANDLES, "nobody", full=True, first=3)
    assert shared_data(first) is not None
    assert shared_data(first) == shared_data(second)
    assert (engine.count("miss"), engine.count("hit")) == (1, 1)


async def test_a_user_whose_plan_limits_history_never_gets_what_another_may_read(engine: Engine) -> None:
    since = (NOON - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    variables = {"from": since, "first": 3}
    for _ in range(2):
        assert "errors" not in await engine.ask(engine.sharing, CANDLES, "user", **variables)
    (error,) = (await engine.ask(engine.sharing, CANDLES, "limited user", **variables))["errors"]
    assert error["extensions"]["code"] == "LIMIT_REACHED"
    assert (await engine.ask(engine.sharing, CANDLES, "limited user", first=3))["data"] != (
        await engine.ask(engine.sharing, CANDLES, "user", first=3)
    )["data"]


async def test_a_limit_of_the_default_plan_holds_for_a_stranger_although_the_answer_was_shared(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.ask(engine.sharing, CANDLES, "nobody")
    plans = engine.api.services.plans
    limited = replace(await plans.default_plan(), history_days=2)
    monkeypatch.setattr(plans, "_default", (limited, float("inf")))
    answer = await engine.ask(engine.sharing, CANDLES, "nobody")
    assert answer["data"]["market"]["candles"]["nodes"] == []


async def test_private_queries_are_never_shared(engine: Engine) -> None:
    for query in ("{ viewer { email } }", f"{{ {BOOK} viewer {{ email }} }}", "{ engine { version } }"):
        answer = await engine.ask(engine.sharing, query, "user")
        assert shared_data(answer) is None
    assert (engine.count("bypass"), engine.count("miss")) == (3, 0)


async def test_an_answer_that_depends_on_who_asks_is_not_kept_although_its_fields_are_marked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = engine.hub.catalogue
    context = engine.caller("user")

    def who(_symbol: object) -> Any:
        assert context.identity is not None
        return a_market()

    monkeypatch.setattr(catalogue, "get", who)
    prepared = await engine.sharing.prepare('{ market(symbol: "sandbox:BTC/USDT") { base } }', None)
    assert shared_data(await engine.sharing.execute(prepared, {}, context, None)) is None

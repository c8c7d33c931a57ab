"""Backtests of several markets, of rules that name others, with a detail timeframe and with checks, as clients ask."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.backtest.checks import run_checks
from domain.backtest.engine import run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.plan import BacktestPlan
from domain.core.clock import to_milliseconds
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Candle, Market, MarketSymbol, Timeframe
from domain.model.trading import NO_LIMITS, RiskLimits
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition
from infra.postgres.candle_series import PostgresBars
from infra.runtime.compute_pool import ProcessPool
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.backtest_jobs import HOURS, START, backtest_input, backtest_runner, store_waves, waves
from tests.support.orders import BTC, a_market
from tests.support.trading import new_account

ETH = MarketSymbol("sandbox", "ETH/USDT")
RUN = """mutation($input: BacktestRunInput!) { backtestRun(input: $input) {
  backtest { id } errors { code message path } } }"""
LIMITS = """query($id: ID!) { node(id: $id) { ... on Backtest {
  riskLimits { maxOrderNotional } metrics { roundTrips } } } }"""
READ = """query($id: ID!) { node(id: $id) { ... on Backtest { hash notes job { status message }
  market { symbol } markets { symbol } maxOpenPositions detailTimeframe
  metrics { roundTrips }
  checks { lookAhead { runs different } warmUp { function candles samples deviation }
    monteCarlo { runs seed trips actualDrawdown drawdown { low median high } deeperPercent profit { median }
      lossPercent } }
  roundTrips(first: 100) { nodes { openedAt market { symbol } } } } } }"""
DEFINITION: dict[str, Any] = {
    "parameters": [{"name": "fast", "default": "3"}],
    "enterLong": "crosses_above(sma(close, fast), sma(close, 12))",
    "exitLong": "crosses_below(sma(close, fast), sma(close, 12))",
    "stopLoss": {"percent": "2"},
    "sizing": {"equityPercent": "50"},
}
SAME = StrategyDefinition(
    Sizing(equity_percent=Decimal(50)),
    (StrategyParameter("fast", Decimal(3)),),
    enter_long=DEFINITION["enterLong"],
    exit_long=DEFINITION["exitLong"],
    stop_loss=ExitDistance(percent=Decimal(2)),
)
FIRST = START + timedelta(hours=50)
END = START + timedelta(hours=HOURS)


@pytest.fixture
async def processes() -> AsyncIterator[ProcessPool]:
    processes = ProcessPool(1)
    yield processes
    await processes.close()


async def list_market(api: Api, market: Market) -> None:
    """Have the API know a second market."""
    async with api.database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market(), market])
    await api.services.markets.catalogue.refresh()


@pytest.fixture
async def ether(api: Api) -> Market:
    """A second market, whose price goes up and down at other times."""
    market = a_market(symbol=ETH, base="ETH")
    await list_market(api, market)
    return market


def ether_waves() -> list[Candle]:
    return waves(ETH, HOURS, START - timedelta(hours=35))


async def store(api: Api, candles: list[Candle]) -> None:
    async with api.database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(candles[0].open_time, candles[-1].open_time)
        await transaction.market_data.insert_candles(candles)


def asked(**changes: object) -> dict[str, object]:
    return backtest_input(FIRST, END, **{"definition": DEFINITION, **changes})


async def run(api: Api, **changes: object) -> dict[str, Any]:
    return (await api.run(RUN, input=asked(**changes)))["backtestRun"]


async def finished(api: Api, processes: ProcessPool, **changes: object) -> dict[str, Any]:
    payload = await run(api, **changes)
    assert payload["errors"] == []
    assert await backtest_runner(api.database, api.harness.pool, processes).work_once()
    done: dict[str, Any] = (await api.run(READ, id=payload["backtest"]["id"]))["node"]
    assert done["job"]["status"] == "SUCCEEDED", done["job"]["message"]
    return done


async def test_several_markets_share_the_budget_and_the_checks_are_there(
    api: Api, processes: ProcessPool, ether: Market
) -> None:
    await store_waves(api.database, waves())
    await list_market(api, ether)
    await store(api, ether_waves())
    symbols = [str(BTC), str(ETH)]
    done = await finished(api, processes, market=None, markets=symbols, maxOpenPositions=1, checks=True)

    compiled = compile_definition(SAME, {}, Timeframe.H1)
    source, bars = PostgresBars(api.harness.pool), []
    for market in (a_market(), ether):
        first = FIRST - compiled.warm_up * Timeframe.H1.duration
        stored = await source.read(market.symbol, Timeframe.H1, first, END, lambda _rows: None)
        bars.append(MarketBars(market, stored))
    plan = BacktestPlan(
        SAME, compiled, a_market(), Timeframe.H1, TradingCosts.of_market(a_market()), Decimal(10_000),
        max_open_positions=1,
    )  # fmt: skip
    expected = run_markets(plan, bars, to_milliseconds(FIRST))
    alone = run_markets(replace(plan, max_open_positions=None), bars, to_milliseconds(FIRST))
    assert all(trades.round_trips for trades in expected.markets)
    assert (done["hash"], done["metrics"]["roundTrips"]) == (expected.hash, expected.metrics.round_trips)
    assert expected.hash != alone.hash
    assert "maxOpenPositions" in " ".join(done["notes"])
    assert [trip["market"]["symbol"] for trip in done["roundTrips"]["nodes"]] == [
        str(trip.market) for trip in expected.round_trips
    ]
    assert [market["symbol"] for market in done["markets"]] == symbols
    assert (done["market"]["symbol"], done["maxOpenPositions"], done["detailTimeframe"]) == (str(BTC), 1, None)
    checks, found = done["checks"], run_checks(plan, bars, to_milliseconds(FIRST), expected)
    assert checks["lookAhead"] == {"runs": 5, "different": []}
    assert [(check["function"], check["deviation"]) for check in checks["warmUp"]] == [
        (check.function, check.deviation) for check in found.warm_up
    ]
    assert (checks["monteCarlo"], found.monte_carlo) == (None, None)  # of fewer than 10 round trips


async def test_rules_read_another_market_whose_candles_are_named_if_they_cannot_be_had(
    api: Api, processes: ProcessPool, ether: Market
) -> None:
    await store_waves(api.database, waves())
    await list_market(api, ether)
    rules = {**DEFINITION, "enterLong": 'market("ETH/USDT").close > shift(market("ETH/USDT").close, 1)'}
    payload = await run(api, definition=rules)
    assert payload["errors"] == []
    assert await backtest_runner(api.database, api.harness.pool, processes).work_once()
    failed = (await api.run(READ, id=payload["backtest"]["id"]))["node"]
    assert failed["job"]["status"] == "FAILED"
    assert "There are no 1h candles of sandbox:ETH/USDT" in failed["job"]["message"]
    assert 'the rules name market("ETH/USDT")' in failed["job"]["message"]

    await list_market(api, ether)
    await store(api, ether_waves())
    done = await finished(api, processes, definition=rules)
    assert done["metrics"]["roundTrips"] > 5
    (error,) = (await run(api, definition={**rules, "enterLong": 'market("SOL/USDT").close > 1'}))["errors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["input", "definition"])
    assert "sandbox:SOL/USDT" in error["message"]


async def test_candles_of_a_shorter_timeframe_are_looked_at_inside_of_the_others(
    api: Api, processes: ProcessPool
) -> None:
    """Half-hours that go up first: then a target comes before a stop, which of the hours alone the stop does."""
    hours = waves()
    halves = [
        replace(hour, timeframe=Timeframe.M30, open_time=hour.open_time + number * Timeframe.M30.duration, **prices)
        for hour in hours
        for number, prices in enumerate(
            ({"low": min(hour.open, hour.high), "close": hour.high}, {"open": hour.high, "high": hour.high})
        )
    ]
    await store_waves(api.database, hours)
    rules = {**DEFINITION, "stopLoss": {"percent": "0.5"}, "takeProfit": {"percent": "0.5"}}
    alone = await finished(api, processes, definition=rules, checks=False)
    assert alone["checks"] is None
    async with api.database.transaction() as transaction:
        await transaction.market_data.insert_candles(halves)
    looked = await finished(api, processes, definition=rules, detailTimeframe="M30")
    assert looked["detailTimeframe"] == "M30"
    assert looked["hash"] != alone["hash"]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"market": None}, "INVALID", ["input", "market"]),
        ({"markets": [str(BTC)]}, "INVALID", ["input", "market"]),
        ({"market": None, "markets": []}, "INVALID", ["input", "market"]),
        ({"market": None, "markets": [str(BTC), str(BTC)]}, "INVALID", ["input", "markets"]),
        ({"market": None, "markets": [str(BTC), "sandbox:NO/USDT"]}, "NOT_FOUND", ["input", "markets", "1"]),
        ({"market": None, "markets": [str(BTC), "sandbox:ETH/EUR"]}, "INVALID", ["input", "markets", "1"]),
        ({"maxOpenPositions": 0}, "INVALID", ["input", "maxOpenPositions"]),
        ({"detailTimeframe": "H1"}, "INVALID", ["input", "detailTimeframe"]),
        ({"detailTimeframe": "H4"}, "INVALID", ["input", "detailTimeframe"]),
        ({"riskLimits": {"maxDailyLoss": "0"}}, "INVALID", ["input", "riskLimits", "maxDailyLoss"]),
        ({"riskLimits": {"dailyResetHour": 24}}, "INVALID", ["input", "riskLimits", "dailyResetHour"]),
    ],
)  # fmt: skip
async def test_a_choice_that_cannot_be_run_is_refused_where_it_stands(
    api: Api, changes: dict[str, object], code: str, path: list[str]
) -> None:
    euros = a_market(symbol=MarketSymbol("sandbox", "ETH/EUR"), base="ETH", quote="EUR")
    await list_market(api, euros)
    payload = await run(api, **changes)
    assert payload["backtest"] is None
    assert (code, path) in [(error["code"], error["path"]) for error in payload["errors"]]


async def test_the_limits_of_an_account_are_those_it_has_at_the_request(api: Api, processes: ProcessPool) -> None:
    await store_waves(api.database, waves())
    account = replace(api.harness.account, risk=RiskLimits(max_order_notional=Decimal(1)))
    async with api.database.transaction() as transaction:
        await transaction.accounts.update(account)
    rules = {**DEFINITION, "stopLoss": None}
    assert (await finished(api, processes, definition=rules))["metrics"]["roundTrips"] > 0
    payload = await run(api, definition=rules, riskLimitsOf=api.account)
    assert payload["errors"] == []
    async with api.database.transaction() as transaction:
        await transaction.accounts.update(replace(account, risk=NO_LIMITS))
    assert await backtest_runner(api.database, api.harness.pool, processes).work_once()
    done = (await api.run(LIMITS, id=payload["backtest"]["id"]))["node"]
    assert (done["riskLimits"]["maxOrderNotional"], done["metrics"]["roundTrips"]) == ("1", 0)


async def test_an_account_whose_limits_cannot_be_those_of_the_backtest_is_refused(api: Api) -> None:
    theirs = new_account((await api.another_user()).id)
    euros = new_account(api.harness.user.id, name="Euros", currency="EUR", risk=RiskLimits(max_open_orders=3))
    async with api.database.transaction() as transaction:
        for account in (theirs, euros):
            await transaction.accounts.add(account, b"")
    own, limits = encode_id("Account", euros.id), {"maxOpenOrders": 3}
    for changes, code, words in (
        ({"riskLimitsOf": encode_id("Account", theirs.id)}, "NOT_FOUND", "no account like that"),
        ({"riskLimitsOf": encode_id("Strategy", euros.id)}, "NOT_FOUND", ""),
        ({"riskLimitsOf": own}, "INVALID", "The limits of Euros are in EUR"),
        ({"riskLimitsOf": api.account, "riskLimits": limits}, "INVALID", "either riskLimits or riskLimitsOf"),
    ):
        (error,) = (await run(api, **changes))["errors"]
        assert (error["code"], error["path"]) == (code, ["input", "riskLimitsOf"])
        assert words in error["message"]


async def test_the_candles_of_all_series_together_are_bounded_by_the_plan(api: Api, ether: Market) -> None:
    """Three years of minutes are within the plan; of two markets, or with what rules name, they aren't."""
    period = {"from": (END - timedelta(days=3 * 365)).isoformat(), "timeframe": "M1"}
    assert (await run(api, **period))["errors"] == []
    for changes in (
        {"market": None, "markets": [str(BTC), str(ether.symbol)]},
        {"definition": {**DEFINITION, "enterLong": 'close > market("ETH/USDT").close'}},
    ):
        (error,) = (await run(api, **period, **changes))["errors"]
        assert (error["code"], error["path"]) == ("LIMIT_REACHED", ["input", "from"])
        assert "2,000,000" in error["message"]

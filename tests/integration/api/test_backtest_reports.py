"""Reports of backtests: the same figures under a report's id, for its owner, once the backtest has succeeded."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.model.jobs import JobStatus
from domain.model.reports import ReportNoteCode
from infra.clock import SystemClock
from infra.runtime.compute_pool import ProcessPool
from resolvers.context import RequestContext
from resolvers.ids import decode_id, encode_id
from tests.support.api import Api
from tests.support.backtest_jobs import HOURS, START, backtest_runner, store_waves, waves
from tests.support.orders import BTC
from tests.support.reporting import report_worker

FIGURES = """metrics { currency startEquity endEquity netProfit netProfitPercent marketChangePercent cagr volatility
  sharpe sortino calmar omega sqn maxDrawdown maxDrawdownPercent maxDrawdownDays roundTrips wins losses winRate
  profitFactor expectancy averageWin averageLoss bestTrade worstTrade longestWinStreak longestLossStreak
  averageHoldingSeconds exposurePercent turnover fees slippage ordersDenied ordersRejected }
  equityCurve(points: 20) { at equity drawdownPercent }
  roundTrips(first: 50) { totalCount nodes { openedAt closedAt quantity entryPrice exitPrice profit exitReason } }"""
RUN = "mutation($input: BacktestRunInput!) { backtestRun(input: $input) { backtest { id } errors { code } } }"
GENERATE = """mutation($input: ReportGenerateInput!) { reportGenerate(input: $input) {
  report { id from to job { id status } scope { ... on Backtest { id } } } errors { code message path } } }"""
BACKTEST = f"query($id: ID!) {{ node(id: $id) {{ ... on Backtest {{ from to notes {FIGURES} }} }} }}"
REPORT = f"""query($id: ID!) {{ node(id: $id) {{ ... on Report {{ job {{ status message }} {FIGURES}
  noted: metrics {{ notes {{ code message }} }} }} }} }}"""
MINE = "query($id: ID!) { viewer { reports(backtest: $id) { nodes { id } } } }"
FIRST, END = START + timedelta(hours=50), START + timedelta(hours=HOURS)
DEFINITION = {
    "enterLong": "crosses_above(sma(close, 3), sma(close, 12))",
    "exitLong": "crosses_below(sma(close, 3), sma(close, 12))",
    "sizing": {"equityPercent": "50"},
}


@pytest.fixture
async def processes() -> AsyncIterator[ProcessPool]:
    processes = ProcessPool(1)
    yield processes
    await processes.close()


async def run_backtest(api: Api) -> str:
    asked = {"definition": DEFINITION, "market": str(BTC), "timeframe": "H1"}
    payload = (await api.run(RUN, input={**asked, "from": FIRST.isoformat(), "to": END.isoformat()}))["backtestRun"]
    assert payload["errors"] == []
    return str(payload["backtest"]["id"])


async def generate(api: Api, backtest: str, context: RequestContext | None = None, **changes: object) -> dict[str, Any]:
    return (await api.run(GENERATE, context, input={"scope": {"backtest": backtest}, **changes}))["reportGenerate"]


async def test_a_report_of_a_backtest_has_its_figures(api: Api, processes: ProcessPool) -> None:
    candles = waves()
    await store_waves(api.harness.database, [*candles[:200], *candles[203:]])
    backtest = await run_backtest(api)
    assert await backtest_runner(api.database, api.harness.pool, processes).work_once()
    done = (await api.run(BACKTEST, id=backtest))["node"]
    assert done["metrics"]["roundTrips"] >= 3
    assert done["notes"]

    payload = await generate(api, backtest)
    assert payload["errors"] == []
    report = payload["report"]
    assert (report["from"], report["to"], report["scope"]) == (done["from"], done["to"], {"id": backtest})
    assert (await api.run(REPORT, id=report["id"]))["node"]["metrics"] is None
    assert await report_worker(api.database).work_once()
    made = (await api.run(REPORT, id=report["id"]))["node"]
    assert made["job"]["status"] == "SUCCEEDED"
    assert {part: made[part] for part in ("metrics", "equityCurve", "roundTrips")} == {
        part: done[part] for part in ("metrics", "equityCurve", "roundTrips")
    }
    notes = [note["message"] for note in made["noted"]["notes"] if note["code"] == ReportNoteCode.BACKTEST]
    assert notes == done["notes"]
    assert (await api.run(MINE, id=backtest))["viewer"]["reports"]["nodes"] == [{"id": report["id"]}]

    same = await generate(api, backtest, **{"from": done["from"], "to": done["to"]})
    assert same["errors"] == []
    for name in ("from", "to"):
        (error,) = (await generate(api, backtest, **{name: (FIRST + timedelta(hours=9)).isoformat()}))["errors"]
        assert (error["code"], error["path"]) == ("INVALID", ["input", name])
        assert "all of its period" in error["message"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (JobStatus.QUEUED, "still waits to run"),
        (JobStatus.FAILED, "has failed"),
        (JobStatus.CANCELED, "was cancelled"),
    ],
)
async def test_a_backtest_without_a_result_says_why_there_is_no_report(api: Api, status: JobStatus, words: str) -> None:
    await store_waves(api.harness.database, waves())
    backtest = await run_backtest(api)
    if status is not JobStatus.QUEUED:
        async with api.database.transaction() as transaction:
            (stored,) = await transaction.backtests.get_many([uuid_of(backtest)])
            await transaction.jobs.finish(stored.job_id, status, "It ended.", SystemClock().now())
    payload = await generate(api, backtest)
    assert payload["report"] is None
    (error,) = payload["errors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["input", "scope"])
    assert words in error["message"]
    assert not await report_worker(api.database).work_once()


async def test_a_backtest_that_is_gone_or_somebody_elses_is_not_found(api: Api) -> None:
    await store_waves(api.harness.database, waves())
    backtest = await run_backtest(api)
    theirs = api.context(await api.another_user())
    for context, asked in ((theirs, backtest), (None, encode_id("Backtest", UUID(int=7)))):
        (error,) = (await generate(api, asked, context))["errors"]
        assert (error["code"], error["path"]) == ("NOT_FOUND", ["input", "scope"])


def uuid_of(id: str) -> UUID:
    parts = decode_id(id)
    assert parts is not None
    return UUID(parts[1])

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console
from typer.testing import CliRunner

from domain.model.markets import Candle, Timeframe
from domain.model.optimizations import OptimizationObjective
from domain.optimization.search import best_trial
from infra.cli.arguments import BadArgument
from infra.cli.local_backtest import LocalBacktest
from infra.cli.main import app
from infra.cli.optimize_run import SearchRequest, parse_objective, run_stored_search
from infra.cli.optimize_tables import print_search
from infra.cli.progress import ProgressReporter
from infra.postgres.database import PostgresDatabase
from infra.settings import Settings
from tests.support.backtests import START, a_spot_market
from tests.support.searches import DAYS, DEFINITION, OPTIMIZATION, hourly_walk

D = Decimal
BACKTEST = LocalBacktest(
    DEFINITION,
    {},
    OPTIMIZATION.market.symbol,
    Timeframe.H1,
    OPTIMIZATION.period_start,
    OPTIMIZATION.period_end,
    D(10_000),
)
REQUEST = SearchRequest(BACKTEST, trials=6, objective=OptimizationObjective.SHARPE, folds=2, seed=1, processes=2)


@pytest.fixture
async def settings(database: PostgresDatabase, database_dsn: str) -> Settings:
    """Of a database with a market and two months of hours."""
    market, bars = a_spot_market(taker_fee=D("0.001"), maker_fee=D("0.001")), hourly_walk().candles
    prices = [bars.series(name) for name in ("open", "high", "low", "close", "volume")]
    candles = [
        Candle(
            market.symbol,
            Timeframe.H1,
            START + timedelta(hours=index),
            *(D(str(round(float(series[index]), 3))) for series in prices),
            closed=True,
        )
        for index in range(len(bars))
    ]
    async with database.transaction() as transaction:
        await transaction.market_data.save_markets([market])
        await transaction.market_data.ensure_candle_partitions(START, START + timedelta(days=DAYS))
        await transaction.market_data.insert_candles(candles)
    return Settings(database_url=SecretStr(database_dsn))


@pytest.fixture
def output() -> StringIO:
    return StringIO()


@pytest.fixture
def progress(output: StringIO) -> ProgressReporter:
    return ProgressReporter(Console(file=output, width=200), None)


async def test_a_search_over_stored_candles_lists_the_best_of_each_fold(
    settings: Settings, progress: ProgressReporter, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await run_stored_search(settings, REQUEST, progress)
    assert [trial.number for trial in found.trials] == list(range(6))
    assert [summary.best for summary in found.folds] == [
        best_trial([trial for trial in found.trials if trial.fold == fold]) for fold in (0, 1)
    ]
    print_search(found, REQUEST, listed=2)
    printed = capsys.readouterr().out
    assert "The best of 3 trials, by sharpe in sample" in printed
    assert "The best trial of each walk-forward fold" in printed
    assert "The best: --parameter fast=" in printed
    assert "Luck: " in printed


async def test_one_process_finds_what_two_find(settings: Settings, progress: ProgressReporter) -> None:
    two = await run_stored_search(settings, REQUEST, progress)
    one = await run_stored_search(settings, replace(REQUEST, processes=1), progress)
    assert one == two


async def test_what_cannot_be_searched_is_said_in_one_line(settings: Settings, progress: ProgressReporter) -> None:
    others = replace(BACKTEST, definition=replace(DEFINITION, exit_long='market("ETH/USDT").close > 1'))
    for request, reason in (
        (replace(REQUEST, trials=0), "from 1 to 10,000"),
        (replace(REQUEST, trials=1), "1 trials are too few for 2 walk-forward folds"),
        (replace(REQUEST, folds=0), "walkForwardFolds is 0"),
        (replace(REQUEST, backtest=replace(BACKTEST, parameters={"fats": D(1)})), "did you mean fast"),
        (replace(REQUEST, backtest=replace(BACKTEST, parameters={"fast": D(3), "slow": D(20)})), "nothing to search"),
        (
            replace(REQUEST, backtest=replace(BACKTEST, timeframe=Timeframe.M5)),
            "no 5m candles of sandbox:BTC/USDT",
        ),
        (replace(REQUEST, backtest=others), "r3edge backfill sandbox ETH/USDT --timeframe 1h"),
    ):
        with pytest.raises(BadArgument, match=reason):
            await run_stored_search(settings, request, progress)


async def test_a_search_without_a_score_says_why(
    settings: Settings, progress: ProgressReporter, capsys: pytest.CaptureFixture[str]
) -> None:
    never = replace(DEFINITION, enter_long="close < 0 and sma(close, fast) > sma(close, slow)")
    request = replace(REQUEST, backtest=replace(BACKTEST, definition=never), folds=1, trials=2)
    print_search(await run_stored_search(settings, request, progress), request, 10)
    assert "No trial has a sharpe: each made no round trip" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["profit_factor", "PROFIT-FACTOR", " Profit_Factor "])
def test_an_objective_may_be_written_in_several_ways(text: str) -> None:
    assert parse_objective(text) is OptimizationObjective.PROFIT_FACTOR


def test_an_unknown_objective_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(BadArgument, match="did you mean"):
        parse_objective("sharp")


def test_the_command_reads_its_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cross.json"
    file.write_text(json.dumps({"sizing": {"quoteAmount": "100"}, "enterLong": "close > 1"}))
    options = ["--market", "sandbox:BTC/USDT", "--from", "2024-01-01", "--objective", "luck"]
    result = CliRunner().invoke(app, ["optimize", str(file), *options])
    assert result.exit_code == 2
    assert "net_profit, sharpe, sortino, calmar, profit_factor" in result.stderr + capsys.readouterr().err

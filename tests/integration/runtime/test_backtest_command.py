from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr
from rich.console import Console

from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.model.backtests import RunSettings
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Candle, Timeframe
from domain.rules.costs import FeeCurrency, TradingCosts
from domain.strategies.compiled import compile_definition
from infra.cli import backtest_tables
from infra.cli.arguments import BadArgument, parse_amount, parse_parameters
from infra.cli.backtest_checks import print_checks, run_checks
from infra.cli.backtest_picture import backtest_picture, write_text
from infra.cli.backtest_run import run_stored_backtest
from infra.cli.local_backtest import LocalBacktest
from infra.cli.progress import ProgressReporter
from infra.postgres import candle_series
from infra.postgres.database import PostgresDatabase
from infra.settings import Settings
from tests.support.backtests import a_spot_market, bars_of
from tests.support.candles import random_candles

D = Decimal
START = datetime(2026, 11, 1, tzinfo=UTC)
DEFINITION = StrategyDefinition(
    Sizing(equity_percent=D(50)),
    parameters=(StrategyParameter("fast", D(5)),),
    enter_long="crosses_above(sma(close, fast), sma(close, 20))",
    exit_long="crosses_below(sma(close, fast), sma(close, 20))",
    stop_loss=ExitDistance(percent=D("0.5")),
)
REQUEST = LocalBacktest(
    DEFINITION, {}, a_spot_market().symbol, Timeframe.M1, START, START + timedelta(hours=5), D(10_000)
)
WALK = random_candles(300, 7, tick=0.01)


@pytest.fixture
async def settings(database: PostgresDatabase, database_dsn: str) -> Settings:
    """Of a database with a market and 300 minute candles."""
    symbol = a_spot_market().symbol
    prices = [WALK.series(name) for name in ("open", "high", "low", "close", "volume")]
    candles = [
        Candle(
            symbol,
            Timeframe.M1,
            START + timedelta(minutes=index),
            *(D(str(round(float(series[index]), 3))) for series in prices),
            closed=True,
        )
        for index in range(300)
    ]
    async with database.transaction() as transaction:
        await transaction.market_data.save_markets([a_spot_market(taker_fee=D("0.001"), maker_fee=D("0.0005"))])
        await transaction.market_data.ensure_candle_partitions(START, START + timedelta(days=1))
        await transaction.market_data.insert_candles(candles)
    return Settings(database_url=SecretStr(database_dsn))


@pytest.fixture
def output() -> StringIO:
    return StringIO()


@pytest.fixture
def progress(output: StringIO) -> ProgressReporter:
    return ProgressReporter(Console(file=output, width=200), None)


@pytest.mark.parametrize("page", [1_000, 77])
async def test_stored_candles_give_what_the_same_arrays_give(
    settings: Settings, progress: ProgressReporter, output: StringIO, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(candle_series, "PAGE_ROWS", page)
    ran = await run_stored_backtest(settings, REQUEST, progress)
    result, market = ran.result, ran.plan.market
    costs = TradingCosts(D("0.001"), D("0.0005"))
    plan = BacktestPlan(DEFINITION, compile_definition(DEFINITION), market, Timeframe.M1, costs, D(10_000))
    assert result.metrics.round_trips > 2
    assert result.hash == run_backtest(plan, bars_of(WALK, start=START)).hash
    assert "can signal from 2026-11-01 00:20 UTC on" in output.getvalue()


async def test_costs_and_parameters_of_the_command_take_the_place_of_the_defaults(
    settings: Settings, progress: ProgressReporter
) -> None:
    free = replace(REQUEST, taker_fee_percent=D(0), parameters={"fast": D(4)})
    result = (await run_stored_backtest(settings, free, progress)).result
    assert result.metrics.fees == 0
    dear = replace(REQUEST, slippage_bps=D(5), fee_currency=FeeCurrency.QUOTE)
    result = (await run_stored_backtest(settings, dear, progress)).result
    assert result.metrics.slippage
    assert not any(fill.fee_base for fill in result.fills)


async def test_missing_candles_are_named_with_the_command_that_fetches_them(
    settings: Settings, progress: ProgressReporter, output: StringIO
) -> None:
    longer = replace(REQUEST, end=START + timedelta(hours=6, seconds=30))
    await run_stored_backtest(settings, longer, progress)
    assert "60 1m candles of sandbox:BTC/USDT are missing" in output.getvalue()
    with pytest.raises(BadArgument, match="r3edge backfill sandbox BTC/USDT --timeframe 5m --from 2026-11-01T00:00Z"):
        await run_stored_backtest(settings, replace(REQUEST, timeframe=Timeframe.M5), progress)


async def test_rules_read_the_stored_candles_of_other_markets(settings: Settings, progress: ProgressReporter) -> None:
    same = replace(REQUEST, definition=replace(DEFINITION, enter_long='market("BTC/USDT").close > shift(close, 1)'))
    alone = replace(REQUEST, definition=replace(DEFINITION, enter_long="close > shift(close, 1)"))
    result = (await run_stored_backtest(settings, same, progress)).result
    expected = (await run_stored_backtest(settings, alone, progress)).result
    assert result.metrics.round_trips > 2
    assert [fill.at for fill in result.fills][-4:] == [fill.at for fill in expected.fills][-4:]
    missing = replace(REQUEST, definition=replace(DEFINITION, enter_long='market("ETH/USDT").tf("5m").close > 1'))
    with pytest.raises(BadArgument, match="r3edge backfill sandbox ETH/USDT --timeframe 5m"):
        await run_stored_backtest(settings, missing, progress)


async def test_what_cannot_be_run_is_said_in_one_line(settings: Settings, progress: ProgressReporter) -> None:
    for request, reason in (
        (replace(REQUEST, end=START), "--to"),
        (replace(REQUEST, parameters={"fst": D(1)}), "did you mean fast"),
        (replace(REQUEST, market=replace(REQUEST.market, symbol="BTC/USD")), "did you mean sandbox:BTC/USDT"),
        (replace(REQUEST, definition=replace(DEFINITION, enter_short="close > 1")), "enterShort"),
    ):
        with pytest.raises(BadArgument, match=reason):
            await run_stored_backtest(settings, request, progress)


async def test_the_tables_have_the_figures_and_the_hash(
    settings: Settings, progress: ProgressReporter, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = await run_stored_backtest(settings, REQUEST, progress)
    result, market = ran.result, ran.plan.market
    backtest_tables.print_result(result, market, trips=2)
    printed = capsys.readouterr().out
    assert "The last 2 round trips" in printed
    assert "10,000.00 USDT" in printed
    assert "…" not in printed
    assert result.hash in printed


def test_numbers_of_the_command_line_are_bounded() -> None:
    assert parse_parameters(["fast=3", "slow = 9.5"]) == {"fast": D(3), "slow": D("9.5")}
    for texts in (["fast"], ["fast=1", "fast=2"], ["fast=x"], ["=3"]):
        with pytest.raises(BadArgument, match="--parameter"):
            parse_parameters(texts)
    for text in ("-1", "nan", "1e99", "0"):
        with pytest.raises(BadArgument, match="--equity"):
            parse_amount(text, "--equity", is_positive=True)


async def test_the_checks_are_printed_with_what_they_have_found(
    settings: Settings, progress: ProgressReporter, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = await run_checks(await run_stored_backtest(settings, REQUEST, progress), 1, progress)
    print_checks(checks)
    printed = capsys.readouterr().out
    assert "none: 5 runs on fewer candles made the same" in printed
    assert "off by" in printed


async def test_a_shorter_timeframe_must_divide_the_other(settings: Settings, progress: ProgressReporter) -> None:
    with pytest.raises(BadArgument, match="--detail-timeframe must be shorter"):
        await run_stored_backtest(
            settings, replace(REQUEST, settings=RunSettings(detail_timeframe=Timeframe.M5)), progress
        )


async def test_the_picture_is_an_image_of_trades_equity_and_drawdown(
    settings: Settings, progress: ProgressReporter, tmp_path: Path
) -> None:
    ran = await run_stored_backtest(settings, REQUEST, progress)
    bars = ran.markets[0].bars
    picture = backtest_picture(ran.result, bars, 0, "1 < 2 & 3")
    image = ET.fromstring(picture)  # it is our own
    assert len(image.findall("{*}polyline")) == 1
    assert len(image.findall("{*}polygon")) == 2  # under the equity, and the drawdown
    assert len(image.findall("{*}path/{*}title")) == len(ran.result.fills)
    texts = [text.text or "" for text in image.findall("{*}text")]
    assert any("net profit" in text and "Sharpe" in text and "round trips" in text for text in texts)
    assert "prefers-color-scheme:dark" in picture
    assert picture == backtest_picture(ran.result, bars, 0, "1 < 2 & 3")
    with pytest.raises(BadArgument, match="can't be written"):
        write_text(tmp_path / "nowhere" / "picture.svg", picture)

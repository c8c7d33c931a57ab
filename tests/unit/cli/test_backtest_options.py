"""The options of `r3edge backtest` and `r3edge optimize`: each is declared once, and means the same to both."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer

from domain.model.backtests import RunSettings
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.trading import RiskLimits
from domain.rules.costs import FeeCurrency
from infra.cli.arguments import BadArgument, parse_risk_limits
from infra.cli.backtest_options import BacktestOptions
from infra.cli.local_backtest import check_request
from infra.cli.main import app

D = Decimal
RULES = '{"enterLong": "close > 1", "sizing": {"quoteAmount": "100"}}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.json"
    path.write_text(RULES)
    return path


def test_both_commands_have_all_options_that_a_backtest_has() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    shared = {option for option in BacktestOptions.__dataclass_fields__ if option != "file"}
    for name in ("backtest", "optimize"):
        assert shared <= {parameter.name for parameter in commands[name].params}


def test_several_markets_and_limits_are_read_as_the_api_reads_them(file: Path) -> None:
    options = BacktestOptions(
        file,
        ["sandbox:BTC/USDT", "sandbox:ETH/USDT"],
        "2026-01-01",
        fees_in_quote=True,
        detail_timeframe="5m",
        max_open_positions=1,
        risk_limits="maxDailyLoss=100.5, coolDownLosses=3,coolDownMinutes=60",
    )
    request = options.request()
    assert request.markets == (MarketSymbol("sandbox", "BTC/USDT"), MarketSymbol("sandbox", "ETH/USDT"))
    limits = RiskLimits(max_daily_loss=D("100.5"), cool_down_losses=3, cool_down_minutes=60)
    assert request.settings == RunSettings(1, Timeframe.M5, limits)
    assert request.fee_currency is FeeCurrency.QUOTE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("maxDailyLos=1", "did you mean maxDailyLoss"),
        ("maxDailyLoss", "maxDailyLoss=value"),
        ("maxDailyLoss=1,maxDailyLoss=2", "once"),
        ("maxDailyLoss=much", "no number"),
        ("maxDailyLoss=nan", "no number"),
        ("maxOpenOrders=1.5", "whole"),
    ],
)
def test_limits_that_cannot_be_read_are_named(text: str, reason: str) -> None:
    with pytest.raises(BadArgument, match=reason):
        parse_risk_limits(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"equity": "1000000000000001"},
            "--equity is 1000000000000001; it must be greater than 0",
        ),
        ({"taker_fee": "10.5"}, "--taker-fee is 10.5; it must be from 0 to 10."),
        ({"maker_fee": "11"}, "--maker-fee is 11; it must be from 0 to 10."),
        ({"slippage_bps": "1001"}, "--slippage-bps is 1001; it must be from 0 to 1000."),
        ({"latency_ms": 86_400_001}, "--latency-ms is 86400001; it must be from 0 to 86400000."),
    ],
)
def test_numbers_have_the_bounds_of_the_api(file: Path, changes: dict[str, Any], message: str) -> None:
    options = BacktestOptions(file, ["sandbox:BTC/USDT"], "2026-01-01", end="2026-02-01", **changes)
    with pytest.raises(BadArgument, match=message):
        check_request(options.request())

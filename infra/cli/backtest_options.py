"""The options that `r3edge backtest` and `r3edge optimize` have in common, as texts, and what they mean."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from infra.cli.arguments import parse_amount, parse_market, parse_parameters, parse_time, parse_timeframe
from infra.cli.backtest_run import BacktestRequest
from infra.strategy_files.strategy_file import read_strategy_file


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """What the user has written; None for what was left out."""

    file: Path
    parameters: list[str] | None
    market: str
    timeframe: str
    start: str
    end: str | None
    equity: str
    taker_fee: str | None
    maker_fee: str | None
    slippage_bps: str
    latency_milliseconds: int

    def request(self) -> BacktestRequest:
        """Return the request; raises `BadArgument`, and the errors of `read_strategy_file`."""
        return BacktestRequest(
            definition=read_strategy_file(self.file).definition,
            parameters=parse_parameters(self.parameters or []),
            market=parse_market(self.market),
            timeframe=parse_timeframe(self.timeframe),
            start=parse_time(self.start, "--from"),
            end=datetime.now(UTC) if self.end is None else parse_time(self.end, "--to"),
            equity=parse_amount(self.equity, "--equity", is_positive=True),
            taker_fee_percent=_percent(self.taker_fee, "--taker-fee"),
            maker_fee_percent=_percent(self.maker_fee, "--maker-fee"),
            slippage_bps=parse_amount(self.slippage_bps, "--slippage-bps", below=Decimal(10_000)),
            latency_milliseconds=self.latency_milliseconds,
        )


def _percent(text: str | None, option: str) -> Decimal | None:
    return None if text is None else parse_amount(text, option, below=Decimal(100))

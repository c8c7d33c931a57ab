#!/usr/bin/env python3
"""Writes docs/templates.md: each template's source, and what it did on recorded candles; and draws the pictures of it.

usage: uv run python .ci/template_backtests.py [FOLDER]

FOLDER is the one of the recordings (CONTRIBUTING.md, "Recordings"), without it the one that RECORDED_DATA names.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from domain.backtest.bars import Bars  # noqa: E402  # found by the path above
from domain.backtest.engine import run_backtest  # noqa: E402
from domain.backtest.plan import BacktestPlan  # noqa: E402
from domain.backtest.result import BacktestResult  # noqa: E402
from domain.core.clock import from_milliseconds  # noqa: E402  # found by the path above
from domain.indicators.candle_arrays import CandleArrays  # noqa: E402
from domain.model.definitions import Sizing, StrategyDefinition  # noqa: E402
from domain.model.markets import Timeframe  # noqa: E402
from domain.model.strategy_templates import StrategyTemplate  # noqa: E402
from domain.rules.costs import TradingCosts  # noqa: E402
from domain.strategies.compiled import CompiledStrategy, compile_definition  # noqa: E402
from domain.strategies.templates import TEMPLATES  # noqa: E402
from infra.candle_files.column_reader import read_tables  # noqa: E402
from infra.candle_files.formats import FileFormat, FileOptions  # noqa: E402
from infra.cli.backtest_picture import backtest_picture  # noqa: E402
from tests.support.orders import a_market  # noqa: E402

PAGE: Final = ROOT / "docs" / "templates.md"
PICTURES: Final = ROOT / "docs" / "pictures"
D = Decimal
MARKET: Final = a_market()
"""The sandbox's market, as the engine stores it."""
COSTS: Final = TradingCosts.of_percents(D("0.1"), D("0.1"), D(5))
EQUITY: Final = D(10_000)
LOOSEST: Final = D("0.01")
"""The tolerance of warm-ups for templates that would else need more candles than there are."""


PICTURED: Final = frozenset({"turtle", "commodity_channel", "grid"})


@dataclass(frozen=True, slots=True)
class Series:
    """Recorded candles, and from when on they are traded."""

    name: str
    files: tuple[str, ...]
    timeframe: Timeframe
    start: datetime

    def read(self, folder: Path) -> Bars:
        """Return the candles, by the reader that `r3edge import candles` has."""
        options = FileOptions(FileFormat.LEAN, ZoneInfo("UTC"))
        tables = [table.rows for file in self.files for table in read_tables(folder / "coinbase_ohlcv" / file, options)]
        rows = pl.concat(tables).sort("at")
        columns = (rows[name].cast(pl.Float64).to_numpy() for name in ("open", "high", "low", "close", "volume"))
        return Bars(self.timeframe, rows["at"].to_numpy() // 1000, CandleArrays(*columns))


DAILY: Final = Series("daily candles", ("btcusd_daily.zip",), Timeframe.D1, datetime(2016, 7, 1, tzinfo=UTC))
MINUTES: Final = Series(
    "minute candles",
    tuple(f"btcusd_minute_2018040{day}.zip" for day in (4, 5, 6)),
    Timeframe.M1,
    datetime(2018, 4, 5, tzinfo=UTC),
)
INTRADAY: Final = frozenset({"opening_range", "vwap_reversion"})
"""Templates that need several candles a day."""


def hold(percent: int) -> StrategyDefinition:
    """Return the definition that buys at the first candle and never sells."""
    return StrategyDefinition(Sizing(equity_percent=D(percent)), enter_long="close > 0")


@dataclass(frozen=True, slots=True)
class Run:
    """A backtest of a series; `signals_from` is the first candle that can signal, if that is later than the start."""

    name: str
    result: BacktestResult
    definition: StrategyDefinition
    start: int
    signals_from: datetime | None = None

    @property
    def is_loose(self) -> bool:
        """Whether its warm-up had to be shorter than usual."""
        return self.definition.warm_up_tolerance == LOOSEST


def run(name: str, definition: StrategyDefinition, bars: Bars, start: int) -> Run:
    """Run a definition over the bars from index `start` on."""
    compiled = _compiled(definition, bars)
    if compiled.warm_up > start:
        definition = replace(definition, warm_up_tolerance=LOOSEST)
        compiled = _compiled(definition, bars)
    plan = BacktestPlan(definition, compiled, MARKET, bars.timeframe, COSTS, EQUITY)
    late = from_milliseconds(int(bars.opened[compiled.warm_up])) if start < compiled.warm_up < len(bars) else None
    return Run(name, run_backtest(plan, bars, start), definition, start, late)


def runs(series: Series, bars: Bars) -> Iterator[Run]:
    """Yield holding, for comparison, and then each template that is made for such candles."""
    for percent in (100, 10):
        yield run(f"*buy and hold, {percent} %*", hold(percent), bars, bars.index_of(series.start))
    for template in TEMPLATES:
        if series is MINUTES or template.name not in INTRADAY:
            yield run_template(template, series, bars)


def run_template(template: StrategyTemplate, series: Series, bars: Bars) -> Run:
    """Run a template over the period of a series."""
    return run(f"[`{template.name}`](#{template.name})", template.definition, bars, bars.index_of(series.start))


def results(done: Iterable[Run]) -> str:
    """Return the table of some runs."""
    head = "| strategy | round trips | won | profit | greatest drawdown | Sharpe | in the market |"
    return "\n".join([head, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |", *map(row, done)])


def row(done: Run) -> str:
    """Return the row of a run."""
    metrics = done.result.metrics
    late = "" if done.signals_from is None else f"; signals from {done.signals_from:%Y-%m-%d %H:%M}"
    cells = (
        f"{done.name}{' ¹' if done.is_loose else ''}{late.removesuffix(' 00:00')}",
        f"{metrics.round_trips:,}",
        _number(metrics.win_rate, ".0f", " %"),
        _number(metrics.net_profit_percent, "+,.2f", " %"),
        _number(metrics.max_drawdown_percent, ".2f", " %"),
        _number(metrics.sharpe, ".2f"),
        _number(metrics.exposure_percent, ".0f", " %"),
    )
    return f"| {' | '.join(cells)} |"


def sources() -> str:
    """Return a section for each template: what it does, where it comes from, and where it departs from that."""
    return "\n\n".join(
        f"### {template.name}\n\n**{template.title}.** {template.description}\n\n"
        f"*Source:* {template.source}.\n\n*What is different:* {template.differences}"
        for template in TEMPLATES
    )


def page(text: str, parts: dict[str, str]) -> str:
    """Return the page with its generated parts as they are now."""
    for name, part in parts.items():
        begin = f"<!-- generated: {name} -->\n"
        before, rest = text.split(begin)
        text = f"{before}{begin}{part}\n<!-- end -->{rest.split('<!-- end -->', 1)[1]}"
    return text


def pictures(bars: Bars) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each picture."""
    for template in TEMPLATES:
        if template.name in PICTURED:
            done = run_template(template, DAILY, bars)
            title = f"{MARKET.symbol} 1d: {template.name}"
            yield f"{template.name}.svg", backtest_picture(done.result, bars, done.start, title)


def parts_of(folder: Path) -> dict[str, str]:
    """Return the generated parts of the page by their names."""
    return {
        "daily": results(runs(DAILY, DAILY.read(folder))),
        "minutes": results(runs(MINUTES, MINUTES.read(folder))),
        "sources": sources(),
    }


def main(arguments: Sequence[str]) -> None:
    """Write the page and the pictures."""
    named = arguments[0] if arguments else os.environ.get("RECORDED_DATA")
    if named is None:
        raise SystemExit(__doc__)
    folder = Path(named)
    PAGE.write_text(page(PAGE.read_text(), parts_of(folder)))
    for name, text in pictures(DAILY.read(folder)):
        (PICTURES / name).write_text(text)
    print(f"{PAGE.relative_to(ROOT)} and its pictures are written.")


def _compiled(definition: StrategyDefinition, bars: Bars) -> CompiledStrategy:
    return compile_definition(definition, timeframe=bars.timeframe)


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"  # noqa: RUF001  # as the page writes it


if __name__ == "__main__":
    main(sys.argv[1:])

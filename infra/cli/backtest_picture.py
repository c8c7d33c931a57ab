"""Draws a backtest as an SVG picture: trades on candles, the equity curve, and the drawdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from domain.backtest.bars import Bars
from domain.backtest.result import BacktestResult, SimulatedFill
from domain.model.order_side import OrderSide
from domain.model.reports import PerformanceMetrics
from infra.cli.arguments import BadArgument
from infra.report_files.axes import TimeAxis, ValueAxis, linear_axis, price_axis, written

WIDTH: Final = 1000
LEFT, RIGHT, TOP, GAP = 64, 984, 76, 34
HEIGHTS: Final = (300, 140, 90)
MOST_CANDLES: Final = 230
"""How many candles are drawn; more are joined, as a longer timeframe would."""
LONGEST_WICK: Final = 2
"""Wicks are cut at this factor below and above all opens and closes."""
MOST_POINTS: Final = 600
"""How many points of a curve are drawn, the least and the greatest of as many parts of it."""
MOST_TITLES: Final = 300
"""Of how many fills each has its own title, which a browser shows under the pointer."""
_FONT: Final = 'font-family="system-ui, sans-serif"'
_STYLE: Final = """
.page{fill:#fff}.ink{fill:#1f2328}.faint{fill:#59636e}.grid{stroke:#e3e7ec}.rise{fill:#2a9d6f;stroke:#2a9d6f}
.fall{fill:#d1495b;stroke:#d1495b}.won{fill:#2a9d6f}.lost{fill:#d1495b}.held{opacity:.13}.line{stroke:#1f6feb;fill:none}
.under{fill:#1f6feb;opacity:.1}.start{stroke:#59636e;stroke-dasharray:3 4}.deep{fill:#d1495b;opacity:.55}
.buy{fill:#1f6feb;stroke:#fff}.sell{fill:#e8960c;stroke:#fff}
@media (prefers-color-scheme:dark){
.page{fill:#0d1117}.ink{fill:#e6edf3}.faint{fill:#9198a1}.grid{stroke:#262c34}.rise{fill:#3fb68b;stroke:#3fb68b}
.fall{fill:#e5697a;stroke:#e5697a}.won{fill:#3fb68b}.lost{fill:#e5697a}.held{opacity:.17}.line{stroke:#58a6ff}
.under{fill:#58a6ff}.start{stroke:#9198a1}.deep{fill:#e5697a}.buy{fill:#58a6ff;stroke:#0d1117}
.sell{fill:#f0b429;stroke:#0d1117}}
"""
"""The colours, on a light page and on a dark one, as the reader's system has it."""


@dataclass(frozen=True, slots=True)
class _Candle:
    """A candle that is drawn: the middle of its time, and its prices."""

    at: int
    open: float
    low: float
    high: float
    close: float


def backtest_picture(result: BacktestResult, bars: Bars, start: int, title: str) -> str:
    """Return the picture of a backtest on bars, of which those before index `start` only warm it up."""
    times = TimeAxis(LEFT, RIGHT, int(bars.opened[start]), int(bars.opened[-1]) + bars.milliseconds)
    curve = result.equity_curve
    ends = [_milliseconds(point.at) for point in curve]
    equity = [float(point.equity) for point in curve]
    drawdown = [-point.drawdown_percent for point in curve]
    candles = _joined(bars, start)
    prices = price_axis(_top(0), HEIGHTS[0], *_range(candles))
    money = linear_axis(_top(1), HEIGHTS[1], min(equity), max(equity))
    depth = ValueAxis(_top(2), HEIGHTS[2], min(*drawdown, -0.01) * 1.04, 0.0)
    height = _top(3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {_FONT} font-size="12">',
        f"<style>{_STYLE}</style>",
        f'<title>{escape(title)}</title><rect class="page" width="{WIDTH}" height="{height}"/>',
        *_head(title, result.metrics, len(result.fills)),
        *_values(prices, f"price{', in steps of equal percent' if prices.is_logarithmic else ''}"),
        *_dates(times, height),
        *_held(result, prices, times),
        *_candles(candles, prices, times),
        *_trades(result.fills, prices, times),
        *_values(money, f"equity, {result.metrics.currency}"),
        *_equity(_thinned(ends, equity), money, times, float(result.metrics.start_equity)),
        *_values(depth, "drawdown, %"),
        _area("deep", _thinned(ends, drawdown), depth, times, 0.0),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a file; raises `BadArgument` if it can't be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadArgument(f"{path} can't be written: {error.strerror}") from None


def _top(panel: int) -> int:
    return TOP + sum(HEIGHTS[:panel]) + panel * GAP


def _joined(bars: Bars, start: int) -> list[_Candle]:
    """Return at most `MOST_CANDLES` candles."""
    candles, count = bars.candles, len(bars) - start
    edges = np.linspace(start, len(bars), min(count, MOST_CANDLES) + 1).astype(np.int64).tolist()
    return [
        _Candle(
            (int(bars.opened[first]) + int(bars.opened[until - 1]) + bars.milliseconds) // 2,
            float(candles.open[first]),
            float(candles.low[first:until].min()),
            float(candles.high[first:until].max()),
            float(candles.close[until - 1]),
        )
        for first, until in pairwise(edges)
    ]


def _range(candles: Sequence[_Candle]) -> tuple[float, float]:
    """Return the lowest and the highest price that are shown: a wick of a wrong price would flatten all else."""
    low = min(min(candle.open, candle.close) for candle in candles)
    high = max(max(candle.open, candle.close) for candle in candles)
    lowest, highest = min(candle.low for candle in candles), max(candle.high for candle in candles)
    return max(lowest, low / LONGEST_WICK), min(highest, high * LONGEST_WICK)


def _thinned(ends: Sequence[int], values: Sequence[float]) -> list[tuple[int, float]]:
    """Return the points of a curve without those that a pixel wouldn't show, all extremes included."""
    points = list(zip(ends, values, strict=True))
    size = -(-2 * len(points) // MOST_POINTS)
    if size <= 2:  # noqa: PLR2004  # a part has two ends
        return points
    parts = [points[first : first + size] for first in range(0, len(points), size)]
    chosen = {points[0], points[-1]}
    for part in parts:
        chosen |= {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
    return sorted(chosen)


def _head(title: str, metrics: PerformanceMetrics, fills: int) -> Iterator[str]:
    yield f'<text class="ink" x="{LEFT}" y="26" font-size="16" font-weight="600">{escape(title)}</text>'
    figures = [
        f"net profit {_percent(metrics.net_profit_percent)}",
        f"market {_percent(metrics.market_change_percent)}",
        f"greatest drawdown {_percent(metrics.max_drawdown_percent, sign='')}",
        f"Sharpe {'-' if metrics.sharpe is None else format(metrics.sharpe, '.2f')}",
        f"{metrics.round_trips:,} round trips{'' if not metrics.round_trips else f', {metrics.win_rate:.0f} % won'}",
    ]
    yield f'<text class="faint" x="{LEFT}" y="46">{escape(" · ".join(figures))}</text>'
    if fills:
        for name, x, shape in (("entry", RIGHT - 96, "37l-5 9h10z"), ("exit", RIGHT - 40, "46l-5 -9h10z")):
            yield f'<path class="{"buy" if name == "entry" else "sell"}" d="M{x} {shape}"/>'
            yield f'<text class="faint" x="{x + 10}" y="46">{name}</text>'


def _percent(value: float | None, sign: str = "+") -> str:
    return "-" if value is None else f"{value:{sign},.1f} %"


def _values(axis: ValueAxis, name: str) -> Iterator[str]:
    yield f'<text class="ink" x="{LEFT}" y="{axis.top - 8:g}" font-weight="600">{escape(name)}</text>'
    for value in axis.ticks():
        y = axis.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="faint" x="{LEFT - 8}" y="{y + 4:g}" text-anchor="end">{written(value, axis)}</text>'


def _dates(times: TimeAxis, height: int) -> Iterator[str]:
    bottom = _top(2) + HEIGHTS[2]
    for at, text in times.ticks():
        x = times.x(at)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>'
        anchor = "start" if x < LEFT + 20 else "end" if x > RIGHT - 20 else "middle"
        yield f'<text class="faint" x="{x}" y="{height - 14}" text-anchor="{anchor}">{text}</text>'


def _held(result: BacktestResult, axis: ValueAxis, times: TimeAxis) -> Iterator[str]:
    """Yield a band for each time in which a position was held, of those that have won and of those that have lost."""
    for name, has_won in (("won", True), ("lost", False)):
        bands = []
        for trip in result.round_trips:
            if (trip.profit > 0) is has_won:
                x = times.x(_milliseconds(trip.opened_at))
                until = times.end if trip.closed_at is None else _milliseconds(trip.closed_at)
                bands.append(f"M{x} {axis.top}h{max(times.x(until) - x, 0.4):.1f}v{axis.height}H{x}z")
        if bands:
            yield f'<path class="{name} held" d="{"".join(bands)}"/>'


def _candles(candles: Sequence[_Candle], axis: ValueAxis, times: TimeAxis) -> Iterator[str]:
    width = round(max((RIGHT - LEFT) / len(candles) * 0.62, 0.8), 1)
    for name, is_rise in (("rise", True), ("fall", False)):
        shapes = []
        for candle in candles:
            if (candle.close >= candle.open) is is_rise:
                x = times.x(candle.at)
                top, bottom = axis.y(max(candle.open, candle.close)), axis.y(min(candle.open, candle.close))
                shapes.append(
                    f"M{x} {axis.y(candle.high)}V{axis.y(candle.low)}"
                    f"M{x - width / 2:.1f} {top}h{width}v{max(bottom - top, 0.6):.1f}h-{width}z"
                )
        yield f'<path class="{name}" stroke-width="0.8" d="{"".join(shapes)}"/>'


def _trades(fills: Sequence[SimulatedFill], axis: ValueAxis, times: TimeAxis) -> Iterator[str]:
    """Yield a triangle for each fill: up below its price for an entry, down above it for an exit."""
    size = 4.5 if len(fills) <= MOST_TITLES / 3 else 3 if len(fills) <= 3 * MOST_TITLES else 2
    for name, side, step in (("buy", OrderSide.BUY, 1.8), ("sell", OrderSide.SELL, -1.8)):
        shapes = [
            (f"M{times.x(fill.at)} {axis.y(float(fill.price))}l-{size:g} {step * size:.1f}h{2 * size:g}z", fill)
            for fill in fills
            if fill.side is side
        ]
        if len(fills) > MOST_TITLES:
            yield f'<path class="{name}" stroke-width="0.4" d="{"".join(shape for shape, _ in shapes)}"/>'
        else:
            for shape, fill in shapes:
                text = f"{fill.role} {fill.quantity:f} at {fill.price:f}"
                yield f'<path class="{name}" stroke-width="0.7" d="{shape}"><title>{text}</title></path>'


def _equity(curve: Sequence[tuple[int, float]], axis: ValueAxis, times: TimeAxis, start: float) -> Iterator[str]:
    y = axis.y(start)
    yield f'<line class="start" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>'
    yield _area("under", curve, axis, times, axis.low)
    points = " ".join(f"{times.x(at)},{axis.y(value)}" for at, value in curve)
    yield f'<polyline class="line" points="{points}" stroke-width="1.6" stroke-linejoin="round"/>'


def _area(name: str, curve: Sequence[tuple[int, float]], axis: ValueAxis, times: TimeAxis, base: float) -> str:
    y = axis.y(base)
    points = " ".join(f"{times.x(at)},{axis.y(value)}" for at, value in curve)
    outline = f"{times.x(curve[0][0])},{y} {points} {times.x(curve[-1][0])},{y}"
    return f'<polygon class="{name}" points="{outline}"/>'


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)

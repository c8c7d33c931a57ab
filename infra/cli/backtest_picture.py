"""Draws a backtest as an SVG picture: trades on candles, the equity curve, and the drawdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from domain.backtest.bars import Bars, to_time
from domain.backtest.result import BacktestResult
from domain.model.order_side import OrderSide
from infra.cli.arguments import BadArgument

WIDTH, LEFT, RIGHT, TOP, GAP = 1000, 76, 16, 34, 30
HEIGHTS = (300, 150, 90)
MOST_CANDLES = 250
"""How many candles are drawn; more are joined, as a longer timeframe would."""
_RISE, _FALL, _LINE, _GRID, _TEXT = "#2a9d6f", "#d1495b", "#30638e", "#e3e6ea", "#444"
_TICKS = 4


@dataclass(frozen=True, slots=True)
class _Panel:
    """A part of the picture: its top, its height, and the least and the greatest value in it."""

    top: float
    height: float
    low: float
    high: float

    def y(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return round(self.top + (self.high - value) / span * self.height, 1)


@dataclass(frozen=True, slots=True)
class _Times:
    """The horizontal axis, in milliseconds since 1970."""

    start: int
    end: int

    def x(self, at: int) -> float:
        share = (at - self.start) / max(self.end - self.start, 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def backtest_picture(result: BacktestResult, bars: Bars, start: int, title: str) -> str:
    """Return the picture of a backtest on bars, of which those before index `start` only warm it up."""
    times = _Times(int(bars.opened[start]), int(bars.opened[-1]) + bars.milliseconds)
    equity = [float(point.equity) for point in result.equity_curve]
    drawdown = [-point.drawdown_percent for point in result.equity_curve]
    candles = _joined(bars, start)
    prices = _panel(0, min(low for _, _, low, _, _ in candles), max(high for *_, high, _ in candles))
    money, fall = _panel(1, min(equity), max(equity)), _panel(2, min(*drawdown, -1e-9), 0.0)
    ends = [_milliseconds(point.at) for point in result.equity_curve]
    height = fall.top + fall.height + GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" font-family="sans-serif" '
        f'font-size="12" fill="{_TEXT}">'
    )
    parts = [
        head,
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="white"/>',
        *_axis(prices, title),
        *_candles(candles, prices, times),
        *_trades(result, prices, times),
        *_axis(money, f"equity, {result.metrics.currency}"),
        _curve(ends, equity, money, times),
        *_axis(fall, "drawdown, %"),
        _area(ends, drawdown, fall, times),
        *_dates(times, height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a file; raises `BadArgument` if it can't be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadArgument(f"{path} can't be written: {error.strerror}") from None


def _panel(number: int, low: float, high: float) -> _Panel:
    margin = (high - low) * 0.04
    top = TOP + sum(HEIGHTS[:number]) + number * GAP
    return _Panel(top, HEIGHTS[number], low - margin, high + (margin if number < len(HEIGHTS) - 1 else 0.0))


def _joined(bars: Bars, start: int) -> list[tuple[int, float, float, float, float]]:
    """Return at most `MOST_CANDLES` candles: the middle of their time, open, low, high and close."""
    candles, count = bars.candles, len(bars) - start
    edges = np.linspace(start, len(bars), min(count, MOST_CANDLES) + 1).astype(np.int64).tolist()
    return [
        (
            (int(bars.opened[first]) + int(bars.opened[until - 1]) + bars.milliseconds) // 2,
            float(candles.open[first]),
            float(candles.low[first:until].min()),
            float(candles.high[first:until].max()),
            float(candles.close[until - 1]),
        )
        for first, until in pairwise(edges)
    ]


def _axis(panel: _Panel, name: str) -> Iterator[str]:
    yield f'<text x="{LEFT}" y="{panel.top - 8:g}" font-weight="bold">{escape(name)}</text>'
    for step in range(_TICKS + 1):
        value = panel.low + (panel.high - panel.low) * step / _TICKS
        y = panel.y(value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="{_GRID}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{_number(value)}</text>'


def _candles(candles: Sequence[tuple[int, float, float, float, float]], panel: _Panel, times: _Times) -> Iterator[str]:
    width = max((WIDTH - LEFT - RIGHT) / len(candles) * 0.6, 0.8)
    for at, opened, low, high, close in candles:
        color, x = _RISE if close >= opened else _FALL, times.x(at)
        top, bottom = panel.y(max(opened, close)), panel.y(min(opened, close))
        yield (
            f'<path d="M{x} {panel.y(high)}V{panel.y(low)}" stroke="{color}"/><rect x="{x - width / 2:.1f}" y="{top}" '
            f'width="{width:.1f}" height="{max(bottom - top, 0.6):.1f}" fill="{color}"/>'
        )


def _trades(result: BacktestResult, panel: _Panel, times: _Times) -> Iterator[str]:
    """Yield a triangle for each fill: up below its price for an entry, down above it for an exit."""
    for fill in result.fills:
        up = fill.side is OrderSide.BUY
        x, y, color = times.x(fill.at), panel.y(float(fill.price)), _LINE if up else "#e09f3e"
        step = 7 if up else -7
        yield (
            f'<path d="M{x} {y}l-4 {step}h8z" fill="{color}" stroke="white" stroke-width="0.5">'
            f"<title>{fill.role} {fill.quantity:f} at {fill.price:f}</title></path>"
        )


def _curve(ends: Sequence[int], values: Sequence[float], panel: _Panel, times: _Times) -> str:
    points = " ".join(f"{times.x(at)},{panel.y(value)}" for at, value in zip(ends, values, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{_LINE}" stroke-width="1.5"/>'


def _area(ends: Sequence[int], values: Sequence[float], panel: _Panel, times: _Times) -> str:
    points = " ".join(f"{times.x(at)},{panel.y(value)}" for at, value in zip(ends, values, strict=True))
    zero = panel.y(0.0)
    outline = f"{times.x(ends[0])},{zero} {points} {times.x(ends[-1])},{zero}"
    return f'<polygon points="{outline}" fill="{_FALL}" opacity="0.6"/>'


def _dates(times: _Times, height: float) -> Iterator[str]:
    is_short = times.end - times.start < 4 * 86_400_000
    for step in range(_TICKS + 1):
        at = times.start + (times.end - times.start) * step // _TICKS
        anchor = "start" if not step else "end" if step == _TICKS else "middle"
        text = f"{to_time(at):%Y-%m-%d %H:%M}" if is_short else f"{to_time(at):%Y-%m-%d}"
        yield f'<text x="{times.x(at)}" y="{height - 10:g}" text-anchor="{anchor}">{text}</text>'


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"  # noqa: PLR2004  # as a price is read

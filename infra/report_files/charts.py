"""Charts as inline SVG, coloured by the page's classes, so that they follow light, dark and print."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from infra.report_files.axes import TimeAxis, ValueAxis, linear_axis, price_axis, written
from infra.report_files.markup import Markup, join, tag

WIDTH: Final = 960
LEFT, RIGHT, TOP, FOOT = 58, 944, 10, 24
MOST_POINTS: Final = 900
"""How many points of a curve are drawn: the least and the greatest of as many parts of it."""
MOST_DOTS: Final = 1_500
_BINS: Final = 41

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve, with the class that colours it; times in milliseconds since 1970."""

    name: str
    points: Points


def curves(
    label: str, lines: Sequence[Line], height: int = 230, *, filled: bool = False, mark: float | None = None
) -> Markup:
    """Return curves over time; `filled` fills the first one down to zero, `mark` is a value to mark.

    Values above zero that are far apart are drawn in steps of equal percent.
    """
    drawn = [Line(line.name, thinned(line.points)) for line in lines if line.points]
    values = [value for line in drawn for _, value in line.points]
    low, high = min(values), max(values)
    for included in (0.0 if filled else None, mark):
        if included is not None:
            low, high = min(low, included), max(high, included)
    axis = price_axis(TOP, height - TOP - FOOT, low, high)
    times = TimeAxis(LEFT, RIGHT, min(line.points[0][0] for line in drawn), max(line.points[-1][0] for line in drawn))
    parts = [*_grid(axis, times, height)]
    if mark is not None:
        parts.append(tag("line", class_="zero", x1=LEFT, x2=RIGHT, y1=axis.y(mark), y2=axis.y(mark)))
    if filled:
        first = drawn[0]
        base = axis.y(0)
        outline = f"{times.x(first.points[0][0])},{base} {_path(first.points, axis, times)} "
        outline += f"{times.x(first.points[-1][0])},{base}"
        parts.append(tag("polygon", class_=f"{first.name} area", points=outline))
    parts += [
        tag("polyline", class_=f"{line.name} line", points=_path(line.points, axis, times)) for line in reversed(drawn)
    ]
    return _svg(label, height, parts)


def histogram(label: str, values: Sequence[float], unit: str, height: int = 210) -> Markup:
    """Return how many values lie in each of some bins; values far out are counted in the last bin of their side."""
    data = np.asarray(values, dtype=np.float64)
    far = max(abs(float(np.percentile(data, 0.5))), abs(float(np.percentile(data, 99.5))), 1e-9)
    edges = np.linspace(-far, far, _BINS + 1)
    counts, _ = np.histogram(np.clip(data, -far, far), edges)
    axis = ValueAxis(TOP, height - TOP - FOOT, 0.0, float(counts.max()) * 1.05)
    width = (RIGHT - LEFT) / _BINS
    parts = [*_values(axis)]
    for number, count in enumerate(counts.tolist()):
        if count:
            middle = float(edges[number] + edges[number + 1]) / 2
            name = "gain" if middle > far / _BINS else "loss" if middle < -far / _BINS else "flat"
            y = axis.y(count)
            title = tag("title", f"{edges[number]:.2f} to {edges[number + 1]:.2f}{unit}: {count:,}")
            parts.append(
                tag(
                    "rect", title, class_=f"bar {name}", x=LEFT + number * width + 0.7, y=y, width=width - 1.4,
                    height=TOP + axis.height - y,
                )
            )  # fmt: skip
    across = linear_axis(0, 1, -far, far)
    for tick in across.ticks():
        x = LEFT + (tick + far) / (2 * far) * (RIGHT - LEFT)
        if LEFT <= x <= RIGHT:
            text = f"{written(tick, across)}{unit}".replace("-", "\N{MINUS SIGN}")
            parts.append(tag("text", text, class_="tick", x=x, y=height - 6, text_anchor="middle"))
    return _svg(label, height, parts)


def scatter(label: str, dots: Sequence[tuple[float, float]], across: str, up: str, height: int = 260) -> Markup:
    """Return a dot for each pair of values, coloured by the sign of the second one."""
    shown = dots[:: math.ceil(len(dots) / MOST_DOTS)]
    xs, ys = [x for x, _ in shown], [y for _, y in shown]
    axis = linear_axis(TOP, height - TOP - FOOT - 14, min(*ys, 0.0), max(*ys, 0.0))
    base = linear_axis(0, RIGHT - LEFT, min(*xs, 0.0), max(*xs, 0.0))
    parts = [*_values(axis), tag("line", class_="zero", x1=LEFT, x2=RIGHT, y1=axis.y(0), y2=axis.y(0))]
    for name, is_gain in (("gain", True), ("loss", False)):
        chosen = [(LEFT + base.height - base.y(x), axis.y(y)) for x, y in shown if (y > 0) is is_gain]
        path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in chosen)
        if path:
            parts.append(tag("path", class_=f"dots {name}", d=path))
    for tick in base.ticks():
        x = LEFT + base.height - base.y(tick)
        parts.append(tag("text", written(tick, base), class_="tick", x=x, y=height - 20, text_anchor="middle"))
    parts.append(tag("text", across, class_="tick", x=RIGHT, y=height - 4, text_anchor="end"))
    parts.append(tag("text", up, class_="tick", x=LEFT, y=height - 4))
    return _svg(label, height, parts)


def spans(label: str, start: int, end: int, held: Sequence[tuple[int, int, bool]], height: int = 46) -> Markup:
    """Return a strip of the times in which positions were held: from, until, and whether they gained."""
    times = TimeAxis(LEFT, RIGHT, start, end)
    parts = [tag("rect", class_="strip", x=LEFT, y=4, width=RIGHT - LEFT, height=20)]
    for name, is_gain in (("gain", True), ("loss", False)):
        bands: list[str] = []
        last = -math.inf
        for opened, closed, has_won in held:
            x, until = times.x(opened), times.x(closed)
            if has_won is is_gain and (until > last or not bands):
                # What the band before covers isn't drawn again, so that many trips take little room.
                bands.append(f"M{x} 4h{max(until - x, 0.4):.1f}v20H{x}z")
                last = max(until, x + 0.4)
        if bands:
            parts.append(tag("path", class_=f"band {name}", d="".join(bands)))
    parts += list(_dates(times, height, grid=False))
    return _svg(label, height, parts)


def thinned(points: Points) -> Points:
    """Return a curve without the points that can't be seen, all extremes included."""
    if len(points) <= MOST_POINTS:
        return points
    values = np.array([value for _, value in points])
    edges = np.linspace(0, len(points), MOST_POINTS // 2 + 1).astype(np.int64)
    chosen = {0, len(points) - 1}
    for first, until in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = values[first:until]
        chosen |= {first + int(part.argmin()), first + int(part.argmax())}
    return [points[index] for index in sorted(chosen)]


def _svg(label: str, height: int, parts: Sequence[Markup]) -> Markup:
    return tag(
        "svg", tag("title", label), join(parts), viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=label
    )  # fmt: skip


def _path(points: Points, axis: ValueAxis, times: TimeAxis) -> str:
    return " ".join(f"{times.x(at):g},{axis.y(value):g}" for at, value in points)


def _grid(axis: ValueAxis, times: TimeAxis, height: int) -> Iterator[Markup]:
    yield from _values(axis)
    yield from _dates(times, height, grid=True)


def _values(axis: ValueAxis) -> Iterator[Markup]:
    for value in axis.ticks():
        y = axis.y(value)
        text = written(value, axis).replace("-", "\N{MINUS SIGN}")
        yield tag("line", class_="grid", x1=LEFT, x2=RIGHT, y1=y, y2=y)
        yield tag("text", text, class_="tick", x=LEFT - 8, y=y + 4, text_anchor="end")


def _dates(times: TimeAxis, height: int, *, grid: bool) -> Iterator[Markup]:
    for at, text in times.ticks():
        x = times.x(at)
        if grid:
            yield tag("line", class_="grid", x1=x, x2=x, y1=TOP, y2=height - FOOT)
        anchor = "start" if x < LEFT + 20 else "end" if x > RIGHT - 20 else "middle"
        yield tag("text", text, class_="tick", x=x, y=height - 6, text_anchor=anchor)

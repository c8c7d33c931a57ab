"""The picture of what stalled: a bar for the median and a stroke for the longest, a row a drill, a column a kind.

It is a chart of Vega-Lite, drawn by vl-convert, which nothing else needs: `uv run --with vl-convert-python …`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.drills.results import DrillSummary
from tests.faults.drills.stalls import Kind

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_BAR, _STROKE = "#2a9d8f", "#9a6700"
_FEWEST_SECONDS, _MOST_SECONDS = 0.1, 60


class NoRenderer(Exception):
    """vl-convert is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "pictures are drawn by vl-convert: uv run --with vl-convert-python r3edge-drill --picture FILE"
        )


def chart(summaries: Sequence[DrillSummary]) -> dict[str, Any]:
    """Return the chart as Vega-Lite's JSON."""
    values = [
        {"drill": each.drill, "kind": kind.value, "median": stall.median, "longest": stall.longest}
        for each in summaries
        for kind, stall in each.stalls.items()
    ]
    scale = {"type": "log", "domain": [_FEWEST_SECONDS, _MOST_SECONDS], "clamp": True}
    drill = {"field": "drill", "type": "nominal", "sort": [each.drill for each in summaries], "title": None}
    axis = {"values": [0.1, 1, 2, 5, 10, 20, 60], "labelExpr": "datum.value + ' s'"}

    def along(field: str) -> dict[str, Any]:
        return {"field": field, "type": "quantitative", "scale": scale, "axis": axis, "title": None}

    layers = [
        {"mark": {"type": "bar", "color": _BAR, "height": 9},
         "encoding": {"y": drill, "x": along("median"), "x2": {"datum": _FEWEST_SECONDS}}},
        {"mark": {"type": "tick", "color": _STROKE, "thickness": 2, "size": 13},
         "encoding": {"y": drill, "x": along("longest")}},
    ]  # fmt: skip
    return {
        "$schema": _SCHEMA,
        "title": "Longest time without success while a part is broken: median of all runs (bar) and longest (stroke)",
        "data": {"values": values},
        "facet": {"column": {"field": "kind", "type": "nominal", "sort": [kind.value for kind in Kind], "title": None}},
        "spec": {"width": 170, "height": {"step": 15}, "layer": layers},
        "config": {"background": "white"},
    }


def draw(summaries: Sequence[DrillSummary], file: Path) -> None:
    """Draw the picture as SVG; raises `NoRenderer`."""
    try:
        import vl_convert  # noqa: PLC0415  # only who draws needs it
    except ModuleNotFoundError:
        raise NoRenderer from None
    file.write_text(vl_convert.vegalite_to_svg(json.dumps(chart(summaries))))

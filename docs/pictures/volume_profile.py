# ruff: noqa: INP001  # a script of the documents, no part of a package
"""Draws docs/pictures/volume_profile.png: candles and the volume profile beside them, as a running engine answers.

usage: uv run --with altair --with vl-convert-python docs/pictures/volume_profile.py FROM TO [MARKET] [ADDRESS]
as in  … volume_profile.py 2026-11-22T21:13:00Z 2026-11-22T21:33:00Z sandbox:BTC/USDT http://127.0.0.1:8000
"""

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import altair as alt  # a reason to run this with `--with`: the engine itself draws nothing

QUERY = """query ($market: MarketSymbol!, $from: DateTime!, $to: DateTime!) { market(symbol: $market) {
    candles(timeframe: M1, first: 1000, from: $from, to: $to) { nodes { openTime open high low close } }
    volumeProfile(from: $from, to: $to, bins: 40) { source volume pointOfControl valueAreaLow valueAreaHigh
        levels { priceLow priceHigh buyVolume sellVolume } } } }"""
INK, FAINT, BUY, SELL, AREA, CONTROL = "#1f2933", "#7b8794", "#2a9d8f", "#d1495b", "#f2c14e", "#9a6700"
Answer = dict[str, Any]


def asked(address: str, market: str, start: str, end: str) -> Answer:
    """Return the market as the API answers it."""
    body = json.dumps({"query": QUERY, "variables": {"market": market, "from": start, "to": end}})
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{address}/graphql", body.encode(), headers)  # noqa: S310  # the caller's engine
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        answer: Answer = json.load(response)
    if "errors" in answer or answer["data"]["market"] is None:
        raise SystemExit(f"There is nothing to draw: {answer}")
    found: Answer = answer["data"]["market"]
    return found


def price_scale(market: Answer) -> alt.Scale:
    """Return the scale that both halves share: all that was traded, with a little air."""
    levels = market["volumeProfile"]["levels"]
    low, high = float(levels[0]["priceLow"]), float(levels[-1]["priceHigh"])
    air = (high - low) * 0.02
    return alt.Scale(domain=[low - air, high + air], nice=False, zero=False)


def value_area(profile: Answer, scale: alt.Scale) -> alt.LayerChart:
    """Return the band of the value area and the line of the point of control, behind and over everything."""
    band = alt.Data(values=[{"low": float(profile["valueAreaLow"]), "high": float(profile["valueAreaHigh"])}])
    line = alt.Data(values=[{"price": float(profile["pointOfControl"])}])
    price = alt.Y("low:Q", scale=scale, title=None)
    shade = alt.Chart(band).mark_rect(color=AREA, opacity=0.2).encode(y=price, y2="high:Q")
    rule = alt.Chart(line).mark_rule(color=CONTROL, strokeWidth=1.6, strokeDash=[6, 3])
    return alt.layer(shade, rule.encode(y=alt.Y("price:Q", scale=scale, title=None)))


def candles(market: Answer, scale: alt.Scale) -> alt.LayerChart:
    """Return the left half."""
    rows = [
        {"at": node["openTime"], **{name: float(node[name]) for name in ("open", "high", "low", "close")}}
        for node in market["candles"]["nodes"]
    ]
    rose = "datum.close >= datum.open"
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "at:T",
            title="UTC",
            axis=alt.Axis(format="%H:%M", grid=False, tickCount=8),
            scale=alt.Scale(type="utc", padding=14),
        ),
        color=alt.condition(rose, alt.value(BUY), alt.value(SELL)),
    )
    axis = alt.Axis(format=",.0f", gridColor="#e4e7eb")
    wick = base.mark_rule(strokeWidth=1.2).encode(
        y=alt.Y("low:Q", scale=scale, title="price, USDT", axis=axis), y2="high:Q"
    )
    width = min(18, max(2, 360 // len(rows)))
    body = base.mark_bar(size=width).encode(y=alt.Y("open:Q", scale=scale, title=None), y2="close:Q")
    return alt.layer(value_area(market["volumeProfile"], scale), wick, body).properties(width=560, height=420)


def volumes(market: Answer, scale: alt.Scale) -> alt.LayerChart:
    """Return the right half: what takers bought, and beside it what they sold."""
    profile = market["volumeProfile"]
    rows = []
    for level in profile["levels"]:
        bought, sold = float(level["buyVolume"]), float(level["sellVolume"])
        edges = {"low": float(level["priceLow"]), "high": float(level["priceHigh"])}
        rows += [{**edges, "from": 0, "to": bought, "colour": BUY}]
        rows += [{**edges, "from": bought, "to": bought + sold, "colour": SELL}]
    grid = alt.Axis(labels=False, ticks=False, gridColor="#e4e7eb")
    bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_rect(stroke="white", strokeWidth=0.7)
        .encode(
            y=alt.Y("low:Q", scale=scale, title=None, axis=grid),
            y2="high:Q",
            x=alt.X("from:Q", title="volume, BTC", axis=alt.Axis(grid=False, tickCount=5)),
            x2="to:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    return alt.layer(value_area(profile, scale), bars, *names(profile, scale), *legend()).properties(
        width=340, height=420
    )


def names(profile: Answer, scale: alt.Scale) -> list[alt.Chart]:
    """Return what stands beside the lines, at the right edge; the control's is clear of its own bar, the longest."""
    shown = (("value area high", "valueAreaHigh", -3), ("point of control", "pointOfControl", -9))
    low = ("value area low", "valueAreaLow", 11)
    charts = []
    for name, field, shift in (*shown, low):
        row = alt.Data(values=[{"price": float(profile[field]), "name": f"{name} {float(profile[field]):,.0f}"}])
        mark = alt.Chart(row).mark_text(align="right", baseline="alphabetic", dy=shift, fontSize=11, color=INK)
        charts.append(mark.encode(y=alt.Y("price:Q", scale=scale, title=None), x=alt.value(336), text="name:N"))
    return charts


def legend() -> list[alt.Chart]:
    """Return which colour is which side."""
    rows = ((BUY, "takers bought", 386), (SELL, "takers sold", 404))
    return [
        alt.Chart(alt.Data(values=[{}]))
        .mark_text(align="right", fontSize=11, fontWeight="bold", color=colour, text=f"\u25a0 {name}")
        .encode(x=alt.value(336), y=alt.value(place))
        for colour, name, place in rows
    ]


def picture(market: Answer, name: str, start: str, end: str) -> alt.HConcatChart:
    """Return the whole."""
    profile = market["volumeProfile"]
    title = alt.Title(
        f"{name}, {start[:10]} {start[11:16]} to {end[11:16]} UTC",
        subtitle=f"Minute candles and volume by price; {profile['volume']} BTC from {profile['source'].lower()}, "
        "70 % of it in the shaded value area",
        anchor="start", fontSize=16, subtitleFontSize=12, color=INK, subtitleColor=FAINT, offset=12,
    )  # fmt: skip
    scale = price_scale(market)
    halves = alt.hconcat(candles(market, scale), volumes(market, scale), spacing=8, title=title)
    return (
        halves.configure(font="DejaVu Sans", background="white", padding=16)
        .configure_view(stroke=None)
        .configure_axis(labelColor=FAINT, titleColor=FAINT, titleFontWeight="normal", domainColor="#cbd2d9")
    )


def main() -> None:
    """Ask and draw."""
    start, end, *rest = sys.argv[1:]
    name, address = (*rest, *("sandbox:BTC/USDT", "http://127.0.0.1:8000")[len(rest) :])
    target = Path(__file__).with_suffix(".png")
    picture(asked(address, name, start, end), name, start, end).save(target, scale_factor=2)


if __name__ == "__main__":
    main()

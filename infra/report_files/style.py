"""The style of a report's page: one column that reads well on a screen, in light and dark, and on paper."""

from typing import Final

HEAT_LEVELS: Final = 5
"""How many shades of gain, and of loss, the monthly table has."""

_LIGHT: Final = """
--page:#fff;--card:#f6f8fa;--ink:#1f2328;--faint:#59636e;--edge:#d8dee4;--grid:#e6eaef;--gain:#1a7f5a;--loss:#c93c4f;
--first:#1f6feb;--second:#9a6700;--tint-gain:26,127,90;--tint-loss:201,60,79
"""
_DARK: Final = """
--page:#0d1117;--card:#161b22;--ink:#e6edf3;--faint:#9198a1;--edge:#30363d;--grid:#21262d;--gain:#3fb68b;--loss:#f0717f;
--first:#58a6ff;--second:#e3b341;--tint-gain:63,182,139;--tint-loss:240,113,127
"""
_HEAT: Final = "".join(
    f".{name}{level}{{background:rgba(var(--tint-{name}),{level * 0.13:.2f})}}"
    for name in ("gain", "loss")
    for level in range(1, HEAT_LEVELS + 1)
)
STYLE: Final = f"""
:root{{color-scheme:light dark;{_LIGHT}}}
@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}
@media print{{:root{{color-scheme:light;{_LIGHT}}}}}
*{{box-sizing:border-box}}
body{{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;
-webkit-print-color-adjust:exact;print-color-adjust:exact}}
main{{max-width:1000px;margin:0 auto;padding:28px 20px 60px}}
h1{{font-size:26px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}}
h2{{font-size:18px;margin:40px 0 6px}}
h3{{font-size:14px;margin:18px 0 4px;color:var(--faint);font-weight:600}}
p{{margin:4px 0 10px;max-width:75ch}}
.faint{{color:var(--faint)}}
.lead{{font-size:17px;margin:18px 0 6px}}
.gain{{color:var(--gain)}}.loss{{color:var(--loss)}}
.cards{{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:10px;margin:20px 0}}
.card{{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:10px 14px}}
.card b{{display:block;font-size:21px;font-weight:650;font-variant-numeric:tabular-nums;white-space:nowrap}}
.card span{{font-size:12.5px;color:var(--faint)}}
.legend{{font-size:13px;color:var(--faint)}}
.legend i{{display:inline-block;width:14px;height:3px;border-radius:2px;margin:0 5px 3px 12px;background:var(--first)}}
.legend i.second{{background:var(--second)}}
.wide{{overflow-x:auto}}
table{{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums;margin:6px 0 12px}}
th,td{{text-align:right;padding:4px 8px;border-bottom:1px solid var(--grid);white-space:nowrap}}
th{{font-weight:600;color:var(--faint)}}
th:first-child,td:first-child{{text-align:left}}
table.heat td{{text-align:center;padding:5px 4px}}table.heat th{{text-align:center}}
table.figures td:last-child{{text-align:left;white-space:normal;color:var(--faint);font-size:12.5px;width:58%}}
table.figures td{{vertical-align:top}}
table.trips{{font-size:12px}}table.trips th,table.trips td{{padding:3px 5px}}
{_HEAT}
svg{{display:block;width:100%;height:auto;margin:4px 0}}
.grid{{stroke:var(--grid)}}.zero{{stroke:var(--faint);stroke-dasharray:3 4}}
.tick{{fill:var(--faint);font-size:11.5px}}
.line{{fill:none;stroke-width:1.7;stroke-linejoin:round}}
.line.first{{stroke:var(--first)}}.line.second{{stroke:var(--second);stroke-dasharray:6 3;stroke-width:1.3}}
.line.deep{{stroke:var(--loss);stroke-width:1}}
.area.first{{fill:var(--first);opacity:.12}}.area.deep{{fill:var(--loss);opacity:.4}}
.bar.gain{{fill:var(--gain)}}.bar.loss{{fill:var(--loss)}}.bar.flat{{fill:var(--faint)}}
.dots{{fill:none;stroke-width:5;stroke-linecap:round;opacity:.55}}.dots.gain{{stroke:var(--gain)}}
.dots.loss{{stroke:var(--loss)}}
.strip{{fill:var(--card)}}.band{{opacity:.75}}.band.gain{{fill:var(--gain)}}.band.loss{{fill:var(--loss)}}
ul.notes{{padding-left:18px}}
footer{{margin-top:48px;font-size:12.5px;color:var(--faint);border-top:1px solid var(--edge);padding-top:12px}}
.pair{{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:0 28px}}
@page{{size:A4;margin:14mm}}
@media print{{main{{max-width:none;padding:0}}body{{font-size:11px}}h2{{break-after:avoid;margin-top:22px}}
svg,.card,tr,.keep{{break-inside:avoid}}.pair{{grid-template-columns:1fr 1fr}}table{{font-size:10px}}
table.figures td:last-child{{font-size:9px}}}}
"""

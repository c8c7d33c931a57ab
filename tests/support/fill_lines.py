"""Fills as the lines that the database makes of them."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO

from domain.core.money import plain
from domain.model.fill_lines import FILL_LINE_COLUMNS, FillLines
from domain.model.orders import Fill

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fill_lines(fills: Sequence[Fill]) -> FillLines:
    """Return fills, oldest first, as lines."""
    text = StringIO()
    rows = [{name: getattr(fill, name) for name in FILL_LINE_COLUMNS} for fill in fills]
    for row in rows:
        row |= {name: plain(row[name]) for name in ("quantity", "price", "fee")}
        row |= {
            "at": (row["at"] - _EPOCH) // timedelta(microseconds=1),
            "maker": None if row["maker"] is None else "ft"[row["maker"]],
        }
    csv.DictWriter(text, FILL_LINE_COLUMNS, lineterminator="\n").writerows(rows)
    return FillLines(text.getvalue().encode(), len(fills), (fills[-1].at, fills[-1].id) if fills else None)

"""Lines of CSV (RFC 4180) that a spreadsheet shows as they are, and computes nothing of."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

from domain.core.money import plain

Cell = Decimal | datetime | str | None

FORMULA_STARTS = frozenset("=+-@\t\r\n")


def csv_text(rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as lines: amounts exact, times in ISO 8601 and UTC, None as nothing."""
    text = StringIO()
    csv.writer(text).writerows([_written(cell) for cell in row] for row in rows)
    return text.getvalue()


def text_cell(text: str) -> str:
    """Return text that a spreadsheet takes for no formula: with an apostrophe before it, if it could be one.

    Source: OWASP, CSV injection.
    """
    return f"'{text}" if text[:1] in FORMULA_STARTS else text


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return plain(cell)
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return text_cell(cell)

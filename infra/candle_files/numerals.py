"""How files write numbers: with a decimal point or comma, and with words for a missing one."""

import re
from collections.abc import Iterable
from decimal import Decimal

import polars as pl

BLANK = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "none", "NA", "N/A", "n/a", "-")
"""Words for a missing number, as in rows of NaN for each minute without a trade."""
ZEROS = ("0", "0.0", "0.00", "0.00000000", "0,0")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_COMMA_NUMBER = re.compile(r"[-+]?\d+,\d+")


def is_number(text: str) -> bool:
    """Return whether a field is a number, or a word for a missing one."""
    return bool(_NUMBER.fullmatch(text) or _COMMA_NUMBER.fullmatch(text)) or text in BLANK[1:]


def number_of(text: str) -> Decimal | None:
    """Return a field's number; None if it has none."""
    if _COMMA_NUMBER.fullmatch(text):
        text = text.replace(",", ".")
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def has_decimal_comma(fields: Iterable[str]) -> bool:
    """Return whether any of the numbers has a decimal comma."""
    return any(_COMMA_NUMBER.fullmatch(text) for text in fields)


def with_point(column: pl.Expr) -> pl.Expr:
    """Return numbers with their decimal comma as a point; a number that has a point already stays invalid."""
    return column.str.replace_all(".", "'", literal=True).str.replace(",", ".", literal=True)


def is_blank(prices: Iterable[str], volume: str) -> pl.Expr:
    """Return whether nothing was traded in a row: its prices are missing, and its volume is missing or 0."""
    nothing = pl.all_horizontal(pl.col(name).is_in(BLANK) for name in prices)
    return nothing & pl.col(volume).is_in([*BLANK, *ZEROS])

"""How a file writes numbers: with a point or a comma, and with words where there is none."""

import re
from collections.abc import Iterable
from decimal import Decimal

import polars as pl

BLANK = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "none", "NA", "N/A", "n/a", "-")
"""What stands where there was no trade, as in rows of NaN for each quiet minute."""
ZEROS = ("0", "0.0", "0.00", "0.00000000", "0,0")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_COMMA_NUMBER = re.compile(r"[-+]?\d+,\d+")


def is_number(text: str) -> bool:
    """Tell whether a field is a number, or a word for none."""
    return bool(_NUMBER.fullmatch(text) or _COMMA_NUMBER.fullmatch(text)) or text in BLANK[1:]


def number_of(text: str) -> Decimal | None:
    """Return the number that a field writes; None where it writes none."""
    if _COMMA_NUMBER.fullmatch(text):
        text = text.replace(",", ".")
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def has_decimal_comma(fields: Iterable[str]) -> bool:
    """Tell whether any of the numbers has a comma where others have a point."""
    return any(_COMMA_NUMBER.fullmatch(text) for text in fields)


def with_point(column: pl.Expr) -> pl.Expr:
    """Return numbers with a decimal comma as those with a point; a point in them is a mistake, and stays one."""
    return column.str.replace_all(".", "'", literal=True).str.replace(",", ".", literal=True)


def is_blank(prices: Iterable[str], volume: str) -> pl.Expr:
    """Tell of which rows all prices are words for nothing, and the volume too or 0: nothing was traded then."""
    nothing = pl.all_horizontal(pl.col(name).is_in(BLANK) for name in prices)
    return nothing & pl.col(volume).is_in([*BLANK, *ZEROS])

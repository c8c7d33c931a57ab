"""The columns of archived candles."""

from typing import Final

NUMBERS: Final = ("open", "high", "low", "close", "volume")
COLUMNS: Final = ("market", "timeframe", "open_time", *NUMBERS)
MOST_DIGITS: Final = 38
"""As many digits can an exact decimal of a file have."""

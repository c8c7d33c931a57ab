"""Errors in a file of candles: each names its line and what would be right."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_ERRORS = 10
"""How many malformed rows are reported; an error in every row must not scroll the first out of sight."""


@dataclass(frozen=True, slots=True)
class RowLocation:
    """A row of a file: the file, or `archive.zip/member.csv`, and the number of its line (`row` in Parquet) from 1."""

    source: str
    number: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.source}, {self.unit} {self.number:,}"


@dataclass(frozen=True, slots=True)
class RowError:
    """One malformed row."""

    location: RowLocation
    message: str

    def __str__(self) -> str:
        return f"{self.location}: {self.message}"


class UnusableFileError(Exception):
    """A file that can't be imported as a whole, and why."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class MalformedRows(Exception):
    """A file with malformed rows; `errors` are the first of them in the order of the file."""

    def __init__(self, path: Path, errors: Sequence[RowError], *, more: bool) -> None:
        self.errors = tuple(errors)
        listed = "\n".join(f"  {error}" for error in errors)
        rest = "\n  … and more" if more else ""
        super().__init__(f"{path}: nothing of it was loaded, for it has malformed rows:\n{listed}{rest}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean …?)` with the nearest of the known names; an empty text if none is near."""
    # Separators are left out of the comparison, as people leave them out: BTCUSDT is near to BTC/USDT.
    plain = {candidate.replace("/", "").replace("-", "").upper(): candidate for candidate in known}
    found = difflib.get_close_matches(name.replace("/", "").replace("-", "").upper(), plain, 3, 0.6)
    return f" (did you mean {' or '.join(plain[key] for key in found)}?)" if found else ""

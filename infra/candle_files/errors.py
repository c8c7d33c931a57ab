"""What is wrong with a file of candles, told with its line and what would be right."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_PROBLEMS = 10
"""How many malformed rows are told; a file with one mistake in every row must not scroll the first out of sight."""


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a file: the file, or `archive.zip/member.csv`, and the number of the line (`row` in Parquet) from 1."""

    source: str
    number: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.source}, {self.unit} {self.number:,}"


@dataclass(frozen=True, slots=True)
class RowError:
    """One malformed row."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class UnusableFileError(Exception):
    """A file that can't be imported as a whole, and why."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class MalformedRows(Exception):
    """A file with malformed rows; `problems` are the first of them in the order of the file."""

    def __init__(self, path: Path, problems: Sequence[RowError], *, more: bool) -> None:
        self.problems = tuple(problems)
        told = "\n".join(f"  {problem}" for problem in problems)
        rest = "\n  … and more" if more else ""
        super().__init__(f"{path}: nothing of it was loaded, for it has malformed rows:\n{told}{rest}")

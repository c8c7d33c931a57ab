"""Errors in the file of a strategy: each names its place and what would be right."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_ERRORS = 20
"""How many errors are shown; one in every line must not scroll the first out of sight."""

_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at one place; `path` is empty for the file as a whole."""

    path: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(map(_shown_name, self.path))}: {self.message}" if self.path else self.message


class BadStrategyFile(Exception):
    """A file of which no strategy can be made, with all of its errors."""

    def __init__(self, source: str, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        if len(self.errors) == 1 and not self.errors[0].path:
            super().__init__(f"{source}: {self.errors[0]}")
            return
        listed = "\n".join(f"  {error}" for error in self.errors[:MAX_ERRORS])
        rest = f"\n  … and {len(self.errors) - MAX_ERRORS} more" if len(self.errors) > MAX_ERRORS else ""
        super().__init__(f"{source} has errors:\n{listed}{rest}")


def quoted(text: str) -> str:
    """Return the beginning of a text in quotation marks, without characters that a terminal would obey."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _shown_name(name: str) -> str:
    return name if name.isprintable() and len(name) <= _LONGEST_SHOWN else quoted(name)

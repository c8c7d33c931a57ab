"""Tells how far a long command is: a bar in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

LINE_EVERY_SECONDS = 5.0


class Telling:
    """The one task that is shown, on standard output."""

    def __init__(
        self, console: Console, advance: Callable[[int], None], begin: Callable[[str, int | None], None]
    ) -> None:
        self._console = console
        self.advance = advance
        self.begin = begin

    def line(self, text: str) -> None:
        """Print a line, above the bar where there is one."""
        self._console.print(Text(text), soft_wrap=True)


@contextmanager
def telling(console: Console | None = None) -> Iterator[Telling]:
    """Give what the command tells its progress to: `begin` a task of so many rows (None: not known), `advance` it."""
    console = console or Console(highlight=False)
    if console.is_terminal:
        with _bar(console) as bar:
            shown = _Bar(bar)
            yield Telling(console, shown.advance, shown.begin)
        return
    lines = _Lines(console)
    yield Telling(console, lines.advance, lines.begin)


def rate(rows: int, seconds: float) -> str:
    """Return rows in a second, as people read it."""
    return f"{rows / max(seconds, 0.001):,.0f} rows/s"


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        console=console,
    )


class _Bar:
    """One line of rich's bars."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", visible=False, total=None, rate="")
        self._began = time.monotonic()
        self._done = 0

    def begin(self, what: str, total: int | None) -> None:
        self._began, self._done = time.monotonic(), 0
        self._bar.reset(self._task, description=what, total=total, visible=True, rate="")

    def advance(self, rows: int) -> None:
        self._done += rows
        self._bar.update(self._task, advance=rows, rate=rate(self._done, time.monotonic() - self._began))


class _Lines:
    """The same as lines, for a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what, self._total, self._done = "", 0, 0
        self._began = self._told = time.monotonic()

    def begin(self, what: str, total: int | None) -> None:
        self._what, self._total, self._done = what, total or 0, 0
        self._began = self._told = time.monotonic()

    def advance(self, rows: int) -> None:
        self._done += rows
        now = time.monotonic()
        if now - self._told >= LINE_EVERY_SECONDS:
            self._told = now
            self._console.print(Text(self._line(now - self._began)), soft_wrap=True)

    def _line(self, seconds: float) -> str:
        told = f"{self._what}: {self._done:,}"
        if not self._total:
            return f"{told} rows, {rate(self._done, seconds)}"
        left = (self._total - self._done) * seconds / max(self._done, 1)
        return f"{told} of {self._total:,} rows, {rate(self._done, seconds)}, {left:,.0f} s left"

"""Shows the progress of a long command: a bar in a terminal, otherwise a line every few seconds."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

T = TypeVar("T")

LINE_EVERY_SECONDS = 5.0
_WHOLE = 10
"""Lower rates are shown with a decimal."""


class ProgressReporter:
    """Shows one task at a time on standard output; `bar` is None if that is no terminal."""

    def __init__(self, console: Console, bar: Progress | None) -> None:
        self._console = console
        self._bar = bar
        self._task = None if bar is None else bar.add_task("", visible=False, total=None, rate="")
        self._description, self._total, self._done, self._unit = "", 0, 0, "rows"
        self._started = self._printed = time.monotonic()

    def start(self, description: str, total: int | None, unit: str = "rows") -> None:
        """Start a task of `total` rows, or of what else `unit` says (None: unknown), in place of the previous one."""
        self._description, self._total, self._done, self._unit = description, total or 0, 0, unit
        self._started = self._printed = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.reset(self._task, description=description, total=total, visible=True, rate="")

    def advance(self, rows: int) -> None:
        """Count rows of the task as done."""
        self._done += rows
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=rows, rate=rate(self._done, now - self._started, self._unit))
        elif now - self._printed >= LINE_EVERY_SECONDS:
            self._printed = now
            self.print_line(self._state(now - self._started))

    def reach(self, share: float) -> None:
        """Advance to a share of the task, from 0 to 1; steps of less than a hundredth are left to later ones."""
        rows = int(share * self._total) - self._done
        if rows >= self._total // 100 or share >= 1:
            self.advance(rows)

    def print_line(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        self._console.print(Text(text), soft_wrap=True)

    def _state(self, seconds: float) -> str:
        done = f"{self._description}: {self._done:,}"
        if not self._total:
            return f"{done} {self._unit}, {rate(self._done, seconds, self._unit)}"
        left = (self._total - self._done) * seconds / max(self._done, 1)
        speed = rate(self._done, seconds, self._unit)
        return f"{done} of {self._total:,} {self._unit}, {speed}, {left:,.0f} s left"


@contextmanager
def show_progress(console: Console | None = None) -> Iterator[ProgressReporter]:
    """Provide a reporter that draws a bar on a terminal and prints lines elsewhere (`console`: standard output)."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        yield ProgressReporter(console, None)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn(compact=True))
    with Progress(TextColumn("{task.description}"), *columns, console=console) as bar:
        yield ProgressReporter(console, bar)


async def compute_in_thread(progress: ProgressReporter, compute: Callable[[Callable[[float], None]], T]) -> T:
    """Return what `compute` does, in a thread that ends at its next progress if the command is stopped.

    `compute` is given what it has to call with the share of the task that it has reached.
    """
    is_stopped = False

    def on_progress(share: float) -> None:
        if is_stopped:
            raise InterruptedError
        progress.reach(share)

    try:
        return await asyncio.to_thread(compute, on_progress)
    finally:
        is_stopped = True


def rate(count: int, seconds: float, unit: str = "rows") -> str:
    """Return `count` per second as text."""
    speed = count / max(seconds, 0.001)
    return f"{speed:,.0f} {unit}/s" if speed >= _WHOLE else f"{speed:.1f} {unit}/s"

"""Ends a run of an archiver at one of its steps, as an error in the middle would."""

from collections.abc import Callable


class Interrupted(Exception):
    """A run ended in the middle."""


def interrupt_at(last: object, times: int = 1) -> Callable[[object], None]:
    """Return what ends a run after a step, when it has come to it so often."""
    left = times

    def on_step(step: object) -> None:
        nonlocal left
        left -= step is last
        if step is last and not left:
            raise Interrupted

    return on_step

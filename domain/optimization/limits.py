"""How many trials a search may have."""

from typing import Final

MAXIMUM_TRIALS: Final = 10_000


def trials_error(trials: int, folds: int, most: int = MAXIMUM_TRIALS) -> str | None:
    """Return what is wrong with a count of trials; None if nothing is. Each fold needs one at least."""
    if not 1 <= trials <= most:
        return f"{trials:,} trials are asked for; there can be from 1 to {most:,}."
    if trials < folds:
        return f"{trials} trials are too few for {folds} walk-forward folds, which share them; each needs one at least."
    return None

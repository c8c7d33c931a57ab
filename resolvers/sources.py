"""What one operation has read, so that its answer can be given again for as long as that hasn't changed."""

from collections.abc import Callable


class Sources:
    """Collects the sources of one answer while it is made.

    An answer is shared only if it says what it was made of, and nothing in it depends on who asks.
    """

    __slots__ = ("_checks", "_is_refused")

    def __init__(self) -> None:
        self._checks: list[Callable[[], bool]] = []
        self._is_refused = False

    def add(self, holds: Callable[[], bool]) -> None:
        """Note something that was read, by what tells whether it would be read again just the same."""
        self._checks.append(holds)

    def refuse(self) -> None:
        """Note that the answer mustn't be given to anybody else, or a second time."""
        self._is_refused = True

    @property
    def are_unchanged(self) -> bool:
        """Whether the same answer would be made now."""
        if self._is_refused or not self._checks:
            return False
        return all(holds() for holds in self._checks)

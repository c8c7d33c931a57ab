"""Errors in a rule or a definition, with their place and, if there is a similar one, the right name."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.core.errors import ErrorCode, InputError


class RuleError(Exception):
    """One error in a rule, at characters `start` to `end`, the latter not included.

    `suggestion`, if there is one, would be right in place of these characters.
    """

    def __init__(self, message: str, start: int, end: int, suggestion: str | None = None) -> None:
        self.message = message
        self.start = start
        self.end = end
        self.suggestion = suggestion
        super().__init__(message)

    def __repr__(self) -> str:
        place = f"start={self.start}, end={self.end}, suggestion={self.suggestion!r}"
        return f"{type(self).__name__}(message={self.message!r}, {place})"


class RuleErrors(Exception):
    """All errors found in a rule, at least one, in the order of their places."""

    def __init__(self, errors: Sequence[RuleError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: (error.start, error.end)))
        super().__init__("; ".join(error.message for error in self.errors))


class DefinitionError(InputError):
    """One error in a definition; `path` starts at the definition's own field, in the schema's spelling.

    `start` and `end` are character offsets into the rule named by `path`, None if the error isn't in a rule.
    """

    def __init__(
        self,
        message: str,
        path: Sequence[str],
        start: int | None = None,
        end: int | None = None,
        suggestion: str | None = None,
        code: ErrorCode = ErrorCode.STRATEGY_INVALID,
    ) -> None:
        super().__init__(code, message, path)
        self.start = start
        self.end = end
        self.suggestion = suggestion

    def under(self, prefix: Sequence[str]) -> "DefinitionError":
        """Return the same error with `prefix` before its path, such as `("input", "definition")`."""
        return DefinitionError(
            self.message, (*prefix, *(self.path or ())), self.start, self.end, self.suggestion, self.code
        )


@dataclass(frozen=True, slots=True)
class FunctionWarmUp:
    """How many candles a function needs by itself before its first right value; `function` has its parameters."""

    function: str
    candles: int


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Whether a definition can be run; `lookback` is the count of bars before its first signal, None if it can't be."""

    valid: bool
    lookback: int | None
    errors: tuple[DefinitionError, ...]
    warm_ups: tuple[FunctionWarmUp, ...] = ()

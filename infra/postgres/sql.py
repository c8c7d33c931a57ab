"""Builds the WHERE clause of a list from optional conditions."""

from collections.abc import Sequence

Condition = tuple[str, *tuple[object, ...]]
"""SQL with `{}` in the place of each of its values, and the values; a value of None leaves the condition out.

A statement of its own for each combination, rather than `$1 IS NULL OR …`, lets PostgreSQL see which index fits.
"""


def where(conditions: Sequence[Condition]) -> tuple[str, list[object]]:
    """Return ` WHERE …` and its arguments in order; an empty text if no condition has values."""
    texts: list[str] = []
    arguments: list[object] = []
    for text, *values in conditions:
        if None not in values:
            first = len(arguments) + 1
            texts.append(text.format(*(f"${first + offset}" for offset in range(len(values)))))
            arguments.extend(values)
    return (" WHERE " + " AND ".join(texts) if texts else ""), arguments

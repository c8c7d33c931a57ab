"""The WHERE of a list, built from what the caller wants."""

from collections.abc import Sequence

Condition = tuple[str, object]
"""SQL with `{}` in the place of its value, and the value; the value None leaves the condition out.

A statement of its own for each combination, rather than `$1 IS NULL OR …`, lets PostgreSQL see which index fits.
"""


def where(conditions: Sequence[Condition | tuple[str, object, object]]) -> tuple[str, list[object]]:
    """Return ` WHERE …` (at least one condition stays) and the arguments that it names, in their order.

    A condition of two values has `{}` twice.
    """
    texts: list[str] = []
    arguments: list[object] = []
    for text, *values in conditions:
        if None not in values:
            first = len(arguments) + 1
            texts.append(text.format(*(f"${first + offset}" for offset in range(len(values)))))
            arguments.extend(values)
    return " WHERE " + " AND ".join(texts), arguments

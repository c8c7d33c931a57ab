"""Names: suggestions for misspelt ones, and the API's spelling."""

import re
from collections.abc import Iterable

_TINY, _SHORT, _LONG = 3, 6, 9


def camel_case(name: str) -> str:
    """Return the API's name of a field."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def closest_match(name: str, names: Iterable[str]) -> str | None:
    """Return which of `names` was most likely meant by `name`; None if none is close enough. Case doesn't matter.

    A slip is a letter that is missing, too many, wrong, or swapped with its neighbour: one is allowed in up to 6
    letters, two in up to 9, three in more. A name of up to 3 letters must begin with the same letter as the suggestion.
    """
    word = name.lower()
    allowed = 1 if len(word) <= _SHORT else 2 if len(word) <= _LONG else 3
    found = [(distance, known) for known in names if (distance := _distance(word, known.lower(), allowed)) <= allowed]
    if len(word) <= _TINY:
        found = [(distance, known) for distance, known in found if known[:1].lower() == word[:1]]
    return min(found, key=lambda match: match[0])[1] if found else None


def _distance(word: str, known: str, most: int) -> int:
    """Return the optimal string alignment distance of two words, `most` + 1 if it is longer (Boytsov 2011, 2.3)."""
    if abs(len(word) - len(known)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(known) + 1))
    for row, letter in enumerate(word, 1):
        line = [row]
        for column, other in enumerate(known, 1):
            cost = min(last[column] + 1, line[column - 1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == known[column - 2] and word[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, last = last, line
    return last[-1]

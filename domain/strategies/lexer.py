"""Checks a rule's length, characters, tokens and brackets before Python's parser gets it.

Only ASCII passes, so byte and character offsets are the same from here on, no identifier is rewritten by Unicode
normalisation, and no two that look alike are different. Only tokens of the language pass, so the parser never warns.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from domain.core.text import closest_match
from domain.strategies.errors import RuleError

MAX_LENGTH = 2_000
MAX_NESTING = 50

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>"[^"\\\r\n]*"|'[^'\\\r\n]*')
      | (?P<wrong>&&|\|\||!(?!=)|[&|^~@;$?`#\\'"]|[<>]{2}|<>|->|:=)
      | (?P<operator>\*\*|//|[<>=!]=|[-+*/%<>=(),.:\[\]{}])""",
    re.VERBOSE,
)
_WORDS = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "~": "not", "^": "**", "<>": "!="}
_SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "≥": ">=", "≤": "<=", "≠": "!=", "∧": "and", "∨": "or", "¬": "not"}  # noqa: E501, RUF001  # fmt: skip
_PAIRS = {")": "(", "]": "[", "}": "{"}


def check_tokens(rule: str, names: Iterable[str]) -> None:
    """Raise `RuleError` at the first token that a rule can't have; `names` are those to suggest from."""
    if len(rule) > MAX_LENGTH:
        message = f"The rule has {len(rule):,} characters; at most {MAX_LENGTH:,} are allowed."
        raise RuleError(message, MAX_LENGTH, len(rule))
    if not rule.strip():
        raise RuleError("The rule is empty; write a condition such as close > sma(close, 20).", 0, len(rule))
    _check_characters(rule, names)
    tokens = list(_tokens(rule))
    for token in tokens:
        _check_token(token)
    for left, right in pairwise(token for token in tokens if token.lastgroup != "space"):
        _check_neighbours(left, right)
    _check_brackets(tokens)


def _check_characters(rule: str, names: Iterable[str]) -> None:
    place = next((place for place, sign in enumerate(rule) if not (" " <= sign <= "~" or sign in "\t\r\n")), None)
    if place is None:
        return
    sign = rule[place]
    if sign in _SIGNS:
        raise RuleError(f"{sign} can't be read; write {_SIGNS[sign]}.", place, place + 1, _SIGNS[sign])
    start, end = _word_around(rule, place)
    word = unicodedata.normalize("NFKC", rule[start:end])
    suggestion = word if word.isascii() and word in names else closest_match(word[:50], names)
    message = f"{sign!a} at character {place} can't be read: a rule is written in ASCII letters, digits and signs."
    raise RuleError(message, start, end, suggestion)


def _word_around(rule: str, place: int) -> tuple[int, int]:
    start = end = place
    while start > 0 and (rule[start - 1].isalnum() or rule[start - 1] == "_"):
        start -= 1
    while end < len(rule) and (rule[end].isalnum() or rule[end] == "_"):
        end += 1
    return (start, end) if end > place else (place, place + 1)


def _tokens(rule: str) -> Iterable[re.Match[str]]:
    place = 0
    while place < len(rule):
        token = _TOKEN.match(rule, place)
        if token is None:
            raise RuleError(f"{rule[place]!a} can't be read here.", place, place + 1)
        yield token
        place = token.end()


def _check_token(token: re.Match[str]) -> None:
    text = token.group()
    if token.lastgroup == "wrong":
        word = _WORDS.get(text)
        message = f"{text} isn't part of the rule language" + (f"; write {word}." if word else ".")
        raise RuleError(message, *token.span(), word)
    if token.lastgroup == "name" and text in {"AND", "OR", "NOT", "And", "Or", "Not"}:
        raise RuleError(f"Write {text.lower()} in lower case.", *token.span(), text.lower())
    if token.lastgroup == "number" and float(text) == float("inf"):
        raise RuleError("The number is too large; numbers reach up to 1.7e308.", *token.span())


def _check_neighbours(left: re.Match[str], right: re.Match[str]) -> None:
    words = {"number", "name"}
    if left.lastgroup == "number" and right.lastgroup in words and left.end() == right.start():
        raise RuleError(f"{left.group()}{right.group()} is not a number.", left.start(), right.end())


def _check_brackets(tokens: Iterable[re.Match[str]]) -> None:
    opened: list[re.Match[str]] = []
    for token in tokens:
        sign = token.group()
        if token.lastgroup != "operator":
            continue
        if sign in _PAIRS:
            if not opened or opened[-1].group() != _PAIRS[sign]:
                raise RuleError(f"{sign} closes nothing that was opened.", *token.span())
            opened.pop()
        elif sign in _PAIRS.values():
            opened.append(token)
            if len(opened) > MAX_NESTING:
                raise RuleError(f"The rule is nested deeper than {MAX_NESTING} brackets.", *token.span())
    if opened:
        raise RuleError(f"{opened[-1].group()} is never closed.", *opened[-1].span())

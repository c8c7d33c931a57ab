"""Builds markup of HTML and SVG; text is escaped unless it is markup itself."""

from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"meta", "link", "br", "hr"})


class Markup(str):
    """Text that is markup already; only this module makes it of other text, escaped."""

    __slots__ = ()


def join(parts: Iterable[Markup | str]) -> Markup:
    """Return the parts one after the other; those that aren't markup are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def tag(name: str, /, *content: Markup | str, **attributes: str | float | None) -> Markup:
    """Return an element; `class_` and `data_x` are the attributes class and data-x, and None leaves one out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_written(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(content)}</{name}>")


def table(head: Iterable[Markup | str], rows: Iterable[Iterable[Markup | str]], class_: str | None = None) -> Markup:
    """Return a table; a cell that isn't a `td` already becomes one."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head)))
    body = tag("tbody", *(tag("tr", *(_cell(cell) for cell in row)) for row in rows))
    return tag("div", tag("table", top, body, class_=class_), class_="wide")


def _cell(cell: Markup | str) -> Markup:
    return cell if isinstance(cell, Markup) and cell.startswith(("<td", "<th")) else tag("td", cell)


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")

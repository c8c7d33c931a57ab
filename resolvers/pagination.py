"""The arguments of every connection."""

from dataclasses import dataclass

from domain.core.pagination import DEFAULT_PAGE


@dataclass(frozen=True, slots=True)
class PageArguments:
    """The four arguments of every connection, unchecked; `default` is the size of a page if none is given."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    default: int = DEFAULT_PAGE

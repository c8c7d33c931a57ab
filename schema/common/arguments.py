"""Groups of arguments that a resolver receives as one value, such as those of a page, and fields that use them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments

NESTED_PAGE: Final = 10
"""The default size of a page in a list of an object that is itself an item of lists."""

First = Annotated[
    int | None,
    strawberry.argument(
        description=(
            "The size of the page, from the start of the list. The default is 50, the maximum 100 (1,000 for candles "
            "and trades). Not valid together with `last`."
        )
    ),
]
FirstOfNested = Annotated[
    int | None,
    strawberry.argument(
        description=(
            "The size of the page, from the start of the list. The default is 10, the maximum 100. Not valid together "
            "with `last`."
        )
    ),
]
After = Annotated[str | None, strawberry.argument(description="The page starts after the item with this cursor.")]
Last = Annotated[
    int | None,
    strawberry.argument(
        description=(
            "The size of the page, from the end of the list. The maximum is 100 (1,000 for candles and trades). Not "
            "valid together with `first`."
        )
    ),
]
Before = Annotated[str | None, strawberry.argument(description="The page ends before the item with this cursor.")]
OrderBy = Annotated[
    TimeOrder,
    strawberry.argument(
        description="The order of the list. A cursor is only valid with the order in which it was returned."
    ),
]


class ArgumentGroup(FieldExtension):
    """Makes one parameter of a resolver from several GraphQL arguments.

    `make` declares the arguments by its own parameters and returns the value. The arguments take the parameter's place.
    """

    def __init__(self, parameter: str, make: Callable[..., object]) -> None:
        self._parameter = parameter
        self._make = make
        self._arguments = StrawberryResolver(make).arguments
        self._names = {argument.python_name for argument in self._arguments}

    def apply(self, field: StrawberryField) -> None:
        """Put the arguments in the place of the parameter."""
        field.arguments = [
            part
            for argument in field.arguments
            for part in (self._arguments if argument.python_name == self._parameter else [argument])
        ]

    def map_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the resolver's parameters for the arguments of the field."""
        own = {name: value for name, value in kwargs.items() if name in self._names}
        others = {name: value for name, value in kwargs.items() if name not in self._names}
        return {**others, self._parameter: self._make(**own)}


def connection_field(
    graphql_type: object,
    *,
    description: str,
    nested: bool = False,
    metadata: Mapping[str, object] | None = None,
    **groups: Callable[..., object],
) -> Any:  # noqa: ANN401  # as `strawberry.field`
    """Declare a field that returns a page of a list. Its resolver receives the page's arguments as `page`.

    A nested list has pages of 10 items by default instead of 50. Each further group names a parameter of the resolver
    and the function that makes it: see `ArgumentGroup`.
    """
    page = _nested_page if nested else _page
    return strawberry.field(
        graphql_type=graphql_type,
        description=description,
        # The cost of a document is computed from the default size of the page.
        metadata={**(metadata or {}), "default_page": NESTED_PAGE} if nested else metadata,
        extensions=[ArgumentGroup(parameter, make) for parameter, make in {"page": page, **groups}.items()],
    )


def _page(first: First = None, after: After = None, last: Last = None, before: Before = None) -> PageArguments:
    return PageArguments(first, after, last, before)


def _nested_page(
    first: FirstOfNested = None, after: After = None, last: Last = None, before: Before = None
) -> PageArguments:
    return PageArguments(first, after, last, before, NESTED_PAGE)

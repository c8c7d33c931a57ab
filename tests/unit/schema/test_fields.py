"""Fields and types that the schema declares by helpers: pages, groups of arguments, connections, states of events."""

from dataclasses import dataclass, replace
from typing import Annotated

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from domain.core.pagination import CursorScope, Page, page_request, slice_page
from resolvers.pagination import PageArguments
from schema.common.arguments import NESTED_PAGE, connection_field
from schema.common.pagination import connection
from schema.common.scalars import SCALARS
from schema.common.states import state_of


@dataclass(frozen=True)
class Item:
    id: int


@strawberry.type
class ThingFacts:
    @strawberry.field
    def number(self) -> int:
        return self.id


@strawberry.type
class Thing(ThingFacts):
    is_type_of = staticmethod(lambda value, _info: isinstance(value, Item))


@state_of(Thing)
class ThingState(ThingFacts): ...


@dataclass(frozen=True)
class Range:
    above: int = 0
    below: int = 10**6


ThingConnection = connection(Thing, "things", counted=False)
CountedConnection = connection(ThingState, "states")


def range_of(above: Annotated[int, strawberry.argument(description="The lower end.")] = 0, below: int = 10**6) -> Range:
    return Range(above, below)


def pages(page: PageArguments, selected: Range) -> Page[Item]:
    request = page_request(CursorScope("things"), page.first, page.after, page.last, page.before, default=page.default)
    items = [Item(number) for number in range(200) if selected.above < number < selected.below]
    return slice_page(request, items, lambda item: (str(item.id),))


@strawberry.type
class Query:
    @connection_field(ThingConnection | None, description="Things.", range=range_of)
    def things(self, page: PageArguments, range: Range, even: bool = False) -> Page[Item]:
        return pages(page, replace(range, above=range.above + 100) if even else range)

    @connection_field(ThingConnection | None, description="Things.", nested=True)
    async def nested(self, page: PageArguments) -> Page[Item]:
        return pages(page, Range())

    @connection_field(CountedConnection, description="States.")
    def states(self, page: PageArguments) -> Page[Item]:
        return pages(page, Range())


SCHEMA = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))


async def numbers(selection: str) -> list[int]:
    result = await SCHEMA.execute(f"{{ {selection} {{ nodes {{ number }} }} }}")
    assert result.errors is None
    (page,) = result.data.values()
    return [node["number"] for node in page["nodes"]]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("things(first: 2)", [1, 2]),
        ("things(last: 2, below: 10)", [8, 9]),
        ("things(first: 2, above: 7, even: true)", [108, 109]),
        ("nested(first: 3)", [1, 2, 3]),
    ],
)
async def test_a_resolver_receives_each_group_of_arguments_as_one_value(selection: str, expected: list[int]) -> None:
    assert await numbers(selection) == expected


async def test_a_nested_list_has_shorter_pages_by_default() -> None:
    assert (len(await numbers("things")), len(await numbers("nested"))) == (50, NESTED_PAGE)


def test_the_arguments_of_a_group_take_the_place_of_the_parameter() -> None:
    fields = SCHEMA._schema.query_type.fields
    assert list(fields["things"].args) == ["first", "after", "last", "before", "above", "below", "even"]
    assert fields["things"].args["above"].description == "The lower end."


def test_a_connection_names_and_describes_its_two_types() -> None:
    types = SCHEMA._schema.type_map
    assert types["ThingConnection"].description == "One page of a list of things."
    assert types["ThingEdge"].description == "An item of a list of things, with its cursor."
    assert list(types["ThingConnection"].fields) == ["edges", "nodes", "pageInfo"]
    assert list(types["ThingStateConnection"].fields) == ["edges", "nodes", "pageInfo", "totalCount"]


def test_a_state_has_the_fields_of_the_live_type_its_id_and_the_current_object() -> None:
    state = SCHEMA._schema.type_map["ThingState"]
    assert {name: str(field.type) for name, field in state.fields.items()} == {
        "number": "Int!",
        "id": "ID!",
        "current": "Thing!",
    }
    assert state.fields["current"].description == "The thing as it is now."

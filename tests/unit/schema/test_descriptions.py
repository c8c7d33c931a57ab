"""The schema describes itself, and its types know what they serve."""

from collections.abc import Iterator

from graphql import GraphQLObjectType
from graphql import GraphQLSchema as CoreSchema

from schema import build_schema

CORE: CoreSchema = build_schema()._schema
MUTATION_ARGUMENTS = {"id", "input"}


def undescribed() -> Iterator[str]:
    """Name every type, field and argument without a description; `id` and `input` speak for themselves."""
    for name, kind in CORE.type_map.items():
        if name.startswith("__"):
            continue
        if not kind.description:
            yield name
        for field_name, field in getattr(kind, "fields", {}).items():
            if not field.description:
                yield f"{name}.{field_name}"
            for argument_name, argument in getattr(field, "args", {}).items():
                if not argument.description and argument_name not in MUTATION_ARGUMENTS:
                    yield f"{name}.{field_name}({argument_name})"


def test_everything_in_the_schema_is_described() -> None:
    assert list(undescribed()) == []


def test_object_types_behind_an_interface_or_in_a_union_know_what_they_serve() -> None:
    guessing = [
        name
        for name, kind in CORE.type_map.items()
        if isinstance(kind, GraphQLObjectType)
        and any(one.name == "Node" for one in kind.interfaces)
        and kind.is_type_of is None
    ]
    assert guessing == []

"""Mutations: their payloads, the scope that they need, and errors in their input as data."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

import strawberry

from domain.core.errors import InputError, InputErrors
from domain.model.users import ApiScope
from schema.common.errors import UserError, user_error
from schema.common.types import Info

T = TypeVar("T")
Fields = Mapping[str, object]
"""The fields of a payload by their Python names, as domain objects."""

INPUT: Final = strawberry.argument(description="The input of the mutation.")
"""The argument `input` of every mutation. The description of its type says the rest."""


@strawberry.type
class Payload:
    errors: list[UserError] = strawberry.field(
        description="All errors in the input. The list is empty if the mutation succeeded."
    )


def mutation(
    payload: type, *, scope: ApiScope | None, description: str, **defaults: object
) -> Callable[[Callable[..., Awaitable[Fields]]], Any]:
    """Declare a mutation that needs `scope` (None: anybody may call it) and returns `payload`.

    The resolver returns the payload's fields. If it raises the domain's input errors, they become the payload's
    `errors`; its other fields are null, or as in `defaults`. The mutation is nullable, so that an error of the request
    takes nothing away from the mutations beside it.

    @mutation(OrderCancelPayload, scope=ApiScope.TRADE, description="Cancel an order.")
    async def order_cancel(self, info: Info, id: strawberry.ID) -> Fields: ...
    """

    def decorate(resolver: Callable[..., Awaitable[Fields]]) -> Any:  # noqa: ANN401  # as strawberry.mutation
        @functools.wraps(resolver)
        async def resolve(root: object, info: Info, **arguments: object) -> object:
            if scope is not None:
                info.context.require(scope)
            # What the mutations before this one in the document have loaded may be what this one changes.
            info.context.reset_loaders()
            try:
                return build_payload(payload, await resolver(root, info, **arguments))
            except InputError as error:
                return build_payload(payload, {**defaults, "errors": [user_error(error)]})
            except InputErrors as errors:
                return build_payload(payload, {**defaults, "errors": [user_error(error) for error in errors.errors]})

        return strawberry.mutation(graphql_type=payload | None, description=description, metadata={"scope": scope})(
            resolve
        )

    return decorate


def build_payload(payload: type[T], values: Fields) -> T:
    """Return a payload of domain objects, which stand for the types as which they are served; other fields are null."""
    nulls = {field.name: None for field in fields(payload) if field.name != "errors"}  # type: ignore[arg-type]  # a strawberry type
    return payload(**{"errors": [], **nulls, **values})

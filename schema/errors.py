"""Errors as data in payloads, and the public face of errors at the top level."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any, Final, ParamSpec, TypeVar
from uuid import uuid4

import strawberry
import structlog
from graphql import GraphQLError, GraphQLFormattedError, GraphQLSchema, Undefined
from graphql.utilities.print_schema import print_schema_definition
from strawberry.types.execution import ExecutionContext

from domain.core import errors as domain_errors

log = structlog.stdlib.get_logger("r3edge.graphql")

P = ParamSpec("P")
T = TypeVar("T")


@strawberry.interface(
    description=(
        'An error that the caller can correct. `path` starts at the argument, such as ["input", "definition", '
        '"enterLong"]. An index of a list is written as a string.'
    )
)
class UserError:
    """The interface of all errors in payloads."""

    code: domain_errors.ErrorCode = strawberry.field(description="The kind of error, for programs.")
    message: str = strawberry.field(
        description="The error in words: what is wrong, with which value, and what would be right."
    )
    path: list[str] | None = strawberry.field(
        description="The place of the error in the arguments. Null if it has no place there."
    )


@strawberry.type(description="An error in an argument.")
class InputError(UserError):
    """The schema's face of `domain.core.errors.InputError`."""


INPUT: Final = strawberry.argument(description="The input of the mutation.")
"""The description of the `input` of every mutation; its type says the rest."""


@strawberry.type
class Payload:
    """The base of the payloads of all mutations."""

    errors: list[UserError] = strawberry.field(
        description="All errors in the input. The list is empty if the mutation succeeded."
    )


_listeners: list[Callable[[str], None]] = []

_faces: dict[type[Exception], type[UserError]] = {domain_errors.InputError: InputError}


def shows_error(domain_class: type[Exception]) -> Callable[[type[T]], type[T]]:
    """Serve a domain error class as the decorated type, which reads its own fields from the error by name.

    @shows_error(DefinitionError)
    @strawberry.type
    class StrategyDefinitionError(UserError):
        start: int | None
    """

    def register(face: type[T]) -> type[T]:
        _faces[domain_class] = face  # type: ignore[assignment]  # it implements the interface, or the schema fails
        return face

    return register


def listen_to_codes(listener: Callable[[str], None]) -> None:
    """Have `listener` told the code of every error that a client is told, at the top or as data."""
    _listeners.append(listener)


def _tell_code(code: object) -> None:
    for listener in _listeners:
        listener(str(code))


def user_error(error: Exception) -> UserError:
    """Return a domain error as data: of the type that the nearest of its classes was registered with."""
    face = next(_faces[cls] for cls in type(error).__mro__ if cls in _faces)
    _tell_code(getattr(error, "code", None))
    values = {field.name: getattr(error, field.name) for field in fields(face)}
    if values["path"] is not None:
        values["path"] = list(values["path"])
    return face(**values)


def answer(payload: type[T], **values: object) -> T:
    """Return a payload with domain objects in the place of the types that they are served as."""
    return payload(**{"errors": [], **_nulls(payload), **values})


def payload(
    payload_type: type[T], **defaults: object
) -> Callable[[Callable[P, Awaitable[T | None]]], Callable[P, Awaitable[T | None]]]:
    """Answer the domain's input errors with the payload: null for all else, or `defaults`, and the errors as data.

    The field is nullable, so that a fault of the request takes nothing away from the mutations beside it.

    @strawberry.mutation
    @payload(UserRegisterPayload)
    async def user_register(self, info: Info, input: UserRegisterInput) -> UserRegisterPayload | None: ...
    """

    def decorate(resolver: Callable[P, Awaitable[T | None]]) -> Callable[P, Awaitable[T | None]]:
        @functools.wraps(resolver)
        async def resolve(*args: P.args, **kwargs: P.kwargs) -> T | None:
            try:
                return await resolver(*args, **kwargs)
            except domain_errors.InputError as error:
                return answer(payload_type, **{**defaults, "errors": [user_error(error)]})
            except domain_errors.InputErrors as errors:
                return answer(payload_type, **{**defaults, "errors": [user_error(error) for error in errors.errors]})

        return resolve

    return decorate


def _nulls(payload_type: type) -> dict[str, None]:
    return {field.name: None for field in fields(payload_type) if field.name != "errors"}


DESCRIPTION: Final = (
    "The API of a self-hosted trading engine: market data, accounts, orders, strategies, trading sessions and reports, "
    "with live subscriptions that continue without a gap after an interruption.\n\n"
    "Market data is public. All other data is private: it is below `viewer`, or found by its `id`. An object of "
    "another user is treated as if it didn't exist. To sign in, send a token of `userLogin` or an API key as "
    "`Authorization: Bearer …`.\n\n"
    "Errors in the input of a mutation are in the `errors` of its payload. Errors of the request itself are top-level "
    "errors, with a code in `extensions.code` (see `ErrorCode`). A field that fails is null and doesn't affect the "
    "fields beside it.\n\n"
    'Money, prices and quantities are decimals in strings. Anything that is marked as "Not supported yet" results in '
    "the error UNSUPPORTED."
)


class EngineSchema(strawberry.Schema):
    """A schema that logs nothing by itself: `public_error` decides what is told to whom."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # those of its base
        super().__init__(*args, **kwargs)
        self._schema.description = DESCRIPTION
        _drop_null_defaults(self._schema)

    def as_str(self) -> str:
        """Return the printed schema; strawberry's printer leaves the schema's own description out."""
        roots = print_schema_definition(self._schema) or ""
        return f"{roots}\n\n{super().as_str()}"

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave errors to `public_error`, which sees every one of them once."""


def _drop_null_defaults(schema: GraphQLSchema) -> None:
    """Let no printed default be null: it would say that null is the same as nothing, which in an update it is not."""
    for kind in schema.type_map.values():
        for field in getattr(kind, "fields", {}).values():
            for value in (field, *getattr(field, "args", {}).values()):
                if getattr(value, "default_value", Undefined) is None:
                    value.default_value = Undefined


def public_error(error: GraphQLError) -> GraphQLFormattedError:
    """Return what a client may know of a top-level error, with `extensions.code`.

    Faults of the request and mistakes in the document pass as they are; anything else is a bug: it goes to the log
    under an id, and the client gets the id alone.
    """
    cause = _cause(error)
    if isinstance(cause, domain_errors.RequestFault):
        return _formatted(error, cause.message, {**cause.extensions, "code": cause.code.value})
    if isinstance(cause, domain_errors.InputError):
        return _formatted(error, cause.message, {"code": cause.code.value})
    if isinstance(cause, domain_errors.InputErrors):
        return _formatted(error, " ".join(each.message for each in cause.errors), {"code": cause.errors[0].code.value})
    if cause is None or error.path is None:
        return _formatted(error, error.message, {"code": domain_errors.FaultCode.INVALID.value, **_extensions(error)})
    return _masked(error, cause)


def _cause(error: GraphQLError) -> Exception | None:
    cause: Exception | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _extensions(error: GraphQLError) -> dict[str, object]:
    return dict(error.extensions or {})


def _masked(error: GraphQLError, cause: Exception) -> GraphQLFormattedError:
    error_id = uuid4().hex
    log.error("resolver_failed", error_id=error_id, path=error.path, exc_info=cause)
    return _formatted(error, "Internal error", {"code": "INTERNAL", "errorId": error_id})


def _formatted(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLFormattedError:
    _tell_code(extensions["code"])
    formatted = error.formatted
    formatted["message"] = message
    formatted["extensions"] = extensions
    return formatted

"""Errors as data in payloads, and the public form of errors at the top level."""

from collections.abc import Callable
from dataclasses import fields
from typing import TypeVar
from uuid import uuid4

import strawberry
import structlog
from graphql import GraphQLError, GraphQLFormattedError

from domain.core import errors as domain_errors

log = structlog.stdlib.get_logger("r3edge.graphql")

T = TypeVar("T")


@strawberry.interface(
    description=(
        'An error that the caller can correct. `path` starts at the argument, such as ["input", "definition", '
        '"enterLong"]. An index of a list is written as a string.'
    )
)
class UserError:
    code: domain_errors.ErrorCode = strawberry.field(description="The kind of error, for programs.")
    message: str = strawberry.field(
        description="The error in words: what is wrong, with which value, and what would be right."
    )
    path: list[str] | None = strawberry.field(
        description="The place of the error in the arguments. Null if it has no place there."
    )


@strawberry.type(description="An error in an argument.")
class InputError(UserError): ...


_LISTENERS: list[Callable[[str], None]] = []

_ERROR_TYPES: dict[type[Exception], type[UserError]] = {domain_errors.InputError: InputError}


def error_type(domain_class: type[Exception]) -> Callable[[type[T]], type[T]]:
    """Serve a domain error class as the decorated type, which reads its own fields from the error by name.

    @error_type(DefinitionError)
    @strawberry.type
    class StrategyDefinitionError(UserError):
        start: int | None
    """

    def register(shown: type[T]) -> type[T]:
        _ERROR_TYPES[domain_class] = shown  # type: ignore[assignment]  # it implements the interface, or the schema fails
        return shown

    return register


def listen_to_codes(listener: Callable[[str], None]) -> None:
    """Call `listener` with the code of every error that is sent to a client, at the top level or as data."""
    _LISTENERS.append(listener)


def _report_code(code: object) -> None:
    for listener in _LISTENERS:
        listener(str(code))


def user_error(error: Exception) -> UserError:
    """Return a domain error as data, of the type that is registered for the nearest of its classes."""
    shown = next(_ERROR_TYPES[cls] for cls in type(error).__mro__ if cls in _ERROR_TYPES)
    _report_code(getattr(error, "code", None))
    values = {field.name: getattr(error, field.name) for field in fields(shown)}
    if values["path"] is not None:
        values["path"] = list(values["path"])
    return shown(**values)


def public_error(error: GraphQLError) -> GraphQLFormattedError:
    """Return what a client may know of a top-level error, with `extensions.code`.

    Faults of the request and errors in the document pass as they are. Anything else is a bug: it is logged under an
    id, and the client gets only the id.
    """
    cause = _cause(error)
    if isinstance(cause, domain_errors.RequestFault):
        return _formatted(error, cause.message, {**cause.extensions, "code": cause.code.value})
    if isinstance(cause, domain_errors.InputError):
        return _formatted(error, cause.message, {"code": cause.code.value})
    if isinstance(cause, domain_errors.InputErrors):
        return _formatted(error, " ".join(part.message for part in cause.errors), {"code": cause.errors[0].code.value})
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
    _report_code(extensions["code"])
    formatted = error.formatted
    formatted["message"] = message
    formatted["extensions"] = extensions
    return formatted

"""What is wrong with an operation, in the form in which every transport reports it."""

from graphql import GraphQLError, GraphQLFormattedError

from domain.core.errors import FaultCode, RequestFault
from schema.common.errors import public_error


class RequestErrors(Exception):
    """An operation that can't be executed, or that has ended, with all that is wrong with it."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        self.errors = errors
        super().__init__("; ".join(error.message for error in errors))


class PersistedQueryNotFound(RequestErrors):
    """No document has the hash that a client sent by Apollo's protocol: it has to send the document too.

    Apollo's server answers this, and nothing else that can't be executed, with 200, which some of its clients rely on.
    """

    def __init__(self) -> None:
        code = {"code": "PERSISTED_QUERY_NOT_FOUND"}
        super().__init__([GraphQLError("PersistedQueryNotFound", extensions=code)])


def errors_from_fault(fault: RequestFault) -> RequestErrors:
    """Return a fault as errors of the whole operation, without a path."""
    return RequestErrors([GraphQLError(fault.message, original_error=fault)])


def to_request_errors(error: Exception) -> RequestErrors:
    """Return the errors for whatever an operation raised; what the client must not know is masked when it is sent."""
    if isinstance(error, RequestErrors):
        return error
    if isinstance(error, RequestFault):
        return errors_from_fault(error)
    return RequestErrors([GraphQLError("", path=["operation"], original_error=error)])


def public_errors(errors: RequestErrors) -> list[GraphQLFormattedError]:
    """Return what a client may know of the errors."""
    return [public_error(error) for error in errors.errors]


def reason_of(errors: list[GraphQLFormattedError]) -> str:
    """Return the code of the first error, by which refused requests are counted."""
    code = errors[0].get("extensions", {}).get("code") if errors else None
    return str(code or FaultCode.INVALID)


def slow_reader_fault(cursor: str | None) -> RequestFault:
    """Return the fault of a reader whose stream was ended; it can resume after `cursor`, if there is one."""
    extensions: dict[str, str | int | float] = {"cursor": cursor} if cursor else {}
    return RequestFault(FaultCode.SLOW_READER, "The reader is too slow; subscribe again after the cursor.", extensions)

"""Describes the domain's enums, and the enums that all areas use."""

from collections.abc import Mapping
from enum import Enum

import strawberry

from domain.core.errors import ErrorCode
from resolvers.lists import TimeOrder


def describe_enum(kind: type[Enum], description: str, values: Mapping[str, str], *, name: str | None = None) -> None:
    """Serve an enum of the domain under `name`, by default its own; `values` has the description of each value's name.

    Raises `ValueError` if a value has no description, or a description has no value.
    """
    if set(values) != {member.name for member in kind}:
        raise ValueError(f"{kind.__name__} is described by {sorted(values)} and has {[member.name for member in kind]}")
    strawberry.enum(kind, name=name, description=description)
    definition = kind.__strawberry_definition__  # type: ignore[attr-defined]  # which strawberry.enum has set
    for value in definition.values:
        value.description = values[value.name]


describe_enum(
    ErrorCode,
    (
        "The code of an error in the input of a mutation, in the `errors` of its payload.\n\nErrors of the request "
        "itself are top-level errors instead, with one of these codes in `extensions.code`: UNAUTHENTICATED (the "
        "caller isn't signed in), FORBIDDEN (the API key lacks a scope, or the user a role), RATE_LIMITED (there were "
        "too many operations), LIMIT_REACHED (the plan doesn't reach so far back), UNAVAILABLE (a part of the engine "
        "can't be reached now; the same request may succeed later), CURSOR_TOO_OLD (the events after the cursor no "
        "longer exist), SLOW_READER (the stream ended because "
        "the client read too slowly), OPERATION_TOO_COMPLEX (the document exceeds a limit), "
        "PERSISTED_QUERY_NOT_FOUND (send the document with its hash), PERSISTED_QUERY_NOT_IN_LIST (this engine runs "
        "only documents that its operator has added) and INTERNAL (the engine failed; its log has the details under "
        "`errorId`). INVALID and NOT_FOUND are also codes of top-level errors: for a document, an "
        "argument of a query or a subscription, or a cursor that is not valid."
    ),
    {
        "INVALID": "A value is not valid. The message says which values are.",
        "NOT_FOUND": "There is no object with this id, it belongs to another user, or there is no such market.",
        "CONFLICT": (
            "The current state doesn't allow it: the idempotency key was used with another input, somebody changed "
            "the object in between, or the object has reached a final status."
        ),
        "LIMIT_REACHED": "A limit of the plan or of the engine is reached, such as the number of trading sessions.",
        "UNSUPPORTED": "The input is valid, but the engine or the venue doesn't support it, or doesn't support it yet.",
        "EMAIL_TAKEN": "Another user has this email address.",
        "PASSWORD_TOO_WEAK": "The password is too short, or it is one of the most common passwords.",
        "CREDENTIALS_REJECTED": (
            "The email address, the password or a code is wrong, or the venue rejects the credentials."
        ),
        "CONFIRMATION_REQUIRED": (
            "The sign-in of the login session isn't recent: confirm it by `loginSessionConfirm`, or sign in again."
        ),
        "TWO_FACTOR_REQUIRED": (
            "The password is right, and the user has two-factor authentication: sign in with `twoFactorCode` too."
        ),
        "USER_DISABLED": "The password is right, and an operator has disabled the user: ask them.",
        "STRATEGY_INVALID": "The strategy definition has an error. The error is a `StrategyDefinitionError`, with its "
        "position.",
        "ORDER_DENIED": (
            "The order failed risk checks and was not sent. It is stored with status DENIED, and its `denials` list "
            "all failed checks."
        ),
        "ORDER_REJECTED": "The venue rejected the order. It has status REJECTED, with `rejectCode` and `rejectReason`.",
        "ORDER_NOT_SENT": (
            "The order could not be sent in time, so it was not sent. It has status CANCELED, and its `cancelCode` is "
            "TOO_OLD or NOT_SENT. To try again, use another idempotency key."
        ),
    },
)


describe_enum(
    TimeOrder,
    "The order of a list, by the time at which its items were created.",
    {"NEWEST_FIRST": "The newest item comes first.", "OLDEST_FIRST": "The oldest item comes first."},
)

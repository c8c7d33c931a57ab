"""One answer to one key: a mutation called again with the same key and input gives what it gave before."""

import hashlib
from decimal import Decimal
from uuid import UUID

import msgspec

from domain.core.clock import Clock
from domain.core.errors import ErrorCode, InputError
from domain.core.money import plain
from domain.ports.unit_of_work import UnitOfWork

MAXIMUM_KEY_LENGTH = 128

_encode = msgspec.json.Encoder(order="deterministic").encode


def _with_plain_decimals(given: object) -> object:
    """Return an input as plain values, each number written one way: 7.50 and 7.5 are the same input."""
    if isinstance(given, Decimal):
        return plain(given)
    if isinstance(given, dict):
        return {key: _with_plain_decimals(value) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [_with_plain_decimals(value) for value in given]
    return given


def _digest(given: object) -> bytes:
    values = msgspec.to_builtins(given, builtin_types=(Decimal,), str_keys=True)
    return hashlib.sha256(_encode(_with_plain_decimals(values))).digest()


def _released_digest(given: object) -> bytes:
    """Return the digest that version 0.1 stored of an input: of its numbers as they were written."""
    return hashlib.sha256(_encode(given)).digest()


def validate_key(key: str) -> str:
    """Return the key; raises INVALID where it is empty, long or unprintable."""
    if not key or len(key) > MAXIMUM_KEY_LENGTH or not key.isprintable():
        raise InputError(
            ErrorCode.INVALID,
            f"idempotencyKey must have 1 to {MAXIMUM_KEY_LENGTH} printable characters, and has {len(key)}.",
            ("input", "idempotencyKey"),
        )
    return key


async def reserve(
    transaction: UnitOfWork, clock: Clock, user_id: UUID, operation: str, key: str, given: object, result_id: UUID
) -> UUID | None:
    """Return None where the key is new, and then `result_id` is what it stands for once the transaction commits.

    Where the key was used before, returns what it led to, or raises CONFLICT when the input (`given`, a dataclass) was
    another. Waits for a transaction that is claiming the same key.
    """
    digest = _digest(given)
    found = await transaction.idempotency.reserve(user_id, operation, validate_key(key), digest, result_id, clock.now())
    if found is None:
        return None
    known_digest, known_result = found
    if known_digest not in {digest, _released_digest(given)}:
        raise InputError(
            ErrorCode.CONFLICT,
            f"The idempotencyKey {key!r} was used for another input of {operation}; use a new key for a new request.",
            ("input", "idempotencyKey"),
        )
    return known_result

"""Idempotency keys: a mutation that is called again with the same key and input returns what it returned before."""

import hashlib
from decimal import Decimal
from uuid import UUID

import msgspec

from domain.core.clock import Clock
from domain.core.errors import ErrorCode, InputError
from domain.core.money import plain
from domain.ports.idempotency import KeyReservation
from domain.ports.unit_of_work import UnitOfWork

MAXIMUM_KEY_LENGTH = 128

_encode = msgspec.json.Encoder(order="deterministic").encode


def _with_plain_decimals(value: object) -> object:
    """Return an input with each number written in one way: 7.50 and 7.5 are the same input."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {key: _with_plain_decimals(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_with_plain_decimals(member) for member in value]
    return value


def _digest(request: object) -> bytes:
    values = msgspec.to_builtins(request, builtin_types=(Decimal,), str_keys=True)
    return hashlib.sha256(_encode(_with_plain_decimals(values))).digest()


def _digest_of_version_0_1(request: object) -> bytes:
    """Return the digest that version 0.1 stored of an input: of its numbers as they were written."""
    return hashlib.sha256(_encode(request)).digest()


def validate_key(key: str) -> str:
    """Return the key; raises INVALID if it is empty, too long or unprintable."""
    if not key or len(key) > MAXIMUM_KEY_LENGTH or not key.isprintable():
        raise InputError(
            ErrorCode.INVALID,
            f"idempotencyKey must have 1 to {MAXIMUM_KEY_LENGTH} printable characters, and has {len(key)}.",
            ("input", "idempotencyKey"),
        )
    return key


def reservation(clock: Clock, user_id: UUID, operation: str, key: str, request: object) -> KeyReservation:
    """Return the reservation of a key for an input (`request`, a dataclass), to be stored together with its result."""
    return KeyReservation(user_id, operation, validate_key(key), _digest(request), clock.now())


async def reserve(
    transaction: UnitOfWork, clock: Clock, user_id: UUID, operation: str, key: str, request: object, result_id: UUID
) -> UUID | None:
    """Return None if the key is new; once the transaction has committed, `result_id` is the result of the key.

    If the key was used before, returns its result, or raises CONFLICT if the input (`request`, a dataclass) was a
    different one. Waits for another transaction that is reserving the same key.
    """
    digest = _digest(request)
    found = await transaction.idempotency.reserve(user_id, operation, validate_key(key), digest, result_id, clock.now())
    if found is None:
        return None
    stored_digest, stored_result = found
    if stored_digest not in {digest, _digest_of_version_0_1(request)}:
        raise used_for_another_input(operation, key)
    return stored_result


def used_for_another_input(operation: str, key: str) -> InputError:
    """Return the error CONFLICT of a key that was used for a different input."""
    return InputError(
        ErrorCode.CONFLICT,
        f"The idempotencyKey {key!r} was used for another input of {operation}; use a new key for a new request.",
        ("input", "idempotencyKey"),
    )

"""Global ids: a type's name and a key as one opaque text."""

import base64
import binascii
from functools import lru_cache
from typing import Final
from uuid import UUID

_MAX_ID_CHARACTERS = 256
_REMEMBERED: Final = 4_096
"""Of so many objects the ids are kept: a page names the same few again and again."""


@lru_cache(_REMEMBERED, typed=True)
def encode_id(type_name: str, key: object) -> str:
    """Return the opaque global id of an object."""
    return base64.urlsafe_b64encode(f"{type_name}:{key}".encode()).rstrip(b"=").decode()


def decode_id(id: str) -> tuple[str, str] | None:
    """Return the type name and the key in a global id, or None if it isn't one."""
    if len(id) > _MAX_ID_CHARACTERS:
        return None
    try:
        text = base64.b64decode(id + "=" * (-len(id) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        return None
    type_name, colon, key = text.partition(":")
    return (type_name, key) if colon and type_name and key else None


def uuid_in(id: str, type_name: str) -> UUID | None:
    """Return the UUID in a global id of that type, or None if it isn't one or is of another type."""
    parts = decode_id(id)
    if parts is None or parts[0] != type_name:
        return None
    try:
        return UUID(parts[1])
    except ValueError:
        return None

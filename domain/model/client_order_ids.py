"""Client order ids: a hash of the cause of an order, so that one cause can't make two orders at the venue."""

import hashlib
from uuid import UUID

from domain.model.orders import OrderRole

PREFIX = "r3-"
_DIGITS = 32


def client_order_id(account_id: UUID, cause_kind: str, cause_id: str, role: OrderRole, ordinal: int) -> str:
    """Return the client order id for a cause: 35 characters of `[a-z0-9-]`.

    Binance accepts at most 36 characters of `[.A-Z:/a-z0-9_-]` as `newClientOrderId`. 128 bits of SHA-256 make a
    collision no concern. Each part is hashed with its length, so that two different causes never give the same bytes.
    """
    digest = hashlib.sha256()
    for part in (account_id.hex, cause_kind, cause_id, role.value, str(ordinal)):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return PREFIX + digest.hexdigest()[:_DIGITS]


def is_engine_order_id(client_order_id: str | None) -> bool:
    """Return whether an engine of this kind has made the id; it may be another installation."""
    return client_order_id is not None and client_order_id.startswith(PREFIX)

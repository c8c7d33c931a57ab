"""Client order ids: a hash of the cause of an order, so that one cause can't make two orders at the venue."""

import hashlib
import re
from enum import StrEnum
from uuid import UUID

from domain.model.orders import OrderRole

PREFIX = "r3-"
_DIGITS = 32
_HEXADECIMAL = re.compile(r"[0-9a-f]{32}")


class OrderIdForm(StrEnum):
    """The form in which a venue is sent the engine's client order ids.

    PREFIXED: as they are, 35 characters of `[a-z0-9-]`. HEXADECIMAL: without the prefix, 32 characters of `[0-9a-f]`,
    for venues that take no dash (OKX), or beside short texts only UUIDs (Kraken).
    """

    PREFIXED = "PREFIXED"
    HEXADECIMAL = "HEXADECIMAL"

    @property
    def length(self) -> int:
        """How many characters such an id has."""
        return _DIGITS if self is OrderIdForm.HEXADECIMAL else len(PREFIX) + _DIGITS

    def for_venue(self, client_order_id: str) -> str:
        """Return the id as it is sent to the venue; an id that the engine didn't make stays as it is."""
        bare = client_order_id.removeprefix(PREFIX)
        return bare if self is OrderIdForm.HEXADECIMAL and _HEXADECIMAL.fullmatch(bare) else client_order_id

    def from_venue(self, text: str) -> str:
        """Return the engine's id of what the venue reports; an id that can't be the engine's stays as it is."""
        return PREFIX + text if self is OrderIdForm.HEXADECIMAL and _HEXADECIMAL.fullmatch(text) else text


def client_order_id(account_id: UUID, cause_kind: str, cause_id: str, role: OrderRole, ordinal: int) -> str:
    """Return the client order id for a cause: 35 characters of `[a-z0-9-]`.

    Binance accepts at most 36 characters of `[.A-Z:/a-z0-9_-]` as `newClientOrderId`; what other venues are sent is
    `OrderIdForm`'s. 128 bits of SHA-256 make a collision no concern. Each part is hashed with its length, so that two
    different causes never give the same bytes.
    """
    digest = hashlib.sha256()
    for part in (account_id.hex, cause_kind, cause_id, role.value, str(ordinal)):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return PREFIX + digest.hexdigest()[:_DIGITS]


def is_engine_order_id(client_order_id: str | None) -> bool:
    """Return whether an engine of this kind has made the id; it may be another installation."""
    return client_order_id is not None and client_order_id.startswith(PREFIX)

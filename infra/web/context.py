"""What the transport hands to the composition root to learn who is asking, and what it needs to know of the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope

from infra.web.http.client_address import network_of


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """Where a request or a socket comes from."""

    address: str
    """The client's; what limits are counted by is its `network`."""

    request_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    opened_by_user: bool = False
    """Whether it is a shared stream that a user opened: what it follows counts as a user's."""

    @property
    def network(self) -> str:
        """The address, or the network of a customer that it belongs to."""
        return network_of(self.address)

    @classmethod
    def of(cls, scope: Scope) -> "ConnectionInfo":
        """Return the facts of an ASGI scope."""
        client = scope.get("client")
        request_id = scope.get("state", {}).get("request_id") or uuid4().hex
        return cls(client[0] if client else "", request_id, Headers(scope=scope))


class OperationContext(Protocol):
    """The part of the request context that the transport reads."""

    @property
    def client(self) -> str:
        """Whom limits are counted for: a user, or the network of a stranger."""
        ...

    @property
    def credential_id(self) -> str | None:
        """Which login session or API key was accepted; None for a stranger, whether without or with a bad token."""
        ...

    @property
    def credential_kind(self) -> str | None:
        """What was accepted: `login_session` or `api_key`; None for a stranger."""
        ...

    @property
    def principal_id(self) -> str | None:
        """The id of the user who asks, for the log; None for a stranger."""
        ...

    @property
    def credential_seconds_left(self) -> float | None:
        """For how long the credential is good; None where it doesn't expire (or there is none)."""
        ...


class ContextFactory(Protocol):
    """Makes the context of one operation; its loaders live as long as the operation and no longer."""

    async def __call__(self, credential: str | None, connection: ConnectionInfo) -> OperationContext:
        """Return the context for this bearer token; raise RequestFault where the operation may not run at all."""
        ...


def bearer(authorization: object) -> str | None:
    """Return the token of an `Authorization: Bearer …` value, or None where there is none.

    A value of another scheme is a credential too, one that nobody accepts: it is returned as it stands.
    """
    if not isinstance(authorization, str) or not authorization.strip():
        return None
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else authorization

"""What the transports give to the composition root to authenticate a client, and what they read of the result."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope

from domain.model.plans import Plan
from domain.users.request_rates import RequestLimit
from infra.web.connections.client_address import network_of
from resolvers.sources import Sources

MAX_USER_AGENT_CHARACTERS: Final = 256
_REMEMBERED: Final = 256
"""Of how many programs the name is kept as it is stored."""


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """The origin of a request or a socket."""

    address: str
    """The client's address; limits are counted by `network`."""

    request_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    opened_by_user: bool = False
    """Whether it is a shared stream that a user opened: the feeds that it subscribes to count as a user's."""

    @property
    def network(self) -> str:
        """The address, or for IPv6 the customer's network that it belongs to."""
        return network_of(self.address)

    @property
    def user_agent(self) -> str | None:
        """The program that the client says it is, as far as it is printable."""
        return _printable(self.headers.get("user-agent", ""))

    @classmethod
    def from_scope(cls, scope: Scope) -> "ConnectionInfo":
        """Return the origin of the request or socket of an ASGI scope."""
        client = scope.get("client")
        request_id = scope.get("state", {}).get("request_id") or uuid4().hex
        return cls(client[0] if client else "", request_id, Headers(scope=scope))


@lru_cache(_REMEMBERED)
def _printable(user_agent: str) -> str | None:
    text = "".join(character for character in user_agent if character.isprintable())
    return text[:MAX_USER_AGENT_CHARACTERS].strip() or None


class OperationContext(Protocol):
    """The part of the request context that the transports read."""

    sources: Sources | None
    """What collects the sources of an answer that may be shared, while it is made."""

    @property
    def sharing_scope(self) -> Hashable:
        """What public data depends on besides the document."""
        ...

    @property
    def client(self) -> str:
        """The key that limits are counted by: the user, or the network of an anonymous client."""
        ...

    @property
    def credential_id(self) -> str | None:
        """The id of the accepted login session or API key; None for an anonymous client, also with a bad token."""
        ...

    @property
    def credential_kind(self) -> str | None:
        """The kind of credential: `login_session` or `api_key`; None for an anonymous client."""
        ...

    @property
    def principal_id(self) -> str | None:
        """The user's id, for the log; None for an anonymous client."""
        ...

    @property
    def request_limits(self) -> Sequence[RequestLimit]:
        """What requests of the user are counted by; none for an anonymous client, who is counted by the address."""
        ...

    @property
    def plan(self) -> Plan | None:
        """The user's plan; None for an anonymous client."""
        ...

    @property
    def credential_seconds_left(self) -> float | None:
        """How long the credential stays valid; None if it doesn't expire, or there is none."""
        ...


class ContextFactory(Protocol):
    """Makes the context of one operation; its loaders live as long as the operation."""

    async def __call__(self, credential: str | None, connection: ConnectionInfo) -> OperationContext:
        """Return the context for this bearer token; raise RequestFault if the operation may not run at all."""
        ...


def bearer_token(authorization: object) -> str | None:
    """Return the token of an `Authorization: Bearer …` value, or None if it is empty.

    A value of another scheme is a credential too, one that is never accepted: it is returned unchanged.
    """
    if not isinstance(authorization, str) or not authorization.strip():
        return None
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else authorization

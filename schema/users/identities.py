"""Identities at OpenID providers, by which users sign in."""

from datetime import datetime

import strawberry

from domain.model import oidc as domain
from schema.common.node import Node, instance_of


@strawberry.type(description="An identity at an OpenID provider, by which the user signs in.")
class LinkedIdentity(Node):
    is_type_of = instance_of(domain.LinkedIdentity)

    provider: str = strawberry.field(description="The name of the provider.")
    subject: str = strawberry.field(description="The provider's identifier of the user, which never changes.")
    email: str | None = strawberry.field(
        description="The email address that the provider gave last. It need not be the user's email address here. "
        "Null if it gave none."
    )
    created_at: datetime = strawberry.field(description="When the identity was linked.")
    last_used_at: datetime | None = strawberry.field(
        description="When the user last signed in by the identity. Null if only at the time of linking."
    )

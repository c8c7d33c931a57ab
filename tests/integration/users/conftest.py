"""A node on which users sign in, one that sends mail, and an OpenID provider."""

from tests.support.mailing import mail
from tests.support.oidc_provider import provider, shared_provider
from tests.support.sign_in import hasher, node

__all__ = ["hasher", "mail", "node", "provider", "shared_provider"]

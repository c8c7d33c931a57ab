"""An OpenID provider."""

from tests.support.oidc_provider import provider, shared_provider

__all__ = ["provider", "shared_provider"]

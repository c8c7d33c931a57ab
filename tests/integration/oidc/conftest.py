"""An OpenID provider, and who signs in there."""

from tests.support.oidc_provider import provider, shared_provider
from tests.support.oidc_visitor import ada

__all__ = ["ada", "provider", "shared_provider"]

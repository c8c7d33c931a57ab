"""A node on which users sign in."""

from tests.support.sign_in import hasher, node

__all__ = ["hasher", "node"]

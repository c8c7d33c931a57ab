"""A node on which users sign in, and one that sends mail."""

from tests.support.mailing import mail
from tests.support.sign_in import hasher, node

__all__ = ["hasher", "mail", "node"]

"""Generates and hashes the secrets of credentials and webhooks, and the codes of mails, invitations and sign-ins."""

import hashlib

from domain.ports.users import TokenSource

LOGIN_PREFIX = "r3s_"
API_KEY_PREFIX = "r3k_"
WEBHOOK_PREFIX = "r3w_"
EMAIL_CODE_PREFIX = "r3m_"
INVITATION_PREFIX = "r3i_"
SIGN_IN_PREFIX = "r3c_"


def new_login_token(source: TokenSource) -> str:
    """Return a new token of a login session."""
    return LOGIN_PREFIX + source.next_token()


def new_api_secret(source: TokenSource) -> str:
    """Return a new secret of an API key."""
    return API_KEY_PREFIX + source.next_token()


def new_webhook_secret(source: TokenSource) -> str:
    """Return a new secret of a webhook, which is a part of its address."""
    return WEBHOOK_PREFIX + source.next_token()


def new_email_code(source: TokenSource) -> str:
    """Return a new code for a mail."""
    return EMAIL_CODE_PREFIX + source.next_token()


def new_invitation_code(source: TokenSource) -> str:
    """Return a new code of an invitation."""
    return INVITATION_PREFIX + source.next_token()


def new_sign_in_code(source: TokenSource) -> str:
    """Return a new code by which a client finishes a sign-in at a provider."""
    return SIGN_IN_PREFIX + source.next_token()


def credential_hash(credential: str) -> bytes:
    """Return the SHA-256 of a credential.

    A fast hash is right here: a credential has 256 random bits, so there is nothing to guess (OWASP, Session
    Management). Half of a surrogate pair, which no credential has, can't be written as UTF-8.
    """
    return hashlib.sha256(credential.encode(errors="replace")).digest()

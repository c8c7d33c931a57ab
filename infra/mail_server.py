"""The mail server that the settings name."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import parseaddr
from enum import StrEnum

import email_validator


class SmtpTls(StrEnum):
    """How the connection is encrypted: upgraded by STARTTLS (RFC 3207), from its beginning (RFC 8314), or not."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server and how it is spoken to; `sender` is what mails are from."""

    host: str
    port: int
    tls: SmtpTls
    user: str | None
    password: str | None
    sender: Address
    timeout_seconds: float = 30.0
    """How long the server may take for one answer."""


def mail_address(text: str) -> Address:
    """Return an address such as `r3edge <noreply@example.com>`; raises ValueError saying what would be right."""
    name, email = parseaddr(text)
    if not text.isprintable():
        email = ""  # a line break would begin another header
    try:
        email_validator.validate_email(email, check_deliverability=False, test_environment=True)
        return Address(name, addr_spec=email)
    except (ValueError, IndexError):  # EmailNotValidError is a ValueError
        raise ValueError(f"{text!r} is not an address such as r3edge <noreply@example.com>") from None

"""A real SMTP server on loopback, which a test lets refuse, stall or go away."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from infra.mail_server import SmtpServer, SmtpTls, mail_address
from tests.support.ports import free_port

OK = "250 taken"


@dataclass
class LoopbackMailServer:
    """Keeps the mails that it takes; `answer` is what it says to the content of a mail."""

    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    answer: str = OK
    recipient_answer: str = OK
    """What it says to a recipient; `%s` is the address."""

    messages: list[EmailMessage] = field(default_factory=list)
    stalls: asyncio.Event | None = None
    """Until it is set, no mail is answered."""

    received: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a mail has come, whether or not it is answered."""

    tls: SmtpTls = SmtpTls.NONE
    tls_context: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    """Who may send mail, by user and password; without it anybody may."""

    logins: list[tuple[str, str]] = field(default_factory=list)
    """Users and passwords that clients tried."""

    _server: asyncio.Server | None = None

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail, or answer as the test says; the name is aiosmtpd's."""
        self.received.set()
        if self.stalls is not None:
            await self.stalls.wait()
        if self.answer == OK:
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
        return self.answer

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or answer as the test says; the name is aiosmtpd's."""
        if self.recipient_answer == OK:
            envelope.rcpt_tos.append(address)
        return self.recipient_answer.replace("%s", address)

    async def start(self) -> None:
        """Listen, at the same port each time: while nobody listens there, nobody else gets it."""
        loop = asyncio.get_running_loop()
        upgrades = self.tls is SmtpTls.STARTTLS and self.tls_context is not None
        from_the_start = self.tls is SmtpTls.TLS

        def factory() -> SMTP:
            with warnings.catch_warnings():
                # It knows no connection that is encrypted from its beginning.
                warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
                return SMTP(
                    self,
                    enable_SMTPUTF8=True,
                    loop=loop,
                    tls_context=self.tls_context if upgrades else None,
                    require_starttls=upgrades,
                    authenticator=self._authenticate if self.login else None,
                    auth_required=self.login is not None,
                    auth_require_tls=upgrades,
                )

        self._server = await loop.create_server(
            factory, self.host, self.port, ssl=self.tls_context if from_the_start else None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        self.logins.append(given)
        return AuthResult(success=given == self.login, handled=given == self.login)

    async def stop(self) -> None:
        """Listen no more; the port stays free."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def settings(self) -> SmtpServer:
        """How an engine reaches it."""
        sender = mail_address("r3edge <noreply@example.com>")
        user, password = self.login or (None, None)
        return SmtpServer(self.host, self.port, self.tls, user, password, sender, timeout_seconds=600.0)

    def texts(self, recipient: str) -> list[str]:
        """Return the texts of the mails to an address, oldest first."""
        found = [message for message in self.messages if message["To"] == recipient]
        return [message.get_content() for message in found]

    def codes(self, recipient: str) -> list[str]:
        """Return the codes in the mails to an address, oldest first."""
        words = (word for text in self.texts(recipient) for word in text.split())
        return [word for word in words if word.startswith(("r3m_", "r3i_"))]


@asynccontextmanager
async def open_mail_server() -> AsyncIterator[LoopbackMailServer]:
    """Start a mail server, and stop it at the end."""
    server = LoopbackMailServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()

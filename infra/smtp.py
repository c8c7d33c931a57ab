"""Mail over SMTP (RFC 5321) by aiosmtplib: the domain's port `MailTransport`."""

import re
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import localtime
from typing import Final

import aiosmtplib

from domain.model.mail import MailMessage
from domain.ports.mail import MailNotSent
from infra.mail_server import SmtpServer, SmtpTls

MAX_REASON_CHARACTERS: Final = 300
GOODBYE_SECONDS: Final = 2.0
_FAILURES: Final = (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError)
_ADDRESS: Final = re.compile(r"\S+@\S+")


class SmtpTransport:
    """Opens a connection for each mail: they are few, and a connection that is kept breaks unnoticed."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, message: MailMessage) -> None:
        client = self._client()
        try:
            await client.connect()
            await client.send_message(self._mail(message))
            await _quit(client)
        except _FAILURES as error:
            raise MailNotSent(_reason(error)) from None
        finally:
            # The library's own context manager would first ask a server that doesn't answer to say goodbye.
            client.close()

    async def reach(self) -> None:
        """Connect and sign in without sending anything; raises `MailNotSent` saying why the server refuses."""
        client = self._client()
        try:
            await client.connect()
            await _quit(client)
        except _FAILURES as error:
            raise MailNotSent(_reason(error)) from None
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls is SmtpTls.TLS,
            start_tls=server.tls is SmtpTls.STARTTLS,
            # Without it the machine's own name is looked up, which may take as long as its DNS likes.
            local_hostname=server.sender.domain,
            timeout=server.timeout_seconds,
        )

    def _mail(self, message: MailMessage) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._server.sender
        name, _, host = message.recipient.rpartition("@")
        mail["To"] = Address(username=name, domain=host)
        mail["Subject"] = message.subject
        mail["Date"] = localtime()
        mail["Message-ID"] = f"<{message.id}@{self._server.sender.domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
        mail.set_content(message.text)
        return mail


async def _quit(client: aiosmtplib.SMTP) -> None:
    """Say goodbye to the server, which has taken the mail already, whatever it answers."""
    with suppress(*_FAILURES):
        await client.quit(timeout=GOODBYE_SECONDS)


def _reason(error: Exception) -> str:
    """Return what the server said, without addresses, which a server that refuses one repeats: it is for the log."""
    text = _ADDRESS.sub("…", " ".join(str(error).split())) or "no reason was given"
    return f"{type(error).__name__}: {text}"[:MAX_REASON_CHARACTERS]

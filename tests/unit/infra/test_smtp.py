"""Mail over encrypted connections and with a login, to a real server on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from domain.model.mail import MailMessage
from domain.ports.mail import MailNotSent
from infra.mail_server import SmtpTls
from infra.smtp import SmtpTransport
from tests.support.certificates import self_signed, server_context
from tests.support.mail_server import LoopbackMailServer

ADA, LOGIN = "ada@example.com", ("robot", "open%sesame")
ENCRYPTED = (SmtpTls.STARTTLS, SmtpTls.TLS)


def message() -> MailMessage:
    return MailMessage(uuid4(), ADA, "Subject", "Text")


@pytest.fixture
async def server() -> AsyncIterator[LoopbackMailServer]:
    """A server that the test sets up, and starts."""
    server = LoopbackMailServer(login=LOGIN)
    yield server
    await server.stop()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate that this machine trusts, as an operator adds one of an authority of their own."""
    file = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


@pytest.mark.parametrize("tls", ENCRYPTED)
async def test_mail_goes_over_an_encrypted_connection_after_a_login(
    server: LoopbackMailServer, certificate: Path, tls: SmtpTls
) -> None:
    server.tls, server.tls_context = tls, server_context(certificate)
    await server.start()
    await SmtpTransport(server.settings).send(message())
    assert [text.split() for text in server.texts(ADA)] == [["Text"]]
    assert server.logins == [LOGIN]


@pytest.mark.parametrize("tls", ENCRYPTED)
async def test_a_login_that_the_server_refuses_is_a_reason_without_the_password(
    server: LoopbackMailServer, certificate: Path, tls: SmtpTls
) -> None:
    server.tls, server.tls_context = tls, server_context(certificate)
    await server.start()
    settings, server.login = server.settings, ("robot", "another")
    with pytest.raises(MailNotSent, match="535") as error:
        await SmtpTransport(settings).send(message())
    assert LOGIN[1] not in str(error.value)
    assert server.messages == []


@pytest.mark.parametrize("tls", ENCRYPTED)
async def test_nothing_is_sent_to_a_server_whose_certificate_nobody_vouches_for(
    server: LoopbackMailServer, tmp_path: Path, tls: SmtpTls
) -> None:
    server.tls, server.tls_context = tls, server_context(self_signed(tmp_path))
    await server.start()
    with pytest.raises(MailNotSent, match=r"(?i)certificate"):
        await SmtpTransport(server.settings).send(message())
    assert (server.logins, server.messages) == ([], [])


@pytest.mark.parametrize("tls", ENCRYPTED)
async def test_nothing_is_sent_to_a_server_with_the_certificate_of_another(
    server: LoopbackMailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: SmtpTls
) -> None:
    other = self_signed(tmp_path, "192.0.2.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    server.tls, server.tls_context = tls, server_context(other)
    await server.start()
    with pytest.raises(MailNotSent, match=r"(?i)certificate"):
        await SmtpTransport(server.settings).send(message())
    assert (server.logins, server.messages) == ([], [])


async def test_a_server_that_offers_no_encryption_gets_neither_password_nor_mail(server: LoopbackMailServer) -> None:
    server.tls = SmtpTls.STARTTLS
    await server.start()
    settings = server.settings
    server.login = None  # somebody on the way has taken the offers of encryption out
    with pytest.raises(MailNotSent, match="STARTTLS"):
        await SmtpTransport(settings).send(message())
    assert (server.logins, server.messages) == ([], [])

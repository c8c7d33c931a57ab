"""A node that sends mail to a real server on loopback."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from domain.mail.sender import DeliveryCounts, MailSender, MailSenderOptions
from domain.users.mail_composer import UserMailComposer
from infra.security import RandomTokens
from infra.smtp import SmtpTransport
from tests.support.mail_server import LoopbackMailServer, open_mail_server
from tests.support.sign_in import IDS, SignInNode


@dataclass
class MailNode:
    """A node that sends mail, and the server that takes it."""

    node: SignInNode
    server: LoopbackMailServer
    counts: DeliveryCounts = field(default_factory=DeliveryCounts)
    options: MailSenderOptions = field(default_factory=lambda: MailSenderOptions(at_once=1))
    """One at a time, so that mails come in their order."""

    def sender(self) -> MailSender:
        """Return what sends this node's mails."""
        composer = UserMailComposer(RandomTokens(), self.node.clock, IDS, "https://app.example.com/")
        transport = SmtpTransport(self.server.settings)
        return MailSender(self.node.database, transport, composer, self.node.clock, self.counts, self.options)

    async def texts(self, recipient: str) -> list[str]:
        """Send what is due, and return the texts that the recipient has, oldest first."""
        while await self.sender().send_due():
            pass
        return self.server.texts(recipient)

    async def code(self, recipient: str) -> str:
        """Send what is due, and return the newest code that the recipient has."""
        await self.texts(recipient)
        return self.server.codes(recipient)[-1]


@pytest.fixture
async def mail(node: SignInNode) -> AsyncIterator[MailNode]:
    """A node that sends mail."""
    async with open_mail_server() as server:
        yield MailNode(replace(node, sends_mail=True), server)

"""A mailbox may drop a second copy of a mail, but not a summary that has more in it than its first attempt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.model.mail import MailMessage
from domain.model.notifications import ChannelKind, ChannelMessage, ChannelStatus, NotificationChannel
from infra.clock import TimeOrderedIds
from infra.outgoing.email import EmailSender

AT = datetime(2026, 1, 1, tzinfo=UTC)
IDS = TimeOrderedIds()


class Transport:
    def __init__(self) -> None:
        self.mails: list[MailMessage] = []

    async def send(self, message: MailMessage) -> None:
        self.mails.append(message)


async def test_a_mail_has_the_same_id_at_each_attempt_and_a_summary_that_has_grown_has_another() -> None:
    transport = Transport()
    channel = NotificationChannel(
        IDS.next_id(), IDS.next_id(), ChannelKind.EMAIL, "mail", None, None, (), ChannelStatus.ACTIVE, AT, 0, AT
    )
    message = ChannelMessage("a-2", AT, "2 events were held back", "one, two", b"{}")
    for sent in (message, message, replace(message, at=AT + timedelta(seconds=5), text="one, two, three")):
        await EmailSender(transport).send(channel, "trader@example.com", (), sent)
    first, again, grown = (mail.id for mail in transport.mails)
    assert first == again
    assert grown != first

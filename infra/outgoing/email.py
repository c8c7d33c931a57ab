"""Messages to users' mailboxes, by the mail server of the settings."""

from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

from domain.model.mail import MailMessage
from domain.model.notifications import ChannelMessage, NotificationChannel
from domain.ports.mail import MailNotSent, MailTransport
from domain.ports.notifications import NotDelivered


class EmailSender:
    """See `domain.ports.notifications.ChannelSender`."""

    def __init__(self, transport: MailTransport) -> None:
        self._transport = transport

    async def send(
        self, channel: NotificationChannel, recipient: str, secrets: Sequence[str], message: ChannelMessage
    ) -> None:
        del secrets
        text = f"{message.text}\n\nYou receive this by your notification channel {channel.name}.\n"
        # Mailboxes drop a second copy: a summary that has grown since its last attempt is another mail.
        mail_id = uuid5(NAMESPACE_URL, f"{message.id} {message.at.isoformat()}")
        mail = MailMessage(mail_id, recipient, message.title, text)
        try:
            await self._transport.send(mail)
        except MailNotSent:
            # What the server said is for the operator, whose log has it.
            raise NotDelivered("The mail server didn't take the mail.") from None

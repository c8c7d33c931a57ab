"""To whom a channel's messages go, and the secrets with which they are sent."""

from datetime import datetime

from domain.model.notifications import ChannelKind, NotificationChannel
from domain.model.users import User
from domain.ports.notifications import NotDelivered
from domain.ports.users import SecretVault


def recipient_of(channel: NotificationChannel, user: User) -> str:
    """Return the address, chat or email that receives the messages; raises `NotDelivered` if there is none.

    An email goes to the user's own, once it is verified: anybody can register one of somebody else.
    """
    if channel.kind is not ChannelKind.EMAIL:
        assert channel.target is not None
        return channel.target
    if user.email_verified_at is None:
        raise NotDelivered("Your email address isn't verified; verify it by emailVerificationSend.")
    return user.email


def unsealed(channel: NotificationChannel, vault: SecretVault, now: datetime) -> list[str]:
    """Return the channel's secrets, the present one first; raises `NotDelivered` if they can't be read."""
    sealed = [channel.secret]
    if channel.previous_until is not None and now < channel.previous_until:
        sealed.append(channel.previous_secret)
    try:
        return [vault.unseal_secret(secret, channel.user_id) for secret in sealed if secret is not None]
    except ValueError:
        message = "The secret of this channel was sealed under a key that the server doesn't have; set a new one."
        raise NotDelivered(message) from None

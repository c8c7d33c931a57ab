"""The bus topics of trading."""

from uuid import UUID


def commands_topic(account_id: UUID) -> str:
    """Return the topic that tells an account's executor that there is something to do; the message is empty."""
    return f"commands:{account_id}"

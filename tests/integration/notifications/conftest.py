"""A node that delivers to notification channels."""

from collections.abc import AsyncIterator

import pytest

from infra.postgres.database import PostgresDatabase
from tests.support.mail_server import open_mail_server
from tests.support.notifying import Notifying, open_notifying


@pytest.fixture
async def notifying(database: PostgresDatabase) -> AsyncIterator[Notifying]:
    """A user with a receiver and a mail server."""
    async with open_mail_server() as mails, open_notifying(database, mails) as opened:
        yield opened

"""Users for the tests, complete and valid."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.model.trading_state import TradingState
from domain.model.users import ALL_SCOPES, Identity, LoginSession, User, UserRole
from domain.ports.unit_of_work import Database
from infra.clock import TimeOrderedIds

CREDENTIAL = UUID(int=7)
"""The login session with which a test acts as a user; see `store_credential`."""

ids = TimeOrderedIds()


def a_user(**changes: Any) -> User:
    """Return a user who isn't stored, with an email of their own."""
    id_ = ids.next_id()
    user = User(
        id=id_,
        email=f"{id_}@example.com",
        display_name=None,
        created_at=datetime.now(UTC),
        role=UserRole.USER,
        trading_state=TradingState.ACTIVE,
    )
    return replace(user, **changes)


def an_identity(user: User, **changes: Any) -> Identity:
    """Return who acts as the user by an API key that may do everything."""
    identity = Identity(user, CREDENTIAL, ALL_SCOPES, None, is_login_session=False)
    return replace(identity, **changes)


async def stored_user(database: Database, **changes: Any) -> User:
    """Return a user as stored; the first one of a database is its operator."""
    user = a_user(**changes)
    async with database.transaction() as transaction:
        assert await transaction.users.add(user, "a hash")
        found = await transaction.users.get(user.id)
    assert found is not None
    return found


async def store_credential(database: Database, user: User, at: datetime | None = None) -> None:
    """Store the login session `CREDENTIAL`, so that who acts with it is signed in, since then or now."""
    now = at or datetime.now(UTC)
    async with database.transaction() as transaction:
        session = LoginSession(CREDENTIAL, user.id, now, now, now + timedelta(days=30))
        await transaction.users.add_login_session(session, CREDENTIAL.bytes)

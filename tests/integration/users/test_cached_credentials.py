"""What the cache may say of a credential, whatever happens to the node that wrote it there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from domain.model.users import UserRole
from domain.ports.cache import CacheSpace
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.authentication import CACHE_SECONDS, REMEMBER_SECONDS
from domain.users.tokens import credential_hash
from tests.support.sign_in import SignInNode, hasher, node

__all__ = ["hasher", "node"]

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"


class SuspendedReads:
    """A database whose reads end when the test lets them: its node is suspended (SIGSTOP) with what it has read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reached = asyncio.Event()
        self.resumed = asyncio.Event()

    @asynccontextmanager
    async def read_only(self) -> AsyncGenerator[UnitOfWork]:
        async with self._database.read_only() as reading:
            yield reading
        self.reached.set()
        await self.resumed.wait()


@pytest.fixture
def suspended(node: SignInNode) -> SignInNode:
    """Another node, which is suspended in the middle of each look-up."""
    other = node.another_node()
    other.authenticator._database = SuspendedReads(node.database)  # type: ignore[assignment]
    return other


def reads(node: SignInNode) -> SuspendedReads:
    database = node.authenticator._database
    assert isinstance(database, SuspendedReads)
    return database


async def test_a_node_suspended_in_a_look_up_does_not_revive_a_session_that_was_revoked_meanwhile(
    node: SignInNode, suspended: SignInNode
) -> None:
    signed = await node.users.register("ada@example.com", PASSWORD, None, HERE)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    node.clock.move(CACHE_SECONDS + 1)  # nothing of it is cached any more
    looking_up = asyncio.create_task(suspended.authenticator.identify(signed.token))
    await reads(suspended).reached.wait()
    await node.users.revoke_login_session(identity.user.id, identity.credential_id)
    node.clock.move(REMEMBER_SECONDS + 1)  # nobody remembers the revocation but the database
    reads(suspended).resumed.set()
    await looking_up
    assert await node.authenticator.identify(signed.token) is None
    assert await node.another_node().authenticator.identify(signed.token) is None


async def test_a_node_suspended_in_a_look_up_does_not_give_a_user_an_earlier_role_back(
    node: SignInNode, suspended: SignInNode
) -> None:
    signed = await node.users.register("ada@example.com", PASSWORD, None, HERE)
    assert signed.user.role is UserRole.OPERATOR, "the first user is one"
    looking_up = asyncio.create_task(suspended.authenticator.identify(signed.token))
    await reads(suspended).reached.wait()
    async with node.database.transaction() as transaction:
        await transaction.users.set_role("ada@example.com", UserRole.USER)
    node.clock.move(CACHE_SECONDS + 1)
    current = await node.authenticator.identify(signed.token)
    assert current is not None
    assert current.user.role is UserRole.USER
    reads(suspended).resumed.set()
    await looking_up
    current = await node.authenticator.identify(signed.token)
    assert current is not None
    assert current.user.role is UserRole.USER


async def test_a_credential_is_looked_up_again_soon_even_if_its_entry_has_lost_its_end(node: SignInNode) -> None:
    signed = await node.users.register("ada@example.com", PASSWORD, None, HERE)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    key = f"by-hash:{credential_hash(signed.token).hex()}"
    for name in (key, f"id:{identity.credential_id}"):
        kept = await node.cache.get(CacheSpace.LOGIN_SESSIONS, name)
        assert kept is not None
        await node.cache.put(CacheSpace.LOGIN_SESSIONS, name, kept, 3_600)
    async with node.database.transaction() as transaction:  # as a node does whose message and whose deletion are lost
        await transaction.users.revoke_login_session(identity.user.id, identity.credential_id, node.clock.now())
    node.clock.move(CACHE_SECONDS + 0.1)
    assert await node.authenticator.identify(signed.token) is None


async def test_what_another_version_has_cached_of_a_credential_is_looked_up(node: SignInNode) -> None:
    signed = await node.users.register("ada@example.com", PASSWORD, None, HERE)
    key = f"by-hash:{credential_hash(signed.token).hex()}"
    await node.cache.put(CacheSpace.LOGIN_SESSIONS, key, b"\x93\x01\x02\x03", CACHE_SECONDS)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    assert identity.user.email == "ada@example.com"

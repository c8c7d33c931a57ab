"""Nodes on which users sign in: the users' services on a real database, with a real hasher."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import argon2
import pytest

from domain.administration.service import UserAdministration
from domain.ports.bus import MessageBus
from domain.ports.cache import Cache, CacheSpace
from domain.ports.unit_of_work import Database
from domain.ports.users import PasswordHasher
from domain.trading.halts import HaltService
from domain.users.api_keys import ApiKeyService
from domain.users.authentication import RESTORED_TOPIC, REVOKED_TOPIC, Authenticator
from domain.users.code_checks import MailLimits
from domain.users.confirmation import ConfirmationService
from domain.users.email_addresses import EmailService
from domain.users.invitations import InvitationService
from domain.users.login_throttle import LoginThrottle, RegistrationLimit
from domain.users.oidc_attempts import OidcAttempts
from domain.users.oidc_sign_in import OidcSignIn
from domain.users.password_check import PasswordCheck
from domain.users.password_hashing import HashQueue
from domain.users.password_reset import PasswordResetService
from domain.users.registration import Registrar, Registration
from domain.users.service import UserService
from domain.users.sign_in import MAXIMUM_LOGIN_SESSIONS, SignIn
from domain.users.two_factor import SecondFactor, TwoFactorService
from domain.users.user_mails import UserMails
from infra.clock import TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.oidc.client import AiohttpOidcClient
from infra.oidc.settings import OidcProvider
from infra.security import AesVault, Argon2Hasher, RandomTokens
from tests.support.clocks import ManualClock

IDS = TimeOrderedIds()


class AwayCache:
    """A cache that can't be reached: it finds nothing and stores nothing."""

    async def get(self, space: CacheSpace, key: str) -> bytes | None:
        return None

    async def put(self, space: CacheSpace, key: str, value: bytes, ttl_seconds: float) -> None:
        return None

    async def delete(self, space: CacheSpace, key: str) -> None:
        return None

    async def increment(self, key: str, ttl_seconds: float, amount: int = 1) -> int:
        return 1

    async def close(self) -> None:
        return None


@dataclass
class SignInNode:
    """One node; several share database, cache, bus and clock."""

    database: Database
    cache: Cache
    bus: MessageBus
    hasher: PasswordHasher
    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime.now(UTC)))
    registration: Registration = Registration.OPEN
    registrations_per_hour: int = 10_000
    maximum_login_sessions: int = MAXIMUM_LOGIN_SESSIONS
    sends_mail: bool = False
    oidc_providers: tuple[OidcProvider, ...] = ()
    vault: AesVault = field(default_factory=lambda: AesVault(bytes(32)))
    waits: list[float] = field(default_factory=list)
    """The delays of the throttle, which are recorded instead of waited for."""

    on_wait: Callable[[float], None] = lambda _seconds: None

    def __post_init__(self) -> None:
        self.authenticator = Authenticator(self.database, self.cache, self.bus, self.clock)
        throttle = LoginThrottle(self.cache, self.clock, self._wait)
        tokens = RandomTokens()
        database, authenticator, clock = self.database, self.authenticator, self.clock
        hashing = HashQueue(self.hasher)
        passwords = self.passwords = PasswordCheck(database, throttle, hashing, clock)
        mails, limits = UserMails(IDS, is_configured=self.sends_mail), MailLimits(self.cache)
        second_factor = SecondFactor(self.vault, clock)
        registrations = RegistrationLimit(self.cache, self.registrations_per_hour)
        registrar = self.registrar = Registrar(database, registrations, limits, mails, clock, IDS, self.registration)
        sign_in = SignIn(mails, tokens, clock, IDS, self.maximum_login_sessions)
        guards = (throttle, registrar, hashing, passwords, mails, second_factor, sign_in)
        self.users = UserService(database, authenticator, *guards, clock, IDS)
        client = self.oidc_client = AiohttpOidcClient(self.oidc_providers, "https://engine.example.com/", clock)
        self.attempts = OidcAttempts(database, client, self.cache, limits, tokens, clock, IDS)
        parts = (registrar, second_factor, sign_in, mails)
        self.oidc = OidcSignIn(database, authenticator, self.attempts, *parts, clock, IDS)
        self.confirmations = ConfirmationService(database, passwords, second_factor, clock, IDS)
        self.invitations = InvitationService(database, mails, tokens, clock, IDS)
        self.two_factor = TwoFactorService(database, second_factor, self.vault, passwords, mails, tokens, clock, IDS)
        self.emails = EmailService(database, mails, limits, passwords, clock, IDS)
        self.resets = PasswordResetService(database, authenticator, mails, limits, hashing, clock, IDS)
        self.keys = ApiKeyService(self.database, self.authenticator, tokens, self.clock, IDS)
        self.halts = HaltService(database, self.bus, clock, IDS)
        self.administration = UserAdministration(database, authenticator, self.halts, mails, tokens, clock, IDS)

    async def mark_verified(self, email: str) -> None:
        """Store that the user has proved that the email is theirs."""
        async with self.database.transaction() as transaction:
            found = await transaction.users.get_by_email(email)
            assert found is not None
            await transaction.users.set_email(found[0].id, email, self.clock.now())

    async def listen(self) -> None:
        """Listen for revocations on other nodes, as a running node does."""
        await self.bus.subscribe(REVOKED_TOPIC, self._on_revoked)
        await self.bus.subscribe(RESTORED_TOPIC, lambda message: self.authenticator.on_restored(UUID(bytes=message)))

    def another_node(self) -> "SignInNode":
        """Return another node of the same engine."""
        return SignInNode(self.database, self.cache, self.bus, self.hasher, self.clock)

    def _on_revoked(self, message: bytes) -> None:
        self.authenticator.on_revoked(UUID(bytes=message))

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.on_wait(seconds)


@pytest.fixture(scope="session")
def hasher() -> Iterator[Argon2Hasher]:
    """The real hasher, with parameters that take no time."""
    hasher = Argon2Hasher(argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    yield hasher
    hasher.close()


@pytest.fixture
def node(database: Database, hasher: Argon2Hasher) -> SignInNode:
    """A node with a cache and a bus in this process."""
    clock = ManualClock(datetime.now(UTC))
    return SignInNode(database, EmbeddedCache(clock), EmbeddedBus(), hasher, clock)

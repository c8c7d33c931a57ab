import asyncio
from dataclasses import replace

import pyotp
import pytest

from domain.core.errors import ErrorCode, Forbidden, InputError, RateLimited, Unavailable
from domain.core.pagination import KeysetPage
from domain.model.users import ApiScope, Identity, User
from domain.users.operators import Administrator
from domain.users.sign_in import SignedIn
from domain.users.two_factor import MOST_FAILURES, RECOVERY_CODES
from infra.postgres.pool import Pool
from infra.security import AesVault, reseal_secrets
from tests.support.mailing import MailNode
from tests.support.sign_in import SignInNode

EMAIL, PASSWORD, HERE = "ada@example.com", "correct horse battery", "192.0.2.1"


async def refused(attempt: object) -> InputError:
    with pytest.raises(InputError) as error:
        await attempt  # type: ignore[misc]
    return error.value


class App:
    """An authenticator app whose clock is the node's."""

    def __init__(self, node: SignInNode, secret: str) -> None:
        self._node = node
        self._totp = pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        """Return the code of the present time step, or of one so many steps later."""
        return self._totp.at(self._node.clock.now(), counter_offset=steps)

    def fresh(self) -> str:
        """Wait for the next time step, and return its code."""
        self._node.clock.move(30)
        return self.code()


class Ada:
    """A user with two-factor authentication."""

    def __init__(self, signed: SignedIn, identity: Identity, app: App, recovery_codes: list[str]) -> None:
        self.signed = signed
        self.identity = identity
        self.app = app
        self.recovery_codes = recovery_codes


async def with_two_factor(node: SignInNode) -> Ada:
    signed = await node.users.register(EMAIL, PASSWORD, None, HERE)
    await node.mark_verified(EMAIL)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    made = await node.two_factor.set_up(identity, PASSWORD)
    app = App(node, made.secret)
    assert (await node.users.login(EMAIL, PASSWORD, HERE)).user.id == signed.user.id, "it isn't enabled yet"
    codes = await node.two_factor.enable(identity, app.code())
    return Ada(signed, identity, app, codes)


@pytest.fixture
async def ada(node: SignInNode) -> Ada:
    return await with_two_factor(node)


def login(node: SignInNode, code: str | None = None, password: str = PASSWORD) -> object:
    return node.users.login(EMAIL, password, HERE, code)


async def user_of(node: SignInNode, ada: Ada) -> User:
    async with node.database.read_only() as reading:
        user = await reading.users.get(ada.signed.user.id)
    assert user is not None
    return user


async def test_a_sign_in_takes_the_password_and_a_code(node: SignInNode, ada: Ada) -> None:
    error = await refused(login(node))
    assert (error.code, error.path) == (ErrorCode.TWO_FACTOR_REQUIRED, ("input", "twoFactorCode"))
    signed = await node.users.login(EMAIL, PASSWORD, HERE, ada.app.fresh())
    assert await node.authenticator.identify(signed.token) is not None
    assert (await user_of(node, ada)).two_factor_enabled_at is not None


async def test_a_wrong_password_reveals_nothing_about_the_second_factor(node: SignInNode, ada: Ada) -> None:
    for code in (None, ada.app.fresh()):
        error = await refused(login(node, code, "wrong password"))
        assert (error.code, error.path) == (ErrorCode.CREDENTIALS_REJECTED, ("input",))


async def test_a_code_is_accepted_once(node: SignInNode, ada: Ada) -> None:
    code = ada.app.fresh()
    await node.users.login(EMAIL, PASSWORD, HERE, code)
    error = await refused(login(node, code))
    assert (error.code, error.path) == (ErrorCode.CREDENTIALS_REJECTED, ("input", "twoFactorCode"))
    assert "once" in error.message


async def test_the_code_that_enabled_it_is_used_up(node: SignInNode, ada: Ada) -> None:
    await refused(login(node, ada.app.code()))


async def test_of_two_sign_ins_with_one_code_at_once_one_gets_in(node: SignInNode, ada: Ada) -> None:
    code = ada.app.fresh()
    tries = (node.users.login(EMAIL, PASSWORD, f"192.0.2.{number}", code) for number in range(4))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InputError"] * 3 + ["SignedIn"]


async def test_a_code_before_one_that_was_used_is_refused(node: SignInNode, ada: Ada) -> None:
    node.clock.move(60)
    earlier = ada.app.code(-1)
    await node.users.login(EMAIL, PASSWORD, HERE, ada.app.code())
    await refused(login(node, earlier))


@pytest.mark.parametrize(("steps", "is_right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_phone_may_be_half_a_minute_off(node: SignInNode, ada: Ada, steps: int, is_right: bool) -> None:
    node.clock.move(600)
    code = ada.app.code(steps)
    if is_right:
        await node.users.login(EMAIL, PASSWORD, HERE, f" {code[:3]} {code[3:]} ")
    else:
        await refused(login(node, code))


@pytest.mark.parametrize(
    "code", ["", "0", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "\ud800", "\ud800" * 16, "A" * 16, "x" * 9999]
)
async def test_what_is_no_code_is_wrong_and_no_fault(node: SignInNode, ada: Ada, code: str) -> None:
    assert (await refused(login(node, code))).code is ErrorCode.CREDENTIALS_REJECTED


async def test_each_recovery_code_signs_in_once_in_any_writing(node: SignInNode, ada: Ada) -> None:
    assert len(set(ada.recovery_codes)) == RECOVERY_CODES
    first, second, *_ = ada.recovery_codes
    await node.users.login(EMAIL, PASSWORD, HERE, first)
    await refused(login(node, first))
    await node.users.login(EMAIL, PASSWORD, HERE, second.lower().replace("-", " "))
    async with node.database.read_only() as reading:
        assert await reading.two_factors.count_recovery_codes(ada.signed.user.id) == RECOVERY_CODES - 2


async def test_guessing_ends_after_ten_wrong_codes_in_an_hour_however_many_try_at_once(
    node: SignInNode, ada: Ada
) -> None:
    tries = (node.users.login(EMAIL, PASSWORD, f"192.0.2.{number}", "000000x") for number in range(5))
    await asyncio.gather(*tries, return_exceptions=True)
    for _ in range(MOST_FAILURES - 5):
        await refused(login(node, "000000x"))
    for code in (ada.app.fresh(), "A" * 16):
        with pytest.raises(RateLimited):
            await login(node, code)  # type: ignore[misc]
    node.clock.move(3_600)
    await node.users.login(EMAIL, PASSWORD, HERE, ada.app.code())


async def test_who_tries_wrong_codes_keeps_nobody_with_a_recovery_code_out(node: SignInNode, ada: Ada) -> None:
    for _ in range(MOST_FAILURES):
        await refused(login(node, "000000x"))
    await node.users.login(EMAIL, PASSWORD, HERE, ada.recovery_codes[0])
    await node.users.login(EMAIL, PASSWORD, HERE, ada.app.fresh())


async def test_a_right_code_forgets_the_wrong_ones(node: SignInNode, ada: Ada) -> None:
    for _ in range(2):
        for _ in range(MOST_FAILURES - 1):
            await refused(login(node, "000000x"))
        await node.users.login(EMAIL, PASSWORD, HERE, ada.app.fresh())


async def test_turning_it_off_takes_a_code(node: SignInNode, ada: Ada) -> None:
    assert (await refused(node.two_factor.disable(ada.identity, "000000x"))).path == ("input", "code")
    await refused(login(node))
    await node.two_factor.disable(ada.identity, ada.app.fresh())
    await node.users.login(EMAIL, PASSWORD, HERE)
    assert (await user_of(node, ada)).two_factor_enabled_at is None
    assert (await refused(node.two_factor.disable(ada.identity, ada.app.fresh()))).code is ErrorCode.CONFLICT


async def test_new_recovery_codes_make_the_old_ones_worthless(node: SignInNode, ada: Ada) -> None:
    new = await node.two_factor.replace_recovery_codes(ada.identity, ada.recovery_codes[0])
    assert not set(new) & set(ada.recovery_codes)
    await refused(login(node, ada.recovery_codes[1]))
    await node.users.login(EMAIL, PASSWORD, HERE, new[0])


async def test_setting_it_up_takes_the_password_and_a_login_session(node: SignInNode) -> None:
    signed = await node.users.register(EMAIL, PASSWORD, None, HERE)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    assert (await refused(node.two_factor.set_up(identity, "wrong password"))).path == ("input", "password")
    assert (await refused(node.two_factor.enable(identity, "123456"))).code is ErrorCode.CONFLICT
    _, secret = await node.keys.create(identity, "bot", frozenset({ApiScope.ADMIN}), None)
    bot = await node.authenticator.identify(secret)
    assert bot is not None
    for attempt in (
        node.two_factor.set_up(bot, PASSWORD),
        node.two_factor.enable(bot, ""),
        node.two_factor.disable(bot, ""),
        node.two_factor.replace_recovery_codes(bot, ""),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_it_is_enabled_by_a_code_of_the_last_secret_alone(node: SignInNode) -> None:
    signed = await node.users.register(EMAIL, PASSWORD, None, HERE)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    first = await node.two_factor.set_up(identity, PASSWORD)
    second = await node.two_factor.set_up(identity, PASSWORD)
    await refused(node.two_factor.enable(identity, App(node, first.secret).code()))
    await node.two_factor.enable(identity, App(node, second.secret).code())
    assert (await refused(node.two_factor.set_up(identity, PASSWORD))).code is ErrorCode.CONFLICT
    assert second.uri == f"otpauth://totp/r3edge:ada%40example.com?secret={second.secret}&issuer=r3edge"


async def test_api_keys_and_sessions_are_unaffected(node: SignInNode, ada: Ada) -> None:
    assert await node.authenticator.identify(ada.signed.token) is not None
    _, secret = await node.keys.create(ada.identity, "bot", frozenset({ApiScope.TRADE}), None)
    assert await node.authenticator.identify(secret) is not None


async def test_neither_secret_nor_codes_stand_in_the_database(node: SignInNode, ada: Ada, pool: Pool) -> None:
    text = await pool.fetchval(
        "SELECT string_agg(t::text, ' ') || (SELECT string_agg(r::text, ' ') FROM recovery_codes r) FROM two_factors t"
    )
    compact = ada.recovery_codes[0].replace("-", "")
    for secret in (ada.app._totp.secret, compact, compact.encode().hex(), ada.app._totp.secret.encode().hex()):
        assert secret not in text


async def test_an_operator_takes_it_away_and_the_user_learns_of_it(mail: MailNode) -> None:
    node = mail.node
    ada = await with_two_factor(node)
    await node.administration.reset_two_factor(Administrator(), ada.signed.user.id)
    await node.users.login(EMAIL, PASSWORD, HERE)
    texts = await mail.texts(EMAIL)
    assert "turned on" in texts[-2]
    assert "turned off" in texts[-1]
    async with node.database.read_only() as reading:
        actions = [activity.action for activity in await reading.users.activity(ada.signed.user.id, KeysetPage(100))]
    assert {"twoFactorSetup", "twoFactorEnable", "userTwoFactorReset"} <= set(actions)


async def test_a_password_reset_leaves_it_on(mail: MailNode) -> None:
    ada = await with_two_factor(mail.node)
    await mail.node.resets.request(EMAIL, HERE)
    await mail.node.resets.reset(await mail.code(EMAIL), "staple horse battery", HERE, None)
    assert (await refused(login(mail.node, None, "staple horse battery"))).code is ErrorCode.TWO_FACTOR_REQUIRED
    await login(mail.node, ada.app.fresh(), "staple horse battery")  # type: ignore[misc]


async def test_another_secret_key_opens_it_as_long_as_the_old_one_is_known(node: SignInNode, ada: Ada) -> None:
    both, new = AesVault(bytes(31) + b"1", [bytes(32)]), AesVault(bytes(31) + b"1")
    blind = replace(node, vault=new)
    with pytest.raises(Unavailable):
        await blind.users.login(EMAIL, PASSWORD, HERE, ada.app.fresh())
    await blind.users.login(EMAIL, PASSWORD, HERE, ada.recovery_codes[0])
    assert await reseal_secrets(node.database, both) == 1
    await blind.users.login(EMAIL, PASSWORD, HERE, ada.app.fresh())
    assert await reseal_secrets(node.database, AesVault(bytes(31) + b"2")) == 0

"""Accounts as users open, fund, limit and archive them, against a real exchange."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.accounts.admission import AccountRequest
from domain.accounts.service import AccountService
from domain.core.errors import ErrorCode, InputError, InputErrors, Unavailable
from domain.model.trading import AccountKind, AccountTransfer, Balance, RiskLimits, TransferKind, VenueCredentials
from domain.ports.execution_client import CredentialsRejected
from domain.ports.market_data import RequestRejected
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.integration.trading.conftest import SandboxAddress
from tests.support.trading import new_id, new_user
from tests.support.trading_node import TradingNode, strategy

USDT = Balance("USDT", Decimal(1000), Decimal(1000))
PAPER = AccountRequest("paper", AccountKind.PAPER, "sandbox", "USDT", (USDT,))
LIVE = AccountRequest("live", AccountKind.LIVE, "sandbox", "USDT", credentials=VenueCredentials("wrong", "wrong"))


async def balances(node: TradingNode, account_id: object) -> dict[str, Decimal]:
    async with node.database.read_only() as reading:
        held = (await reading.accounts.balances([account_id])).get(account_id, [])
    return {balance.currency: balance.total for balance in held}


def service(node: TradingNode, settings: VenueSettings, token: str | None = None) -> tuple[AccountService, Venues]:
    """Return the service of an engine whose only venue is this one, with the sandbox's token or without one."""
    venues = Venues([settings], node.clock, {settings.name: token} if token else {})
    return AccountService(node.database, venues, node.vault, node.bus, node.clock, node.ids), venues


async def test_a_paper_account_has_its_balances_at_once(node: TradingNode) -> None:
    account = await node.accounts.create(node.user.id, replace(PAPER, name="  first "))
    assert account.name == "first"
    assert await balances(node, account.id) == {"USDT": 1000}


async def test_one_key_opens_one_account(node: TradingNode) -> None:
    request = replace(PAPER, idempotency_key="k")
    first, again = await asyncio.gather(*(node.accounts.create(node.user.id, request) for _ in range(2)))
    assert again.id == first.id  # which is traded at once, so that the later answer may show it reconciled
    async with node.database.read_only() as reading:
        assert [account.id for account in await reading.accounts.list_tradable()] == [first.id]


async def test_one_key_with_another_input_is_a_conflict(node: TradingNode) -> None:
    await node.accounts.create(node.user.id, replace(PAPER, idempotency_key="k"))
    with pytest.raises(InputError) as conflict:
        await node.accounts.create(node.user.id, replace(PAPER, name="other", idempotency_key="k"))
    assert conflict.value.code is ErrorCode.CONFLICT


async def test_all_errors_of_an_account_are_returned_at_once(node: TradingNode) -> None:
    twice = (USDT, replace(USDT, total=Decimal(0)), Balance("us dollars", Decimal(1), Decimal(1)))
    wrong = replace(PAPER, currency="$", balances=twice, credentials=VenueCredentials("a", "b"))
    with pytest.raises(InputErrors) as found:
        await node.accounts.create(node.user.id, replace(wrong, risk=RiskLimits(max_open_orders=0)))
    assert {error.path for error in found.value.errors} == {
        ("input", "risk", "maxOpenOrders"),
        ("input", "currency"),
        ("input", "balances", "1", "currency"),
        ("input", "balances", "1", "amount"),
        ("input", "balances", "2", "currency"),
        ("input", "credentials"),
    }


async def test_an_unknown_venue_is_answered_with_those_that_there_are(node: TradingNode) -> None:
    with pytest.raises(InputError, match="there are: sandbox") as found:
        await node.accounts.create(node.user.id, replace(PAPER, venue="nowhere"))
    assert found.value.code is ErrorCode.NOT_FOUND


async def test_a_venue_that_is_down_is_unavailable_and_leaves_nothing(node: TradingNode) -> None:
    accounts, venues = service(node, VenueSettings("sandbox", "binance", "http://127.0.0.1:9", live=False), "token")
    with pytest.raises(Unavailable, match="same idempotencyKey"):
        await accounts.create(node.user.id, replace(PAPER, idempotency_key="k"))
    await venues.close()
    async with node.database.read_only() as reading:
        assert await reading.accounts.list_tradable() == []


async def test_currencies_that_the_sandbox_lacks_are_invalid_each_at_its_place(node: TradingNode) -> None:
    euro, w = Balance("EUR", Decimal(1), Decimal(1)), Balance("W", Decimal(1), Decimal(1))
    with pytest.raises(InputErrors) as found:
        await node.accounts.create(node.user.id, replace(PAPER, currency="USD", balances=(USDT, euro, w)))
    errors = {error.path: error for error in found.value.errors}
    assert set(errors) == {
        ("input", "currency"),
        ("input", "balances", "1", "currency"),
        ("input", "balances", "2", "currency"),
    }
    assert {error.code for error in errors.values()} == {ErrorCode.INVALID}
    message = errors["input", "balances", "1", "currency"].message
    assert message.startswith("sandbox has no currency 'EUR'")
    assert "there are: " in message
    assert "USDT" in message
    account = await node.accounts.create(node.user.id, PAPER)
    with pytest.raises(InputErrors, match="sandbox has no currency 'EUR'") as refused:
        await node.accounts.deposit(node.user.id, account.id, "EUR", Decimal(1), "e1")
    assert [error.path for error in refused.value.errors] == [("input", "currency")]


async def test_more_than_an_account_can_hold_is_invalid_and_not_to_be_tried_again(node: TradingNode) -> None:
    account = await node.accounts.create(node.user.id, PAPER)
    most = Decimal(10) ** 9
    for number in range(49):
        await node.venues.paper("sandbox").deposit(str(account.id), "USDT", most, f"{account.id}:{number}")
    with pytest.raises(InputError, match="An account holds at most 50000000000 USDT") as refused:
        await node.accounts.deposit(node.user.id, account.id, "USDT", most, "last")
    assert (refused.value.code, refused.value.path) == (ErrorCode.INVALID, ("input", "amount"))
    await node.accounts.deposit(node.user.id, account.id, "USDT", Decimal(1), "last")


async def test_an_account_that_the_sandbox_forgot_is_not_there(node: TradingNode) -> None:
    account = await node.accounts.create(node.user.id, PAPER)
    paper = node.venues.paper("sandbox")
    deposit = paper.deposit

    async def to_nobody(_name: str, currency: str, amount: Decimal, key: str) -> None:
        await deposit("nobody", currency, amount, key)

    paper.deposit = to_nobody
    with pytest.raises(InputError, match="doesn't know this account") as refused:
        await node.accounts.deposit(node.user.id, account.id, "USDT", Decimal(1), "k")
    paper.deposit = deposit
    assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("id",))


async def test_a_token_that_the_sandbox_refuses_is_the_operators_to_mend(
    node: TradingNode, shared_sandbox: SandboxAddress, caplog: pytest.LogCaptureFixture
) -> None:
    accounts, venues = service(node, VenueSettings("sandbox", "binance", shared_sandbox.url, live=False), "wrong")
    with pytest.raises(Unavailable, match="its operator has to set the right token"):
        await accounts.create(node.user.id, PAPER)
    assert "set R3EDGE_SANDBOX_TOKEN" in caplog.text
    assert "wrong" not in caplog.text
    await venues.close()


async def test_a_live_account_in_a_currency_that_no_market_of_its_venue_has_is_invalid(
    node: TradingNode, shared_sandbox: SandboxAddress
) -> None:
    accounts, venues = service(node, VenueSettings("sandbox", "binance", shared_sandbox.url, live=True))
    with pytest.raises(InputErrors, match="did you mean USDT") as refused:
        await accounts.create(node.user.id, replace(LIVE, currency="usdt"))
    await venues.close()
    assert [error.path for error in refused.value.errors] == [("input", "currency")]


async def test_a_live_account_with_credentials_that_the_venue_rejects_is_refused(
    node: TradingNode, shared_sandbox: SandboxAddress
) -> None:
    accounts, venues = service(node, VenueSettings("sandbox", "binance", shared_sandbox.url, live=True))
    with pytest.raises(InputError) as refused:
        await accounts.create(node.user.id, LIVE)
    await venues.close()
    assert (refused.value.code, refused.value.path) == (ErrorCode.CREDENTIALS_REJECTED, ("input", "credentials"))
    assert "wrong" not in refused.value.message


async def test_a_live_account_with_good_credentials_shows_what_the_venue_holds(
    node: TradingNode, shared_sandbox: SandboxAddress
) -> None:
    keys = await node.venues.paper("sandbox").open_account("live one", [USDT])
    accounts, venues = service(node, VenueSettings("sandbox", "binance", shared_sandbox.url, live=True))
    account = await accounts.create(node.user.id, replace(LIVE, credentials=keys))
    with pytest.raises(InputError) as refused:
        await accounts.replace_credentials(node.user.id, account.id, VenueCredentials("x", "y"))
    assert (refused.value.code, refused.value.path) == (ErrorCode.CREDENTIALS_REJECTED, ("input",))
    with pytest.raises(InputErrors) as empty:
        await accounts.replace_credentials(node.user.id, account.id, VenueCredentials("", "y"))
    assert [error.path for error in empty.value.errors] == [("input",)]
    others = await node.venues.paper("sandbox").open_account("live two", [USDT])
    await accounts.replace_credentials(node.user.id, account.id, others)
    await venues.close()
    assert await balances(node, account.id) == {"USDT": 1000}
    async with node.database.read_only() as reading:
        sealed = await reading.accounts.credentials(account.id)
    assert node.vault.unseal(sealed, account.id) == others


async def test_a_key_is_in_one_account_at_a_time(node: TradingNode, shared_sandbox: SandboxAddress) -> None:
    keys = await node.venues.paper("sandbox").open_account("one key", [USDT])
    others = await node.venues.paper("sandbox").open_account("another key", [USDT])
    accounts, venues = service(node, VenueSettings("sandbox", "binance", shared_sandbox.url, live=True))
    stranger = new_user()
    async with node.database.transaction() as transaction:
        await transaction.users.add(stranger, "argon2id")
    first = await accounts.create(node.user.id, replace(LIVE, name="the first", credentials=keys))
    second = await accounts.create(node.user.id, replace(LIVE, credentials=others))
    again = replace(LIVE, credentials=keys)
    attempts = (
        (accounts.create(node.user.id, again), ("input", "credentials"), "your account 'the first'"),
        (accounts.replace_credentials(node.user.id, second.id, keys), ("input",), "your account 'the first'"),
        (accounts.create(stranger.id, again), ("input", "credentials"), "another account of this engine"),
    )
    for attempt, path, owner in attempts:
        with pytest.raises(InputError, match=f"in use by {owner}") as refused:
            await attempt
        assert (refused.value.code, refused.value.path) == (ErrorCode.CONFLICT, path)
    assert "the first" not in refused.value.message
    await accounts.replace_credentials(node.user.id, first.id, keys)
    await accounts.archive(node.user.id, first.id)
    assert (await accounts.create(stranger.id, again)).user_id == stranger.id
    await venues.close()


async def test_of_two_accounts_that_are_opened_at_once_on_one_key_one_is(
    node: TradingNode, shared_sandbox: SandboxAddress
) -> None:
    keys = await node.venues.paper("sandbox").open_account("at once", [USDT])
    accounts, venues = service(node, VenueSettings("sandbox", "binance", shared_sandbox.url, live=True))
    requests = [accounts.create(node.user.id, replace(LIVE, credentials=keys)) for _ in range(4)]
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, InputError)]
    assert [refusal.code for refusal in refusals] == [ErrorCode.CONFLICT] * 3
    await venues.close()


async def test_a_live_account_at_a_venue_without_a_profile_is_unsupported(node: TradingNode) -> None:
    accounts, venues = service(node, VenueSettings("gemini", "gemini", None, live=True))
    with pytest.raises(InputErrors, match="doesn't know how gemini treats orders") as refused:
        await accounts.create(node.user.id, replace(LIVE, venue="gemini"))
    await venues.close()
    (error,) = refused.value.errors
    assert (error.code, error.path) == (ErrorCode.UNSUPPORTED, ("input", "venue"))


async def test_a_live_account_at_a_venue_that_is_down_is_unavailable(node: TradingNode) -> None:
    accounts, venues = service(node, VenueSettings("sandbox", "binance", "http://127.0.0.1:9", live=True))
    with pytest.raises(Unavailable):
        await accounts.create(node.user.id, LIVE)
    await venues.close()


IMPOSSIBLE = [None, VenueCredentials("", "s"), VenueCredentials("k" * 5000, "s"), VenueCredentials("cl\u00e9", "s")]


@pytest.mark.parametrize("given", IMPOSSIBLE, ids=["none", "empty", "long", "not ASCII"])
async def test_credentials_that_cant_be_ones_are_invalid(node: TradingNode, given: VenueCredentials | None) -> None:
    with pytest.raises(InputErrors) as found:
        await node.accounts.create(node.user.id, replace(LIVE, credentials=given))
    assert [error.path for error in found.value.errors] == [("input", "credentials")]


async def test_a_deposit_counts_once_a_key(node: TradingNode) -> None:
    account = await node.accounts.create(node.user.id, PAPER)
    session = await node.session(account, strategy())  # The account is traded, so its stream reports the deposit.
    paid = [
        (await node.accounts.deposit(node.user.id, account.id, "USDT", Decimal(50), key))[1] for key in ("a", "a", "b")
    ]
    assert paid[0] == paid[1] != paid[2]
    assert [
        (transfer.kind.value, transfer.amount, transfer.at > account.created_at) for transfer in paid if transfer
    ] == [("DEPOSIT", Decimal(50), True)] * 3
    async with node.database.read_only() as reading:
        recorded = await reading.transfers.list_all(account.id)
        assert await reading.transfers.unexplained(account.id) == {}
    assert [(transfer.reference, transfer.amount) for transfer in recorded] == [
        ("opening:USDT", 1000),
        ("deposit:a", 50),
        ("deposit:b", 50),
    ]
    await node.until_balance(account, "USDT", Decimal(1100))
    with pytest.raises(InputError) as conflict:
        await node.accounts.deposit(node.user.id, account.id, "USDT", Decimal(51), "a")
    assert conflict.value.code is ErrorCode.CONFLICT
    assert (await node.read(session)).status.value == "RUNNING"


@pytest.mark.parametrize(
    ("audited", "left"),
    [
        (Decimal(0), {}),
        (Decimal(50), {"adjustment:30": 30}),
        (Decimal(60), {"adjustment:60": 10, "adjustment:30": 30}),
    ],
    ids=["not noticed yet", "noticed", "noticed with something else"],
)
async def test_a_deposit_whose_engine_was_killed_after_the_payment_is_recorded_once_by_the_same_call_again(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch, audited: Decimal, left: dict[str, int]
) -> None:
    account = await node.accounts.create(node.user.id, PAPER)
    with monkeypatch.context() as killed:

        async def die(*_arguments: object) -> None:
            raise ConnectionAbortedError

        killed.setattr(AccountService, "_refresh_balances", die)
        with pytest.raises(ConnectionAbortedError):
            await node.accounts.deposit(node.user.id, account.id, "USDT", Decimal(50), "a")
    noticed = account.created_at + timedelta(seconds=1)
    async with node.database.transaction() as transaction:
        assert [transfer.reference for transfer in await transaction.transfers.list_all(account.id)] == ["opening:USDT"]
        if audited:  # The audit has seen the new balance, and some interest or an older deposit with it.
            held = Balance("USDT", 1000 + audited, 1000 + audited)
            await transaction.accounts.replace_balances(account.id, (held,))
            for amount in (audited, Decimal(30)):
                await transaction.transfers.add(
                    AccountTransfer(
                        new_id(), node.user.id, account.id, TransferKind.ADJUSTMENT, "USDT", amount, noticed,
                        f"adjustment:{amount}",
                    )
                )  # fmt: skip

    before = node.clock.now()
    _, transfer = await node.accounts.deposit(node.user.id, account.id, "USDT", Decimal(50), "a")
    assert transfer is not None
    assert (transfer.kind, transfer.amount, transfer.reference) == ("DEPOSIT", 50, "deposit:a")
    assert transfer.at == noticed if audited else transfer.at >= before
    assert await balances(node, account.id) == {"USDT": 1050}
    async with node.database.read_only() as reading:
        recorded = await reading.transfers.list_all(account.id)
    assert {transfer.reference: transfer.amount for transfer in recorded} == {
        "opening:USDT": 1000,
        "deposit:a": 50,
        **left,
    }


@pytest.mark.parametrize(
    ("refusal", "code"),
    [(CredentialsRejected("gone"), ErrorCode.CREDENTIALS_REJECTED), (RequestRejected("no"), ErrorCode.UNSUPPORTED)],
    ids=["credentials", "question"],
)
async def test_a_refusal_of_a_deposits_balances_is_an_error_at_the_account(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch, refusal: Exception, code: ErrorCode
) -> None:
    account = await node.accounts.create(node.user.id, PAPER)

    async def refuse(_self: object) -> None:
        raise refusal

    monkeypatch.setattr(CcxtExecutionClient, "balances", refuse)
    with pytest.raises(InputError) as refused:
        await node.accounts.deposit(node.user.id, account.id, "USDT", Decimal(1), "a")
    assert (refused.value.code, refused.value.path) == (code, ("id",))


async def test_what_an_account_opens_with_is_a_transfer_of_its_first_moment(node: TradingNode) -> None:
    btc = Balance("BTC", Decimal("0.5"), Decimal("0.5"))
    account = await node.accounts.create(node.user.id, replace(PAPER, balances=(USDT, btc)))
    async with node.database.read_only() as reading:
        opened = await reading.transfers.list_all(account.id)
        stranger = await reading.transfers.get(new_user().id, opened[0].id)
        assert await reading.transfers.get(node.user.id, opened[0].id) == opened[0]
    assert {(transfer.kind.value, transfer.currency, transfer.amount, transfer.at) for transfer in opened} == {
        ("OPENING", "USDT", Decimal(1000), account.created_at),
        ("OPENING", "BTC", Decimal("0.5"), account.created_at),
    }
    assert stranger is None


async def test_an_account_with_a_live_session_isnt_archived(node: TradingNode) -> None:
    account = await node.account()
    session = await node.session(account, strategy())
    with pytest.raises(InputError) as refused:
        await node.accounts.archive(node.user.id, account.id)
    assert refused.value.code is ErrorCode.CONFLICT
    await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
    await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    archived = await node.accounts.archive(node.user.id, account.id)
    assert (await node.accounts.archive(node.user.id, account.id)).archived_at == archived.archived_at is not None
    with pytest.raises(InputErrors, match="archived"):
        await node.start_session(account, strategy())


async def test_an_account_of_somebody_else_is_as_absent(node: TradingNode) -> None:
    account = await node.account()
    stranger = new_user()
    for attempt in (
        node.accounts.archive(stranger.id, account.id),
        node.accounts.update(stranger.id, account.id, "mine"),
        node.accounts.deposit(stranger.id, account.id, "USDT", Decimal(1), "k"),
        node.accounts.replace_credentials(stranger.id, account.id, VenueCredentials("a", "b")),
        node.halts.set_halt_of_account(stranger.id, account.id, None),
    ):
        with pytest.raises(InputError) as found:
            await attempt
        assert found.value.code is ErrorCode.NOT_FOUND

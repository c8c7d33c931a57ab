"""A user who is erased leaves records of trading, and nothing that says who it was."""

import re

import pytest

from domain.core.errors import ErrorCode, InputError
from domain.model.users import ApiScope, UserRole
from domain.personal_data.erasure import Erasure
from domain.users.authentication import Authenticator
from infra.embedded.cache import EmbeddedCache
from resolvers.context import RequestContext
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.authorisation_matrix import ADDRESS, MARK, PASSWORD, seeded

REST = (
    "UPDATE orders SET status = 'CANCELED' WHERE status IN ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN')",
    "UPDATE positions SET quantity = 0, closed_at = now() WHERE closed_at IS NULL",
    "UPDATE trading_sessions SET status = 'STOPPED', stopped_at = now()",
)
"""What ends all that trades, behind the engine's back."""

RECORDS = {"account_transfers.reference", "signals.reason"}
"""Texts that belong to the records of trading: what a venue calls a transfer, and why a signal was given."""


def erasure_of(api: Api) -> tuple[Erasure, Authenticator]:
    harness = api.harness
    authenticator = Authenticator(api.database, EmbeddedCache(harness.clock), harness.bus, harness.clock)
    return Erasure(api.database, authenticator, harness.bus, harness.clock, harness.ids), authenticator


async def texts_with(api: Api, pattern: str) -> dict[str, str]:
    """Return an example of each column of the database whose values match."""
    pool, found = api.harness.pool, {}
    columns = await pool.fetch(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t "
        "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE' "
        "AND data_type IN ('text', 'jsonb', 'json', 'bytea', 'ARRAY')"
    )
    for table, column in columns:
        query = f'SELECT "{column}"::text FROM "{table}" WHERE "{column}"::text ~ $1 LIMIT 1'
        example = await pool.fetchval(query, pattern)
        if example is not None:
            found[f"{table}.{column}"] = example
    return {re.sub(r"_\d{4}_\d\d", "", name): example for name, example in found.items()}


async def test_a_user_is_erased_once_nothing_trades_and_leaves_no_text_that_names_anybody(api: Api) -> None:
    matrix = await seeded(api)
    pool, victim = api.harness.pool, matrix.victim
    erasure, _ = erasure_of(api)
    assert set(await texts_with(api, MARK)) > RECORDS, "there is something to erase"

    with pytest.raises(InputError) as error:
        await erasure.erase(victim.id)
    assert error.value.code is ErrorCode.CONFLICT
    assert "1 trading session, 2 open orders, 1 open position" in error.value.message
    assert await pool.fetchval("SELECT erased_at FROM users WHERE id = $1", victim.id) is None

    kept = ("orders", "fills", "positions", "account_transfers", "trading_sessions", "signals", "accounts")
    before = {
        table: await pool.fetchval(f"SELECT count(*) FROM {table} WHERE user_id = $1", victim.id) for table in kept
    }
    for statement in REST:
        await pool.execute(statement)
    await erasure.erase(victim.id)

    assert set(await texts_with(api, MARK)) == RECORDS
    assert await texts_with(api, re.escape(victim.email)) == {}
    assert before == {
        table: await pool.fetchval(f"SELECT count(*) FROM {table} WHERE user_id = $1", victim.id) for table in kept
    }
    assert min(before.values()) > 0
    others = await pool.fetchval("SELECT count(*) FROM users WHERE erased_at IS NULL")
    assert others == 2, "nobody else is touched"
    actions = await pool.fetch("SELECT action FROM activities WHERE user_id = $1", victim.id)
    assert "userErase" in {row["action"] for row in actions}


async def test_an_operator_erases_another_user_by_the_own_password_and_both_logs_have_it(api: Api) -> None:
    pool = api.harness.pool
    authenticator = erasure_of(api)[1]
    root = await api.services.users.register("root@example.com", PASSWORD, None, ADDRESS)
    eve = await api.services.users.register("eve@example.com", PASSWORD, "Eve", ADDRESS)
    async with api.database.transaction() as transaction:
        await transaction.users.set_role("root@example.com", UserRole.OPERATOR)
    context = await context_of(api, root.token)
    stranger = await context_of(api, eve.token)
    call = (
        "mutation($user: ID!, $password: String!) { userErase(input: {user: $user, currentPassword: $password, "
        'reason: "asked by mail"}) { errors { code path } } }'
    )
    ids = {"eve": encode_id("ManagedUser", eve.user.id), "root": encode_id("User", root.user.id)}

    assert await api.code(call, stranger, user=ids["root"], password=PASSWORD) == "FORBIDDEN"
    for user, password, code in (
        (ids["eve"], "wrong password", "CREDENTIALS_REJECTED"),
        (ids["root"], PASSWORD, "CONFLICT"),
        ("nonsense", PASSWORD, "NOT_FOUND"),
    ):
        answer = await api.run(call, context, user=user, password=password)
        assert [error["code"] for error in answer["userErase"]["errors"]] == [code]
    assert (await api.run(call, context, user=ids["eve"], password=PASSWORD))["userErase"]["errors"] == []

    assert await authenticator.identify(eve.token) is None
    rows = await pool.fetch("SELECT user_id, author, reason FROM activities WHERE action = 'userErase'")
    assert {tuple(row) for row in rows} == {
        (eve.user.id, "OPERATOR", "asked by mail"), (root.user.id, "SELF", "asked by mail"),
    }  # fmt: skip


async def context_of(api: Api, token: str) -> RequestContext:
    identity = await erasure_of(api)[1].identify(token)
    assert identity is not None
    return RequestContext(api.services, identity, ADDRESS)


async def test_a_user_erases_themselves_by_the_password_and_is_a_stranger_then(api: Api) -> None:
    operator = await api.services.users.register("root@example.com", PASSWORD, None, ADDRESS)
    signed = await api.services.users.register("ada@example.com", PASSWORD, "Ada", ADDRESS)
    async with api.database.transaction() as transaction:
        await transaction.users.set_role("root@example.com", UserRole.OPERATOR)
        await transaction.users.set_role(api.harness.user.email, UserRole.USER)
    authenticator = erasure_of(api)[1]
    identity = await authenticator.identify(signed.token)
    boss = await authenticator.identify(operator.token)
    assert identity is not None
    assert boss is not None
    _, secret = await api.services.api_keys.create(identity, "bot", frozenset({ApiScope.ADMIN}), None)

    service = api.services.erasure
    for who, password, code in (
        (identity, "wrong password", ErrorCode.CREDENTIALS_REJECTED),
        (boss, PASSWORD, ErrorCode.CONFLICT),
    ):
        with pytest.raises(InputError) as error:
            await service.erase(who, password, None)
        assert error.value.code is code
    await service.erase(identity, PASSWORD, None)

    fresh = erasure_of(api)[1]
    assert [await fresh.identify(credential) for credential in (signed.token, secret)] == [None, None]
    with pytest.raises(InputError):
        await api.services.users.login("ada@example.com", PASSWORD, ADDRESS)
    again = await api.services.users.register("ada@example.com", PASSWORD, None, ADDRESS)
    assert again.user.id != signed.user.id, "the email is free"

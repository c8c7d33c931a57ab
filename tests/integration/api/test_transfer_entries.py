"""Deposits and withdrawals by hand: they explain what the engine has noticed, once, and can be corrected."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.model.trading import AccountTransfer, TransferKind
from domain.trading.equity_recorder import EquityRecorder
from resolvers.ids import encode_id
from tests.support.api import Api

D = Decimal
SHOWN = "kind currency amount at reference note"
RECORD = f"""mutation($id: ID!, $input: AccountTransferRecordInput!) {{
  accountTransferRecord(id: $id, input: $input) {{ transfer {{ id {SHOWN} }} errors {{ code message path }} }} }}"""
UPDATE = f"""mutation($id: ID!, $input: AccountTransferUpdateInput!) {{
  accountTransferUpdate(id: $id, input: $input) {{ transfer {{ {SHOWN} }} errors {{ code path }} }} }}"""
LIST = f"query($id: ID!) {{ node(id: $id) {{ ... on Account {{ transfers {{ nodes {{ id {SHOWN} }} }} }} }} }}"


def moment(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


@pytest.fixture(autouse=True)
async def days_old(api: Api) -> None:
    async with api.harness.pool.acquire() as connection:
        await connection.execute("UPDATE accounts SET created_at = now() - interval '9 days'")


async def adjusted(api: Api, amount: object, currency: str = "USDT") -> str:
    """Have the engine have noticed a change of the balance; return the transfer's id."""
    harness, now = api.harness, datetime.now(UTC)
    transfer = AccountTransfer(
        harness.ids.next_id(), harness.user.id, harness.account.id, TransferKind.ADJUSTMENT, currency, D(str(amount)),
        now, f"adjustment:{currency}:{now.isoformat()}",
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await transaction.transfers.add(transfer)
    return encode_id("AccountTransfer", transfer.id)


async def record(api: Api, kind: str, amount: str, key: str = "one", **changes: object) -> dict[str, Any]:
    given = {"kind": kind, "currency": "USDT", "amount": amount, "at": moment(60), "idempotencyKey": key, **changes}
    return (await api.run(RECORD, id=api.account, input=given))["accountTransferRecord"]


async def transfers(api: Api) -> list[tuple[str, str]]:
    nodes = (await api.run(LIST, id=api.account))["node"]["transfers"]["nodes"]
    return sorted((node["kind"], node["amount"]) for node in nodes)


async def totals(api: Api) -> dict[str, Decimal]:
    async with api.harness.database.read_only() as reading:
        ledger = await reading.equity.account_ledger(api.harness.account.id, datetime.now(UTC))
    assert ledger is not None
    return dict(ledger.totals)


async def test_an_entry_takes_the_place_of_the_adjustment_and_the_balance_stays(api: Api) -> None:
    await adjusted(api, 500)
    before = await totals(api)
    at = moment(90)
    answer = await record(api, "DEPOSIT", "500.00", at=at, note=" from my bank ")
    assert answer["errors"] == []
    assert {**answer["transfer"], "id": None, "at": None} == {
        "id": None, "kind": "DEPOSIT", "currency": "USDT", "amount": "500", "at": None, "reference": "entry:one",
        "note": "from my bank",
    }  # fmt: skip
    assert datetime.fromisoformat(answer["transfer"]["at"]) == datetime.fromisoformat(at)
    assert await transfers(api) == [("DEPOSIT", "500")]
    assert await totals(api) == before


async def test_a_part_of_an_adjustment_is_explained_and_the_rest_stays(api: Api) -> None:
    await adjusted(api, 700)
    await adjusted(api, -300)
    assert (await record(api, "DEPOSIT", "500"))["errors"] == []
    assert (await record(api, "WITHDRAWAL", "100", "two"))["errors"] == []
    assert await transfers(api) == [
        ("ADJUSTMENT", "-200"), ("ADJUSTMENT", "200"), ("DEPOSIT", "500"), ("WITHDRAWAL", "-100"),
    ]  # fmt: skip
    assert (await totals(api))["USDT"] == 400


async def test_what_no_adjustment_contains_is_refused_and_makes_nothing_up(api: Api) -> None:
    await adjusted(api, 300)
    await adjusted(api, 900, "BTC")
    refused = await record(api, "DEPOSIT", "300.01")
    assert refused["errors"][0]["code"] == "CONFLICT"
    assert "there are: 300" in refused["errors"][0]["message"]
    assert (await record(api, "WITHDRAWAL", "1"))["errors"][0]["code"] == "CONFLICT"
    assert (await record(api, "DEPOSIT", "300"))["errors"] == []
    assert (await record(api, "DEPOSIT", "300", "again"))["errors"][0]["code"] == "CONFLICT"


async def test_the_same_key_records_once_also_at_the_same_moment(api: Api) -> None:
    await adjusted(api, 1000)
    at = moment(5)
    answers = await asyncio.gather(*(record(api, "DEPOSIT", "400", at=at) for _ in range(4)))
    assert len({answer["transfer"]["id"] for answer in answers}) == 1
    assert (await record(api, "DEPOSIT", "500", at=at))["errors"][0]["code"] == "CONFLICT"
    assert await transfers(api) == [("ADJUSTMENT", "600"), ("DEPOSIT", "400")]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "0.1234567890123456789"}, "amount"),
        ({"kind": "ADJUSTMENT"}, "kind"),
        ({"currency": "a b"}, "currency"),
        ({"at": "2020-01-01T00:00:00Z"}, "at"),
        ({"at": "2190-01-01T00:00:00Z"}, "at"),
        ({"note": "x" * 201}, "note"),
        ({"note": "a\x00b"}, "note"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
    ],
)
async def test_a_bad_entry_is_refused_where_it_is_bad(api: Api, changes: dict[str, str], path: str) -> None:
    await adjusted(api, 1000)
    given = {"kind": "DEPOSIT", "currency": "USDT", "amount": "1", "at": moment(60), "idempotencyKey": "k", **changes}
    (error,) = (await api.run(RECORD, id=api.account, input=given))["accountTransferRecord"]["errors"]
    assert (error["code"], error["path"]) == ("INVALID", ["input", path])


async def test_an_adjustment_is_corrected_and_taken_back(api: Api) -> None:
    adjustment, at = await adjusted(api, -250), moment(30)
    corrected = await api.run(UPDATE, id=adjustment, input={"kind": "WITHDRAWAL", "at": at, "note": "rent"})
    transfer = corrected["accountTransferUpdate"]["transfer"]
    assert (transfer["kind"], transfer["amount"], transfer["note"]) == ("WITHDRAWAL", "-250", "rent")
    assert datetime.fromisoformat(transfer["at"]) == datetime.fromisoformat(at)
    wrong = await api.run(UPDATE, id=adjustment, input={"kind": "DEPOSIT"})
    assert wrong["accountTransferUpdate"]["errors"] == [{"code": "INVALID", "path": ["input", "kind"]}]
    back = (await api.run(UPDATE, id=adjustment, input={"kind": "ADJUSTMENT", "note": None}))["accountTransferUpdate"]
    assert (back["transfer"]["kind"], back["transfer"]["note"]) == ("ADJUSTMENT", None)
    activity = await api.run("{ viewer { activity { nodes { action detail } } } }")
    actions = [node["action"] for node in activity["viewer"]["activity"]["nodes"]]
    assert actions.count("accountTransferUpdate") == 2


async def test_what_the_engine_knows_by_itself_is_not_corrected(api: Api) -> None:
    harness = api.harness
    opening = AccountTransfer(
        harness.ids.next_id(), harness.user.id, harness.account.id, TransferKind.OPENING, "USDT", D(5),
        datetime.now(UTC), "opening:USDT",
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await transaction.transfers.add(opening)
    answer = await api.run(UPDATE, id=encode_id("AccountTransfer", opening.id), input={"kind": "DEPOSIT"})
    assert answer["accountTransferUpdate"]["errors"][0]["code"] == "UNSUPPORTED"


async def test_an_entry_changes_no_profit_and_no_return(api: Api) -> None:
    harness = api.harness
    recorder = EquityRecorder(harness.account.id, harness.database, harness.markets, harness.clock)  # type: ignore[arg-type]
    await adjusted(api, 1000)
    await recorder.record()
    await adjusted(api, 3, "BTC")
    await recorder.record()
    before = await last_point(api)
    harness.markets.rates["BTC"] = D(250)
    assert (await record(api, "DEPOSIT", "1", currency="BTC"))["errors"] == []
    assert (await record(api, "DEPOSIT", "1000", "two"))["errors"] == []
    assert (await last_point(api))["deposited"] == before["deposited"]
    async with harness.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM account_transfers WHERE worth IS NULL") == 0


async def last_point(api: Api) -> dict[str, Decimal]:
    async with api.harness.database.read_only() as reading:
        ledger = await reading.equity.account_ledger(api.harness.account.id, datetime.now(UTC))
    assert ledger is not None
    return {"deposited": ledger.deposited}

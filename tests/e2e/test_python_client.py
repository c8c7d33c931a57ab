"""`r3edge.client` with the real engine: one order a key, and every event once, whatever ends the engine."""

import asyncio
from pathlib import Path

import pytest

from r3edge.client import Client, ClientError, MutationRejected, OutcomeUnknown, Unauthenticated, new_idempotency_key
from tests.e2e.test_client_recipes import CREATE_KEY, REVOKE_KEY, expected
from tests.support.engine import Engine, running_engine
from tests.support.link import linked
from tests.support.trader_client import FINAL, PLACE, TraderClient, new_trader
from tests.support.waiting import eventually, read_until

FOLLOW = "subscription($after: String) { orderEvents(after: $after) { cursor sequence order { id status } } }"
TICKER = 'subscription { ticker(market: "sandbox:BTC/USDT") { last } }'


async def trade(client: Client, trader: TraderClient, stop: asyncio.Event) -> list[str]:
    """Place orders, each by a key of its own, over every interruption; return their ids in order."""
    placed = []
    while not stop.is_set():
        order = trader.order(quantity="0.0005")
        key = order.pop("idempotencyKey")
        payload = await client.mutate(PLACE, {"input": order}, idempotency_key=key)
        placed.append(payload["order"]["id"])
        await asyncio.sleep(0.2)
    return placed


async def test_a_lost_answer_is_asked_for_by_the_same_key_and_one_order_is_placed(
    engine: Engine, trader: TraderClient
) -> None:
    order = trader.order(quantity="0.0005")
    del order["idempotencyKey"]
    async with linked(int(engine.url.rpartition(":")[2])) as link:
        url, token = f"http://127.0.0.1:{link.port}", trader.client.token
        async with Client(url, token, answer_seconds=5, patience_seconds=120) as client:
            before = {found["id"] for found in await trader.orders()}
            link.cut_answers()
            placing = asyncio.create_task(client.mutate(PLACE, {"input": order}, idempotency_key="lost answer"))
            await read_until(trader.orders, lambda found: len(found) > len(before), "the order is there, unanswered")
            link.heal()
            answered = (await placing)["order"]["id"]
        assert {found["id"] for found in await trader.orders()} - before == {answered}


async def test_without_a_key_a_refusal_and_an_unknown_outcome_are_different_errors(
    engine: Engine, trader: TraderClient
) -> None:
    async with Client(engine.url, trader.client.token) as client:
        with pytest.raises(MutationRejected) as rejected:
            await client.mutate(PLACE, {"input": trader.order(quantity="-1")}, idempotency_key=new_idempotency_key())
        assert rejected.value.errors[0].code == "INVALID"
        events = aiter(client.subscribe(TICKER))
        assert (await anext(events))["last"]
        await events.aclose()
    async with (
        linked(int(engine.url.rpartition(":")[2])) as link,
        Client(f"http://127.0.0.1:{link.port}", trader.client.token, answer_seconds=1) as client,
    ):
        link.cut_answers()
        with pytest.raises(OutcomeUnknown):
            await client.mutate("mutation { userLogout { errors { code } } }")


async def test_events_are_followed_over_sigterm_and_kill_without_gap_or_repeat(data_folder: Path) -> None:
    async with running_engine(data_folder / "data", "--seed", "7") as engine:
        trader = await new_trader(engine.client())
        key, start = await trader.client.change(CREATE_KEY), await trader.head()
        async with (
            Client(engine.url, trader.client.token, patience_seconds=240) as trading,
            Client(engine.url, key["secret"]) as following,
        ):
            subscription = following.follow(FOLLOW, after=start)
            sequences: list[int] = []

            async def follow() -> None:
                async for event in subscription:
                    sequences.append(int(event["sequence"]))  # noqa: PERF401  # others look at it meanwhile

            reading, stop = asyncio.create_task(follow()), asyncio.Event()
            placing = asyncio.create_task(trade(trading, trader, stop))
            await eventually(lambda: len(sequences) > 5, "the follower has events")
            for end in (engine.terminate, lambda: asyncio.to_thread(engine.kill)):
                await end()
                seen = len(sequences)
                await engine.start()
                await eventually(lambda seen=seen: len(sequences) > seen + 5, "the follower has gone on", 90)
            stop.set()
            placed = await placing
            orders = await read_until(
                trader.orders, lambda orders: all(order["status"] in FINAL for order in orders), "all orders' ends"
            )
            assert sorted(placed) == sorted(order["id"] for order in orders), "each key has placed one order"
            last = await trader.place(quantity="0.0005")
            all_sequences = await expected(trader, start, last["id"])
            await eventually(lambda: len(sequences) >= len(all_sequences), "the follower has the last event")
            assert sequences == all_sequences
            assert subscription.connections >= 3
            await trader.client.change(REVOKE_KEY, id=key["apiKey"]["id"])
            with pytest.raises(ClientError) as ended:
                await reading
            assert isinstance(ended.value, Unauthenticated)

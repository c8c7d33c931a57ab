"""What one client may have at once of what all share."""

import asyncio
import itertools

import pytest

from domain.core.errors import RateLimited
from infra.web.fair_use import FairUse, LoopShare
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import serving
from tests.support.waiting import eventually


async def codes_of(client: object, count: int) -> list[str]:
    """Subscribe so often, each time to a query of its own; return how each was answered first."""
    for number in range(count):
        await client.subscribe(f"subscription S{number} {{ depth {{ sequence }} }}", str(number))  # type: ignore[attr-defined]
    answers = []
    for _ in range(count):
        answer = await client.receive()  # type: ignore[attr-defined]
        answers.append(answer["payload"][0]["extensions"]["code"] if answer["type"] == "error" else answer["type"])
    return answers


async def test_rooms_are_limited_per_anonymous_client_over_all_sockets_and_higher_per_user(
    backend: DemoBackend,
) -> None:
    settings = WebSettings(max_rooms_per_anonymous=3, max_rooms_per_user=5)
    backend.depth.push()
    async with serving(demo_app(backend, settings), settings) as served:
        async with served.socket() as one, served.socket() as two, served.socket() as user:
            await one.init()
            await two.init()
            await user.init("good")
            assert await codes_of(one, 2) == ["next"] * 2
            # Rooms that are there already may be joined by all.
            assert sorted(await codes_of(two, 5)) == ["RATE_LIMITED"] * 2 + ["next"] * 3
            assert sorted(await codes_of(user, 8)) == ["next"] * 8
            await user.subscribe("subscription More { depth { sequence } }", "more")
            assert (await user.receive())["type"] == "error"
        async with served.socket() as again:
            await again.init()
            await eventually(lambda: len(served_rooms(served)) == 0, "all rooms are closed")
            assert sorted(await codes_of(again, 4)) == ["RATE_LIMITED"] + ["next"] * 3


def served_rooms(served: object) -> object:
    return served.app.state.operations.rooms  # type: ignore[attr-defined]


async def test_subscriptions_are_limited_per_anonymous_client_over_all_sockets(backend: DemoBackend) -> None:
    settings = WebSettings(max_subscriptions_per_anonymous=2)
    backend.depth.push()
    async with (
        serving(demo_app(backend, settings), settings) as served,
        served.socket() as one,
        served.socket() as two,
        served.socket() as user,
    ):
        for client, token in ((one, None), (two, None), (user, "good")):
            await client.init(token)
        for client in (one, two):
            await client.subscribe("subscription { depth { sequence } }")
            assert (await client.receive())["type"] == "next"
        await two.subscribe("subscription { depth { sequence } }", "2")
        assert (await two.receive())["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        await user.subscribe("subscription { depth { sequence } }")
        assert (await user.receive())["type"] == "next"
        await one.send(type="complete", id="1")
        await eventually(lambda: served.app.state.operations.fair_use.subscriptions["127.0.0.1"] == 1, "left")
        await two.subscribe("subscription { depth { sequence } }", "3")
        assert (await two.receive())["type"] == "next"


async def test_queries_at_once_are_limited_per_client_and_do_not_delay_others(backend: DemoBackend) -> None:
    settings = WebSettings(queries_at_once_per_client=2, waiting_operations_per_client=1)
    async with serving(demo_app(backend, settings), settings) as served, served.client() as client:
        requests = [asyncio.create_task(client.post("/graphql", json={"query": "{ slow }"})) for _ in range(3)]
        await eventually(lambda: backend.waiting == 2, "two of them run")
        fair_use = served.app.state.operations.fair_use
        await eventually(lambda: fair_use.queries.waiting == 1, "the third waits")
        refused = await client.post("/graphql", json={"query": "{ slow }"})
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]) == (
            429,
            {"code": "RATE_LIMITED", "retryAfterSeconds": 1},
        )
        other = await client.post("/graphql", json={"query": "{ hello }"}, headers={"authorization": "Bearer good"})
        assert other.json()["data"] == {"hello": "hello you"}
        backend.gate.set()
        assert [(await request).status_code for request in requests] == [200] * 3


async def test_heavy_queries_run_a_few_at_a_time_in_turn() -> None:
    fair_use = FairUse(WebSettings(heavy_queries_at_once=2, waiting_operations_per_client=2))

    async def ask(client: str) -> None:
        async with fair_use.query(client, 5_000):
            pass

    async with fair_use.query("greedy", 5_000):
        waiting = [asyncio.create_task(ask("greedy")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited):
            await waiting[2]
        async with fair_use.query("modest", 5_000), fair_use.query("greedy", 10):
            assert not waiting[0].done()
    await asyncio.gather(*waiting[:2])


async def test_pieces_of_work_run_one_at_a_time_and_everything_else_runs_in_between() -> None:
    now = 0.0
    share = LoopShare(lambda: now)
    order: list[str] = []

    async def work(client: str) -> None:
        nonlocal now
        async with share.turn(client):
            now += 0.01
            order.append(client)

    async def concurrent() -> None:
        while len([name for name in order if name != "loop"]) < 30:
            order.append("loop")
            await asyncio.sleep(0)

    other = asyncio.create_task(concurrent())
    tasks = [asyncio.create_task(work("greedy")) for _ in range(28)]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(work("modest")) for _ in range(2)]
    await asyncio.gather(other, *tasks)
    worked = [name for name in order if name != "loop"]
    assert worked.index("modest") <= 2
    assert all((one, two) == ("loop", "loop") or one != two for one, two in itertools.pairwise(order))


async def test_events_of_many_private_streams_take_turns_and_delay_no_other_user(backend: DemoBackend) -> None:
    settings = WebSettings(queries_at_once_per_client=2, waiting_operations_per_client=1)
    async with (
        serving(demo_app(backend, settings), settings) as served,
        served.socket() as greedy,
        served.socket() as modest,
    ):
        await greedy.init("good")
        await modest.init("other")
        for number in range(20):
            await greedy.subscribe("subscription { journal { slowText } }", str(number))
        await modest.subscribe("subscription { journal { slowText } }")
        await eventually(lambda: len(backend.journal.readers) == 21, "all streams are open")
        backend.journal.push()
        events = served.app.state.operations.fair_use.events
        await eventually(lambda: events.waiting == 18, "all but two of the greedy user's events wait")
        await eventually(lambda: backend.waiting == 3, "the other user's event doesn't")
        backend.gate.set()
        assert (await modest.receive())["type"] == "next"
        assert [(await greedy.receive())["type"] for _ in range(20)] == ["next"] * 20


async def test_events_of_private_streams_are_executed_in_the_turns_of_the_loop(
    backend: DemoBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    turn = LoopShare.turn

    def counted(self: LoopShare, client: str, *, unbounded: bool = False) -> object:
        turns.append(client)
        return turn(self, client, unbounded=unbounded)

    async with serving(demo_app(backend)) as served, served.socket() as socket:
        await socket.init("good")
        await socket.subscribe("subscription { journal { text } }")
        await eventually(lambda: len(backend.journal.readers) == 1, "the stream is open")
        monkeypatch.setattr(LoopShare, "turn", counted)
        for _ in range(3):
            backend.journal.push()
            await socket.receive()
    assert turns == ["credential-1"] * 3


async def test_the_opener_of_a_room_cannot_end_it_for_others_by_too_many_waiting_operations(
    backend: DemoBackend,
) -> None:
    settings = WebSettings(queries_at_once_per_client=1, waiting_operations_per_client=1)
    document = "subscription { depth { slowText } }"
    async with (
        serving(demo_app(backend, settings), settings) as served,
        served.socket() as opener,
        served.socket() as other,
        served.client() as client,
    ):
        await opener.init()
        await other.init("good")
        await opener.subscribe(document)
        await eventually(lambda: len(backend.depth.readers) == 1, "the room is open")
        await other.subscribe(document)
        requests = [asyncio.create_task(client.post("/graphql", json={"query": "{ slow }"})) for _ in range(2)]
        fair_use = served.app.state.operations.fair_use
        await eventually(lambda: (backend.waiting, fair_use.queries.waiting) == (1, 1), "the opener may ask no more")
        assert (await client.post("/graphql", json={"query": "{ slow }"})).status_code == 429
        backend.depth.push()
        await eventually(lambda: backend.waiting == 2, "the room's event is executed all the same")
        backend.gate.set()
        assert (await other.receive())["type"] == (await opener.receive())["type"] == "next"
        assert [(await request).status_code for request in requests] == [200, 200]


async def test_an_abandoned_mutation_keeps_its_turn_until_it_ends(backend: DemoBackend) -> None:
    settings = WebSettings(mutations_at_once_per_client=1, operation_timeout_seconds=0.2)
    async with serving(demo_app(backend, settings), settings) as served, served.client() as client:
        for price in (1, 2):
            answer = await client.post("/graphql", json={"query": f"mutation {{ orderSlowly(price: {price}) }}"})
            assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
            await eventually(lambda: backend.waiting == 1, "the first, and no other, is under way")
        backend.gate.set()
        await eventually(lambda: backend.placed == [1], "the first has ended")
        await client.post("/graphql", json={"query": "mutation { orderSlowly(price: 3) }"})
        await eventually(lambda: backend.placed == [1, 3], "the turn is free again")


async def test_too_many_pieces_of_one_client_are_refused_with_a_code_and_unbounded_ones_never() -> None:
    share = LoopShare(max_waiting=1)

    async def work(*, unbounded: bool) -> str:
        async with share.turn("greedy", unbounded=unbounded):
            return "done"

    async with share.turn("greedy"):
        tasks = [asyncio.create_task(work(unbounded=False)) for _ in range(2)]
        tasks += [asyncio.create_task(work(unbounded=True)) for _ in range(3)]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[1], RateLimited)
    assert [outcomes[0], *outcomes[2:]] == ["done"] * 4


SMALL = {"query": "{ hello }"}
LONG = {
    "a large body": {"query": "{ hello }", "variables": {"text": "a" * 20_000}},
    "many values in variables": {"query": "{ hello }", "variables": {"numbers": [0] * 1_000}},
    "a long document": {"query": f"{{ hello }} # {'a' * 5_000}"},
    "introspection": {"query": "{ __schema { types { name } } }"},
    "a document that is compiled": {"query": "query Again { hello }"},
}


@pytest.mark.parametrize("what", LONG)
async def test_what_may_take_long_waits_for_its_turn_while_others_are_answered(backend: DemoBackend, what: str) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        for body in (SMALL, SMALL, LONG[what]):  # what is new is read in turn as well
            assert "data" in (await client.post("/graphql", json=body)).json()
        loop = served.app.state.operations.fair_use.loop
        async with loop.turn("somebody else"):
            long = asyncio.create_task(client.post("/graphql", json=LONG[what]))
            await eventually(lambda: loop.waiting == 1, "it waits for its turn")
            assert "data" in (await client.post("/graphql", json=SMALL)).json()
            assert not long.done()
        assert "data" in (await long).json()


async def test_variables_of_too_many_values_are_refused_however_they_are_nested(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        for variables in ({"a": [0] * 5_001}, {"a": [[0] * 1_000] * 6}, {"a": [{"b": 0}] * 2_501}):
            answer = await client.post("/graphql", json={"query": "{ hello }", "variables": variables})
            assert answer.json()["errors"][0]["extensions"] == {
                "code": "INVALID",
                "limit": "variables",
                "maximum": 5_000,
            }
        full = {"a": [0] * 4_999}
        assert "data" in (await client.post("/graphql", json={"query": "{ hello }", "variables": full})).json()


@pytest.mark.parametrize("way", ["http", "websocket"])
async def test_a_mutation_can_find_out_that_its_client_has_left(backend: DemoBackend, way: str) -> None:
    mutation = "mutation { orderSlowly(price: 1) }"
    async with serving(demo_app(backend)) as served:
        if way == "http":
            async with served.client() as client:
                request = asyncio.create_task(client.post("/graphql", json={"query": mutation}))
                await eventually(lambda: backend.waiting == 1, "it is under way")
                request.cancel()
        else:
            async with served.socket() as socket:
                await socket.init()
                await socket.subscribe(mutation)
                await eventually(lambda: backend.waiting == 1, "it is under way")
        await eventually(lambda: served.app.state.limits.open_connections == 0, "the client has left")
        backend.gate.set()
        await eventually(lambda: backend.placed, "the mutation has ended")
        assert backend.left == [True]

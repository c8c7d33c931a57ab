"""Random documents over the whole schema and made-up objects: plans and graphql-core must give the same answers."""

import asyncio
import os
import types
from collections import Counter
from collections.abc import Coroutine, Iterator
from random import Random
from typing import Any

import pytest
from graphql.execution.values import VariableValues
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from infra.web.compiled.plans import MAX_VARIANTS, Plans
from infra.web.compiled.running import Gap, Run
from infra.web.documents.preparation import Documents, PreparedOperation
from infra.web.encoding import encode_json
from infra.web.errors import RequestErrors
from infra.web.execution import Execution, Payload, execute
from infra.web.metrics import WebMetrics
from infra.web.settings import WebSettings
from schema import build_schema
from tests.support import demo_schema
from tests.support.made_up_objects import MadeUp
from tests.support.random_documents import Writer

SCHEMA = build_schema()
GRAPHQL = SCHEMA.graphql_schema
DOCUMENTS = int(os.environ.get("R3EDGE_TEST_DOCUMENTS", "2000"))
"""How many, of which the fewer half have errors thrown in."""

EXPLORES = settings.get_current_profile_name() == "explore"
PHASES = [Phase.generate, *([Phase.shrink] if EXPLORES else [])]
"""Making a document that differs as short as can be takes minutes, more than a test may: that is for exploring."""

LIMITS = WebSettings(max_tokens=5_000, max_aliases=500, max_directives=200)


@pytest.fixture
def made_up() -> Iterator[MadeUp]:
    objects = MadeUp(GRAPHQL)
    with (
        objects.resolvers(),
        capture_logs(),
    ):  # errors are logged with their tracebacks, which takes longer than all else
        yield objects


def _execution(prepared: PreparedOperation, variables: dict[str, Any] | None = None) -> Execution:
    return Execution(GRAPHQL, prepared, variables or {}, types.SimpleNamespace(loaders={}))


def _ways(metrics: WebMetrics) -> dict[str, float]:
    samples = next(iter(metrics.selections.collect())).samples
    return {each.labels["way"]: each.value for each in samples if each.name.endswith("_total")}


async def _both(
    prepared: PreparedOperation, variables: dict[str, Any], made_up: MadeUp
) -> tuple[Payload, Payload, str]:
    """Return the answers of graphql-core and of the plan, and by which way the plan's came.

    The plan's loaders are never asked more often than graphql-core's. (Where something fails, graphql-core may leave a
    load behind, which then counts for the plan's.)
    """
    metrics = WebMetrics(CollectorRegistry())
    plans = Plans(SCHEMA, metrics, enabled=True)
    prepared.compiled = None  # the document may be one that was tried before
    await plans.execute(prepared, _execution(prepared, variables))  # the first time nothing is compiled
    made_up.batches = 0
    expected = await execute(_execution(prepared, variables).executor)
    batches, made_up.batches = made_up.batches, 0
    answer = await plans.execute(prepared, _execution(prepared, variables))
    ways = _ways(metrics)
    del ways["first"]
    way = next(iter(ways))
    assert way != "compiled" or made_up.faults or made_up.batches <= batches
    return expected, answer, way


@pytest.mark.parametrize(("faults", "share"), [(0.0, 0.6), (0.01, 0.3), (0.1, 0.1)])
def test_plans_answer_as_graphql_core_does(made_up: MadeUp, faults: float, share: float) -> None:
    made_up.faults = faults
    documents = Documents(GRAPHQL, LIMITS)
    seen: Counter[str] = Counter()

    @settings(
        max_examples=int(DOCUMENTS * share), suppress_health_check=list(HealthCheck), phases=PHASES, database=None
    )
    @given(st.randoms(use_true_random=False))
    def compare(random: Random) -> None:
        writer = Writer(GRAPHQL, random)
        text = writer.document()
        try:
            prepared = documents.prepare(text, None)
        except RequestErrors as error:
            seen["invalid"] += 1
            event(f"invalid: {error}")
            return
        note(f"{text}\n{writer.values}")
        try:
            expected, answer, way = runner.run(_both(prepared, writer.values, made_up))
        except RequestErrors as error:  # the value of a variable is invalid
            seen["invalid"] += 1
            event(f"invalid: {error}")
            return
        seen["failed" if "errors" in expected else "answered"] += 1
        assert encode_json(answer["data"]) == encode_json(expected["data"])
        assert _nulled(answer) == _nulled(expected)
        has_null = None in writer.values.values()  # the value of a condition may be, which no plan has
        assert way == ("repeated" if "errors" in expected else "compiled") or (has_null and way == "conditions")

    with asyncio.Runner() as runner:
        compare()
    assert seen["invalid"] < sum(seen.values()) / 10
    assert seen["answered"] > sum(seen.values()) / 4
    assert seen["failed"] or not faults


def _nulled(payload: Payload) -> set[tuple[str | int, ...]]:
    """Return the places that are null for the errors. Of several errors below one, it's chance which are reported."""
    places = set()
    for error in payload.get("errors", ()):
        value, place = payload["data"], list(error["path"]) if "path" in error else []
        for depth, key in enumerate(place):
            if value is None:
                del place[depth:]
                break
            value = value[key]
        assert value is None
        places.add(tuple(place))
    return places


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{ __schema { queryType { name } } }", "introspection"), ("{ __typename }", "compiled")],
)
async def test_what_a_plan_cannot_do_is_left_to_graphql_core_and_counted(text: str, reason: str) -> None:
    metrics = WebMetrics(CollectorRegistry())
    plans = Plans(SCHEMA, metrics, enabled=True)
    prepared = Documents(GRAPHQL, WebSettings()).prepare(text, None)
    answers = [await plans.execute(prepared, _execution(prepared)) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert _ways(metrics) == {"first": 1, reason: 2}


async def test_each_value_of_a_condition_has_its_plan() -> None:
    metrics = WebMetrics(CollectorRegistry())
    plans = Plans(SCHEMA, metrics, enabled=True)
    text = "query ($a: Boolean!, $b: Boolean = true) { x: __typename @skip(if: $a) y: __typename @include(if: $b) }"
    prepared = Documents(GRAPHQL, WebSettings()).prepare(text, None)
    for _ in range(2):
        for a, b in [(True, True), (False, True), (False, False)]:
            answer = await plans.execute(prepared, _execution(prepared, {"a": a, "b": b}))
            assert list(answer["data"]) == ["x"] * (not a) + ["y"] * b
    assert _ways(metrics) == {"first": 1, "compiled": 5}


async def test_no_value_of_a_condition_takes_the_plans_of_others() -> None:
    names = "abcd"
    head = ", ".join(f"${name}: Boolean = true" for name in names)
    fields = " ".join(f"{name}: __typename @include(if: ${name})" for name in names)
    prepared = Documents(GRAPHQL, WebSettings()).prepare(f"query ({head}) {{ {fields} }}", None)
    metrics = WebMetrics(CollectorRegistry())
    plans = Plans(SCHEMA, metrics, enabled=True)
    await plans.execute(prepared, _execution(prepared))
    await plans.execute(prepared, _execution(prepared))
    with capture_logs() as logs:
        answer = await plans.execute(prepared, _execution(prepared, {"b": None}))
        for number in range(2 ** len(names)):
            variables = {name: bool(number & 1 << i) for i, name in enumerate(names)}
            assert list((await plans.execute(prepared, _execution(prepared, variables)))["data"]) == [
                name for name in names if variables[name]
            ]
    assert "errors" in answer
    assert not [each for each in logs if each["event"] == "operation_not_compiled"]
    await plans.execute(prepared, _execution(prepared))
    assert _ways(metrics) == {
        "first": 1,
        "compiled": 1 + MAX_VARIANTS + 1,
        "conditions": 1 + 2 ** len(names) - MAX_VARIANTS,
    }


async def test_the_plans_of_many_documents_are_held_within_a_bound() -> None:
    documents = Documents(GRAPHQL, WebSettings())
    plans = Plans(SCHEMA, WebMetrics(CollectorRegistry()), enabled=True, max_held=5_000)
    fields = " ".join(f"f{i}: id" for i in range(14))
    for number in range(20):  # of some 600 fields each: one for every type of node
        prepared = documents.prepare(f"{{ nodes(ids: []) {{ {fields} }} }} # {number}", None)
        for _ in range(2):
            answer = await plans.execute(prepared, _execution(prepared))
            assert answer == {"data": {"nodes": []}}
    assert 4_000 < plans.size <= 5_000


async def test_one_failure_leaves_the_executions_after_it_to_the_plan_and_many_in_a_row_do_not(made_up: MadeUp) -> None:
    metrics = WebMetrics(CollectorRegistry())
    plans = Plans(SCHEMA, metrics, enabled=True)
    prepared = Documents(GRAPHQL, WebSettings()).prepare("{ engine { version } }", None)
    made_up.faults = 0.0
    await plans.execute(prepared, _execution(prepared))
    for faults in (1.0, 0.0, 1.0, 1.0, 0.0):
        made_up.faults = faults
        assert ("errors" in await plans.execute(prepared, _execution(prepared))) is bool(faults)
    assert _ways(metrics) == {"first": 1, "repeated": 3, "compiled": 1, "errors": 1}
    for _ in range(40):
        made_up.faults = 1.0
        await plans.execute(prepared, _execution(prepared))
    assert _ways(metrics)["repeated"] < 3 + 10


async def test_arguments_that_are_kept_are_those_without_variables() -> None:
    plans = Plans(demo_schema.SCHEMA, metrics := WebMetrics(CollectorRegistry()), enabled=True)
    schema = demo_schema.SCHEMA.graphql_schema
    text = 'query ($name: String!) { constant: hello(name: "Ann") given: hello(name: $name) default: hello }'
    prepared = Documents(schema, WebSettings()).prepare(text, None)
    for name in ("Bob", "Cyd", "Dan"):
        execution = Execution(schema, prepared, {"name": name}, types.SimpleNamespace())
        greetings = (await plans.execute(prepared, execution))["data"].values()
        assert list(greetings) == ["hello Ann", f"hello {name}", "hello you"]
    assert _ways(metrics) == {"first": 1, "compiled": 2}


async def test_a_field_that_fails_does_not_cancel_a_load_that_others_wait_for() -> None:
    shared: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait() -> int:
        return await shared

    async def fail() -> int:
        asyncio.get_running_loop().call_soon(shared.set_result, 1)
        raise ValueError("made up")

    run = _run_with(wait(), fail(), wait())
    with pytest.raises(ValueError, match="made up"):
        await run.finish()
    assert shared.result() == 1


async def test_a_cancelled_run_cancels_what_it_waits_for_and_leaves_nothing_unawaited() -> None:
    begun: list[str] = []

    async def wait() -> None:
        begun.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            begun.append("ended")

    running = asyncio.create_task(_run_with(wait(), wait()).finish())
    await asyncio.sleep(0)  # its own tasks exist now, and have not begun
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert begun == []

    running = asyncio.create_task(_run_with(wait(), wait()).finish())
    for _ in range(3):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert begun == ["begun", "begun", "ended", "ended"]


def _run_with(*values: Coroutine[Any, Any, Any]) -> Run:
    run = Run([], None, VariableValues({}, {}))
    answer: dict[str, Any] = {}
    run.gaps = [Gap(answer, str(i), lambda value, _run: value, each) for i, each in enumerate(values)]
    return run

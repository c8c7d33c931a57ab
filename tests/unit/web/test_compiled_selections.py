"""Random documents over the whole schema and made-up objects: plans and graphql-core must give the same answers."""

import asyncio
import os
import types
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest
from graphql import (
    GraphQLField,
    get_named_type,
    is_abstract_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.values import VariableValues
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from domain.model.markets import MarketSymbol
from infra.web.compiled.plans import Plans
from infra.web.compiled.running import Gap, Run
from infra.web.documents.preparation import Documents, PreparedOperation
from infra.web.encoding import encode_json
from infra.web.errors import RequestErrors
from infra.web.execution import Execution, execute
from infra.web.metrics import WebMetrics
from infra.web.settings import WebSettings
from schema import build_schema

SCHEMA = build_schema()
GRAPHQL = SCHEMA.graphql_schema
DOCUMENTS = int(os.environ.get("R3EDGE_TEST_DOCUMENTS", "150"))
SYMBOL = "sandbox:BTC/USDT"
LITERALS = {
    "Int": "7",
    "Boolean": "true",
    "MarketSymbol": f'"{SYMBOL}"',
    "DateTime": '"2026-01-01T00:00:00Z"',
    "Decimal": '"1.5"',
    "ID": '"x"',
    "String": '"y"',
    "Sequence": '"5"',
    "Float": "1.5",
}
DECIMALS = [*map(Decimal, ("1E+3", "0.1000", "-0", "-1.50", "0E-8", "1E-10", "100", "123456.789")), 7]
TIMES = [
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1000, tzinfo=UTC),
    datetime(2026, 1, 1, 5, 0, 0, 123456, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5))),
]
TEXTS = ["", "text", 'quo"te', "\u2028é", "\ud800"]
FAULT = object()


class World:
    """Makes objects up: each attribute has the same value whenever it is asked for."""

    def __init__(self) -> None:
        self.faults = 0.0
        self._classes: dict[str, type] = {}

    def value(self, kind: Any, seed: str) -> Any:  # one for each kind
        random = Random(seed)
        if is_non_null_type(kind):
            return None if random.random() < self.faults else self._value(kind.of_type, seed, random)
        return None if random.random() < 0.15 else self._value(kind, seed, random)

    def _value(self, kind: Any, seed: str, random: Random) -> Any:
        if is_list_type(kind):
            return [self.value(kind.of_type, f"{seed}.{i}") for i in range(random.randrange(4))]
        if is_abstract_type(kind):
            return self.object(random.choice(GRAPHQL.get_possible_types(kind)), seed)
        if not is_leaf_type(kind):
            return self.object(kind, seed)
        if random.random() < self.faults:
            return FAULT
        if is_enum_type(kind):
            return random.choice([each.value for each in kind.values.values()])
        choices: dict[str, list[Any]] = {
            "Decimal": DECIMALS,
            "DateTime": TIMES,
            "Int": [0, -5, 10**6],
            "Sequence": [0, 2**60],
            "Float": [0.5, 3],
            "Boolean": [True, False],
            "MarketSymbol": [MarketSymbol.parse(SYMBOL)],
        }
        return random.choice(choices.get(kind.name, TEXTS))

    def object(self, kind: Any, seed: str) -> Any:
        if kind.name not in self._classes:
            self._classes[kind.name] = self._class(kind)
        made: object = object.__new__(self._classes[kind.name])
        object.__setattr__(made, "__dict__", {"seed": seed})
        return made

    def _class(self, kind: Any) -> type:
        """Return a class that the type's own `is_type_of` takes."""
        cells = getattr(kind.is_type_of, "__closure__", None) or ()
        bases = tuple(cell.cell_contents[0] for cell in cells if isinstance(cell.cell_contents, tuple))
        fields = {field.extensions["strawberry-definition"].python_name: field.type for field in kind.fields.values()}

        def attribute(made: object, name: str) -> Any:
            if name.startswith("__") or name == "seed":
                return object.__getattribute__(made, name)
            seed = object.__getattribute__(made, "__dict__")["seed"]
            if name == "id" or name not in fields:
                return UUID(int=Random(seed).getrandbits(128))
            if Random(f"{seed}!{name}").random() < self.faults:
                raise ValueError("made up")
            return self.value(fields[name], f"{seed}/{name}")

        body = {"__getattribute__": attribute, "__hash__": object.__hash__, "__eq__": lambda a, b: a is b}
        return types.new_class("Made" + kind.name, bases[:1], exec_body=lambda names: names.update(body))

    def resolver(self, field: GraphQLField, name: str, *, is_async: bool) -> Any:
        def answer(given: dict[str, Any], *parents: Any) -> Any:
            found = [each.__dict__["seed"] for each in (*parents, *given.values()) if "seed" in _own(each)]
            plain = sorted((key, str(value)) for key, value in given.items() if isinstance(value, str | int | Decimal))
            seed = f"{found}{name}{plain}"
            if Random(f"!{seed}").random() < self.faults:
                raise ValueError("made up")
            return self.value(field.type, seed)

        async def answer_later(*parents: Any, **given: Any) -> Any:
            if Random(f"{name}{parents == ()}").random() < 0.5:
                await asyncio.sleep(0)
            return answer(given, *parents)

        return answer_later if is_async else lambda *parents, **given: answer(given, *parents)


def _own(value: object) -> dict[str, Any]:
    try:
        return object.__getattribute__(value, "__dict__")  # type: ignore[no-any-return]
    except AttributeError:
        return {}


class Writer:
    """Writes one random document."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.variables: list[str] = []
        self.fragments: list[str] = []

    def document(self) -> str:
        body = self.selection(GRAPHQL.query_type, 4)
        head = f"({', '.join(self.variables)})" if self.variables else ""
        return f"query Q{head} {{ {body} }} {' '.join(self.fragments)}"

    def variable(self, kind: str, literal: str) -> str:
        self.variables.append(f"$v{len(self.variables)}: {kind} = {literal}")
        return f"$v{len(self.variables) - 1}"

    def condition(self) -> str:
        if self.random.random() < 0.9:
            return ""
        value = self.random.choice(["true", "false"])
        given = value if self.random.random() < 0.5 else self.variable("Boolean!", value)
        return f" @{self.random.choice(['skip', 'include'])}(if: {given})"

    def literal(self, kind: Any) -> str:
        if is_non_null_type(kind):
            return self.literal(kind.of_type)
        if is_list_type(kind):
            return f"[{self.literal(kind.of_type)}]"
        if is_enum_type(kind):
            return str(self.random.choice(list(kind.values)))
        return LITERALS.get(kind.name, "{}")

    def arguments(self, field: GraphQLField) -> str:
        parts = []
        for name, argument in field.args.items():
            if is_non_null_type(argument.type) or self.random.random() < 0.2:
                given = self.literal(argument.type)
                if not is_non_null_type(argument.type) and self.random.random() < 0.1:
                    given = "null"
                parts.append(
                    f"{name}: {self.variable(str(argument.type), given) if self.random.random() < 0.4 else given}"
                )
        return f"({', '.join(parts)})" if parts else ""

    def selection(self, kind: Any, depth: int) -> str:
        parts = ["__typename"] if self.random.random() < 0.3 else []
        if is_abstract_type(kind):
            possible = GRAPHQL.get_possible_types(kind)
            parts += [
                f"... on {each.name}{self.condition()} {{ {self.selection(each, depth - 1)} }}"
                for each in self.random.sample(list(possible), min(3, len(possible)))
            ]
        fields = getattr(kind, "fields", {})
        for name in self.random.sample(list(fields), min(len(fields), self.random.randrange(1, 6))):
            parts += self.field(name, fields[name], depth)
        text = " ".join(parts) or "__typename"
        if self.random.random() > 0.2:
            return text
        self.fragments.append(f"fragment F{len(self.fragments)} on {kind.name} {{ {text} }}")
        return f"...F{len(self.fragments) - 1}{self.condition()}"

    def field(self, name: str, field: GraphQLField, depth: int) -> list[str]:
        kind = get_named_type(field.type)
        if not is_leaf_type(kind) and depth <= 0:
            return []
        arguments = self.arguments(field)
        alias = f"a{self.random.randrange(1000)}: " if arguments or self.random.random() < 0.15 else ""
        head = f"{alias}{name}{arguments}{self.condition()}"
        if is_leaf_type(kind):
            return [head]
        found = [f"{head} {{ {self.selection(kind, depth - 1)} }}"]
        if not alias and self.random.random() < 0.2:
            found.append(f"{name} {{ {self.selection(kind, 0)} }}")
        return found


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with pytest.MonkeyPatch.context() as patch:
        for kind in GRAPHQL.type_map.values():
            if not is_object_type(kind) or kind in (GRAPHQL.mutation_type, GRAPHQL.subscription_type):
                continue
            for name, field in kind.fields.items():
                definition = field.extensions.get("strawberry-definition")
                if definition and definition.base_resolver and name != "id":
                    resolver = made.resolver(field, f"{kind.name}.{name}", is_async=definition.is_async)
                    patch.setattr(definition.base_resolver, "wrapped_func", resolver)
        with capture_logs():  # errors are logged with their tracebacks, which takes longer than all else
            yield made


def _execution(prepared: PreparedOperation, variables: dict[str, Any] | None = None) -> Execution:
    return Execution(GRAPHQL, prepared, variables or {}, types.SimpleNamespace())


def _ways(metrics: WebMetrics) -> dict[str, float]:
    samples = next(iter(metrics.selections.collect())).samples
    return {each.labels["way"]: each.value for each in samples if each.name.endswith("_total")}


@pytest.mark.parametrize("faults", [0.0, 0.004])
async def test_plans_answer_as_graphql_core_does(world: World, faults: float) -> None:
    world.faults = faults
    documents = Documents(GRAPHQL, WebSettings(max_tokens=5_000, max_aliases=500, max_directives=100))
    metrics = WebMetrics(CollectorRegistry())
    plans = Plans(SCHEMA, metrics, enabled=True)
    done = failed = 0
    for seed in range(DOCUMENTS):
        text = Writer(seed).document()
        try:
            prepared = documents.prepare(text, None)
        except RequestErrors:
            continue
        expected = await execute(_execution(prepared).executor)
        await plans.execute(prepared, _execution(prepared))  # the first time nothing is compiled
        before = _ways(metrics)
        answer = await plans.execute(prepared, _execution(prepared))
        assert encode_json(answer["data"]) == encode_json(expected["data"]), text
        assert [each.get("path") for each in answer.get("errors", ())] == [
            each.get("path") for each in expected.get("errors", ())
        ], text
        way = "repeated" if "errors" in expected else "compiled"
        assert _ways(metrics).get(way, 0) == before.get(way, 0) + 1, (expected.get("errors"), text)
        done += 1
        failed += "errors" in expected
    assert done > DOCUMENTS / 2
    assert failed or not faults
    assert done - failed > DOCUMENTS / 4


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

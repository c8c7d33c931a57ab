"""Finds or makes the plan of an operation, and says which operations go to graphql-core."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from cachetools import LRUCache

from infra.web.compiled.calls import Unfit
from infra.web.compiled.plan import Plan, conditions
from infra.web.compiled.running import Run
from infra.web.documents.preparation import PreparedOperation
from infra.web.execution import AT_ONCE, Execution, Payload, execute
from infra.web.metrics import WebMetrics
from schema.common.engine_schema import EngineSchema

_log = structlog.get_logger(__name__)

MAX_VARIANTS: Final = 8
"""How many plans one operation may have, for different values in its `@skip` and `@include`."""

MAX_REST: Final = 20
"""So many executions of an operation at most are left to graphql-core after several in a row had to be repeated."""

MAX_HELD: Final = 50_000
"""How many fields all plans may have together, each of which takes some 800 bytes."""

_CHARACTERS_A_FIELD: Final = 5
"""A plan keeps its document, of which so many characters take as much as a field."""

_INTROSPECTION: Final = frozenset({"__schema", "__type"})

Turn = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(slots=True)
class CompiledOperation:
    """What is kept with one prepared operation."""

    reason: str = ""
    """What makes graphql-core execute it; empty if plans may."""

    uses: int = 0
    failures: int = 0
    """How many executions in a row had to be repeated."""

    rest: int = 0
    conditions: tuple[str, ...] | None = None
    variants: set[tuple[Any, ...]] = field(default_factory=set)
    """The values of `conditions` that have a plan, which is made again if it isn't held any more."""

    def values(self, execution: Execution) -> tuple[Any, ...]:
        """Return the values in its `@skip` and `@include`."""
        coerced = execution.variable_values.coerced
        return tuple(coerced.get(name) for name in self.conditions or ())

    def may_have(self, values: tuple[Any, ...]) -> bool:
        """Return whether there may be a plan for these values; for null it's an error, or where nothing asks for it."""
        return None not in values and (values in self.variants or len(self.variants) < MAX_VARIANTS)


class Plans:
    """The plans of one schema's operations. Which ones have any is kept with the operation, the plans are bounded."""

    def __init__(self, schema: EngineSchema, metrics: WebMetrics, *, enabled: bool, max_held: int = MAX_HELD) -> None:
        self._schema = schema
        self._metrics = metrics
        self._enabled = enabled
        self._held: LRUCache[tuple[PreparedOperation, tuple[Any, ...]], Plan] = LRUCache(max_held, getsizeof=_size)

    @property
    def size(self) -> int:
        """How many fields all plans have, and what their documents count for."""
        return int(self._held.currsize)

    async def execute(self, prepared: PreparedOperation, execution: Execution, turn: Turn = nullcontext) -> Payload:
        """Return the response to a query, by its plan or by graphql-core.

        A plan is made, and the schema is read, within a `turn` of the event loop: either may take tens of milliseconds.
        """
        async with turn() if self._must_compile(prepared, execution) else AT_ONCE:
            plan = self.find(prepared, execution)
        if plan is None:
            return await execute(
                execution.executor, AT_ONCE if _INTROSPECTION.isdisjoint(prepared.root_fields) else turn()
            )
        known = self._known(prepared)
        run = Run(plan.calls, execution.context, execution.variable_values)
        try:
            data = run.begin(plan.function, None)
            if run.gaps:
                await run.finish()
        except Exception:  # noqa: BLE001  # graphql-core reports whatever it is
            self._count("repeated")
            known.failures += 1
            known.rest = min(2 ** (known.failures - 1) - 1, MAX_REST)  # one failure is no reason to leave the others
            return await execute(execution.executor)
        self._count("compiled")
        known.failures = 0
        return {"data": data}

    def find(self, prepared: PreparedOperation, execution: Execution) -> Plan | None:
        """Return the plan of an operation with these variables; None if graphql-core has to execute it."""
        if not self._enabled:
            return None
        known = self._known(prepared)
        known.uses += 1
        if known.rest:
            known.rest -= 1
            self._count("errors")
            return None
        if known.uses == 1 and not known.reason:  # what is asked once isn't worth compiling
            self._count("first")
            return None
        plan = None if known.reason else self._variant(known, prepared, execution)
        if plan is None:
            self._count(known.reason or "conditions")
        return plan

    def _must_compile(self, prepared: PreparedOperation, execution: Execution) -> bool:
        known: CompiledOperation | None = prepared.compiled
        if not self._enabled or known is None or known.reason or known.rest:
            return False
        values = known.values(execution)
        return known.conditions is None or ((prepared, values) not in self._held and known.may_have(values))

    @staticmethod
    def _known(prepared: PreparedOperation) -> CompiledOperation:
        if prepared.compiled is None:
            prepared.compiled = CompiledOperation()
        known: CompiledOperation = prepared.compiled
        return known

    def _variant(self, known: CompiledOperation, prepared: PreparedOperation, execution: Execution) -> Plan | None:
        """Return the plan for these variables, or None: `reason` says why no variables have one, if none have."""
        try:
            if known.conditions is None:
                known.conditions = conditions([prepared.operation, *prepared.document.fragments.values()])
            values = known.values(execution)
            plan = self._held.get((prepared, values))
            if plan is None and known.may_have(values):
                plan = self._held[prepared, values] = Plan(self._schema, execution.executor)
                known.variants.add(values)
        except Unfit as error:
            known.reason = str(error)
            return None
        except Exception:  # noqa: BLE001  # whatever it is, graphql-core can execute a valid operation
            _log.exception("operation_not_compiled", operation=prepared.name)
            known.reason = "defect"
            return None
        return plan

    def _count(self, way: str) -> None:
        self._metrics.selections_of(way).inc()


def _size(plan: Plan) -> int:
    return plan.fields + plan.document_length // _CHARACTERS_A_FIELD + 1

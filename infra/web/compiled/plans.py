"""Finds or makes the plan of an operation, and says which operations go to graphql-core."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

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

REST: Final = 20
"""So many executions of an operation are left to graphql-core after one that had to be repeated."""

_INTROSPECTION: Final = frozenset({"__schema", "__type"})

Turn = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(slots=True)
class CompiledOperation:
    """What is kept with one prepared operation."""

    reason: str = ""
    """What makes graphql-core execute it; empty if plans may."""

    uses: int = 0
    rest: int = 0
    conditions: tuple[str, ...] = ()
    variants: dict[tuple[Any, ...], Plan] = field(default_factory=dict)

    def values(self, execution: Execution) -> tuple[Any, ...]:
        """Return the values in its `@skip` and `@include`."""
        return tuple(execution.variable_values.coerced.get(name) for name in self.conditions)


class Plans:
    """The plans of one schema's operations; those of an operation are kept with it."""

    def __init__(self, schema: EngineSchema, metrics: WebMetrics, *, enabled: bool) -> None:
        self._schema = schema
        self._metrics = metrics
        self._enabled = enabled

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
        run = Run(plan.calls, execution.context, execution.variable_values)
        try:
            data = run.begin(plan.function, None)
            if run.gaps:
                await run.finish()
        except Exception:  # noqa: BLE001  # graphql-core reports whatever it is
            self._count("repeated")
            self._known(prepared).rest = REST
            return await execute(execution.executor)
        self._count("compiled")
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
            self._count(known.reason)
        return plan

    def _must_compile(self, prepared: PreparedOperation, execution: Execution) -> bool:
        known: CompiledOperation | None = prepared.compiled
        if not self._enabled or known is None or known.reason or known.rest:
            return False
        return not known.variants or known.values(execution) not in known.variants

    @staticmethod
    def _known(prepared: PreparedOperation) -> CompiledOperation:
        if prepared.compiled is None:
            prepared.compiled = CompiledOperation()
        known: CompiledOperation = prepared.compiled
        return known

    def _variant(self, known: CompiledOperation, prepared: PreparedOperation, execution: Execution) -> Plan | None:
        if len(known.variants) > MAX_VARIANTS:
            known.reason = "conditions"
            return None
        try:
            if not known.variants:
                known.conditions = conditions([prepared.operation, *prepared.document.fragments.values()])
            values = known.values(execution)
            plan = known.variants.get(values)
            if plan is None:
                plan = known.variants[values] = Plan(self._schema, execution.executor)
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

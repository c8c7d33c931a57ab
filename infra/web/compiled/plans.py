"""Finds or makes the plan of an operation, and says which operations go to graphql-core."""

from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from infra.web.compiled.calls import Unfit
from infra.web.compiled.plan import Plan, conditions
from infra.web.compiled.running import Run
from infra.web.documents.preparation import PreparedOperation
from infra.web.execution import Execution, Payload, execute
from infra.web.metrics import WebMetrics
from schema.common.engine_schema import EngineSchema

_log = structlog.get_logger(__name__)

MAX_VARIANTS: Final = 8
"""How many plans one operation may have, for different values in its `@skip` and `@include`."""

REST: Final = 20
"""So many executions of an operation are left to graphql-core after one that had to be repeated."""


@dataclass(slots=True)
class CompiledOperation:
    """What is kept with one prepared operation."""

    reason: str = ""
    """What makes graphql-core execute it; empty if plans may."""

    uses: int = 0
    rest: int = 0
    conditions: tuple[str, ...] = ()
    variants: dict[tuple[Any, ...], Plan] = field(default_factory=dict)


class Plans:
    """The plans of one schema's operations; those of an operation are kept with it."""

    def __init__(self, schema: EngineSchema, metrics: WebMetrics, *, enabled: bool) -> None:
        self._schema = schema
        self._metrics = metrics
        self._enabled = enabled

    async def execute(self, prepared: PreparedOperation, execution: Execution) -> Payload:
        """Return the response to a query, by its plan or by graphql-core."""
        plan = self.find(prepared, execution)
        if plan is None:
            return await execute(execution.executor)
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
            values = tuple(execution.variable_values.coerced.get(name) for name in known.conditions)
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

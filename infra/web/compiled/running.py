"""Runs what a plan compiled: its functions fill in the answer, and leave a gap for each field that must be awaited."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from graphql.execution.values import VariableValues

from infra.web.compiled.calls import Call


@dataclass(slots=True)
class Gap:
    """A field whose value is awaited: its place in the answer, and what makes the answer of the value."""

    answer: dict[str, Any]
    key: str
    complete: "Callable[[Any, Run], Any]"
    value: Coroutine[Any, Any, Any]


class Run:
    """One run of a plan: its context, variables, and each field's arguments and Info, which are made once."""

    __slots__ = ("arguments", "calls", "context", "gaps", "infos", "variables")

    def __init__(self, calls: list[Call], context: object, variables: VariableValues) -> None:
        self.calls = calls
        self.context = context
        self.variables = variables
        self.arguments: list[dict[str, Any] | None] = [None] * len(calls)
        self.infos: list[Any] = [None] * len(calls)
        self.gaps: list[Gap] = []

    def arguments_of(self, index: int) -> dict[str, Any]:
        """Return the arguments of a field's resolver."""
        found = self.arguments[index]
        if found is None:
            found = self.arguments[index] = self.calls[index].arguments(self.variables)
        return found

    def info_of(self, index: int) -> Any:  # noqa: ANN401  # an Info of strawberry
        """Return the Info of a field's resolver."""
        found = self.infos[index]
        if found is None:
            found = self.infos[index] = self.calls[index].info(self.context, self.variables)
        return found

    def begin(self, function: "Function", root: object) -> dict[str, Any]:
        """Return the answer as far as nothing must be awaited; `gaps` has the rest. Any exception means: not so."""
        try:
            return function(root, self)
        except BaseException:
            _close(self.gaps)
            raise

    async def finish(self) -> None:
        """Fill all gaps. A branch goes on as soon as it can, so that loaders gather what all of them ask for."""
        gaps, self.gaps = self.gaps, []
        if len(gaps) == 1:
            await self._fill(gaps[0])
            return
        try:
            # All are awaited even where one fails: a cancelled one would cancel the load that it shares with others.
            results = await asyncio.gather(*map(self._fill, gaps), return_exceptions=True)
        finally:
            _close(gaps)  # those of tasks that were cancelled before they began
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _fill(self, gap: Gap) -> None:
        value = await gap.value
        branch = Run.__new__(Run)
        branch.calls, branch.context, branch.variables = self.calls, self.context, self.variables
        branch.arguments, branch.infos, branch.gaps = self.arguments, self.infos, []
        try:
            gap.answer[gap.key] = gap.complete(value, branch)
        except BaseException:
            _close(branch.gaps)
            raise
        if branch.gaps:
            await branch.finish()


Function = Callable[[Any, Run], dict[str, Any]]


def _close(gaps: list[Gap]) -> None:
    for gap in gaps:
        gap.value.close()

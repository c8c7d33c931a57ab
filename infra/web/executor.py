"""graphql-core's executor, as one that lives as long as a subscription has to be."""

from typing import Any

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation; for a subscription, each of its events in turn."""

    def build_per_event_executor(self, payload: Any) -> "Executor":  # noqa: ANN401  # as graphql-core has it
        """Return an executor of one event that leaves nothing behind when it's done.

        graphql-core 3.3 makes a shallow copy (`Executor.build_per_event_executor`), so all events would share the memo
        of `Executor.collect_subfields`. Its keys are the ids of lists that each event makes anew, and its values keep
        those lists alive: no event finds what another stored, and it grows for as long as the subscription lives.
        """
        executor = super().build_per_event_executor(payload)
        assert isinstance(executor, Executor)
        executor._relevant_sub_fields = {}  # noqa: SLF001  # the memo has no other name
        return executor

"""The log fields of one GraphQL operation: its client, its name and root fields, its cost and its errors."""

import itertools
from contextvars import ContextVar
from typing import Final, Self

from infra.web.context import OperationContext
from infra.web.documents.preparation import PreparedOperation
from schema.common.errors import listen_to_codes

MAX_CODES: Final = 5


class OperationLogEntry:
    """Filled in as the operation proceeds; of the client's text it holds GraphQL names only (letters, digits and `_`).

    Neither the document nor variables are recorded: each may hold private data.
    """

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._payloads = 0
        self._fields: dict[str, object] = {}

    def __enter__(self) -> Self:
        """Be what this task, and those that it starts, fill in inside the block."""
        self._key = next(_numbers)
        _open_entries[self._key] = self
        self._token = _number.set(self._key)
        return self

    def __exit__(self, *_error: object) -> None:
        _number.reset(self._token)
        del _open_entries[self._key]

    @classmethod
    def current(cls) -> "OperationLogEntry":
        """Return the entry of this task; if none is open, one that is never logged."""
        return _open_entries.get(_number.get()) or cls()

    def set_operation(self, prepared: PreparedOperation) -> None:
        """Record the operation's name, type and root fields."""
        self._fields |= prepared.log_fields

    def set_client(self, context: OperationContext) -> None:
        """Record the user and the kind of credential."""
        self._fields |= {"user_id": context.principal_id, "credential": context.credential_kind}

    def set_cost(self, points: int) -> None:
        """Record the cost, as `infra.web.documents.cost` computes it."""
        self._fields["cost"] = points

    def add_error(self, code: str) -> None:
        """Record the code of an error in the answer; only the first few are kept."""
        if len(self._codes) < MAX_CODES:
            self._codes.append(code)

    def count_payload(self) -> None:
        """Count one more payload of a stream."""
        self._payloads += 1

    def fields(self) -> dict[str, object]:
        """Return the fields of the log line."""
        fields = {name: value for name, value in self._fields.items() if value is not None}
        if self._payloads:
            fields["payloads"] = self._payloads
        if self._codes:
            fields["errors"] = ",".join(dict.fromkeys(self._codes))
        return fields


_numbers = itertools.count(1)
_open_entries: dict[int, OperationLogEntry] = {}
_number: ContextVar[int] = ContextVar("r3edge_operation", default=0)
"""The key of the task's entry: contexts outlive operations, in timers that were cancelled, and must not hold any."""

listen_to_codes(lambda code: OperationLogEntry.current().add_error(code))

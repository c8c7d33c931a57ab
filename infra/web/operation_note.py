"""What the log says of one GraphQL operation: who asked for what, at which cost, and with which errors."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from infra.web.context import OperationContext
from infra.web.documents.documents import PreparedOperation
from schema.errors import listen_to_codes

MAX_NAME_CHARACTERS: Final = 64
MAX_ROOT_FIELDS: Final = 5
MAX_CODES: Final = 5


class OperationNote:
    """Filled in as the operation goes on; of what the client wrote it has names alone, of letters, digits and `_`.

    Neither the document nor variables are noted: each may hold what is private.
    """

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._payloads = 0
        self._fields: dict[str, object] = {}

    @classmethod
    @contextmanager
    def begun(cls) -> Iterator["OperationNote"]:
        """Give a note that this task, and those that it starts, fill in inside the block."""
        number, note = next(_numbers), cls()
        _open[number] = note
        token = _number.set(number)
        try:
            yield note
        finally:
            _number.reset(token)
            del _open[number]

    @classmethod
    def current(cls) -> "OperationNote":
        """Return the note of this task; one that nobody reads where none is open."""
        return _open.get(_number.get()) or cls()

    def asks(self, prepared: PreparedOperation) -> None:
        """Note what is asked for."""
        self._fields |= {
            "operation": prepared.name[:MAX_NAME_CHARACTERS] or None,
            "operation_type": prepared.type.value,
            "root_fields": ",".join(prepared.root_fields[:MAX_ROOT_FIELDS]),
        }

    def acts_for(self, context: OperationContext) -> None:
        """Note who asks."""
        self._fields |= {"user_id": context.principal_id, "credential": context.credential_kind}

    def costs(self, points: int) -> None:
        """Note the cost by page sizes."""
        self._fields["cost"] = points

    def tells(self, code: str) -> None:
        """Note the code of an error that the client is told."""
        if len(self._codes) < MAX_CODES:
            self._codes.append(code)

    def sent_one(self) -> None:
        """Note that a stream has given one more payload."""
        self._payloads += 1

    def fields(self) -> dict[str, object]:
        """Return the fields of the log line."""
        codes = ",".join(dict.fromkeys(self._codes)) or None
        noted = {**self._fields, "payloads": self._payloads or None, "errors": codes}
        return {name: value for name, value in noted.items() if value is not None}


_numbers = itertools.count(1)
_open: dict[int, OperationNote] = {}
_number: ContextVar[int] = ContextVar("r3edge_operation", default=0)
"""The key of the task's note: contexts outlive operations, in timers that were cancelled, and must not hold any."""

listen_to_codes(lambda code: OperationNote.current().tells(code))

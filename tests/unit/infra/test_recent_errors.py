"""The newest errors of the log, as operators see them: what failed, and nothing of whose it is."""

import logging

from infra.recent_errors import ERRORS_KEPT, MAXIMUM_CHARACTERS, RecentErrors


def record(level: int, message: object, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("r3edge.x", level, "x.py", 1, message, arguments, None)


def test_the_newest_errors_are_kept_without_their_fields_and_warnings_are_counted() -> None:
    errors = RecentErrors()
    errors.handle(record(logging.WARNING, "slow"))
    errors.handle(record(logging.ERROR, {"event": "order_failed", "user_id": "a-user"}))
    errors.handle(record(logging.CRITICAL, "%s failed", "the writer"))
    errors.handle(record(logging.ERROR, "%d failed", "no number"))
    errors.handle(record(logging.ERROR, "x" * 1_000))
    assert (errors.warning_count, errors.error_count) == (1, 4)
    assert [error.message for error in errors.errors] == [
        "x" * MAXIMUM_CHARACTERS, "%d failed", "the writer failed", "order_failed",
    ]  # fmt: skip
    assert "a-user" not in str(errors.errors)
    for number in range(ERRORS_KEPT):
        errors.handle(record(logging.ERROR, f"error {number}"))
    assert errors.errors[0].message == f"error {ERRORS_KEPT - 1}"
    assert (len(errors.errors), errors.error_count) == (ERRORS_KEPT, 4 + ERRORS_KEPT)

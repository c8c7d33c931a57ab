"""The period of time that a question names: from a moment that is included up to one that is not."""

from datetime import datetime

from domain.core.errors import FaultCode, RequestFault


def validate_time_range(start: datetime | None, end: datetime | None) -> None:
    """Raise RequestFault (INVALID) where a period ends before it has begun; an end that isn't given is open."""
    if start is not None and end is not None and start >= end:
        raise RequestFault(FaultCode.INVALID, "`from` must be before `to`.")

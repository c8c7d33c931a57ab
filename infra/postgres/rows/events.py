"""The stored form of an event's subject: the name of its class, and JSON with decimals as strings."""

from functools import cache
from typing import get_args
from uuid import UUID

import msgspec

from domain.model.events import Subject
from domain.model.orders import OrderEvent

_CLASSES: dict[str, type[Subject]] = {class_.__name__: class_ for class_ in get_args(Subject)}


def encode_subject(subject: Subject | None) -> tuple[str | None, bytes | None]:
    """Return the name of the subject's class and the subject as UTF-8 JSON; None and None for None."""
    if subject is None:
        return None, None
    return type(subject).__name__, msgspec.json.encode(subject)


def decode_subject(name: str | None, data: bytes | None) -> Subject | None:
    """Return the subject that `encode_subject` was given.

    A field that was added to the class since then has its default; one that was removed is ignored.
    """
    if name is None or data is None:
        return None
    return _decoder(name).decode(data)


def subject_order_id(subject: Subject | None) -> UUID | None:
    """Return the id of the order that the subject is an event of; None for any other subject."""
    return subject.order.id if isinstance(subject, OrderEvent) else None


@cache
def _decoder(name: str) -> msgspec.json.Decoder[Subject]:
    return msgspec.json.Decoder(_CLASSES[name])

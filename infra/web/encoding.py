"""JSON in and out, with the answers that hostile text deserves."""

import json

import msgspec

_encoder = msgspec.json.Encoder()


class InvalidJson(ValueError):
    """The text is not JSON (RFC 8259)."""


def decode_json(text: str | bytes) -> object:
    """Return what `text` says; raise InvalidJson for all that isn't JSON, is nested too deeply or has endless numbers.

    The standard decoder is used because it alone keeps whole numbers of more than 64 bits, which decimals may be.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidJson("not JSON") from None


def encode_json(value: object) -> str:
    """Return `value` as compact JSON text; a lone surrogate, which UTF-8 can't hold, is written as an escape."""
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))


def _refuse(name: str) -> object:
    raise InvalidJson(f"{name} is not JSON")

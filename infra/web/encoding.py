"""JSON in and out, safe for hostile input."""

import json

import msgspec

from schema.common.scalars import serialize_time

_encoder = msgspec.json.Encoder()


class InvalidJson(ValueError):
    """The text is not JSON (RFC 8259)."""


def decode_json(text: str | bytes) -> object:
    """Return the value of a JSON text; raise InvalidJson if it isn't JSON, is nested too deeply or has NaN or infinity.

    Not msgspec's decoder: it rejects texts that are valid JSON (a lone surrogate, 1e400), which are answered later by
    errors that name the variable.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text), "surrogatepass")
        return _decoder.decode(text)
    except (ValueError, RecursionError):
        raise InvalidJson("not JSON") from None


def encode_json(value: object) -> str:
    """Return `value` as compact JSON text; a lone surrogate, which UTF-8 can't hold, is written as an escape."""
    return encode_json_bytes(value).decode()


def encode_json_bytes(value: object) -> bytes:
    """Return what `encode_json` does, in UTF-8."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, default=serialize_time, separators=(",", ":")).encode()


def _reject_constant(name: str) -> object:
    raise InvalidJson(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_reject_constant)

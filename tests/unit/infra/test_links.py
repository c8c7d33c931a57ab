import base64
import string
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from infra.security import HmacLinks

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_link_is_of_one_content_and_one_end() -> None:
    links, content = HmacLinks(bytes(32), "exports"), uuid4().bytes
    token = links.sign(content, NOW)
    assert links.read(token) == (content, NOW)
    assert links.sign(uuid4().bytes, NOW) != token
    assert links.sign(content, NOW + SECOND) != token


@pytest.mark.parametrize("content", [b"", b"x", bytes(31), bytes(200)])
def test_a_content_of_any_length_is_signed_in_every_byte(content: bytes) -> None:
    links = HmacLinks(bytes(32), "taxes")
    token = links.sign(content, NOW)
    assert links.read(token) == (content, NOW)
    data = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for place in range(len(data)):
        changed = bytes([*data[:place], data[place] ^ 1, *data[place + 1 :]])
        assert links.read(base64.urlsafe_b64encode(changed).rstrip(b"=").decode()) is None
    for other in (data[:-1], data[1:], data + b"\0", b"\0" + data):
        assert links.read(base64.urlsafe_b64encode(other).rstrip(b"=").decode()) is None


@pytest.mark.parametrize("length", [16, 17, 18])
def test_a_link_that_is_changed_in_any_character_is_worthless(length: int) -> None:
    links = HmacLinks(bytes(32), "exports")
    token = links.sign(bytes(length), NOW + SECOND)
    for place, character in enumerate(token):
        for other in {*string.ascii_letters, *string.digits, "-", "_", "=", "+"} - {character}:
            assert links.read(token[:place] + other + token[place + 1 :]) is None
    assert HmacLinks(bytes(31) + b"1", "exports").read(token) is None


@pytest.mark.parametrize("token", ["", "A", "AAAA", "=", "é", "../../etc/passwd", "A" * 75, "A" * 10_000, "\0"])
def test_what_is_no_link_is_worthless(token: str) -> None:
    assert HmacLinks(bytes(32), "exports").read(token) is None
